"""What deploy/ holds, read as its tools read it; its settings, loaded as ours are."""

import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from config.load import Table, load_settings
from config.settings import Settings
from gate.dockerfile import pairs, parse

yaml = pytest.importorskip("yaml")
ROOT = Path(__file__).parents[2]
KUBERNETES = ROOT / "deploy" / "kubernetes"
_, IMAGE = parse((ROOT / "Dockerfile").read_text("utf-8"))

Manifest = dict[str, Any]


@cache
def manifests() -> tuple[Manifest, ...]:
    """Return every document of deploy/kubernetes; nobody changes them."""
    return tuple(
        document
        for path in sorted(KUBERNETES.glob("*.yaml"))
        for document in yaml.safe_load_all(path.read_text("utf-8"))
    )


def of_kind(*kinds: str) -> list[Manifest]:
    return [each for each in manifests() if each["kind"] in kinds]


def pods() -> Iterator[tuple[str, Manifest]]:
    """Yield each workload's name and the pods that it makes."""
    for each in of_kind("Deployment", "StatefulSet", "DaemonSet", "Job"):
        yield each["metadata"]["name"], each["spec"]["template"]


def containers() -> Iterator[tuple[str, Manifest]]:
    """Yield each container, those that run before others included."""
    for name, pod in pods():
        for key in ("initContainers", "containers"):
            for container in pod["spec"].get(key, []):
                yield f"{name}/{container['name']}", container


def image_variables() -> dict[str, str]:
    """Return the environment of the image."""
    texts = [each.rest for each in IMAGE.instructions if each.name == "ENV"]
    return {name: value for text in texts for name, value in pairs(text).items()}


def loaded(text: str, folder: Path) -> Settings:
    """Return a site's file as `serve` loads it; its secrets are files of `folder`."""
    secret = folder / "ledger-password"
    secret.write_text("a password\n", "utf-8")
    overrides: Table = {}
    if "password_file" in text:
        overrides = {"ledger": {"password_file": str(secret)}}
    site = folder / "site.toml"
    site.write_text(text, "utf-8")
    return load_settings(site, overrides)


def table(text: str) -> Mapping[str, Any]:
    return tomllib.loads(text)

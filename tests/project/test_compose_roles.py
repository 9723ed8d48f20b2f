"""deploy/compose.yaml: by the specification of Compose, and by what it does not say."""

import json
from pathlib import Path
from typing import Any

import pytest

from config.load import load_settings
from gate.dockerfile import words
from model.version import VERSION
from tests.data.manifests import (
    IMAGE,
    ROOT,
    image_variables,
    loaded,
    table,
)

yaml = pytest.importorskip("yaml")
compose_spec = pytest.importorskip("compose_spec")
FOLDER = ROOT / "deploy"
COMPOSE = yaml.safe_load((FOLDER / "compose.yaml").read_text("utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
ROLES = {"listener", "worker", "scheduler", "web"}
FILES = (ROOT / "compose.yaml", FOLDER / "compose.yaml")


def parsed(body: dict[str, Any]) -> list[str]:
    """Return the services of a file whose merges are resolved; raises ValueError."""
    plain = {key: value for key, value in body.items() if not key.startswith("x-")}
    found = compose_spec.PyCompose.from_json(json.dumps(plain))
    return sorted(found.service_names())


@pytest.mark.parametrize("path", FILES, ids=["one machine", "roles"])
def test_it_is_a_compose_file(path: Path) -> None:
    body = yaml.safe_load(path.read_text("utf-8"))
    assert parsed(body) == sorted(body["services"])


@pytest.mark.parametrize(
    "wrong", [{"red_only": True}, {"ports": ["99999:1"]}, {"restart": "sometimes"}]
)
def test_a_file_that_is_wrong_is_found(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        parsed({"services": {"gateway": {"image": "x", **wrong}}})


def test_each_role_is_a_service() -> None:
    served = {
        name: each["command"][2]
        for name, each in SERVICES.items()
        if each.get("command", [])[:2] == ["serve", "--role"]
    }
    assert served == {role: role for role in ROLES}


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_may_change_nothing_of_its_image(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    user = service.get("user", IMAGE.last("USER"))
    assert not str(user).startswith("0")


def test_our_images_have_this_version_and_the_extras_that_they_need() -> None:
    own = {n: s for n, s in SERVICES.items() if s["image"].startswith("maira-gateway")}
    assert set(own) == ROLES | {"engine"}
    for name, service in own.items():
        image, _, version = service["image"].partition(":")
        extras = service["build"]["args"]["EXTRAS"].split(",")
        assert version == VERSION
        assert ("ray" in extras) == (image == "maira-gateway-ray") == (name == "engine")
        assert (FOLDER / service["build"]["context"] / "Dockerfile").exists()


def test_the_network_reaches_the_dicom_port_alone() -> None:
    ports = {name: each["ports"] for name, each in SERVICES.items() if "ports" in each}
    assert ports == {"listener": ["11112:11112"], "web": ["127.0.0.1:8080:8080"]}
    assert COMPOSE["networks"]["inside"]["internal"] is True
    for name in ("ledger", "engine"):
        assert SERVICES[name]["networks"] == ["inside"]


def test_health_is_asked_where_the_settings_put_it() -> None:
    settings = table((FOLDER / "site.toml").read_text("utf-8"))
    own, web = settings["health"]["port"], load_settings().web.port
    for role in ROLES:
        (*_, asked) = SERVICES[role]["healthcheck"]["test"]
        address = (
            f"https://127.0.0.1:{web}" if role == "web" else f"http://127.0.0.1:{own}"
        )
        assert f'"{address}/health/live"' in asked
        compile(asked, role, "exec")


def test_what_is_used_is_declared() -> None:
    for name, service in SERVICES.items():
        assert set(service.get("secrets", [])) <= set(COMPOSE["secrets"]), name
        assert set(service["networks"]) <= set(COMPOSE["networks"])
        assert set(service.get("depends_on", {})) <= set(SERVICES)
        sources = [mount.partition(":")[0] for mount in service.get("volumes", [])]
        named = {source for source in sources if not source.startswith(".")}
        assert named <= set(COMPOSE["volumes"])
        files = [FOLDER / source for source in sources if source.startswith(".")]
        assert all(file.exists() for file in files)


def test_no_secret_is_in_the_file_or_in_the_tree() -> None:
    files = [each["file"] for each in COMPOSE["secrets"].values()]
    assert all(file.startswith("./secrets/") for file in files)
    assert "/deploy/secrets/" in (ROOT / ".gitignore").read_text("utf-8").splitlines()
    values = [
        f"{value}"
        for service in SERVICES.values()
        for name, value in service.get("environment", {}).items()
        if "PASSWORD" in name
    ]
    assert values == ["/run/secrets/ledger-password"]


def test_settings_and_spool_lie_where_the_image_looks() -> None:
    site = image_variables()["MAIRA_GATEWAY_CONFIG"]
    folder, checkpoint = words(IMAGE.last("VOLUME") or "[]")
    for role in ROLES:
        assert SERVICES[role]["volumes"] == [
            f"spool:{folder}",
            f"./site.toml:{site}:ro",
        ]
    assert SERVICES["engine"]["volumes"] == [
        f"checkpoint:{checkpoint}:ro",
        f"./engine.toml:{site}:ro",
    ]


def test_the_settings_load_and_name_the_services_and_their_secrets(
    tmp_path: Path,
) -> None:
    text = (FOLDER / "site.toml").read_text("utf-8")
    engine = (FOLDER / "engine.toml").read_text("utf-8")
    for secret in COMPOSE["secrets"]:
        assert f'"/run/secrets/{secret}"' in text + engine
    assert "@ledger/" in text
    assert "https://engine:8000" in text
    settings = loaded(text, tmp_path)
    assert settings.storage.folder == Path("/var/lib/maira-gateway")
    assert f"{loaded(engine, tmp_path).engine.kind}" == "ray"

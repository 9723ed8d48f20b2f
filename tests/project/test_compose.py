"""compose.yaml against the Dockerfile and the settings that it runs with."""

from pathlib import Path

import pytest

from config.load import load_settings
from gate.dockerfile import pairs, parse, words

yaml = pytest.importorskip("yaml")
ROOT = Path(__file__).parents[2]
BUILD, FINAL = parse((ROOT / "Dockerfile").read_text("utf-8"))
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text("utf-8"))
GATEWAY = COMPOSE["services"]["gateway"]


def test_the_gateway_alone_starts_unless_the_viewer_is_asked_for() -> None:
    services = COMPOSE["services"].items()
    assert [name for name, each in services if "profiles" not in each] == ["gateway"]


def test_the_viewer_opens_ports_on_loopback_alone() -> None:
    viewer = [each for each in COMPOSE["services"].values() if "profiles" in each]
    ports = [port for each in viewer for port in each["ports"]]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_it_opens_the_dicom_port_of_the_settings_and_no_other() -> None:
    port = load_settings().listener.port
    assert GATEWAY["ports"] == [f"{port}:{port}"]
    assert str(port) in (FINAL.last("EXPOSE") or "").split()


def test_its_build_arguments_are_those_of_the_dockerfile_with_their_defaults() -> None:
    texts = [each.rest for each in BUILD.instructions if each.name == "ARG"]
    arguments = {name: value for text in texts for name, value in pairs(text).items()}
    assert GATEWAY["build"]["args"] == {
        name: f"${{{name}:-{value}}}" for name, value in arguments.items()
    }


def test_its_data_is_a_volume_that_is_declared() -> None:
    folder = words(FINAL.last("VOLUME") or "[]")[0]
    mounted = {f"{name}:{folder}" for name in COMPOSE["volumes"]}
    assert mounted & set(GATEWAY["volumes"])


def test_what_it_mounts_as_settings_is_where_the_image_reads_them() -> None:
    (env,) = [e.rest for e in FINAL.instructions if e.name == "ENV"]
    assert f"./site.toml:{pairs(env)['MAIRA_GATEWAY_CONFIG']}:ro" in GATEWAY["volumes"]

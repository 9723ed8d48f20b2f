"""The manifests: by the schemas of Kubernetes, and by what no schema says."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from config.load import Secrets, load_settings
from config.urls import has_secret
from gate.dockerfile import words
from gateway.running.working import STOP_SECONDS
from model.version import VERSION
from tests.data.manifests import (
    IMAGE,
    ROOT,
    Manifest,
    containers,
    image_variables,
    loaded,
    manifests,
    of_kind,
    pods,
    table,
)

kubernetes_validate = pytest.importorskip("kubernetes_validate")
RELEASE = "1.37"
OWN = {"maira-gateway", "maira-gateway-ray"}
ROLES = {"listener", "worker", "scheduler", "web"}
GUIDE = (ROOT / "docs" / "scale.md").read_text("utf-8")
(SETTINGS,) = of_kind("ConfigMap")
SITE = SETTINGS["data"]["site.toml"]


def gateways() -> list[tuple[str, Manifest]]:
    """Return the containers that run `serve`."""
    return [(n, c) for n, c in containers() if "serve" in c.get("args", [])]


def mounted(pod: Manifest) -> Mapping[str, Manifest]:
    return {volume["name"]: volume for volume in pod["spec"]["volumes"]}


def matches(selector: Mapping[str, str]) -> list[str]:
    """Return the workloads whose pods carry all labels of a selector."""
    return [
        name
        for name, pod in pods()
        if selector.items() <= pod["metadata"]["labels"].items()
    ]


def label(document: Manifest) -> str:
    return f"{document['kind']}-{document['metadata']['name']}"


@pytest.mark.parametrize("document", manifests(), ids=label)
def test_each_document_is_valid(document: Manifest) -> None:
    kubernetes_validate.validate(document, RELEASE, strict=True)


def test_a_document_that_is_wrong_is_found() -> None:
    (first, *_) = of_kind("Deployment")
    wrong = {**first, "spec": {**first["spec"], "replica": 2}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, RELEASE, strict=True)


def test_everything_is_in_one_namespace_that_refuses_privileges() -> None:
    (namespace,) = of_kind("Namespace")
    enforced = namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"]
    assert enforced == "restricted"
    places = {
        each["metadata"]["namespace"]
        for each in manifests()
        if each["kind"] != "Namespace"
    }
    assert places == {namespace["metadata"]["name"]}


@pytest.mark.parametrize(("name", "pod"), [*pods()], ids=[name for name, _ in pods()])
def test_a_pod_runs_as_the_user_of_the_image_and_knows_no_cluster(
    name: str, pod: Manifest
) -> None:
    user, group = (int(number) for number in (IMAGE.last("USER") or "").split(":"))
    security = pod["spec"]["securityContext"]
    assert security["runAsNonRoot"] is True, name
    assert (security["runAsUser"], security["runAsGroup"]) == (user, group)
    assert security["fsGroup"] == group
    assert security["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["spec"]["automountServiceAccountToken"] is False
    forbidden = {"hostNetwork", "hostPID", "hostIPC"}
    assert not forbidden & set(pod["spec"])
    assert not [v for v in pod["spec"]["volumes"] if "hostPath" in v]


@pytest.mark.parametrize(
    ("name", "container"), [*containers()], ids=[name for name, _ in containers()]
)
def test_a_container_may_change_nothing_of_its_image(
    name: str, container: Manifest
) -> None:
    security = container["securityContext"]
    assert security == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }, name
    paths = {mount["mountPath"] for mount in container["volumeMounts"]}
    assert "/tmp" in paths  # noqa: S108 - the one folder that Python needs
    resources = container["resources"]
    assert set(resources["requests"]) == {"cpu", "memory"}
    assert "memory" in resources["limits"]


def test_no_secret_stands_in_a_manifest() -> None:
    assert of_kind("Secret") == []
    plain = [
        variable["value"]
        for _, container in containers()
        for variable in container.get("env", [])
        if "value" in variable
    ]
    texts = [*plain, *re.findall(r'"(\w+://[^"]+)"', SITE)]
    assert len(texts) > 3
    assert [text for text in texts if has_secret(text)] == []
    named = [
        variable["name"]
        for _, container in containers()
        for variable in container.get("env", [])
        if "value" in variable
    ]
    assert [n for n in named if re.search("KEY|PASSWORD|SECRET|TOKEN|URL", n)] == []


def test_each_pod_gets_the_secrets_that_it_needs() -> None:
    ledger, web = {"ledger-password", "ca.pem"}, {"web.pem", "web.key"}
    for name, pod in pods():
        (secret,) = [v["secret"] for v in mounted(pod).values() if "secret" in v]
        files = {each["path"] for each in secret.get("items", [])}
        if name in ROLES:
            assert secret["secretName"] == "maira-gateway"
            assert files == (ledger | web if name == "web" else ledger)
        else:
            assert secret["secretName"] == "maira-gateway-engine"


def test_the_guide_makes_each_secret_with_each_file_that_the_settings_name() -> None:
    for key, secret in (
        ("site.toml", "maira-gateway"),
        ("engine.toml", "maira-gateway-engine"),
    ):
        files = re.findall(
            r'"/run/secrets/maira-gateway/([^"]+)"', SETTINGS["data"][key]
        )
        (command,) = re.findall(
            rf"create secret generic {secret} (.+?)\n\n", GUIDE, re.S
        )
        assert files
        assert [file for file in files if f"--from-file={file}" not in command] == []
    assert "--from-file=patient-key" in GUIDE


def test_variables_are_those_of_the_settings() -> None:
    prefix = str(Secrets.model_config["env_prefix"])
    known = {prefix + name.upper() for name in Secrets.model_fields}
    known |= set(image_variables())
    used = {
        variable["name"]
        for _, container in containers()
        for variable in container.get("env", [])
        if variable["name"].startswith(prefix)
    }
    assert used
    assert used <= known


def test_images_are_ours_at_this_version() -> None:
    images = {container["image"] for _, container in containers()}
    assert images == {f"{name}:{VERSION}" for name in OWN}


def test_each_role_is_served_once_and_all_of_them_are() -> None:
    served = [container["args"] for _, container in gateways()]
    assert all(args[:2] == ["serve", "--role"] for args in served)
    roles = [role for args in served for role in args[2].split(",")]
    assert sorted(roles) == sorted(ROLES)


def test_settings_and_spool_lie_where_the_image_looks() -> None:
    folder, _ = words(IMAGE.last("VOLUME") or "[]")
    site = image_variables()["MAIRA_GATEWAY_CONFIG"]
    assert table(SITE)["storage"]["folder"] == folder
    for name, container in containers():
        mounts = {each["mountPath"]: each for each in container["volumeMounts"]}
        assert mounts[str(Path(site).parent)]["readOnly"] is True, name
    for _, container in gateways():
        mounts = {each["mountPath"]: each for each in container["volumeMounts"]}
        assert mounts[folder]["name"] == "spool"


def test_what_is_shared_by_hosts_can_be() -> None:
    claims = {
        each["metadata"]["name"]: each for each in of_kind("PersistentVolumeClaim")
    }
    assert claims["spool"]["spec"]["accessModes"] == ["ReadWriteMany"]
    used = {
        volume["persistentVolumeClaim"]["claimName"]
        for _, pod in pods()
        for volume in pod["spec"]["volumes"]
        if "persistentVolumeClaim" in volume
    }
    assert used == set(claims)
    configs = {
        volume["configMap"]["name"]
        for _, pod in pods()
        for volume in pod["spec"]["volumes"]
        if "configMap" in volume
    }
    assert configs == {SETTINGS["metadata"]["name"]}


def test_the_settings_load(tmp_path: Path) -> None:
    settings = loaded(SITE, tmp_path)
    assert settings.ledger_url.startswith("postgresql://gateway:")
    engine = loaded(SETTINGS["data"]["engine.toml"], tmp_path)
    assert f"{engine.engine.kind}" == "ray"


def test_ports_are_those_of_settings_image_and_services() -> None:
    defaults = load_settings()
    exposed = (IMAGE.last("EXPOSE") or "").split()
    assert str(defaults.listener.port) in exposed
    ports = {
        (name, port["name"]): port["containerPort"]
        for name, container in containers()
        for port in container["ports"]
    }
    assert ports["listener/gateway", "dicom"] == defaults.listener.port
    for name, _ in gateways():
        if name.startswith("web/"):
            assert ports[name, "https"] == defaults.web.port
        else:
            assert ports[name, "health"] == table(SITE)["health"]["port"]
    (dicom,) = [e for e in of_kind("Service") if e["metadata"]["name"] == "dicom"]
    assert dicom["spec"]["ports"][0]["port"] == defaults.listener.port
    # or every sender has the address of a node, and networks of peers mean nothing
    assert dicom["spec"]["externalTrafficPolicy"] == "Local"
    for service in of_kind("Service"):
        (workload,) = matches(service["spec"]["selector"])
        for port in service["spec"]["ports"]:
            own = [p for (n, p) in ports if n.startswith(f"{workload}/")]
            assert port["targetPort"] in own


def test_probes_ask_what_the_gateway_answers() -> None:
    settings = table(SITE)
    assert settings["web"]["certificate"]
    assert settings["health"]["host"] == settings["web"]["host"] == "0.0.0.0"  # noqa: S104
    paths = {"startupProbe": "live", "livenessProbe": "live", "readinessProbe": "ready"}
    for name, container in gateways():
        for probe, what in paths.items():
            asked = container[probe]["httpGet"]
            assert asked["path"] == f"/health/{what}", name
            if name.startswith("web/"):  # the console answers to names that it knows
                assert (asked["scheme"], asked["port"]) == ("HTTPS", "https")
                assert asked["httpHeaders"] == [{"name": "Host", "value": "localhost"}]
            else:
                assert asked["port"] == "health"
                assert "scheme" not in asked


def test_a_stop_has_the_time_that_it_needs() -> None:
    for name, pod in pods():
        hook = pod["spec"]["containers"][0].get("lifecycle", {})
        before = hook.get("preStop", {}).get("sleep", {}).get("seconds", 0)
        given = pod["spec"]["terminationGracePeriodSeconds"]
        assert given >= before + STOP_SECONDS + 10, name


def test_no_more_than_one_pod_of_a_kind_is_taken_away_at_a_time() -> None:
    budgets = {
        name: each["spec"]
        for each in of_kind("PodDisruptionBudget")
        for name in matches(each["spec"]["selector"]["matchLabels"])
    }
    several = {
        each["metadata"]["name"]
        for each in of_kind("Deployment")
        if each["spec"]["replicas"] > 1
    }
    assert set(budgets) == several
    for each in of_kind("Deployment"):
        name, replicas = each["metadata"]["name"], each["spec"]["replicas"]
        if name in budgets:
            lost = replicas - budgets[name].get("minAvailable", replicas - 1)
            assert budgets[name].get("maxUnavailable", lost) == 1


def test_nobody_is_reached_unless_a_policy_says_so() -> None:
    policies = of_kind("NetworkPolicy")
    everybody = [each["spec"] for each in policies if each["spec"]["podSelector"] == {}]
    closed = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    assert closed in everybody
    for each in policies:
        labels = each["spec"]["podSelector"].get("matchLabels", {})
        assert matches(labels), each["metadata"]["name"]


def test_the_model_reaches_neither_ledger_nor_hospital() -> None:
    own = {"app.kubernetes.io/name": "maira-gateway-engine"}
    leaving: list[Any] = [
        peer
        for each in of_kind("NetworkPolicy")
        if each["spec"]["podSelector"].get("matchLabels", {}) == own
        for rule in each["spec"].get("egress", [])
        for peer in rule["to"]
    ]
    assert leaving == [{"podSelector": {"matchLabels": own}}]


def test_selectors_find_their_own_pods() -> None:
    for each in of_kind("Deployment"):
        found = matches(each["spec"]["selector"]["matchLabels"])
        assert found == [each["metadata"]["name"]]

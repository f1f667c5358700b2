"""deploy/: each way to run the appliance keeps the promises of the others, in its own language's schema."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from check_jsonschema.builtin_schemas import get_builtin_schema
from jsonschema import Draft7Validator

from signer.config import load
from signer.config.server import ServerSettings
from signer.config.shape import keys_of
from signer.errors import ConfigError
from signer.tokens.settings import TokenSettings

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
CONTAINERFILE = DEPLOY / "container/Containerfile"
MANIFESTS = sorted(set((DEPLOY / "kubernetes").glob("*.yaml")) - {DEPLOY / "kubernetes/kustomization.yaml"})
OF_REPLICAS = sorted(set((DEPLOY / "kubernetes-replicas").glob("*.yaml")) - {DEPLOY / "kubernetes-replicas/kustomization.yaml"})
USER = 10001
STOP_S_MIN = keys_of(ServerSettings)["drain_s"].default + keys_of(TokenSettings)["login_s_max"].default
TRIAL_METRICS = "127.0.0.1:9464"


def resources(paths: Sequence[Path] = MANIFESTS) -> dict[str, dict[str, Any]]:
    """Kubernetes' by kind and name."""
    read = [resource for path in paths for resource in yaml.safe_load_all(path.read_text(encoding="utf-8"))]
    return {f"{each['kind']}/{each['metadata']['name']}": each for each in read}


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((DEPLOY / "compose/compose.yaml").read_text(encoding="utf-8"))
    return read


@pytest.fixture(scope="module")
def shared_compose() -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((DEPLOY / "compose/replicas.yaml").read_text(encoding="utf-8"))
    return read


@pytest.fixture(scope="module")
def pod() -> dict[str, Any]:
    spec: dict[str, Any] = resources()["StatefulSet/signer"]["spec"]["template"]["spec"]
    return spec


def test_hadolint_finds_nothing_wrong_with_the_image() -> None:
    command: list[str | Path] = [Path(sys.executable).with_name("hadolint"), "--failure-threshold", "style", CONTAINERFILE]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout


def test_the_image_runs_as_the_number_that_orchestrators_name_and_not_as_root(pod: dict[str, Any]) -> None:
    last_stage = CONTAINERFILE.read_text(encoding="utf-8").split("\nFROM ")[-1]
    assert re.findall(r"(?m)^USER (.*)$", last_stage) == [f"{USER}:{USER}"]
    assert (pod["securityContext"]["runAsUser"], pod["securityContext"]["runAsGroup"]) == (USER, USER)


def test_compose_keeps_to_the_schema_of_its_specification(compose: dict[str, Any], shared_compose: dict[str, Any]) -> None:
    validator = Draft7Validator(get_builtin_schema("vendor.compose-spec"))
    assert [error.message for each in (compose, shared_compose) for error in validator.iter_errors(each)] == []
    assert list(validator.iter_errors(compose | {"servces": {}}))


@pytest.mark.parametrize("file", ["compose", "replicas"])
def test_in_compose_every_service_is_shut_in_and_every_file_it_mounts_is_there(file: str) -> None:
    compose = yaml.safe_load((DEPLOY / f"compose/{file}.yaml").read_text(encoding="utf-8"))
    for name, service in compose["services"].items():
        assert service["read_only"], name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["image"] == "signer" or re.search(r":v?\d+(\.\d+){1,2}$", service["image"]), (
            f"{name}: a version, not whatever is newest"
        )
        for mount in service["volumes"]:
            source = mount.split(":")[0]
            assert source in compose["volumes"] or (DEPLOY / "compose" / source).exists(), mount


def test_in_compose_what_watches_finds_the_daemon_where_its_files_say(compose: dict[str, Any]) -> None:
    prometheus = yaml.safe_load((DEPLOY / "observability/prometheus.yml").read_text(encoding="utf-8"))
    assert prometheus["scrape_configs"][0]["static_configs"][0]["targets"] == [TRIAL_METRICS]
    assert prometheus["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"] == ["127.0.0.1:9093"]
    assert f'"{TRIAL_METRICS}"' in (DEPLOY / "compose/trial.py").read_text(encoding="utf-8")
    watchers = set(compose["services"]) - {"signer", "material"}
    assert watchers == {"prometheus", "alertmanager", "grafana"}
    assert {compose["services"][name]["network_mode"] for name in watchers} == {"service:signer"}


def test_everybody_waits_longer_for_the_daemon_than_a_drain_and_a_login_together(
    compose: dict[str, Any], shared_compose: dict[str, Any], pod: dict[str, Any]
) -> None:
    for each in (compose, shared_compose):
        assert int(each["services"]["signer"]["stop_grace_period"].removesuffix("s")) > STOP_S_MIN
    assert pod["terminationGracePeriodSeconds"] > STOP_S_MIN


@pytest.mark.parametrize(
    "path", [path for path in [*MANIFESTS, *OF_REPLICAS] if path.name != "servicemonitor.yaml"], ids=lambda path: path.stem
)
def test_a_manifest_keeps_to_the_schema_of_kubernetes(path: Path) -> None:
    for resource in yaml.safe_load_all(path.read_text(encoding="utf-8")):
        kubernetes_validate.validate(resource, "1.30", strict=True)


def test_a_manifest_with_a_mistake_is_found_out() -> None:
    spoiled = json.loads(json.dumps(resources()["StatefulSet/signer"]).replace("failureThreshold", "failureTreshold", 1))
    with pytest.raises(kubernetes_validate.ValidationError, match="failureTreshold"):
        kubernetes_validate.validate(spoiled, "1.30", strict=True)


def test_kustomize_is_given_every_manifest_and_no_other() -> None:
    kustomization = yaml.safe_load((DEPLOY / "kubernetes/kustomization.yaml").read_text(encoding="utf-8"))
    assert sorted(kustomization["resources"]) == [path.name for path in MANIFESTS]
    assert kustomization["configMapGenerator"] == [{"name": "signer-config", "files": ["signer.toml"]}]
    assert (DEPLOY / "kubernetes/signer.toml").is_file()


def test_whoever_selects_the_pods_names_labels_they_have() -> None:
    found = resources()
    labels = found["StatefulSet/signer"]["spec"]["template"]["metadata"]["labels"].items()
    selectors = [
        found["StatefulSet/signer"]["spec"]["selector"]["matchLabels"],
        found["PodDisruptionBudget/signer"]["spec"]["selector"]["matchLabels"],
        found["NetworkPolicy/signer"]["spec"]["podSelector"]["matchLabels"],
        found["Service/signer"]["spec"]["selector"],
        found["Service/signer-pods"]["spec"]["selector"],
    ]
    assert all(selector.items() <= labels for selector in selectors)
    assert found["StatefulSet/signer"]["spec"]["serviceName"] == "signer-pods"


def test_ports_are_named_as_the_container_names_them(pod: dict[str, Any]) -> None:
    [container] = pod["containers"]
    named = {port["name"]: port["containerPort"] for port in container["ports"]}
    found = resources()
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert container[probe]["httpGet"]["port"] in named
    assert container["livenessProbe"]["httpGet"]["path"] == "/livez", "a token that is away is mended by no restart"
    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
    used = {port["targetPort"] for name in ("signer", "signer-pods") for port in found[f"Service/{name}"]["spec"]["ports"]}
    used |= {port["port"] for rule in found["NetworkPolicy/signer"]["spec"]["ingress"] for port in rule["ports"]}
    assert used == set(named)
    config = (DEPLOY / "kubernetes/signer.toml").read_text(encoding="utf-8")
    assert set(re.findall(r'(?m)^listen = "0\.0\.0\.0:(\d+)"', config)) == {str(port) for port in named.values()}


def test_prometheus_operator_finds_the_metrics_under_the_job_that_the_alerts_look_for() -> None:
    found = resources()
    monitor, service = found["ServiceMonitor/signer"]["spec"], found["Service/signer-pods"]
    assert monitor["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert not monitor["selector"]["matchLabels"].items() <= found["Service/signer"]["metadata"]["labels"].items(), "each pod once"
    assert {endpoint["port"] for endpoint in monitor["endpoints"]} == {port["name"] for port in service["spec"]["ports"]}
    assert service["metadata"]["labels"][monitor["jobLabel"]] == "signer"


def test_the_pod_is_restricted_as_its_namespace_demands(pod: dict[str, Any]) -> None:
    namespace = resources()["Namespace/signer"]["metadata"]["labels"]
    assert namespace["pod-security.kubernetes.io/enforce"] == "restricted"
    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    for container in [*pod["initContainers"], *pod["containers"]]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }


@pytest.mark.parametrize("folder", ["kubernetes", "kubernetes-replicas"])
def test_the_cluster_s_configuration_lacks_nothing_but_files_of_another_machine(folder: str, tmp_path: Path) -> None:
    config = tmp_path / "signer.toml"
    config.write_text((DEPLOY / folder / "signer.toml").read_text(encoding="utf-8"), encoding="utf-8")
    with pytest.raises(ConfigError) as refused:
        load(config)
    faults = refused.value.message.splitlines()
    assert faults
    assert [fault for fault in faults if "no such file" not in fault] == []


def test_replicas_are_the_same_pod_without_a_volume_of_its_own(pod: dict[str, Any]) -> None:
    found = resources(OF_REPLICAS)
    deployment = found["Deployment/signer"]["spec"]
    of_many = deployment["template"]["spec"]
    assert deployment["replicas"] > 1
    assert deployment["template"]["metadata"] == resources()["StatefulSet/signer"]["spec"]["template"]["metadata"]
    assert of_many["containers"] == pod["containers"]
    assert {each: value for each, value in of_many.items() if each not in {"volumes", "initContainers"}} == {
        each: value for each, value in pod.items() if each not in {"volumes", "initContainers"}
    }
    named = {volume["name"]: volume for volume in of_many["volumes"]}
    mounted = {mount["name"] for container in [*of_many["initContainers"], *of_many["containers"]] for mount in container["volumeMounts"]}
    assert mounted == set(named)
    assert "emptyDir" in named["data"], "a pod keeps nothing"


def test_kustomize_puts_replicas_in_the_place_of_the_one() -> None:
    kustomization = yaml.safe_load((DEPLOY / "kubernetes-replicas/kustomization.yaml").read_text(encoding="utf-8"))
    assert kustomization["resources"] == ["../kubernetes", *[path.name for path in OF_REPLICAS]]
    [gone] = kustomization["patches"]
    assert yaml.safe_load(gone["patch"])["$patch"] == "delete"
    assert gone["target"] == {"kind": "StatefulSet", "name": "signer"}
    assert "StatefulSet/signer" in resources()


def test_haproxy_takes_its_configuration_without_a_warning() -> None:
    checked = subprocess.run(["haproxy", "-c", "-f", DEPLOY / "haproxy/haproxy.cfg"], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
    assert "WARNING" not in checked.stderr + checked.stdout


def test_the_balancer_asks_for_readiness_where_the_daemons_tell_it(shared_compose: dict[str, Any]) -> None:
    config = (DEPLOY / "haproxy/haproxy.cfg").read_text(encoding="utf-8")
    metrics = TRIAL_METRICS.rpartition(":")[2]
    assert set(re.findall(r"check port (\d+)", config)) == {metrics}
    assert "httpchk GET /readyz" in config
    assert {port.rpartition(":")[2] for port in shared_compose["services"]["balancer"]["ports"]} <= set(re.findall(r"bind :(\d+)", config))
    assert set(re.findall(r"signer:(\d+)", config)) == set(re.findall(r"bind :(\d+)", config))

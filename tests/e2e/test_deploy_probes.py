"""The probes that deploy/ gives to orchestrators, against the daemon that they are for."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from pathlib import Path

import yaml

from tests.support.daemon import Running

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"


def health_check(port: int) -> int:
    """The image's own, with this machine's Python; its exit code."""
    text = (DEPLOY / "container/Containerfile").read_text(encoding="utf-8")
    [command] = [line.split("CMD", 1)[1] for line in text.splitlines() if line.startswith("    CMD [")]
    program, *arguments = json.loads(command)
    assert program == "/opt/signer/bin/python"
    aimed = [argument.replace("127.0.0.1:9464", f"127.0.0.1:{port}") for argument in arguments]
    return subprocess.run([sys.executable, *aimed], stderr=subprocess.DEVNULL, check=False).returncode


def test_the_image_s_health_check_passes_a_daemon_that_lives_and_no_other(daemon: Running) -> None:
    assert health_check(daemon.metrics_port()) == 0
    assert health_check(1) != 0


def test_the_cluster_s_probes_are_answered(daemon: Running) -> None:
    manifest = yaml.safe_load((DEPLOY / "kubernetes/statefulset.yaml").read_text(encoding="utf-8"))
    [container] = manifest["spec"]["template"]["spec"]["containers"]
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        with urllib.request.urlopen(f"http://127.0.0.1:{daemon.metrics_port()}{container[probe]['httpGet']['path']}") as answer:
            assert answer.status == 200

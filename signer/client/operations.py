"""What an operator asks of the daemon as a whole: `SignerClient.operations`."""

from __future__ import annotations

import time

from signer.client.channel import Connection
from signer.client.retries import RetryPolicy
from signer.client.unary import call_patiently
from signer.model import Finding, Severity
from signer.v1 import admin_operations_pb2, admin_pb2_grpc

TIMEOUT_S = 60.0
_SEVERITIES = {
    admin_operations_pb2.SEVERITY_OK: Severity.OK,
    admin_operations_pb2.SEVERITY_WARNING: Severity.WARN,
}


class OperationsClient:
    """Needs the client certificate of an operator; RoleRefused without."""

    def __init__(self, connection: Connection, policy: RetryPolicy) -> None:
        self._connection = connection
        self._policy = policy

    def diagnose(self, *, timeout_s: float = TIMEOUT_S) -> list[Finding]:
        """Everything the daemon can check of itself and of what it stands on, gravest first. Changes nothing."""
        stub = admin_pb2_grpc.AdminServiceStub(self._connection.channel)
        request = admin_operations_pb2.DiagnoseRequest()
        response = call_patiently(stub.Diagnose, request, policy=self._policy, deadline_s=time.monotonic() + timeout_s)
        return [_finding(found) for found in response.findings]


def _finding(found: admin_operations_pb2.Finding) -> Finding:
    severity = _SEVERITIES.get(found.severity, Severity.FAIL)
    return Finding(found.check, severity, found.message, found.remedy, found.runbook_uri)

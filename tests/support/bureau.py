"""A CA that answers certificate requests, and a world whose daemon believes it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from signer.v1 import admin_keys_pb2, admin_pb2_grpc, common_pb2, credential_pb2, credential_pb2_grpc
from tests.support import pki
from tests.support.calls import our_errors
from tests.support.daemon import SCHOOL, Running, World, running_daemon

LATE = datetime.now(UTC) + timedelta(days=5 * 365)
TOKEN = "school-token"
RSA_2048, EC_P256 = common_pb2.KEY_KIND_RSA_2048, common_pb2.KEY_KIND_EC_P256
IN_TOKEN, WRAPPED = credential_pb2.KEY_STORAGE_TOKEN, credential_pb2.KEY_STORAGE_WRAPPED
TEACHER = "Nguyễn Thị Ánh Tuyết (DEMO)"


def answer(request: bytes, *, until: datetime = LATE, usage: x509.KeyUsage | None = None) -> bytes:
    """The certificate for a PKCS#10 request, DER in and out: subject and key are the request's."""
    asked = x509.load_der_x509_csr(request)
    authority = pki.authority()
    builder = (
        x509.CertificateBuilder()
        .subject_name(asked.subject)
        .issuer_name(authority.x509.subject)
        .public_key(asked.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(min(datetime.now(UTC), until) - timedelta(days=1))
        .not_valid_after(until)
        .add_extension(usage or pki.key_usage(is_ca=False), critical=True)
    )
    return builder.sign(authority.key, hashes.SHA256()).public_bytes(Encoding.DER)


def believe(world: World) -> None:
    """Adds the CA to the world's."""
    added = pki.authority().pem + pki.root().pem
    there = world.ca_file.read_bytes()
    if added not in there:
        world.ca_file.write_bytes(there + added)


def subject(common_name: str = TEACHER) -> admin_keys_pb2.SubjectName:
    """A teacher, with the long names that schools have."""
    return admin_keys_pb2.SubjectName(
        organization="UBND tỉnh Thử Nghiệm",
        organizational_units=["SỞ GIÁO DỤC VÀ ĐÀO TẠO", "TRƯỜNG TIỂU HỌC LÊ VĂN TÁM"],
        common_name=common_name,
        user_id="CCCD:000000000001",
    )


def spec(credential_id: str, **changes: Any) -> admin_keys_pb2.KeySpec:
    """A teacher's wrapped P-256 key."""
    fields: dict[str, Any] = {
        "school_id": SCHOOL,
        "person_id": f"p-{credential_id}",
        "token_name": TOKEN,
        "key_kind": EC_P256,
        "key_storage": WRAPPED,
        "subject": subject(),
        "activation": credential_pb2.ACTIVATION_MODE_NONE,
    }
    return admin_keys_pb2.KeySpec(credential_id=credential_id, **(fields | changes))


@dataclass(slots=True)
class Office:
    """A daemon, and an operator who manages its keys."""

    world: World
    config: Path
    running: Running
    _channels: dict[str, grpc.Channel] = field(default_factory=dict)

    def channel(self, client: str = "operator") -> grpc.Channel:
        if client not in self._channels:
            self._channels[client] = self.world.channel(self.running.port, client)
        return self._channels[client]

    @property
    def admin(self) -> Any:
        return admin_pb2_grpc.AdminServiceStub(self.channel())

    def generate(self, *specs: admin_keys_pb2.KeySpec) -> list[admin_keys_pb2.KeyResult]:
        with our_errors():
            request = admin_keys_pb2.GenerateKeysRequest(keys=specs)
            return [response.result for response in self.admin.GenerateKeys(request, timeout=300)]

    def bring(self, *certificates: bytes, dry_run: bool = False) -> list[admin_keys_pb2.CertificateImportResult]:
        """Imports certificates."""
        with our_errors():
            request = admin_keys_pb2.ImportCertificatesRequest(certificates=certificates, dry_run=dry_run)
            return list(self.admin.ImportCertificates(request, timeout=300).results)

    def enrol(self, *specs: admin_keys_pb2.KeySpec) -> list[admin_keys_pb2.KeyResult]:
        """Keys with their certificates."""
        made = self.generate(*specs)
        assert [result.status.code for result in made] == [0] * len(specs), made
        assert [result.status.code for result in self.bring(*(answer(result.certificate_request) for result in made))] == [0] * len(specs)
        return made

    def credential(self, credential_id: str, school_id: str = SCHOOL) -> credential_pb2.Credential:
        request = credential_pb2.GetCredentialRequest(credential_id=credential_id, school_id=school_id)
        with our_errors():
            return credential_pb2_grpc.CredentialServiceStub(self.channel()).GetCredential(request, timeout=60).credential

    def close(self) -> None:
        for channel in self._channels.values():
            channel.close()
        self._channels.clear()


@contextlib.contextmanager
def office(world: World, **changes: Any) -> Iterator[Office]:
    """The world's own daemon while the block runs."""
    believe(world)
    config = world.config("office.toml", **changes)
    with running_daemon(config) as running:
        made = Office(world, config, running)
        try:
            yield made
        finally:
            made.close()


def problems(credential: credential_pb2.Credential) -> Sequence[str]:
    """What is the matter with it, by the contract's names."""
    return [credential_pb2.CredentialProblem.Name(finding.problem).removeprefix("CREDENTIAL_PROBLEM_") for finding in credential.findings]

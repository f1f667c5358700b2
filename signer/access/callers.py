"""From a TLS client certificate to the client it belongs to, and what that client may name and call.

The TLS layer has verified the chain to `server.tls_client_ca` by then; here the certificate becomes somebody: of the clients that operators
keep, by its SHA-256 alone; else of those of the configuration. One that a kept client has revoked is nobody's, whatever the configuration
says. A certificate of that CA that matches nobody is refused, and so is any that its CA has revoked (`client_crls`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import NameOID

from signer.access.client_crls import ClientCrls
from signer.access.methods import MethodRight, refusal, right_of, rights_of
from signer.access.settings import ClientSettings
from signer.errors import CallerUnknown, SchoolNotFound
from signer.people.client import ALWAYS, Client, ClientKind, Window

_KNOWN_MAX = 4096
_SEES_ALL = frozenset({ClientKind.OPERATOR, ClientKind.AUDITOR})


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever is at the other end of the connection. schools: those it names and that are open; closed: those of it that are disabled."""

    client_id: str
    kind: ClientKind
    schools: frozenset[str]
    rights: frozenset[MethodRight]
    closed: frozenset[str] = frozenset()

    @property
    def is_operator(self) -> bool:
        """Whether it may use AdminService."""
        return self.kind is ClientKind.OPERATOR

    @property
    def sees_all(self) -> bool:
        """Whether it speaks for every school: operators and auditors that name none. It signs for none of them."""
        return self.kind in _SEES_ALL and not self.schools and not self.closed

    def require_method(self, path: str) -> None:
        """MethodNotAllowed, or RoleRefused for what is an operator's, unless the client may call `/signer.v1.Service/Method`."""
        right = right_of(path)
        if right not in self.rights:
            raise refusal(path, right, self.client_id)

    def require_school(self, school_id: str) -> None:
        """SchoolNotFound unless the caller speaks for this school: unknown and foreign schools look alike."""
        if school_id in self.schools or self.sees_all:
            return
        if school_id in self.closed:
            raise SchoolNotFound(f"school {school_id!r} is disabled; an operator enables it: signer schools set", school=school_id)
        raise SchoolNotFound(
            f"no school {school_id!r} for this client; an operator lists a client's schools, in the configuration or by signer clients",
            school=school_id,
        )


@dataclass(frozen=True, slots=True)
class _Known:
    """What a certificate came to. refused: why its client may not call; None when it may, within `accepted`, unless its CA revoked it."""

    caller: Caller | None
    certificate: x509.Certificate
    accepted: Window = ALWAYS
    refused: str = ""
    sha256: str = field(default="", repr=False)


class CallerTable:
    """All clients, and who is behind each certificate; remembered, since every RPC asks. Owned by the event loop.

    called: when each client last called, written by the door.
    """

    def __init__(self, configured: Iterable[ClientSettings] = ()) -> None:
        self.called: dict[str, datetime] = {}
        self._configured = tuple(configured)
        self._kept: dict[str, Client] = {}
        self._by_sha256: dict[str, tuple[str, Window, bool]] = {}
        self._closed: frozenset[str] = frozenset()
        self._known: dict[bytes, _Known] = {}
        self._crls = ClientCrls()

    @property
    def configured(self) -> tuple[ClientSettings, ...]:
        """Those of the configuration."""
        return self._configured

    @property
    def kept(self) -> dict[str, Client]:
        """Those that operators keep, by id; to be read only."""
        return self._kept

    def configure(self, configured: Iterable[ClientSettings], crls: ClientCrls) -> None:
        """From the next call on, these are the configuration's, and this is what CAs revoked."""
        self._configured, self._crls = tuple(configured), crls
        self._known.clear()

    def put(self, client: Client) -> None:
        """From the next call on, on open connections too, this is how a kept client is."""
        before = self._kept.get(client.id)
        for certificate in before.certificates if before else ():
            self._by_sha256.pop(certificate.sha256, None)
        self._kept[client.id] = client
        for certificate in client.certificates:
            self._by_sha256[certificate.sha256] = client.id, certificate.accepted, certificate.revoked
        self._known.clear()

    def close_schools(self, closed: frozenset[str]) -> None:
        """From the next call on, these schools are disabled."""
        self._closed = closed
        self._known.clear()

    def identify(self, certificate_pem: bytes, now: datetime) -> Caller:
        """The client that a certificate belongs to; CallerUnknown when none matches, it may not call now, or its CA revoked it."""
        known = self._known.get(certificate_pem)
        if known is None:
            known = self._match(certificate_pem)
            if len(self._known) >= _KNOWN_MAX:
                self._known.clear()
            self._known[certificate_pem] = known
        if known.caller is None:
            raise CallerUnknown(known.refused, certificateSha256=known.sha256)
        if refusal := self._crls.refusal(known.certificate, now):
            raise CallerUnknown(refusal, certificateSha256=known.sha256)
        if known.accepted is not ALWAYS and not known.accepted.holds_at(now):
            raise CallerUnknown(
                f"this TLS certificate of client {known.caller.client_id} is not accepted at this time; use its newer one",
                certificateSha256=known.sha256,
            )
        return known.caller

    def named(self, client_id: str) -> Caller:
        """A client by its id, for what it asked for earlier; CallerUnknown when there is none, or when it is disabled."""
        kept = self._kept.get(client_id)
        if kept is not None and not kept.disabled:
            return self._caller(kept.id, kept.kind, kept.school_ids, kept.may_sign_digests)
        for client in self._configured:
            if client.id == client_id and kept is None:
                return self._caller(client.id, client.client_kind, frozenset(client.schools), client.may_sign_digests)
        raise CallerUnknown(f"client {client_id} is gone or disabled")

    def _match(self, certificate_pem: bytes) -> _Known:
        try:
            certificate = x509.load_pem_x509_certificate(certificate_pem)
        except ValueError as error:
            raise CallerUnknown("the TLS client certificate can't be parsed") from error
        sha256 = certificate.fingerprint(hashes.SHA256()).hex()
        if sha256 in self._by_sha256:
            return self._match_kept(certificate, sha256)
        names = {str(attribute.value) for attribute in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)}
        for client in self._configured:
            if _is_of(client, names, sha256):
                caller = self._caller(client.id, client.client_kind, frozenset(client.schools), client.may_sign_digests)
                return _Known(caller, certificate, sha256=sha256)
        return _Known(
            None,
            certificate,
            refused="this TLS client certificate is of no client; an operator adds it: signer clients create, or [[clients]] in the "
            "configuration",
            sha256=sha256,
        )

    def _match_kept(self, certificate: x509.Certificate, sha256: str) -> _Known:
        client_id, accepted, is_revoked = self._by_sha256[sha256]
        client = self._kept[client_id]
        if is_revoked:
            return _Known(
                None, certificate, refused=f"this TLS certificate of client {client_id} was revoked by an operator", sha256=sha256
            )
        if client.disabled:
            return _Known(
                None, certificate, refused=f"client {client_id} is disabled; an operator enables it: signer clients set", sha256=sha256
            )
        return _Known(
            self._caller(client.id, client.kind, client.school_ids, client.may_sign_digests), certificate, accepted, sha256=sha256
        )

    def _caller(self, client_id: str, kind: ClientKind, schools: frozenset[str], may_sign_digests: bool) -> Caller:
        rights = rights_of(kind, names_schools=bool(schools), may_sign_digests=may_sign_digests)
        return Caller(client_id, kind, schools - self._closed, rights, schools & self._closed)


def _is_of(client: ClientSettings, names: set[str], sha256: str) -> bool:
    names_somebody = bool(client.common_name or client.certificate_sha256)
    by_name = not client.common_name or client.common_name in names
    by_print = not client.certificate_sha256 or sha256 in {str(known).replace(":", "").lower() for known in client.certificate_sha256}
    return names_somebody and by_name and by_print

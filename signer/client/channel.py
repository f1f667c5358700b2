"""The connection: mutual TLS from three PEM files, checked before anything is dialled, and a channel that comes back quickly."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import grpc
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from signer.errors import ConfigError

Pem = Path | str | bytes
"""A PEM file's path, or its bytes."""

_MESSAGE_BYTES_MAX = 65 * 1024 * 1024
"""The largest message a daemon can be configured for, and a little: what it sends is never too large for us."""

_OPTIONS: tuple[tuple[str, str | int], ...] = (
    ("grpc.max_receive_message_length", _MESSAGE_BYTES_MAX),
    ("grpc.max_send_message_length", _MESSAGE_BYTES_MAX),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 1000),
    ("grpc.max_reconnect_backoff_ms", 2000),
    ("grpc.use_local_subchannel_pool", 1),  # a renewed channel has a connection of its own
)


class Connection:
    """The present channel, and a new one when its connection turned out to be dead.

    gRPC itself goes on using a connection that swallows everything: for TCP it is alive for many minutes. Calls that are open on an old
    channel end by themselves; it is closed at the end with the others.
    """

    def __init__(self, make: Callable[[], grpc.Channel]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._channels = [make()]

    @property
    def channel(self) -> grpc.Channel:
        """What new calls are made on."""
        return self._channels[-1]

    def renew(self, dead: grpc.Channel) -> None:
        """Makes a new channel, unless somebody else has done so for this one already."""
        with self._lock:
            if self._channels[-1] is dead:
                self._channels.append(self._make())

    def close(self) -> None:
        """Ends every call."""
        with self._lock:
            for channel in self._channels:
                channel.close()


def connect(server: str, *, ca: Pem, certificate: Pem, key: Pem, server_name: str = "") -> Connection:
    """A connection; dials when it is first used.

    Args:
        server: host:port.
        ca: the CA that the daemon's certificate must come from.
        certificate: the client's certificate, then its intermediates.
        key: its private key without a passphrase.
        server_name: the name in the daemon's certificate, where it is not the host that is dialled; empty: the host.

    Raises:
        ConfigError: a file can't be read, is no PEM of its kind, or key and certificate don't belong together.
    """
    if not server.rpartition(":")[2].isdigit():
        raise ConfigError(f"server must be host:port, such as localhost:8443, not {server!r}", field="server")
    authority, chain, private = _read(ca, "ca"), _read(certificate, "certificate"), _read(key, "key")
    _check_authority(authority)
    _check_pair(chain, private)
    credentials = grpc.ssl_channel_credentials(authority, private, chain)
    override = (("grpc.ssl_target_name_override", server_name),) if server_name else ()
    return Connection(lambda: grpc.secure_channel(server, credentials, options=[*_OPTIONS, *override]))


def _read(pem: Pem, field: str) -> bytes:
    if isinstance(pem, bytes):
        return pem
    try:
        return Path(pem).read_bytes()
    except OSError as error:
        raise ConfigError(f"{field}: {pem} can't be read: {error.strerror}", field=field) from error


def _check_authority(pem: bytes) -> None:
    try:
        x509.load_pem_x509_certificates(pem)
    except ValueError as error:
        raise ConfigError("ca: holds no PEM certificate; it should be the CA of the daemon's TLS certificate", field="ca") from error


def _check_pair(chain: bytes, private: bytes) -> None:
    try:
        certificate = x509.load_pem_x509_certificates(chain)[0]
    except ValueError as error:
        raise ConfigError("certificate: holds no PEM certificate", field="certificate") from error
    try:
        key = load_pem_private_key(private, password=None)
    except TypeError as error:
        raise ConfigError("key: has a passphrase; keep it without one, in a file of mode 0600", field="key") from error
    except ValueError as error:
        raise ConfigError("key: holds no PEM private key", field="key") from error
    if _spki(key.public_key()) != _spki(certificate.public_key()):
        raise ConfigError("key: does not belong to the certificate; check that both files are of one client", field="key")


def _spki(key: object) -> bytes:
    made: bytes = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)  # type: ignore[attr-defined]
    return made

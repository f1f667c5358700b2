"""SoftHSM tokens made for demos and tests: PINs in files, keys that never leave, certificates beside them.

PKCS#11 v2.40 through SoftHSM 2.6. A directory holds one `softhsm2.conf` and any number of tokens, each with two PIN files of mode
0600.

Rules of the room:
- PKCS#11 runs in a child process (`softhsm_child`), because SoftHSM reads SOFTHSM2_CONF once a process and a module is loaded once a path;
  the child is never killed, since a death inside C_Login can empty a token (design: findings).
- PINs are made, read and used by the child only: never on a command line, in an environment or in a reply.
- A token that holds private keys is never initialised or added to: `create_token` refuses it, `open_token` reads it.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding, load_der_public_key

from signer.errors import ConfigError, TokenUnavailable

MODULE_PATHS = (Path("/usr/lib/softhsm/libsofthsm2.so"), Path("/usr/lib64/softhsm/libsofthsm2.so"))
"""Where Debian and Fedora put the module; the first that exists is used."""

_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}")
_CONF = """\
directories.tokendir = {tokens}
objectstore.backend = file
log.level = ERROR
slots.removable = false
library.reset_on_fork = true
"""


class KeyKind(Enum):
    """What kind of key pair to generate."""

    RSA_2048 = "rsa-2048"
    RSA_3072 = "rsa-3072"
    EC_P256 = "ec-p256"
    EC_P384 = "ec-p384"


@dataclass(frozen=True, slots=True)
class KeySpec:
    """A key pair to generate. key_id: CKA_ID; left empty, it is derived from the label."""

    label: str
    kind: KeyKind = KeyKind.RSA_2048
    key_id: bytes = b""

    @property
    def cka_id(self) -> bytes:
        """The CKA_ID that key and certificate share."""
        return self.key_id or hashlib.sha256(self.label.encode()).digest()[:8]


@dataclass(frozen=True, slots=True)
class DemoKey:
    """A key pair in the token. public_key_der: SubjectPublicKeyInfo. certificate_der: empty while none is stored."""

    label: str
    key_id: bytes
    public_key_der: bytes
    certificate_der: bytes = b""

    @property
    def public_key(self) -> RSAPublicKey | EllipticCurvePublicKey:
        """The public half, ready for `DemoPki.issue_leaf`."""
        key = load_der_public_key(self.public_key_der)
        if not isinstance(key, RSAPublicKey | EllipticCurvePublicKey):
            raise ConfigError(f"key {self.label!r} is neither RSA nor EC")
        return key

    @property
    def certificate(self) -> x509.Certificate:
        """The certificate stored beside the key; ConfigError if there is none."""
        if not self.certificate_der:
            raise ConfigError(f"key {self.label!r} has no certificate in the token: store one with store_certificates")
        return x509.load_der_x509_certificate(self.certificate_der)


@dataclass(frozen=True, slots=True)
class DemoToken:
    """A token on disk, with the public half of what it holds. serial: CK_TOKEN_INFO.serialNumber."""

    directory: Path
    label: str
    serial: str
    keys: tuple[DemoKey, ...]

    @property
    def conf_path(self) -> Path:
        """SoftHSM's configuration, for SOFTHSM2_CONF."""
        return conf_path(self.directory)

    @property
    def tokens_directory(self) -> Path:
        """Where SoftHSM keeps its objects (directories.tokendir)."""
        return tokens_directory(self.directory)

    @property
    def pin_file(self) -> Path:
        """The user PIN, mode 0600, without a line end."""
        return pin_file(self.directory, self.label)

    @property
    def so_pin_file(self) -> Path:
        """The security officer's PIN, mode 0600, without a line end."""
        return so_pin_file(self.directory, self.label)

    @property
    def module_path(self) -> Path:
        """The PKCS#11 module to load."""
        return module_path()

    @property
    def environment(self) -> dict[str, str]:
        """What a process that loads the module needs in its environment."""
        return {"SOFTHSM2_CONF": str(self.conf_path)}

    def key(self, label: str) -> DemoKey:
        """The key with this label; KeyError if there is none."""
        return {key.label: key for key in self.keys}[label]


class Action(Enum):
    """What the child is asked to do."""

    CREATE = "create"
    OPEN = "open"
    STORE = "store"


@dataclass(frozen=True, slots=True)
class Request:
    """Parent to child, as JSON on stdin: no secrets. certificates: DER by key label, for STORE."""

    action: Action
    module: str
    directory: str
    label: str
    keys: tuple[KeySpec, ...] = ()
    certificates: dict[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reply:
    """Child to parent, as JSON on stdout: no secrets. refused: why nothing was changed, or empty."""

    refused: str = ""
    serial: str = ""
    keys: tuple[DemoKey, ...] = ()


def create_token(directory: Path, label: str, keys: tuple[KeySpec, ...] | list[KeySpec] = ()) -> DemoToken:
    """Make a token with fresh random PINs and generate `keys` in it (about 10 RSA-2048 pairs a second).

    Repeating it after an interrupted first try carries on; a token of this label that holds private keys is refused with ConfigError.
    """
    if not _LABEL.fullmatch(label):
        raise ConfigError(f"token label {label!r}: use 1 to 32 letters, digits, dots, underscores and hyphens")
    directory = directory.resolve()
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    tokens_directory(directory).mkdir(exist_ok=True, mode=0o700)
    conf_path(directory).write_text(_CONF.format(tokens=tokens_directory(directory)), encoding="utf-8")
    return _run(Request(Action.CREATE, str(module_path()), str(directory), label, keys=tuple(keys)))


def open_token(directory: Path, label: str) -> DemoToken:
    """Read back a token made earlier: its serial, public keys and certificates."""
    return _run(Request(Action.OPEN, str(module_path()), str(directory.resolve()), label))


def store_certificates(token: DemoToken, certificates: Mapping[str, x509.Certificate]) -> DemoToken:
    """Put each certificate beside the key of that label, under the key's CKA_ID, in place of an earlier one."""
    encoded = {label: certificate.public_bytes(Encoding.DER) for label, certificate in certificates.items()}
    return _run(Request(Action.STORE, str(module_path()), str(token.directory), token.label, certificates=encoded))


def module_path() -> Path:
    """SoftHSM's module, or ConfigError naming the package to install."""
    for path in MODULE_PATHS:
        if path.is_file():
            return path
    raise ConfigError(f"SoftHSM is not installed ({MODULE_PATHS[0]} is missing): apt-get install softhsm2")


def conf_path(directory: Path) -> Path:
    """The softhsm2.conf of a directory of tokens."""
    return directory / "softhsm2.conf"


def tokens_directory(directory: Path) -> Path:
    """The directories.tokendir of a directory of tokens."""
    return directory / "tokens"


def pin_file(directory: Path, label: str) -> Path:
    """The user PIN file of one token."""
    return directory / f"{label}.pin"


def so_pin_file(directory: Path, label: str) -> Path:
    """The security officer's PIN file of one token."""
    return directory / f"{label}.so-pin"


def _run(request: Request) -> DemoToken:
    """Have a child do it; never with a timeout, because killing it inside C_Login could empty the token."""
    done = subprocess.run(
        [sys.executable, "-m", "signer.demo.softhsm_child"],
        input=msgspec.json.encode(request),
        env={**os.environ, "SOFTHSM2_CONF": str(conf_path(Path(request.directory)))},
        capture_output=True,
        check=False,
    )
    if done.returncode != 0:
        last_line = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        raise TokenUnavailable(f"token {request.label!r}: the SoftHSM helper failed (exit {done.returncode}): {last_line}")
    reply = msgspec.json.decode(done.stdout, type=Reply)
    if reply.refused:
        raise ConfigError(f"token {request.label!r} in {request.directory}: {reply.refused}")
    return DemoToken(Path(request.directory), request.label, reply.serial, reply.keys)

"""What gRPC reads from the environment when it is loaded, and never again: so this comes first, and loads none of it.

TLS: gRPC's Python speaks 1.2 and 1.3 and can't be told less. The ciphers of 1.3 are fixed (AES-GCM, ChaCha20-Poly1305); those of 1.2 can be
named. So 1.2 is kept out by naming one for it that needs a pre-shared key, which nobody has: its handshakes find no shared cipher.
"""

from __future__ import annotations

import os
import sys

from signer.config.server import TlsVersion
from signer.errors import InternalError

_CIPHERS = "GRPC_SSL_CIPHER_SUITES"
_TLS_1_2_CIPHERS = {
    TlsVersion.TLS_1_3: ("ECDHE-PSK-CHACHA20-POLY1305",),
    TlsVersion.TLS_1_2: tuple(
        f"ECDHE-{key}-{cipher}" for cipher in ("AES256-GCM-SHA384", "AES128-GCM-SHA256", "CHACHA20-POLY1305") for key in ("ECDSA", "RSA")
    ),
}


def variables(tls_version_min: TlsVersion) -> dict[str, str]:
    """What gRPC must find. It speaks of errors alone: a stranger's every failed handshake was a line that is no event."""
    return {_CIPHERS: ":".join(_TLS_1_2_CIPHERS[tls_version_min]), "GRPC_VERBOSITY": os.environ.get("GRPC_VERBOSITY", "ERROR")}


def prepare(tls_version_min: TlsVersion) -> None:
    """For all that gRPC does in this process; InternalError when it is loaded already and has read something else."""
    wanted = variables(tls_version_min)
    if "grpc" in sys.modules and os.environ.get(_CIPHERS) != wanted[_CIPHERS]:
        raise InternalError("gRPC was loaded before it was told which versions of TLS to speak")
    os.environ.update(wanted)

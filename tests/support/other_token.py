"""A second token of another vendor beside the world's, in one daemon: its stanza, its certificate, and batches on both at once."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from signer.demo.certificate_profiles import LeafKind, Subject
from signer.demo.pki import DemoPki
from tests.support.batch import BatchEnd, Plan, collect, open_batch
from tests.support.daemon import SCHOOL, World
from tests.support.rig import Rig

Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


class CardIssuer:
    """A CA that a world believes; certificates for keys on cards."""

    def __init__(self, world: World) -> None:
        self._pki = DemoPki.create(key_bits=2048)
        chain = [self._pki.subordinate_certificate, self._pki.root_certificate]
        with world.ca_file.open("ab") as file:
            file.writelines(certificate.public_bytes(Encoding.PEM) for certificate in chain)

    def certificate(self, key: Key, name: str) -> x509.Certificate:
        """A school seal's, valid now."""
        subject = Subject(f"{name} (DEMO)", organisation="UBND tỉnh Demo", units=("TRƯỜNG TIỂU HỌC DEMO",), locality="Demo")
        return self._pki.issue_leaf(LeafKind.SCHOOL_SEAL, subject, key.public_key())


def add_token(config: Path, token: Mapping[str, str | float], credentials: Mapping[str, str]) -> Path:
    """Appends a `[[tokens]]` stanza and its credentials (id → CKA_ID) to a configuration that was written."""
    lines = ["", "[[tokens]]", *(f"{key} = {_toml(value)}" for key, value in token.items())]
    for credential, key_id in credentials.items():
        lines += [
            "",
            "[[credentials]]",
            f'id = "{credential}"',
            f'token = "{token["name"]}"',
            f'key_id = "{key_id}"',
            f'school = "{SCHOOL}"',
        ]
    config.write_text(config.read_text(encoding="utf-8") + "\n".join(lines) + "\n", encoding="utf-8")
    return config


def _toml(value: str | float) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)


@dataclass
class Running:
    """A batch in a thread of its own. so_far: grows while it runs; end: once it has ended."""

    so_far: BatchEnd = field(default_factory=BatchEnd)
    end: BatchEnd | None = None
    opened_at: datetime = field(default_factory=lambda: datetime.now(UTC))


@contextmanager
def batch_under_way(rig: Rig, documents: Mapping[str, bytes], request_id: str, plan: Plan, **options: Any) -> Iterator[Running]:
    """The batch runs while the block does; at the block's end it is waited for."""
    running = Running()

    def run() -> None:
        with rig.channel() as channel:
            call = open_batch(channel, documents, request_id, plan, **options)
            running.end = collect(call, lambda so_far: setattr(running, "so_far", so_far))

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield running
    finally:
        thread.join()

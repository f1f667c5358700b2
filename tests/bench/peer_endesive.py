"""endesive signing PDFs through PyKCS11. Runs without anything of ours.

    python peer_endesive.py MODULE TOKEN_LABEL KEY_LABEL CERTIFICATE_DER CHAIN_PEM PDF_FOLDER JUDGED_FOLDER

Lines in and out as `loop.c`. One session and the key handle kept, room for the signature given. It writes adbe.pkcs7.detached, not PAdES.
"""

# ruff: noqa: T201, E402 - printed lines are its answers

import hashlib
import importlib.metadata
import itertools
import json
import os
import sys
import types
from pathlib import Path
from time import perf_counter

# Only its verifier needs certvalidator, whose oscrypto can't read the version of OpenSSL 3.0.10 and later.
sys.modules["certvalidator"] = types.ModuleType("certvalidator")

import PyKCS11  # type: ignore[import-not-found]
from cryptography import x509
from endesive import hsm  # type: ignore[import-not-found]
from endesive.pdf import cms  # type: ignore[import-not-found]

_SETTINGS = {
    "aligned": 16_384,
    "sigflags": 3,
    "sigfield": "KY",
    "contact": "",
    "location": "",
    "reason": "",
    "signingdate": "D:20260528080000+07'00'",
}
_DIGEST_INFO = bytes.fromhex("3031300d060960864801650304020105000420")


class Token(hsm.HSM):  # type: ignore[misc]
    """endesive's door to a key."""

    def __init__(self, module: str, token_label: str, key_label: str, pin: str, certificate: bytes) -> None:
        super().__init__(module)
        self.login(token_label, pin)
        self._key = self.session.findObjects([(PyKCS11.CKA_CLASS, PyKCS11.CKO_PRIVATE_KEY), (PyKCS11.CKA_LABEL, key_label)])[0]
        self._certificate = certificate

    def certificate(self) -> tuple[str, bytes]:
        return "KY", self._certificate

    def sign(self, keyid: str, data: bytes, mech: str) -> bytes:
        del keyid
        digest = hashlib.new(mech, data).digest()
        return bytes(self.session.sign(self._key, _DIGEST_INFO + digest, PyKCS11.Mechanism(PyKCS11.CKM_RSA_PKCS, None)))


def run(token: Token, chain: list[x509.Certificate], documents: list[bytes], seconds: float) -> dict[str, float]:
    """Signs for so long."""
    took_ms = []
    start = before = end = perf_counter()
    for document in itertools.cycle(documents):
        if end - start >= seconds:
            break
        document + cms.sign(document, _SETTINGS, None, None, chain, "sha256", token)
        end = perf_counter()
        took_ms.append((end - before) * 1e3)
        before = end
    took_ms.sort()
    return {
        "items": len(took_ms),
        "seconds": end - start,
        "p50_ms": took_ms[len(took_ms) // 2],
        "p99_ms": took_ms[len(took_ms) * 99 // 100],
    }


def main() -> None:
    module, token_label, key_label, certificate, chain_file, folder, judged = sys.argv[1:]
    token = Token(module, token_label, key_label, sys.stdin.readline().rstrip("\n"), Path(certificate).read_bytes())
    chain = x509.load_pem_x509_certificates(Path(chain_file).read_bytes())
    paths = sorted(Path(folder).glob("*.pdf"))
    documents = [path.read_bytes() for path in paths]
    (Path(judged) / paths[0].name).write_bytes(documents[0] + cms.sign(documents[0], _SETTINGS, None, None, chain, "sha256", token))
    version = importlib.metadata.version("endesive")
    print(json.dumps({"ready": True, "version": f"endesive {version} (not PAdES)"}), flush=True)
    for line in sys.stdin:
        print(json.dumps(run(token, chain, documents, float(line))), flush=True)
    token.logout()
    sys.stdout.flush()
    os._exit(0)  # modules crash in exit handlers


if __name__ == "__main__":
    main()

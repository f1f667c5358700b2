"""A CA kept by `openssl ca`, as a Department's administrator keeps one: certificates of clients, and its revocation list."""

from __future__ import annotations

import subprocess
from datetime import datetime
from pathlib import Path

_CONFIG = """
[ca]
default_ca = here
[here]
database = index.txt
new_certs_dir = .
certificate = ca.crt
private_key = ca.key
rand_serial = yes
default_md = sha256
default_days = 30
default_crl_days = 7
policy = any
unique_subject = no
crl_extensions = crl
[any]
commonName = supplied
[crl]
authorityKeyIdentifier = keyid:always
[client]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = clientAuth
"""
_P256 = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")


class OpensslCa:
    """`folder/ca.crt` and what it issued there."""

    def __init__(self, folder: Path, name: str = "Sở GDĐT (DEMO) clients") -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        (folder / "openssl.cnf").write_text(_CONFIG, encoding="utf-8")
        (folder / "index.txt").touch()
        request = ("req", "-x509", *_P256, "-keyout", "ca.key", "-out", "ca.crt", "-days", "30", "-utf8", "-subj", f"/CN={name}")
        self._run(*request, "-addext", "keyUsage=critical,keyCertSign,cRLSign")

    def client(self, file: str, common_name: str) -> Path:
        """Issues FILE.crt with FILE.key."""
        self._run("req", "-new", *_P256, "-keyout", f"{file}.key", "-out", f"{file}.csr", "-subj", f"/CN={common_name}")
        self._ca("-in", f"{file}.csr", "-out", f"{file}.crt", "-notext", "-extensions", "client")
        return self.folder / f"{file}.crt"

    def revoke(self, file: str) -> None:
        """Puts it on the next list."""
        self._ca("-revoke", f"{file}.crt")

    def crl(self, next_update: datetime | None = None) -> Path:
        """The list as it is now, for a week, or until then."""
        last = ("-crl_lastupdate", "20260101000000Z") if next_update else ()
        ends = ("-crl_nextupdate", f"{next_update:%Y%m%d%H%M%S}Z") if next_update else ()
        self._ca("-gencrl", *last, *ends, "-out", "clients.crl")
        return self.folder / "clients.crl"

    def _ca(self, *arguments: str) -> None:
        self._run("ca", "-config", "openssl.cnf", "-batch", *arguments)

    def _run(self, *arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=self.folder, check=True, capture_output=True)

"""pyHanko signing PDFs with its own PKCS#11 signer, configured as well as it can be. Runs without anything of ours.

    python peer_pyhanko.py MODULE TOKEN_LABEL KEY_LABEL CERTIFICATE_DER CHAIN_PEM PDF_FOLDER JUDGED_FOLDER

Lines in and out as `loop.c`. One session, the signer and its key handle kept, the certificates given, bytes_reserved given (no dry run),
signed in place in memory, one event loop for all. The first document is also written to JUDGED_FOLDER.
"""

# ruff: noqa: T201 - printed lines are its answers

import asyncio
import importlib.metadata
import io
import itertools
import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import perf_counter

import pkcs11
from asn1crypto import pem, x509
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign import PdfSignatureMetadata, PdfSigner
from pyhanko.sign.fields import SigSeedSubFilter
from pyhanko.sign.pkcs11 import PKCS11Signer

_BYTES_RESERVED = 16_384
_META = PdfSignatureMetadata(field_name="KY", md_algorithm="sha256", subfilter=SigSeedSubFilter.PADES)


async def sign(signer: PdfSigner, document: bytes) -> bytes:
    """The document with its update behind it."""
    output = io.BytesIO(document)
    await signer.async_sign_pdf(IncrementalPdfFileWriter(output), bytes_reserved=_BYTES_RESERVED, in_place=True)
    return output.getvalue()


async def run(signer: PdfSigner, documents: list[bytes], seconds: float) -> dict[str, float]:
    """Signs for so long."""
    took_ms = []
    start = before = end = perf_counter()
    for document in itertools.cycle(documents):
        if end - start >= seconds:
            break
        await sign(signer, document)
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
    module, token_label, key_label, certificate, chain, folder, judged = sys.argv[1:]
    session = pkcs11.lib(module).get_token(token_label=token_label).open(user_pin=sys.stdin.readline().rstrip("\n"))
    signer = PdfSigner(
        _META,
        PKCS11Signer(
            session,
            signing_cert=x509.Certificate.load(Path(certificate).read_bytes()),
            ca_chain=[x509.Certificate.load(der) for _type, _headers, der in pem.unarmor(Path(chain).read_bytes(), multiple=True)],
            key_label=key_label,
            embed_roots=False,
        ),
    )
    paths = sorted(Path(folder).glob("*.pdf"))
    documents = [path.read_bytes() for path in paths]
    loop = asyncio.new_event_loop()
    loop.set_default_executor(ThreadPoolExecutor(1))  # python-pkcs11 initialises modules for one thread only
    (Path(judged) / paths[0].name).write_bytes(loop.run_until_complete(sign(signer, documents[0])))
    print(json.dumps({"ready": True, "version": f"pyHanko {importlib.metadata.version('pyhanko')}"}), flush=True)
    for line in sys.stdin:
        print(json.dumps(loop.run_until_complete(run(signer, documents, float(line)))), flush=True)
    session.close()
    sys.stdout.flush()
    os._exit(0)  # modules crash in exit handlers


if __name__ == "__main__":
    main()

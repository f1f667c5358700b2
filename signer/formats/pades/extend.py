"""Raising a signed PDF: validation data (DSS) and a document timestamp, as one incremental update.

EN 319 142-1 5.4 and 5.5, ISO 32000-2 12.8.4 and 12.8.5.

- The DSS gets certificates, OCSP answers and CRLs as streams, each once; what an earlier DSS holds stays. No VRI: it is optional (5.4.2.3),
  validators look into the whole DSS, and its keys are SHA-1.
- The document timestamp (SubFilter ETSI.RFC3161) stands in an invisible field of its own on page 1, named after the document it covers.
  Like a signature it is written with a hole, which the daemon fills.
- Both are changes that every earlier signature allows, certified documents included (ISO 32000-2 12.8.2.2.2); the difference analysis of
  validators knows them as such.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from io import BytesIO
from typing import Final

from asn1crypto.core import Asn1Value
from asn1crypto.crl import CertificateList
from asn1crypto.ocsp import OCSPResponse
from asn1crypto.x509 import Certificate
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign.fields import SigFieldSpec
from pyhanko.sign.signers.cms_embedder import PdfCMSEmbedder, SigIOSetup, SigObjSetup
from pyhanko.sign.signers.constants import ESIC_EXTENSION_1
from pyhanko.sign.signers.pdf_byterange import DocumentTimestamp
from pyhanko.sign.validation.dss import DocumentSecurityStore

from signer.formats.pades.incremental import UpdateWriter, update_of
from signer.formats.pades.reading import open_to_sign
from signer.formats.pades.refusal import refusals
from signer.formats.pades.update import PreparedUpdate, check

_FIELD_DIGITS: Final = 16


@dataclass(frozen=True, slots=True)
class ValidationData:
    """What a DSS holds. All DER."""

    certificates: tuple[bytes, ...] = ()
    ocsps: tuple[bytes, ...] = ()
    crls: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Extension:
    """update: what to append, empty when there was nothing to add. hole: the same with its empty hole, when a timestamp was asked for."""

    update: bytes
    hole: PreparedUpdate | None = None
    field_name: str = ""


def extend(document: bytes, data: ValidationData, *, contents_bytes: int) -> Extension:
    """The update that adds validation data, a document timestamp, or both.

    Args:
        document: the PDF.
        data: what is to be in its DSS afterwards.
        contents_bytes: bytes reserved for the timestamp; 0 adds none.

    Raises:
        DocumentError: one of its leaves; no other exception leaves this function.
    """
    with refusals():
        writer = UpdateWriter.from_reader(open_to_sign(document))
        is_changed = _add_data(writer, data)
        if contents_bytes or is_changed:
            _declare(writer)
        if contents_bytes:
            return _add_timestamp(writer, document, 2 * contents_bytes)
        if not is_changed:
            return Extension(b"")
        output = BytesIO()
        writer.write(output)  # type: ignore[no-untyped-call]  # pyHanko is annotated in part
        return Extension(update_of(document, output.getvalue()))


def _add_data(writer: IncrementalPdfFileWriter, data: ValidationData) -> bool:
    """Whether anything was new."""
    if data == ValidationData():
        return False
    store = DocumentSecurityStore.supply_dss_in_writer(
        writer,
        None,
        certs=_parsed(Certificate, data.certificates),
        ocsps=_parsed(OCSPResponse, data.ocsps),
        crls=_parsed(CertificateList, data.crls),
    )
    return bool(store.modified)


def _parsed(kind: type[Asn1Value], encoded: Iterable[bytes]) -> list[Asn1Value]:
    return [kind.load(der, strict=True) for der in encoded]


def _add_timestamp(writer: IncrementalPdfFileWriter, document: bytes, contents_digits: int) -> Extension:
    name = f"Timestamp-{hashlib.sha256(document).hexdigest()[:_FIELD_DIGITS]}"
    steps = PdfCMSEmbedder(new_field_spec=SigFieldSpec(name)).write_cms(field_name=name, writer=writer)
    next(steps)
    placeholder = DocumentTimestamp(bytes_reserved=contents_digits)  # type: ignore[no-untyped-call]
    steps.send(SigObjSetup(sig_placeholder=placeholder))
    output = BytesIO()
    hole, _ = steps.send(SigIOSetup(md_algorithm="sha256", output=output))
    prepared = PreparedUpdate(
        update=update_of(document, output.getvalue()),
        contents_offset=hole.reserved_region_start + 1 - len(document),
        contents_digits=contents_digits,
    )
    check(len(document), prepared)
    return Extension(prepared.update, prepared, name)


def _declare(writer: IncrementalPdfFileWriter) -> None:
    """Version and extension that say PAdES (EN 319 142-1 5.6), where they are not said already."""
    writer.ensure_output_version(version=(1, 7))  # type: ignore[no-untyped-call]
    if writer.output_version < (2, 0):
        writer.register_extension(ESIC_EXTENSION_1)

"""The complete PAdES path: an update written by pyHanko, which knows every kind of PDF we sign.

One document, in this order; each step may refuse:
1. the request: field name and texts can be written into a PDF;
2. open: header, end, cross-reference, encryption (`reading`);
3. ask whether the document may take a signature in this field (`signable`), and this certification or lock (`restricting`);
4. find the place of a visible signature (`visible`);
5. let pyHanko's signing session make or find the field, keep its seed values and lock or give it one, and write the update with a hole for
   the CMS;
6. take the update off the end of what it wrote, and make sure that the original stands before it byte for byte.

SubFilter ETSI.CAdES.detached, /M, /Name, /Reason, /Location as in EN 319 142-1 6.3; a new field without an
appearance is invisible and on page 1. No key, no
certificate and no dry run: the CMS is made elsewhere and only its size is known here.
"""

from __future__ import annotations

from datetime import datetime
from io import BytesIO

from pyhanko.sign.fields import MDPPerm, SigFieldSpec, SigSeedSubFilter
from pyhanko.sign.signers import ExternalSigner, PdfSignatureMetadata, PdfSigner
from pyhanko.sign.signers.pdf_signer import PdfSigningSession

from signer.algorithms import DigestAlgorithm
from signer.errors import InvalidArgument
from signer.formats.pades.appearance.artwork import Artwork
from signer.formats.pades.incremental import UpdateWriter, update_of
from signer.formats.pades.reading import open_to_sign
from signer.formats.pades.refusal import refusals
from signer.formats.pades.restricting import check_restricting, lock_field
from signer.formats.pades.signable import check_signable
from signer.formats.pades.update import PreparedUpdate, check
from signer.formats.pades.visible import ArtworkStyle, place
from signer.model import FieldPlacement


def prepare(
    document: bytes,
    placement: FieldPlacement,
    *,
    signing_time: datetime,
    contents_bytes: int,
    digest_algorithm: DigestAlgorithm,
    artwork: Artwork | None = None,
) -> PreparedUpdate:
    """Make the update that signs `document`, complete but for the CMS.

    Args:
        document: the PDF.
        placement: the field to fill and the texts of its signature dictionary.
        signing_time: written to /M with its offset; must be aware.
        contents_bytes: bytes reserved for the CMS (the hole has twice as many hex digits).
        digest_algorithm: the signature's digest, for fields whose seed values or locks name one.
        artwork: what the placement's appearance shows; None for an invisible signature.

    Raises:
        InvalidArgument: the placement can't be written into a PDF.
        DocumentError: one of its leaves; no other exception leaves this function.
    """
    _check_placement(placement)
    with refusals():
        reader = open_to_sign(document)
        check_signable(reader, placement.field_name)
        check_restricting(reader, placement)
        placed = None if artwork is None else place(reader, placement, artwork)
        style = ArtworkStyle(artwork=artwork, placed=placed.box if placed else None)
        signer = _signer(placement, digest_algorithm, style, placed.new_field if placed else None)
        session = signer.init_signing_session(UpdateWriter.from_reader(reader))
        session.system_time = signing_time
        lock_field(session, placement.field_lock)
        return _write_update(document, session, 2 * contents_bytes)


def _signer(placement: FieldPlacement, digest_algorithm: DigestAlgorithm, style: ArtworkStyle, new_field: SigFieldSpec | None) -> PdfSigner:
    metadata = PdfSignatureMetadata(
        field_name=placement.field_name,
        md_algorithm=digest_algorithm.value,
        subfilter=SigSeedSubFilter.PADES,
        name=placement.name or None,
        reason=placement.reason or None,
        location=placement.location or None,
        certify=placement.doc_mdp is not None,
        docmdp_permissions=MDPPerm.FILL_FORMS if placement.doc_mdp is None else MDPPerm(placement.doc_mdp.permission),
    )
    return PdfSigner(metadata, ExternalSigner(None, None), stamp_style=style, new_field_spec=new_field)


def _write_update(document: bytes, session: PdfSigningSession, contents_digits: int) -> PreparedUpdate:
    to_be_signed = session.prepare_tbs_document(validation_info=None, bytes_reserved=contents_digits)
    output = BytesIO()
    hole, _ = to_be_signed.digest_tbs_document(output=output)
    prepared = PreparedUpdate(
        update=update_of(document, output.getvalue()),
        contents_offset=hole.reserved_region_start + 1 - len(document),
        contents_digits=contents_digits,
    )
    check(len(document), prepared)
    return prepared


def _check_placement(placement: FieldPlacement) -> None:
    if not placement.field_name or not placement.field_name.isprintable():
        raise InvalidArgument("a signature field's name must be visible text; choose another name", field="field_name")
    for field in ("field_name", "name", "reason", "location"):
        try:
            getattr(placement, field).encode("utf-16-be")
        except UnicodeEncodeError as error:
            raise InvalidArgument(f"{field} holds text that Unicode can't write; correct it", field=field) from error

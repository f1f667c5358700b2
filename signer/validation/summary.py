"""A verdict in some sentences, for people: a teacher, a clerk, a parent. In Vietnamese and English, from one table."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from enum import Enum
from typing import Final

from cryptography.x509.oid import NameOID

from signer.formats.status.loading import load
from signer.validation.report import DocumentReport, Indication, SignatureKind, SignatureReport

_VIETNAM: Final = timezone(timedelta(hours=7))
_SIGNERS_TOLD_MAX: Final = 5


class Language(Enum):
    """The value is the one of `--lang`."""

    VIETNAMESE = "vi"
    ENGLISH = "en"


@dataclass(frozen=True, slots=True)
class _Words:
    unsigned: str
    passed: str
    open: str
    failed: str
    signer: str
    stamped: str
    claimed: str
    more: str
    why: str


_WORDS: Final = {
    Language.VIETNAMESE: _Words(
        unsigned="Tài liệu chưa được ký số.",
        passed="Tài liệu hợp lệ: {count} chữ ký đều có giá trị.",
        open="Chưa đủ cơ sở để kết luận: {count} trong {total} chữ ký chưa xác nhận được.",
        failed="Tài liệu KHÔNG hợp lệ: {count} trong {total} chữ ký không có giá trị.",
        signer="{who} ký{when}: {verdict}.",
        stamped=" lúc {time} (có dấu thời gian)",
        claimed=" lúc {time} (theo máy của người ký)",
        more="Và {count} chữ ký khác.",
        why="Lý do: {reason}.",
    ),
    Language.ENGLISH: _Words(
        unsigned="The document is not signed.",
        passed="The document is valid: all {count} signatures stand.",
        open="Not enough is known to decide: {count} of {total} signatures can't be confirmed.",
        failed="The document is NOT valid: {count} of {total} signatures do not stand.",
        signer="Signed by {who}{when}: {verdict}.",
        stamped=" at {time} (timestamped)",
        claimed=" at {time} (the signer's own clock)",
        more="And {count} more signatures.",
        why="Why: {reason}.",
    ),
}
_VERDICTS: Final = {
    Language.VIETNAMESE: {
        Indication.TOTAL_PASSED: "hợp lệ",
        Indication.INDETERMINATE: "chưa xác nhận được",
        Indication.TOTAL_FAILED: "KHÔNG hợp lệ",
    },
    Language.ENGLISH: {
        Indication.TOTAL_PASSED: "valid",
        Indication.INDETERMINATE: "not confirmed",
        Indication.TOTAL_FAILED: "NOT valid",
    },
}
_REASONS: Final = {
    "FORMAT_FAILURE": ("tài liệu bị sửa sau khi ký, hoặc chữ ký sai cấu trúc", "changed after signing, or not a well-formed signature"),
    "HASH_FAILURE": ("nội dung đã bị sửa sau khi ký", "the content was changed after signing"),
    "SIG_CRYPTO_FAILURE": ("chữ ký không khớp với chứng thư số", "the signature was not made with the key of its certificate"),
    "REVOKED": ("chứng thư số đã bị thu hồi", "the certificate is revoked"),
    "REVOKED_NO_POE": (
        "chứng thư số đã bị thu hồi và không có bằng chứng chữ ký có trước đó",
        "the certificate is revoked, and nothing proves that the signature is older",
    ),
    "REVOKED_CA_NO_POE": ("chứng thư của cơ quan cấp đã bị thu hồi", "a CA's certificate is revoked"),
    "NO_CERTIFICATE_CHAIN_FOUND": (
        "chứng thư số không thuộc cơ quan cấp nào được tin cậy",
        "the certificate belongs to no CA that is believed",
    ),
    "OUT_OF_BOUNDS_NO_POE": (
        "chứng thư số hết hạn (hoặc chưa hiệu lực) và không có dấu thời gian chứng minh lúc ký",
        "the certificate was not valid, and no timestamp proves when it signed",
    ),
    "TRY_LATER": ("chưa hỏi được tình trạng thu hồi, hãy thử lại sau", "no CA told whether it is revoked; try again later"),
    "SIGNED_DATA_NOT_FOUND": ("thiếu tệp gốc mà chữ ký bảo vệ", "the signed file is not at hand"),
    "CHAIN_CONSTRAINTS_FAILURE": ("chứng thư số không dùng để ký tài liệu", "the certificate is not meant for signing documents"),
    "CRYPTO_CONSTRAINTS_FAILURE": ("thuật toán hoặc khóa không còn an toàn", "an algorithm or key is too weak"),
}
_OTHERWISE: Final = ("xem chi tiết kỹ thuật", "see the details")


def summary(report: DocumentReport, language: Language) -> str:
    """What a document's report comes to, on one line."""
    signatures = [each for each in report.signatures if each.kind is SignatureKind.SIGNATURE]
    if not signatures:
        return _WORDS[language].unsigned
    words = _WORDS[language]
    counts = {kind: sum(each.indication is kind for each in signatures) for kind in Indication}
    total = len(signatures)
    if counts[Indication.TOTAL_FAILED]:
        head = words.failed.format(count=counts[Indication.TOTAL_FAILED], total=total)
    elif counts[Indication.INDETERMINATE]:
        head = words.open.format(count=counts[Indication.INDETERMINATE], total=total)
    else:
        head = words.passed.format(count=total)
    told = [_signer(each, language) for each in signatures[:_SIGNERS_TOLD_MAX]]
    rest = total - len(told)
    return " ".join([head, *told, *([words.more.format(count=rest)] if rest else [])])


def _signer(signature: SignatureReport, language: Language) -> str:
    words = _WORDS[language]
    said = words.signer.format(who=_name(signature), when=_when(signature, language), verdict=_VERDICTS[language][signature.indication])
    if signature.indication is Indication.TOTAL_PASSED:
        return said
    reason = _REASONS.get(signature.sub_indication, _OTHERWISE)[language is Language.ENGLISH]
    return f"{said} {words.why.format(reason=reason)}"


def _when(signature: SignatureReport, language: Language) -> str:
    words = _WORDS[language]
    if signature.proven_time is not None:
        return words.stamped.format(time=_local(signature.proven_time))
    return words.claimed.format(time=_local(signature.claimed_time)) if signature.claimed_time is not None else ""


def _local(moment: datetime) -> str:
    return f"{moment.astimezone(_VIETNAM):%H:%M %d/%m/%Y}"


def _name(signature: SignatureReport) -> str:
    """The common name of the signer, else the name of the signature."""
    try:
        found = load(signature.certificate).subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    except ValueError:
        return signature.name
    return str(found[0].value) if found else signature.name

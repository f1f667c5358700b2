from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

from signer.algorithms import DigestAlgorithm
from signer.formats import der, der_reader
from signer.timestamp.tsp import read_message_imprint, read_non_default, read_nonce

_VERSION = 1
_SUBSECONDS_MAX = 999
_MILLIS = 0x80
_MICROS = 0x81
_TSA = 0xA0
_EXTENSIONS = 0xA1


@dataclass(frozen=True, slots=True)
class TstInfo:
    """What a timestamp states (RFC 3161 §2.4.2).

    imprint: the digest that was stamped; digest_algorithm: None when it is not in our table. gen_time: UTC. accuracy: how far off it may
    be, None when not stated. critical_extensions: whether it has any, which a reader who knows none must refuse.
    """

    policy_oid: str
    imprint: bytes
    digest_algorithm: DigestAlgorithm | None
    serial_number: int
    gen_time: datetime
    accuracy: timedelta | None
    ordering: bool
    nonce: int | None
    critical_extensions: bool


def read_tst_info(encoded: bytes) -> TstInfo:
    """Read a TSTInfo in DER. Raises DerError."""
    fields = der_reader.read(encoded, der.SEQUENCE).children()
    version = der_reader.integer(fields.take(der.INTEGER))
    if version != _VERSION:
        raise der_reader.DerError(f"TSTInfo version {version} instead of {_VERSION}")
    policy_oid = der_reader.oid(fields.take(der.OBJECT_IDENTIFIER))
    imprint, digest_algorithm = read_message_imprint(fields.take(der.SEQUENCE))
    serial_number = der_reader.integer(fields.take(der.INTEGER))
    gen_time = der_reader.generalized_time(fields.take(der.GENERALIZED_TIME))
    accuracy = fields.take_if(der.SEQUENCE)
    ordering = fields.take_if(der.BOOLEAN)
    nonce = read_nonce(fields.take_if(der.INTEGER))
    tsa = fields.take_if(_TSA)
    extensions = fields.take_if(_EXTENSIONS)
    fields.end()
    if tsa is not None:
        der_reader.read(tsa.content)
    return TstInfo(
        policy_oid=policy_oid,
        imprint=imprint,
        digest_algorithm=digest_algorithm,
        serial_number=serial_number,
        gen_time=gen_time,
        accuracy=None if accuracy is None else _read_accuracy(accuracy.content),
        ordering=ordering is not None and read_non_default(ordering),
        nonce=nonce,
        critical_extensions=extensions is not None and _any_critical(extensions.children()),
    )


@lru_cache(maxsize=64)
def _read_accuracy(content: bytes) -> timedelta:
    """Few authorities state more than one."""
    fields = der_reader.Reader(content)
    seconds, millis, micros = (fields.take_if(tag) for tag in (der.INTEGER, _MILLIS, _MICROS))
    fields.end()
    try:
        return timedelta(seconds=_number(seconds), milliseconds=_subseconds(millis), microseconds=_subseconds(micros))
    except OverflowError as absurd:
        raise der_reader.DerError("accuracy beyond any time") from absurd


def _number(element: der_reader.Element | None) -> int:
    if element is None:
        return 0
    value = der_reader.integer(element)
    if value < 0:
        raise der_reader.DerError(f"accuracy of {value}")
    return value


def _subseconds(element: der_reader.Element | None) -> int:
    value = _number(element)
    if element is not None and not 1 <= value <= _SUBSECONDS_MAX:
        raise der_reader.DerError(f"accuracy with {value} millis or micros")
    return value


def _any_critical(extensions: der_reader.Reader) -> bool:
    found = False
    for extension in extensions.rest():
        fields = extension.children()
        fields.take(der.OBJECT_IDENTIFIER)
        critical = fields.take_if(der.BOOLEAN)
        fields.take(der.OCTET_STRING)
        fields.end()
        found |= critical is not None and der_reader.boolean(critical)
    return found


def accuracy_der(accuracy_ms: int) -> bytes:
    """Accuracy from whole milliseconds, DER: seconds and millis, each only when not zero."""
    seconds, millis = divmod(accuracy_ms, 1000)
    return der.sequence(
        der.integer(seconds) if seconds else b"",
        der.implicit(0, der.integer(millis)) if millis else b"",
    )

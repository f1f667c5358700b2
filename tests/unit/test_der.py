from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

import pytest
from asn1crypto import core
from hypothesis import given
from hypothesis import strategies as st

from signer.errors import InternalError
from signer.formats import der, der_reader
from signer.formats.der_reader import DerError

ARCS = st.integers(0, 2**80)
OIDS = st.one_of(
    st.tuples(st.integers(0, 1), st.integers(0, 39), st.lists(ARCS, max_size=6)),
    st.tuples(st.just(2), ARCS, st.lists(ARCS, max_size=6)),
).map(lambda arcs: ".".join(map(str, (arcs[0], arcs[1], *arcs[2]))))
MOMENTS = st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=7))]), min_value=datetime(1950, 1, 2))  # noqa: DTZ001


@given(st.integers())
def test_integers_are_asn1cryptos_and_read_back(value: int) -> None:
    assert der.integer(value) == core.Integer(value).dump()
    assert der_reader.integer(der_reader.read(der.integer(value), der.INTEGER)) == value


@given(OIDS)
def test_object_identifiers_are_asn1cryptos_and_read_back(dotted: str) -> None:
    assert der.oid(dotted) == core.ObjectIdentifier(dotted).dump()
    assert der_reader.oid(der_reader.read(der.oid(dotted))) == dotted


@given(MOMENTS)
def test_times_are_asn1cryptos_and_read_back(moment: datetime) -> None:
    generalized = der.generalized_time(moment)
    assert generalized == core.GeneralizedTime(moment).dump()
    assert der_reader.generalized_time(der_reader.read(generalized, der.GENERALIZED_TIME)) == moment
    whole = moment.astimezone(UTC).replace(microsecond=0)
    if whole.year < 2050:
        assert der.time(moment) == core.UTCTime(whole).dump()
        assert der_reader.utc_time(der_reader.read(der.time(moment), der.UTC_TIME)) == whole
    else:
        assert der.time(moment) == core.GeneralizedTime(whole).dump()


@given(st.lists(st.binary(max_size=40), max_size=5), st.integers(0, 30))
def test_sets_and_tags_are_asn1cryptos(contents: list[bytes], number: int) -> None:
    class OctetStrings(core.SetOf):  # type: ignore[misc]
        _child_spec = core.OctetString

    expected = OctetStrings([core.OctetString(content) for content in contents])
    ours = der.set_of(*map(der.octet_string, contents))
    assert ours == expected.dump(force=True)
    assert der.explicit(number, ours) == OctetStrings(list(expected), explicit=number).dump(force=True)
    assert der.implicit(number, ours) == OctetStrings(list(expected), implicit=number).dump(force=True)


@pytest.mark.parametrize("size_bytes", [0, 1, 127, 128, 255, 256, 65_535, 65_536, 16_777_216])
def test_lengths_are_minimal_and_read_back(size_bytes: int) -> None:
    encoded = der.octet_string(bytes(size_bytes))
    assert encoded == core.OctetString(bytes(size_bytes)).dump()
    assert len(der_reader.read(encoded, der.OCTET_STRING).content) == size_bytes


@pytest.mark.parametrize("numbers", [(), (0,), (2,), (5,), (14,), (25,), (0, 7), (0, 8), (1, 31)])
def test_named_bits_leave_trailing_zeros_out(numbers: tuple[int, ...]) -> None:
    class Named(core.BitString):  # type: ignore[misc]
        _map = {number: f"bit{number}" for number in range(32)}  # noqa: RUF012 - asn1crypto's way

    assert der.named_bits(*numbers) == Named({f"bit{number}" for number in numbers}).dump()


@pytest.mark.parametrize(
    "write",
    [
        lambda: der.oid("1"),
        lambda: der.oid("3.1"),
        lambda: der.oid("1.40"),
        lambda: der.oid("1.2.-3"),
        lambda: der.oid("1.2.x"),
        lambda: der.explicit(31, der.NULL),
        lambda: der.implicit(-1, der.NULL),
        lambda: der.utc_time(datetime(2050, 1, 1, tzinfo=UTC)),
        lambda: der.generalized_time(datetime(2026, 1, 1)),  # noqa: DTZ001 - that is the mistake
    ],
)
def test_what_der_can_not_say_is_our_bug(write: Callable[[], bytes]) -> None:
    with pytest.raises(InternalError):
        write()


@pytest.mark.parametrize(
    ("encoded", "complaint"),
    [
        (b"", "element missing"),
        (b"\x04", "length missing"),
        (b"\x04\x01", "cut short"),
        (b"\x04\x00\x00", "left over"),
        (b"\x30\x80\x00\x00", "indefinite"),
        (b"\x04\x81\x01\x00", "not minimal"),
        (b"\x04\x82\x00\x80" + bytes(128), "not minimal"),
        (b"\x04\x85\x01\x00\x00\x00\x00", "oversized"),
        (b"\x1f\x81\x00\x00", "long-form"),
        (b"\x02\x01\x00", "instead of 0x04"),
    ],
)
def test_what_is_not_canonical_is_refused(encoded: bytes, complaint: str) -> None:
    with pytest.raises(DerError, match=complaint):
        der_reader.read(
            encoded, None if encoded[:1] == b"\x1f" or not encoded else der.SEQUENCE if encoded[0] == 0x30 else der.OCTET_STRING
        )


@pytest.mark.parametrize(
    ("read", "content"),
    [
        (der_reader.integer, b""),
        (der_reader.integer, b"\x00\x7f"),
        (der_reader.integer, b"\xff\x80"),
        (der_reader.boolean, b""),
        (der_reader.boolean, b"\x01"),
        (der_reader.oid, b""),
        (der_reader.oid, b"\x2a\x80\x01"),
        (der_reader.oid, b"\x2a\x81"),
        (der_reader.oid, b"\x01" * 129),
        (der_reader.generalized_time, b"20260530170000"),
        (der_reader.generalized_time, b"20260530170000.50Z"),
        (der_reader.generalized_time, b"20260230170000Z"),
        (der_reader.generalized_time, b"20260530170000+0700"),
        (der_reader.utc_time, b"2605301700Z"),
        (der_reader.utc_time, b"261330170000Z"),
    ],
)
def test_values_that_are_not_canonical_are_refused(read: Callable[[der_reader.Element], object], content: bytes) -> None:
    with pytest.raises(DerError):
        read(der_reader.Element(0, content, content))


@given(st.binary(max_size=200))
def test_any_bytes_are_read_in_full_or_refused(data: bytes) -> None:
    def walk(reader: der_reader.Reader) -> bytes:
        whole = b""
        for element in reader.rest():
            whole += element.encoded
            if element.tag & 0x20:
                assert walk(element.children()) == element.content
        return whole

    try:
        whole = walk(der_reader.Reader(data))
    except DerError:
        return
    assert whole == data

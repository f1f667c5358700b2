from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from signer.algorithms import DigestAlgorithm, SignatureAlgorithm
from signer.errors import TimestampInvalid
from signer.formats import der, der_reader
from signer.formats.cms import identifiers as ids
from signer.formats.cms import reader
from signer.timestamp import chain, tsp, tst_info
from signer.timestamp import verify as verifying
from signer.timestamp.verify import VerifiedTimestamp, verify_timestamp
from tests.support import pki
from tests.support.lies import IMPRINT, LIES, NOW, POLICY, RSA, STAMPING, Lie, ess_v1, extension, honest


def verify(
    token: bytes,
    *,
    imprint: bytes = IMPRINT,
    digest_algorithm: DigestAlgorithm = DigestAlgorithm.SHA256,
    nonce: int | None = 42,
    policies: frozenset[str] = frozenset({POLICY}),
    roots: tuple[bytes, ...] | None = None,
) -> VerifiedTimestamp:
    return verify_timestamp(
        token,
        imprint=imprint,
        digest_algorithm=digest_algorithm,
        nonce=nonce,
        policies=policies,
        trusted_roots=(pki.root().der,) if roots is None else roots,
        now=NOW,
        window=timedelta(minutes=5),
    )


@pytest.mark.parametrize("algorithm", [RSA, SignatureAlgorithm.ECDSA_SHA256])
def test_an_honest_timestamp_is_returned_with_what_it_states(algorithm: SignatureAlgorithm) -> None:
    token = honest(algorithm).encoded()
    verified = verify(token)
    assert verified.encoded == token
    assert verified.authority == pki.tsa(algorithm).der
    assert (verified.tst_info.gen_time, verified.tst_info.accuracy, verified.tst_info.nonce) == (NOW, timedelta(seconds=1), 42)


@pytest.mark.parametrize(("make", "complaint"), LIES.values(), ids=LIES)
def test_each_lie_is_refused_by_its_name(make: Callable[[], Lie], complaint: str) -> None:
    verify(honest().encoded())  # a chain that is remembered must not help a liar
    with pytest.raises(TimestampInvalid, match=f"^{complaint}") as refused:
        verify(make().encoded())
    assert refused.value.metadata["check"] == complaint.partition(":")[0]


def forget() -> None:
    """All that verification remembers of timestamps before."""
    for module in (der_reader, reader, tsp, tst_info, verifying, chain):
        for value in vars(module).values():
            if hasattr(value, "cache_clear"):
                value.cache_clear()


def outcome(token: bytes) -> object:
    try:
        verified = verify(token)
    except TimestampInvalid as invalid:
        return invalid.metadata["check"], invalid.message
    return verified.tst_info, verified.authority


@cache
def told(name: str) -> bytes:
    return (LIES[name][0]() if name in LIES else honest(SignatureAlgorithm(name))).encoded()


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from([*LIES, RSA.value, SignatureAlgorithm.ECDSA_SHA256.value]),
    st.lists(st.tuples(st.integers(0, 4000), st.integers(1, 255)), max_size=2),
)
def test_what_is_remembered_of_others_changes_no_verdict(name: str, changes: list[tuple[int, int]]) -> None:
    token = bytearray(told(name))
    for place, change in changes if token else ():
        token[place % len(token)] ^= change
    for algorithm in (RSA, SignatureAlgorithm.ECDSA_SHA256):
        verify(told(algorithm.value))
    with_memory = outcome(bytes(token))
    forget()
    assert outcome(bytes(token)) == with_memory


TRUTHS: dict[str, Lie] = {
    "binding by version 1 alone": replace(
        honest(),
        change_attributes=lambda a: (a.pop(ids.ID_SIGNING_CERTIFICATE_V2), a.update({ids.ID_SIGNING_CERTIFICATE: ess_v1(pki.tsa())})),
    ),
    "extension that is not critical": replace(honest(), extensions=extension(critical=False)),
    "fraction of a second": replace(honest(), gen_time=der.generalized_time(NOW + timedelta(milliseconds=7))),
}


@pytest.mark.parametrize("truth", TRUTHS.values(), ids=TRUTHS)
def test_what_the_standards_allow_is_believed(truth: Lie) -> None:
    assert verify(truth.encoded()).tst_info.policy_oid == POLICY


def test_nonce_and_policy_not_asked_for_are_not_compared() -> None:
    assert verify(honest().encoded(), nonce=None, policies=frozenset()).tst_info.nonce == 42


def test_a_chain_remembered_for_one_root_does_not_stand_for_another() -> None:
    token = honest().encoded()
    verify(token)
    stranger = pki.issue("Root G2 (DEMO)", pki.rsa_key(105), is_ca=True)
    with pytest.raises(TimestampInvalid, match=r"^chain"):
        verify(token, roots=(stranger.der,))
    with pytest.raises(TimestampInvalid, match=r"^chain"):
        verify(token, roots=())


def test_an_expired_issuer_breaks_the_chain_also_when_it_stood_before() -> None:
    ends = NOW + timedelta(minutes=1)
    issuer = pki.issue("CA ngắn hạn (DEMO)", pki.rsa_key(106), pki.root(), is_ca=True, not_after=ends)
    tsa = pki.issue("TSA (DEMO)", pki.rsa_key(103), issuer, usages=STAMPING)
    verify(Lie(tsa, (issuer.der,)).encoded())
    with pytest.raises(TimestampInvalid, match=r"^chain"):
        verify(Lie(tsa, (issuer.der,), gen_time=der.generalized_time(ends + timedelta(seconds=1))).encoded())


def test_two_embedded_certificates_of_one_name_and_serial_are_refused() -> None:
    twin = pki.issue("TSA khác (DEMO)", pki.rsa_key(103), pki.authority(), usages=STAMPING, serial_number=pki.tsa().x509.serial_number)
    with pytest.raises(TimestampInvalid, match=r"^certificate: two embedded"):
        verify(replace(honest(), chain=(pki.authority().der, twin.der)).encoded())


HONEST = honest().encoded()


@settings(max_examples=300, deadline=None)
@given(st.integers(0, len(HONEST) - 1), st.integers(1, 255))
def test_one_changed_byte_is_a_typed_error_or_outside_what_is_signed(position: int, difference: int) -> None:
    changed = HONEST[:position] + bytes((HONEST[position] ^ difference,)) + HONEST[position + 1 :]
    try:
        verified = verify(changed)
    except TimestampInvalid:
        return
    # Version numbers, the set of digest algorithms, spare certificates and algorithm parameters are not signed; what it states is.
    assert verified.tst_info == verify(HONEST).tst_info
    assert verified.authority == pki.tsa().der


@given(st.binary(max_size=300))
def test_any_bytes_are_a_typed_error(data: bytes) -> None:
    with pytest.raises(TimestampInvalid, match=r"^encoding"):
        verify(data)

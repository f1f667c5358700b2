"""One-time passwords by the vectors of RFC 4226 appendix D and RFC 6238 appendix B, and taken once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signer.access import totp

SEED = b"12345678901234567890"
SEEDS = {"sha1": SEED, "sha256": b"12345678901234567890123456789012", "sha512": SEED * 3 + b"1234"}
RFC_6238 = [
    (59, "94287082", "46119246", "90693936"),
    (1111111109, "07081804", "68084774", "25091201"),
    (1111111111, "14050471", "67062674", "99943326"),
    (1234567890, "89005924", "91819424", "93441116"),
    (2000000000, "69279037", "90698825", "38618901"),
    (20000000000, "65353130", "77737706", "47863826"),
]


@pytest.mark.parametrize("step", range(10))
def test_rfc_4226_appendix_d(step: int) -> None:
    wanted = ["755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489"]
    assert totp.code_at(SEED, step) == wanted[step]


@pytest.mark.parametrize(("seconds", "sha1", "sha256", "sha512"), RFC_6238)
def test_rfc_6238_appendix_b(seconds: int, sha1: str, sha256: str, sha512: str) -> None:
    for algorithm, wanted in (("sha1", sha1), ("sha256", sha256), ("sha512", sha512)):
        assert totp.code_at(SEEDS[algorithm], seconds // 30, 8, algorithm) == wanted


MOMENTS = st.integers(1_577_836_800, 3_786_912_000).map(lambda at: datetime.fromtimestamp(at, UTC))


@given(MOMENTS, st.integers(-3, 3))
def test_a_code_is_good_a_step_early_and_late_and_no_more(moment: datetime, steps: int) -> None:
    step = totp.step_at(moment)
    found = totp.accepted_step(SEED, totp.code_at(SEED, step + steps), moment, 0)
    accepted = {totp.code_at(SEED, near) for near in (step - 1, step, step + 1)}
    assert (found is not None) == (totp.code_at(SEED, step + steps) in accepted)


@given(MOMENTS)
def test_a_code_is_good_once_and_no_earlier_one_after_it(moment: datetime) -> None:
    step = totp.step_at(moment)
    code = totp.code_at(SEED, step)
    assert totp.accepted_step(SEED, code, moment, step - 1) == step
    assert totp.accepted_step(SEED, code, moment, step) is None
    assert totp.accepted_step(SEED, totp.code_at(SEED, step - 1), moment + timedelta(seconds=1), step) is None


@given(st.text(max_size=12))
def test_any_text_is_a_code_or_not(text: str) -> None:
    moment = datetime(2026, 5, 30, tzinfo=UTC)
    right = {totp.code_at(SEED, totp.step_at(moment) + near) for near in (-1, 0, 1)}
    assert (totp.accepted_step(SEED, text, moment, 0) is not None) == (text in right)


def test_an_app_reads_the_seed_and_whose_it_is() -> None:
    read = urlsplit(totp.provisioning_uri(SEED, "gv:lan", "Sở GDĐT"))
    query = parse_qs(read.query)
    assert (read.scheme, read.netloc) == ("otpauth", "totp")
    assert query["secret"] == ["GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"]
    assert query["issuer"] == ["Sở GDĐT"]
    assert len(totp.new_seed()) == 20
    assert totp.new_seed() != totp.new_seed()

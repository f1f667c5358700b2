"""Names prepared once are prepared as before."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from signer.validation import names


def outcome(text: str, *, is_remembered: bool) -> str:
    """The prepared text, or what is said against it."""
    try:
        return str(names._prepared(None, text) if is_remembered else names._prepare(None, text))
    except ValueError as refused:
        return f"refused: {refused}"


@given(st.text(max_size=300))
def test_every_string_is_prepared_as_asn1crypto_does(text: str) -> None:
    assert outcome(text, is_remembered=True) == outcome(text, is_remembered=True) == outcome(text, is_remembered=False)


def test_long_strings_are_not_remembered() -> None:
    before = names._remembered.cache_info().currsize
    names._prepared(None, "x" * 100_000)
    assert names._remembered.cache_info().currsize == before

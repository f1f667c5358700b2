"""RFC 7512 URIs: its own examples, laws of the encoding, and what is refused because it could find the wrong token or show a PIN."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signer.errors import ConfigError
from signer.secrets import PinReference
from signer.tokens.uri import TokenAttribute, TokenUri

A = TokenAttribute

# Those of RFC 7512 section 3 that name a token and no object.
EXAMPLES = [
    (
        "pkcs11:token=Software%20PKCS%2311%20softtoken;manufacturer=Snake%20Oil,%20Inc.",
        {A.TOKEN: "Software PKCS#11 softtoken", A.MANUFACTURER: "Snake Oil, Inc."},
    ),
    (
        "pkcs11:token=The%20Software%20PKCS%2311%20Softtoken;manufacturer=Snake%20Oil,%20Inc.;model=1.0",
        {A.TOKEN: "The Software PKCS#11 Softtoken", A.MANUFACTURER: "Snake Oil, Inc.", A.MODEL: "1.0"},
    ),
    (
        "pkcs11:library-manufacturer=Snake%20Oil,%20Inc.;library-description=Soft%20Token%20Library;library-version=1.23",
        {A.LIBRARY_MANUFACTURER: "Snake Oil, Inc.", A.LIBRARY_DESCRIPTION: "Soft Token Library", A.LIBRARY_VERSION: "1.23"},
    ),
    ("pkcs11:slot-description=Sun%20Metaslot", {A.SLOT_DESCRIPTION: "Sun Metaslot"}),
    ("pkcs11:slot-id=327", {A.SLOT_ID: "327"}),
    ("pkcs11:library-version=3", {A.LIBRARY_VERSION: "3.0"}),
    ("pkcs11:token=Th%E1%BA%BB%20k%C3%BD", {A.TOKEN: "Thẻ ký"}),
]


@pytest.mark.parametrize(("text", "attributes"), EXAMPLES)
def test_the_examples_of_the_rfc_are_read_as_it_says(text: str, attributes: dict[TokenAttribute, str]) -> None:
    assert TokenUri.parse(text) == TokenUri(attributes)


@pytest.mark.parametrize(
    ("source", "reference"),
    [
        ("file:/etc/token_pin", "file:/etc/token_pin"),
        ("file:///etc/token_pin", "file:/etc/token_pin"),
        ("/etc/token_pin", "file:/etc/token_pin"),
        ("file:/etc/my%20pin", "file:/etc/my pin"),
        ("env:PIN", "env:PIN"),
        ("credential:softhsm-pin", "credential:softhsm-pin"),
    ],
)
def test_a_pin_source_is_one_of_our_references(source: str, reference: str) -> None:
    assert TokenUri.parse(f"pkcs11:token=a?pin-source={source}").pin == PinReference.parse(reference)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("pkcs11:", "names no token"),
        ("pkcs12:token=a", "begins with"),
        ("token=a", "begins with"),
        ("pkcs11:token", "NAME=VALUE"),
        ("pkcs11:token=a;;serial=1", "NAME=VALUE"),
        ("pkcs11:token=a;token=b", "twice"),
        ("pkcs11:token=a;object=my-key", "names an object"),
        ("pkcs11:token=a;type=private", "names an object"),
        ("pkcs11:token=a;id=%69", "names an object"),
        ("pkcs11:token=a;x-vend-aaa=value", "not known"),
        ("pkcs11:token=a%2", "percent"),
        ("pkcs11:token=a%GG", "percent"),
        ("pkcs11:token=a b", "percent"),
        ("pkcs11:token=%FF", "not UTF-8"),
        ("pkcs11:slot-id=12a", "slot-id"),
        ("pkcs11:slot-id=-1", "slot-id"),
        ("pkcs11:library-version=1.2.3", "library-version"),
        ("pkcs11:token=a?module-path=/usr/lib/x.so", "`module`"),
        ("pkcs11:token=a?module-name=softhsm2", "`module`"),
        ("pkcs11:token=a?pin-source=|/usr/lib/pinomatic", "command"),
        ("pkcs11:token=a?pin-source=nothing", "reference"),
        ("pkcs11:token=a?pin-source=file:pin", "absolute"),
        ("pkcs11:token=a?x-some=1", "not known"),
    ],
)
def test_what_could_mean_another_token_is_refused_with_its_reason(text: str, why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        TokenUri.parse(text)


@pytest.mark.parametrize(
    "text",
    ["pkcs11:token=a?pin-value=the-secret", "pkcs11:token=a;pin-value=the-secret", "pkcs11:token=a?the-secret", "pkcs11:the-secret"],
)
def test_a_pin_in_a_uri_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(ConfigError) as refused:
        TokenUri.parse(text)
    assert "the-secret" not in refused.value.message


values = st.text(min_size=1, max_size=40)
texts: list[TokenAttribute] = [attribute for attribute in A if attribute not in {A.SLOT_ID, A.LIBRARY_VERSION}]
attributes: st.SearchStrategy[dict[TokenAttribute, str]] = st.dictionaries(st.sampled_from(texts), values, min_size=1)


@given(attributes.map(TokenUri))
def test_what_is_written_is_read_back(uri: TokenUri) -> None:
    assert TokenUri.parse(str(uri)) == uri


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    for candidate in (text, f"pkcs11:{text}", f"pkcs11:token={text}"):
        try:
            TokenUri.parse(candidate)
        except ConfigError:
            continue


@given(attributes, attributes)
def test_a_token_matches_what_it_has_and_nothing_it_lacks(asked: dict[TokenAttribute, str], has: dict[TokenAttribute, str]) -> None:
    assert TokenUri(asked).matches(has) == all(has.get(attribute) == value for attribute, value in asked.items())
    assert TokenUri(asked).matches(has | asked)

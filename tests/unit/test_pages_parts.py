"""The page's parts without a door: sessions, forms, words."""

from __future__ import annotations

import contextlib
import re
from importlib.resources import files
from string import Formatter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signer.errors import InvalidArgument, TooManyRequests
from signer.model import Role
from signer.people.approval import ApprovalKind, Decision
from signer.people.authorization import AuthorizationState
from signer.people.factor import PinFactor, TotpFactor, WebAuthnFactor
from signer.people.person import Person
from signer.server.pages.checking import Checking
from signer.server.pages.forms import NOBODY, CsrfTokens, Form
from signer.server.pages.sessions import Sessions
from signer.server.pages.sign_in import _own
from signer.server.pages.words import Language, Words, preferred
from tests.support.pages import Clock

LAN, HOA = Person("lan", "Lan"), Person("hoa", "Hoa")


def sessions(clock: Clock, count_max: int = 100) -> Sessions:
    return Sessions(60.0, 600.0, count_max, clock)


def test_a_session_lives_while_it_is_used_and_no_longer_than_its_whole_time() -> None:
    clock = Clock()
    kept = sessions(clock)
    name = kept.open(LAN)
    for at_s in range(0, 600, 50):
        clock.now_s = float(at_s)
        assert kept.find(name) is not None
    clock.now_s = 601.0
    assert kept.find(name) is None
    assert len(kept) == 0


def test_an_idle_session_ends() -> None:
    clock = Clock()
    kept = sessions(clock)
    name = kept.open(LAN)
    clock.now_s = 61.0
    assert kept.find(name) is None


def test_sessions_are_known_by_what_only_their_browser_has() -> None:
    kept = sessions(Clock())
    names = {kept.open(Person(f"p{at}", "")) for at in range(50)}
    assert len(names) == 50
    assert all(len(name) >= 43 for name in names), "256 random bits"
    assert not any(name in repr(vars(kept)) for name in names), "only their digests are kept"
    assert kept.find("") is None
    assert kept.find("\ud800") is None


def test_one_person_has_few_sessions_and_the_oldest_gives_way() -> None:
    kept = sessions(Clock())
    other = kept.open(HOA)
    names = [kept.open(LAN) for _ in range(7)]
    assert [kept.find(name) is not None for name in names] == [False, False, True, True, True, True, True]
    assert kept.find(other) is not None


def test_when_all_places_are_taken_whoever_was_idle_longest_gives_way() -> None:
    kept = sessions(Clock(), count_max=2)
    first, second = kept.open(LAN), kept.open(HOA)
    kept.find(first)
    third = kept.open(Person("minh", ""))
    assert [kept.find(name) is not None for name in (first, second, third)] == [True, False, True]


def test_a_changed_factor_ends_the_persons_other_sessions_alone() -> None:
    kept = sessions(Clock())
    mine, other, hers = kept.open(LAN), kept.open(LAN), kept.open(HOA)
    kept.close_others(LAN.id, mine)
    assert [kept.find(name) is not None for name in (mine, other, hers)] == [True, False, True]


@given(st.text(max_size=80), st.text(max_size=80))
def test_a_forms_token_fits_the_browser_it_was_made_for_alone(cookie: str, other: str) -> None:
    tokens = CsrfTokens()
    assert tokens.fits(cookie, tokens.of(cookie)) == bool(cookie)
    assert not tokens.fits(cookie, CsrfTokens().of(cookie))
    assert tokens.fits(other, tokens.of(cookie)) == (bool(other) and other == cookie)


@given(st.binary(max_size=300))
def test_whatever_is_posted_becomes_a_form_or_our_one_error(body: bytes) -> None:
    try:
        form = Form.read(body)
    except InvalidArgument as refused:
        assert "form" in refused.message  # noqa: PT017 - nothing of the body is repeated
        return
    assert "fields" not in repr(form)


@given(st.text(max_size=100))
def test_whoever_signs_in_has_an_id_as_people_have_or_nobodys(said: str) -> None:
    person_id = Form({"person_id": [said]}).person_id()
    assert person_id == NOBODY or (person_id == said.strip() and person_id.isascii() and len(person_id) <= 64)


def test_a_form_of_too_many_or_too_long_fields_is_refused() -> None:
    for body in (b"a=1&" * 601, b"a=" + b"x" * 16_385, b"a=%ff", "a=ạ".encode()):
        with pytest.raises(InvalidArgument):
            Form.read(body)


def test_factors_are_read_as_they_were_typed_and_empty_ones_left_out() -> None:
    assert Form.read(b"pin=&totp=").factors() == ()
    pin, totp = Form.read(b"pin=+83%2B6251&totp=123+456").factors()
    assert isinstance(pin, PinFactor)
    assert isinstance(totp, TotpFactor)
    assert pin.pin.reveal() == " 83+6251"
    assert totp.code.reveal() == "123456"
    (passkey,) = Form.read(b"challenge_id=c&passkey_id=AAE&authenticator_data=AAEC&client_data=e30&signature=_-8").factors()
    assert passkey == WebAuthnFactor("c", b"\0\1", b"\0\1\2", b"{}", b"\xff\xef")


@given(st.text(max_size=40))
def test_nobody_is_sent_elsewhere_after_signing_in(place: str) -> None:
    own = _own(place)
    assert own.startswith("/")
    assert not own.startswith(("//", "/\\"))
    assert own.isascii()
    assert own.isprintable()


def test_both_languages_say_everything_with_the_same_values() -> None:
    vietnamese, english = (Words.load(language).texts for language in (Language.VIETNAMESE, Language.ENGLISH))
    assert vietnamese.keys() == english.keys()
    for name, text in vietnamese.items():
        assert _fields(text) == _fields(english[name]), name
        assert text.strip()


def test_whatever_a_template_says_there_are_words_for() -> None:
    texts = Words.load(Language.VIETNAMESE).texts
    templates = [file for file in (files("signer.server.pages") / "templates").iterdir() if file.name.endswith(".html")]
    assert templates
    asked = {name for file in templates for name in re.findall(r'\bt\("([a-z_.]+)"[,)]', file.read_text(encoding="utf-8"))}
    asked |= {f"role.{role.value}" for role in Role} | {f"approval.{kind.value}" for kind in ApprovalKind}
    asked |= {f"state.{state.value}" for state in AuthorizationState} | {f"page.{language.value}" for language in Language}
    asked |= {f"approval.{part}_{decision.value}" for part in ("said", "do", "comment", "done") for decision in Decision}
    assert asked <= texts.keys()


def _fields(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


@pytest.mark.parametrize(
    ("asked", "given_language"),
    [
        ("", "vi"),
        ("vi-VN,vi;q=0.9,en;q=0.8", "vi"),
        ("en-US,en;q=0.9", "en"),
        ("fr-FR,fr;q=0.9", "vi"),
        ("en;q=0.5,vi;q=0.7", "vi"),
        ("fr, en;q=0.1", "en"),
        ("vi;q=oops, en;q=0", "vi"),
    ],
)
def test_a_browser_gets_the_language_it_asks_for_and_vietnamese_otherwise(asked: str, given_language: str) -> None:
    assert preferred(asked).value == given_language


async def test_so_many_tries_are_in_work_and_the_next_is_told_to_come_back() -> None:
    checking = Checking(address_tries_per_minute=1000)
    with contextlib.ExitStack() as tries:
        for at in range(64):
            tries.enter_context(checking.turn("::1", f"p{at}"))
        with pytest.raises(TooManyRequests) as refusal, checking.turn("::1", "one-more"):
            pass
        assert refusal.value.retry_after_s
    with checking.turn("::1", "one-more"):
        pass

"""A SAD binds all that its holder allowed, and only this appliance makes one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signer.access import sad as sads
from signer.access.appliance_keys import ApplianceKeys
from signer.access.factor_rules import FactorPolicy, require_pin
from signer.algorithms import SignatureAlgorithm
from signer.control.targets import opened_target, sealed_target
from signer.errors import AuthorizationInvalid, InvalidArgument, JournalDamaged
from signer.model import Role
from signer.people.authorization import AuthorizationTarget, ListBinding, Presentation, PresentedItem, SignableList
from signer.people.factor import FactorKind, TryLimits

OLD, NEW = b"o" * 43, b"n" * 43
KEYS = ApplianceKeys([OLD])
SAD = sads.Sad(
    authorization_id="au-1",
    target_sha256=b"t" * 32,
    list_sha256=b"r" * 32,
    list_count=10_000,
    school_id="79000001",
    credential_id="key",
    client_id="school",
    expires_us=1,
)
TARGET = AuthorizationTarget(
    "79000001", "key", SignableList(ListBinding.DIGEST, b"r" * 32, 35, source_documents=True), Presentation("12A1", "THPT", Role.PRINCIPAL)
)
CHANGES: dict[str, Callable[[AuthorizationTarget], AuthorizationTarget]] = {
    "school": lambda t: replace(t, school_id="79000002"),
    "credential": lambda t: replace(t, credential_id="other"),
    "list": lambda t: replace(t, list=replace(t.list, sha256=b"x" * 32)),
    "binding": lambda t: replace(t, list=replace(t.list, binding=ListBinding.ROOT)),
    "count": lambda t: replace(t, list=replace(t.list, count=36)),
    "kind": lambda t: replace(t, list=replace(t.list, source_documents=False)),
    "plan": lambda t: replace(t, plan_sha256=b"p" * 32),
    "role": lambda t: replace(t, role=Role.CLERK),
    "delegation": lambda t: replace(t, delegation_id="d-1"),
    "algorithm": lambda t: replace(t, algorithm=SignatureAlgorithm.ECDSA_SHA256),
    "request": lambda t: replace(t, request_id="r"),
    "approvals": lambda t: replace(t, approval_ids=("a",)),
    "class shown": lambda t: replace(t, presentation=replace(t.presentation, class_name="12A2")),
    "school shown": lambda t: replace(t, presentation=replace(t.presentation, school_name="x")),
    "role shown": lambda t: replace(t, presentation=replace(t.presentation, role=None)),
    "acting-for shown": lambda t: replace(t, presentation=replace(t.presentation, acting_for_name="x")),
    "summary shown": lambda t: replace(t, presentation=replace(t.presentation, summary="x")),
    "pupils shown": lambda t: replace(t, presentation=replace(t.presentation, pupil_list_sha256=b"x" * 32)),
    "lines shown": lambda t: replace(t, presentation=replace(t.presentation, items=(PresentedItem("d", b"e" * 32, "x"),))),
}

_KEPT = (
    "b3599b2d22a5d2efd34381081694ce602e380ab228e525765d07ecd15afbb8d3c97208810cb2451a543538e9361f6318c9d6cfe8da64a33bf4c3f59fe4e358fc0ae2b613"
    "70b123cea036120aa4800868690f9c8f5de00cf73898054761624f878f14b2e003bbc92bb7c93710d99df56f69cbb1e3b2"
)


def bound(target: AuthorizationTarget) -> bytes:
    return sads.target_sha256(target, sads.presentation_sha256(target.presentation))


@pytest.mark.parametrize("name", CHANGES)
def test_whatever_changes_in_a_target_changes_what_is_bound(name: str) -> None:
    assert bound(CHANGES[name](TARGET)) != bound(TARGET)


def test_what_an_earlier_release_bound_and_kept_is_still_good() -> None:
    """It knew roots alone."""
    root = replace(TARGET, list=replace(TARGET.list, binding=ListBinding.ROOT))
    assert bound(root).hex() == "cf6717e93fc0af833f080c58a36bb578db60f87273f62cf600f16c8d4879c2b3"
    assert opened_target(KEYS, "au-1", bytes.fromhex(_KEPT)) == root


@pytest.mark.parametrize("binding", ListBinding)
def test_a_kept_target_opens_as_it_was(binding: ListBinding) -> None:
    target = replace(TARGET, list=replace(TARGET.list, binding=binding))
    assert opened_target(KEYS, "au-1", sealed_target(KEYS, "au-1", target)) == target


@given(st.text(max_size=20), st.text(max_size=20))
def test_words_shown_do_not_run_into_one_another(first: str, second: str) -> None:
    one = Presentation(class_name=first, school_name=second)
    two = Presentation(class_name=first + second)
    assert (sads.presentation_sha256(one) == sads.presentation_sha256(two)) == (second == "")


def test_a_sad_is_small_whatever_it_covers_and_reads_back() -> None:
    sad = sads.mint(KEYS, SAD)
    assert len(sad) < 512
    assert sads.read(KEYS, sad) == SAD


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_any_changed_byte_makes_it_invalid(at: int, flip: int) -> None:
    sad = bytearray(sads.mint(KEYS, SAD))
    sad[at % len(sad)] ^= flip
    with pytest.raises(AuthorizationInvalid):
        sads.read(KEYS, bytes(sad))


@given(st.binary(max_size=200))
def test_any_bytes_are_invalid(received: bytes) -> None:
    with pytest.raises(AuthorizationInvalid):
        sads.read(KEYS, received)


def test_a_secret_is_changed_by_putting_a_new_one_before_it() -> None:
    both, new = ApplianceKeys([NEW, OLD]), ApplianceKeys([NEW])
    sad, sealed = sads.mint(KEYS, SAD), KEYS.seal(b"seed", "totp of p")
    assert sads.read(both, sad) == SAD
    assert both.open(sealed, "totp of p") == b"seed"
    assert sads.read(new, sads.mint(both, SAD)) == SAD, "the new one makes them"
    with pytest.raises(AuthorizationInvalid):
        sads.read(new, sad)
    with pytest.raises(JournalDamaged):
        new.open(sealed, "totp of p")


def test_what_is_sealed_opens_for_its_own_context_alone() -> None:
    sealed = KEYS.seal(b"seed", "totp of p")
    assert b"seed" not in sealed
    assert sealed != KEYS.seal(b"seed", "totp of p")
    for context, content in (("totp of q", sealed), ("totp of p", sealed[:-1] + bytes([sealed[-1] ^ 1])), ("totp of p", b"")):
        with pytest.raises(JournalDamaged):
            KEYS.open(content, context)


PIN, TOTP, PASSKEY = FactorKind.PIN, FactorKind.TOTP, FactorKind.WEBAUTHN
POLICY = FactorPolicy(frozenset({Role.ACADEMIC_STAFF}), frozenset({Role.PRINCIPAL}))
ENOUGH = {
    None: [{PIN, TOTP}, {PASSKEY}, {PIN, PASSKEY}, {PIN, TOTP, PASSKEY}, {TOTP, PASSKEY}],
    Role.ACADEMIC_STAFF: [{PIN}, {PIN, TOTP}, {PASSKEY}, {PIN, PASSKEY}, {PIN, TOTP, PASSKEY}, {TOTP, PASSKEY}],
    Role.PRINCIPAL: [{PASSKEY}, {PIN, PASSKEY}, {TOTP, PASSKEY}, {PIN, TOTP, PASSKEY}],
}
ALL = [{kind for at, kind in enumerate((PIN, TOTP, PASSKEY)) if bits >> at & 1} for bits in range(8)]


@pytest.mark.parametrize("role", ENOUGH)
def test_which_factors_are_enough_is_a_table(role: Role | None) -> None:
    assert [kinds for kinds in ALL if POLICY.is_enough(kinds, role)] == [kinds for kinds in ALL if kinds in ENOUGH[role]]


@pytest.mark.parametrize("pin", ["", "12345", "123456", "987654", "000000", "a" * 65, "12\n3456"])
def test_a_pin_that_anybody_would_try_first_is_refused_and_not_repeated(pin: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        require_pin(pin)
    assert not pin or pin in {"123456", "111111"} or pin not in caught.value.message


@pytest.mark.parametrize("pin", ["271828", "motconvit", "mật khẩu dài"])
def test_other_pins_will_do(pin: str) -> None:
    require_pin(pin)


def test_waits_double_up_to_their_bound_and_end_in_a_lock() -> None:
    limits = TryLimits(tries_max=8, delay_s_max=20.0)
    assert [limits.delay_s(wrong) for wrong in range(7)] == [0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 20.0]
    assert [limits.is_locked(wrong) for wrong in (7, 8, 9)] == [False, True, True]

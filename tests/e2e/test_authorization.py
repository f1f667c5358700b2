"""A holder's key is of use only under their word on exactly what is signed, once."""

from __future__ import annotations

import base64
import gc
import hashlib
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from signer.access import totp
from signer.errors import (
    AuthorizationInvalid,
    AuthorizationNotFound,
    BatchTooLarge,
    FactorsRefused,
    InvalidArgument,
    NotServedYet,
    RequestIdReused,
    SchoolNotFound,
)
from signer.formats.entry_list import digest_of_entries
from signer.formats.merkle import inclusion_proof, leaf_hash, root_of
from signer.journal import NoteKind
from signer.v1 import authorization_pb2, authorization_pb2_grpc, common_pb2, plan_pb2, signature_pb2, signing_pb2
from tests.support.calls import (
    fresh_id,
    intents,
    metric,
    metrics,
    our_errors,
    plan,
    reason_of,
    refused,
    sign_batch,
    sign_digests,
    sign_document,
    start,
)
from tests.support.daemon import SCHOOL, World
from tests.support.holders import PIN, SEED, Holder, Holders, digest, holders, notes, target
from tests.support.merkle import Leaves
from tests.support.pdfs import report_card
from tests.support.worlds import copy_of

STATE = authorization_pb2.AuthorizationState
LISTED = {f"d{number}": digest(f"d{number}") for number in range(3)}
UNLISTED = digest("somebody else's")


@pytest.fixture(scope="module")
def desk(pristine_world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Holders]:
    world = copy_of(pristine_world, tmp_path_factory.mktemp("holders") / "it")
    with holders(world, 25, activation={"refusal_s": 0.3, "entries_max": 20_000}, log={"level": "debug"}) as made:
        yield made


@pytest.fixture
def holder(desk: Holders) -> Holder:
    return desk.next()


@pytest.fixture(scope="module")
def database(desk: Holders) -> Path:
    return desk.office.world.folder / "office.db"


def sign(desk: Holders, holder: Holder, sad: bytes, digests: dict[str, bytes], *, client: str = "school", **changes: Any) -> dict[str, str]:
    """The reason each digest failed with; empty for the signed."""
    entries = changes.pop("entries", ())
    activation = signature_pb2.Activation(sad=sad, entries=entries)
    fields = {"credential_id": holder.credential_id, "activation": activation} | changes
    answered = sign_digests(desk.office.channel(client), digests, **fields)
    return {result.document_id: reason_of(result.status) if result.status.code else "" for result in answered.results}


def test_a_sad_lets_its_list_be_signed_and_nothing_else(desk: Holders, holder: Holder, database: Path) -> None:
    given = desk.authorize(holder, target(holder, list(LISTED.values())))
    assert (given.authorization.state, given.authorization.allowed_count) == (STATE.AUTHORIZATION_STATE_GRANTED, 3)
    request_id = fresh_id()
    outcome = sign(desk, holder, given.sad, LISTED | {"other": UNLISTED}, request_id=request_id)
    assert outcome == dict.fromkeys(LISTED, "") | {"other": "DOCUMENT_NOT_AUTHORIZED"}
    assert sorted(intents(database, request_id)) == sorted(LISTED)
    request = authorization_pb2.GetAuthorizationRequest(school_id=SCHOOL, authorization_id=given.authorization.authorization_id)
    found = desk.service.GetAuthorization(request, timeout=60).authorization
    assert (found.state, found.signed_count, found.spent_by_request_id) == (STATE.AUTHORIZATION_STATE_SPENT, 3, request_id)


def test_of_fifty_parallel_replays_one_signs(desk: Holders, holder: Holder, database: Path) -> None:
    sad = desk.authorize(holder, target(holder, list(LISTED.values()))).sad
    requests = [fresh_id() for _ in range(50)]
    with ThreadPoolExecutor(50) as pool:
        outcomes = list(pool.map(lambda request_id: sign(desk, holder, sad, LISTED, request_id=request_id), requests))
    assert Counter(tuple(sorted(set(outcome.values()))) for outcome in outcomes) == {("",): 1, ("AUTHORIZATION_SPENT",): 49}
    assert sum(len(intents(database, request_id)) for request_id in requests) == len(LISTED)


def test_one_request_in_parallel_with_itself_uses_the_key_once_for_each(desk: Holders, holder: Holder, database: Path) -> None:
    sad = desk.authorize(holder, target(holder, list(LISTED.values()))).sad
    request_id = fresh_id()
    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(lambda _: sign(desk, holder, sad, LISTED, request_id=request_id), range(8)))
    assert all(set(outcome.values()) == {""} for outcome in outcomes)
    assert sorted(intents(database, request_id)) == sorted(LISTED)


def test_content_is_signed_once_whatever_it_is_called(desk: Holders, holder: Holder) -> None:
    sad = desk.authorize(holder, target(holder, list(LISTED.values()))).sad
    request_id = fresh_id()
    assert sign(desk, holder, sad, {"d0": LISTED["d0"], "again": LISTED["d0"]}, request_id=request_id)["again"] == "AUTHORIZATION_EXHAUSTED"
    gc.collect()
    assert sign(desk, holder, sad, {"later": LISTED["d0"]}, request_id=request_id) == {"later": "AUTHORIZATION_EXHAUSTED"}
    assert sign(desk, holder, sad, {"d0": LISTED["d0"], "d1": LISTED["d1"]}, request_id=request_id) == {"d0": "", "d1": ""}


def test_what_is_signed_is_answered_again_without_any_sad(desk: Holders, holder: Holder, database: Path) -> None:
    sad = desk.authorize(holder, target(holder, [LISTED["d0"]])).sad
    request_id = fresh_id()
    assert sign(desk, holder, sad, {"d0": LISTED["d0"]}, request_id=request_id) == {"d0": ""}
    assert sign(desk, holder, b"", {"d0": LISTED["d0"], "d1": LISTED["d1"]}, request_id=request_id) == {
        "d0": "",
        "d1": "AUTHORIZATION_REQUIRED",
    }
    assert intents(database, request_id) == ["d0"]


def test_a_cut_off_batch_goes_on_under_the_same_word(desk: Holders, holder: Holder, database: Path) -> None:
    cards = {f"card-{number}": report_card(number, pages=1) for number in range(5)}
    how = plan(holder.credential_id)
    entries = [_sha256(card) for card in cards.values()]
    sad = desk.authorize(holder, target(holder, entries, how)).sad
    request_id = fresh_id()
    fields = {"plan": how, "request_id": request_id, "activation": signature_pb2.Activation(sad=sad)}
    channel = desk.office.channel("school")
    first = sign_batch(channel, dict(list(cards.items())[:2]), **fields)
    assert first.summary is not None
    assert (first.summary.signed, first.summary.failed) == (2, 0)
    whole = sign_batch(channel, cards | {"foreign": report_card(99, pages=1)}, **fields)
    assert whole.summary is not None
    assert (whole.summary.signed, whole.summary.replayed, whole.summary.failed) == (3, 2, 1)
    assert set(whole.reasons().values()) == {"DOCUMENT_NOT_AUTHORIZED"}
    assert Counter(intents(database, request_id)) == dict.fromkeys(cards, 1)
    assert {result.info.authorization_id for result in whole.results if not result.status.code} != {""}


def test_thousands_travel_as_root_and_count_with_entries_or_proofs(desk: Holders, holder: Holder) -> None:
    entries = [digest(f"many {number}") for number in range(1001)]
    leaves = [leaf_hash(entry) for entry in entries]
    listed = authorization_pb2.SignableList(root=authorization_pb2.SignableRoot(root=root_of(leaves), count=len(entries)))
    request_id = fresh_id()
    sad = desk.authorize(holder, target(holder, list=listed)).sad
    some = {f"m{number}": entries[number] for number in (0, 512, 1000)}
    assert set(sign(desk, holder, sad, some, request_id=request_id).values()) == {"DOCUMENT_NOT_AUTHORIZED"}, "neither list nor proof"
    assert set(sign(desk, holder, sad, some, request_id=request_id, entries=entries[:-1]).values()) == {"AUTHORIZATION_INVALID"}
    assert sign(desk, holder, sad, some | {"x": UNLISTED}, request_id=request_id, entries=entries) == dict.fromkeys(some, "") | {
        "x": "DOCUMENT_NOT_AUTHORIZED"
    }
    proofs = {f"m{number}": (number, inclusion_proof(Leaves(leaves), number, len(entries))) for number in (7, 999, 1000)}
    assert _with_proofs(
        desk, holder, sad, request_id=request_id, digests={name: entries[number] for name, (number, _) in proofs.items()}, proofs=proofs
    ) == {
        "m7": "",
        "m999": "",
        "m1000": "",
    }
    forged = {"forged": (7, proofs["m7"][1])}
    assert _with_proofs(desk, holder, sad, request_id=request_id, digests={"forged": UNLISTED}, proofs=forged) == {
        "forged": "DOCUMENT_NOT_AUTHORIZED"
    }


def test_thousands_travel_as_one_digest_with_their_entries(desk: Holders, holder: Holder, database: Path) -> None:
    """A list as long as SADs allow here. Whoever changes its order, drops or swaps an entry presents another list."""
    entries = [digest(f"many {number}") for number in range(20_000)]
    said = authorization_pb2.SignableDigest(sha256=digest_of_entries(entries), count=len(entries))
    given = desk.authorize(holder, target(holder, list=authorization_pb2.SignableList(digest=said)))
    assert given.authorization.target.list.digest == said
    some = {f"m{number}": entries[number] for number in (0, 512, 19_999)}
    request_id = fresh_id()
    for other in (entries[1:], [entries[1], entries[0], *entries[2:]], [*entries[:-1], UNLISTED]):
        assert set(sign(desk, holder, given.sad, some, request_id=request_id, entries=other).values()) == {"AUTHORIZATION_INVALID"}
    assert set(sign(desk, holder, given.sad, some, request_id=request_id).values()) == {"DOCUMENT_NOT_AUTHORIZED"}, (
        "its entries did not come"
    )
    outcome = sign(desk, holder, given.sad, some | {"x": UNLISTED}, request_id=request_id, entries=entries)
    assert outcome == dict.fromkeys(some, "") | {"x": "DOCUMENT_NOT_AUTHORIZED"}
    assert sorted(intents(database, request_id)) == sorted(some)


Proofs = dict[str, tuple[int, tuple[bytes, ...]]]


def _with_proofs(
    desk: Holders, holder: Holder, sad: bytes, *, request_id: str, digests: dict[str, bytes], proofs: Proofs
) -> dict[str, str]:
    items = [
        signing_pb2.DigestItem(
            document_id=name, digest=value, list_proof=signature_pb2.ListProof(index=proofs[name][0], path=proofs[name][1])
        )
        for name, value in digests.items()
    ]
    return sign(desk, holder, sad, {}, request_id=request_id, items=items)


CHANGES: dict[str, Callable[[plan_pb2.SigningPlan], None]] = {
    "level": lambda how: setattr(how, "level", common_pb2.LEVEL_B_T),
    "profile": lambda how: how.CopyFrom(
        plan_pb2.SigningPlan(credential_id=how.credential_id, profile=common_pb2.PROFILE_CADES, level=how.level)
    ),
    "algorithm": lambda how: setattr(how, "algorithm", common_pb2.SIGNATURE_ALGORITHM_ECDSA_SHA384),
    "field": lambda how: setattr(how.pades, "field_name", "CBQL"),
    "reason": lambda how: setattr(how.pades, "reason", "another"),
    "certification": lambda how: setattr(how.pades, "doc_mdp", plan_pb2.DOC_MDP_FILL_FORMS),
    "appearance": lambda how: how.pades.appearance.CopyFrom(
        plan_pb2.Appearance(
            style=plan_pb2.APPEARANCE_STYLE_ANNEX, lines=["other"], rectangle=plan_pb2.PageRectangle(page=1, width=90, height=30)
        )
    ),
}


def test_one_changed_field_of_the_plan_makes_the_sad_another_plans(desk: Holders, holder: Holder) -> None:
    card = report_card(1, pages=1)
    how = plan(holder.credential_id, field_name="GVCN")
    sad = desk.authorize(holder, target(holder, [_sha256(card)], how)).sad
    channel, activation = desk.office.channel("school"), signature_pb2.Activation(sad=sad)
    for name, change in CHANGES.items():
        other = plan_pb2.SigningPlan.FromString(how.SerializeToString())
        change(other)
        with refused(AuthorizationInvalid):
            sign_document(channel, card, plan=other, activation=activation)
        assert other != how, name
    assert sign(desk, holder, sad, {"d": _sha256(card)}) == {"d": "AUTHORIZATION_INVALID"}, "as a digest, neither"
    assert sign_document(channel, card, plan=how, activation=activation).info.authorization_id


def test_a_document_gets_no_field_of_its_own_under_anothers_word(desk: Holders, holder: Holder) -> None:
    card = report_card(2, pages=1)
    how = plan(holder.credential_id, field_name="GVCN")
    activation = signature_pb2.Activation(sad=desk.authorize(holder, target(holder, [_sha256(card)], how)).sad)
    channel, request_id = desk.office.channel("school"), fresh_id()
    answers = sign_batch(channel, [start("d", card, field_name="CBQL")], plan=how, activation=activation, request_id=request_id)
    assert answers.reasons() == {0: "DOCUMENT_NOT_AUTHORIZED"}
    assert sign_batch(channel, {"d": card}, plan=how, activation=activation, request_id=request_id).signed()


def test_a_sad_is_of_no_use_to_another_key_client_or_request(desk: Holders, holder: Holder) -> None:
    sad = desk.authorize(holder, target(holder, list(LISTED.values()), request_id="just-this-one")).sad
    other = desk.next()
    assert set(sign(desk, other, sad, LISTED).values()) == {"AUTHORIZATION_INVALID"}
    assert set(sign(desk, holder, sad, LISTED, client="operator").values()) == {"AUTHORIZATION_INVALID"}
    assert set(sign(desk, holder, sad, LISTED, request_id="another").values()) == {"AUTHORIZATION_INVALID"}
    for spoilt in (sad[:-1], sad[:40] + bytes([sad[40] ^ 1]) + sad[41:], b"\0" * 36 + sad[36:], b"x"):
        assert set(sign(desk, holder, spoilt, LISTED, request_id="just-this-one").values()) == {"AUTHORIZATION_INVALID"}
    assert set(sign(desk, holder, sad, LISTED, request_id="just-this-one").values()) == {""}


def test_a_sad_ends_and_can_be_revoked(desk: Holders, holder: Holder) -> None:
    short = target(holder, list(LISTED.values()))
    short.lifetime.FromMilliseconds(1)
    sad = desk.authorize(holder, short).sad
    assert set(sign(desk, holder, sad, LISTED).values()) == {"AUTHORIZATION_EXPIRED"}
    given = desk.authorize(holder, target(holder, list(LISTED.values())))
    request_id = fresh_id()
    assert sign(desk, holder, given.sad, {"d0": LISTED["d0"]}, request_id=request_id) == {"d0": ""}
    ended = authorization_pb2.RevokeAuthorizationRequest(
        school_id=SCHOOL, authorization_id=given.authorization.authorization_id, reason="wrong class"
    )
    assert desk.service.RevokeAuthorization(ended, timeout=60).authorization.state == STATE.AUTHORIZATION_STATE_REVOKED
    assert desk.service.RevokeAuthorization(ended, timeout=60).authorization.state == STATE.AUTHORIZATION_STATE_REVOKED
    assert sign(desk, holder, given.sad, LISTED, request_id=request_id) == {
        "d0": "",
        "d1": "AUTHORIZATION_SPENT",
        "d2": "AUTHORIZATION_SPENT",
    }


def test_whatever_is_wrong_with_factors_the_answer_and_its_time_are_the_same(desk: Holders, database: Path) -> None:
    """Unknown person, no key of theirs, wrong PIN, wrong code, code given before, locked."""
    mine, hers, used, locked = desk.next(), desk.next(), desk.next(), desk.next()
    spent = used.factors()
    desk.authorize(used, target(used, [UNLISTED]), factors=spent)
    with closing(sqlite3.connect(database, timeout=30)) as connection, connection:
        connection.execute("INSERT INTO factor_tries VALUES (?, 10, 0)", (locked.person_id,))
    cases: dict[str, tuple[Holder, str, list[authorization_pb2.Factor]]] = {
        "unknown": (mine, "nobody-at-all", locked.factors()),
        "no key of theirs": (mine, hers.person_id, hers.factors()),
        "wrong pin": (mine, mine.person_id, mine.factors("wrong-pin")),
        "wrong code": (hers, hers.person_id, [authorization_pb2.Factor(pin=PIN), authorization_pb2.Factor(totp="000000")]),
        "used code": (used, used.person_id, spent),
        "locked": (locked, locked.person_id, locked.factors()),
    }
    answers: dict[str, tuple[str, str]] = {}
    took_s: dict[str, float] = {}
    for name, (key_of, person_id, factors) in cases.items():
        began_s = time.monotonic()
        with refused(FactorsRefused) as caught:
            desk.authorize(key_of, target(key_of, [UNLISTED]), person_id=person_id, factors=factors)
        took_s[name] = time.monotonic() - began_s
        answers[name] = (caught.value.message, caught.value.metadata["grpcCode"])
    assert len(set(answers.values())) == 1, answers
    assert min(took_s.values()) >= 0.3, "whatever takes less than that is hidden by it"


def test_the_wait_grows_with_wrong_tries_and_is_the_same_for_nobody(desk: Holders, holder: Holder) -> None:
    waits: list[list[float | None]] = []
    for _ in range(2):
        round_: list[float | None] = []
        for person_id in (holder.person_id, "nobody-here"):
            wrong = [authorization_pb2.Factor(pin="wrong-pin"), authorization_pb2.Factor(totp="000000")]
            with refused(FactorsRefused) as caught:
                desk.authorize(holder, target(holder, [UNLISTED]), person_id=person_id, factors=wrong)
            round_.append(caught.value.retry_after_s)
        waits.append(round_)
        time.sleep(1.05)
    assert waits == [[1.0, 1.0], [2.0, 2.0]]


def test_the_pin_alone_is_not_enough_and_a_right_factor_makes_good_for_wrong_tries(desk: Holders, holder: Holder) -> None:
    for few in ([authorization_pb2.Factor(pin=PIN)], [authorization_pb2.Factor(totp="000000")], [authorization_pb2.Factor(pin=PIN)] * 2):
        with refused(InvalidArgument):
            desk.authorize(holder, target(holder, [UNLISTED]), factors=few)
    assert desk.authorize(holder, target(holder, [UNLISTED])).sad


def test_a_list_is_exact_or_refused(desk: Holders, holder: Holder) -> None:
    root, whole = authorization_pb2.SignableRoot, authorization_pb2.SignableDigest
    listed = authorization_pb2.SignableList
    wrong: list[authorization_pb2.AuthorizationTarget] = [
        target(holder, []),
        target(holder, [UNLISTED, UNLISTED]),
        target(holder, [UNLISTED, UNLISTED + b"1234"]),
        target(holder, [b"short"]),
        target(holder, list=listed(root=root(root=b"r" * 32, count=0))),
        target(holder, list=listed(root=root(root=b"r", count=1))),
        target(holder, list=listed(digest=whole(sha256=b"r" * 32, count=0))),
        target(holder, list=listed(digest=whole(sha256=b"r" * 33, count=1))),
        target(holder, [UNLISTED], plan(holder.credential_id), list=listed(entries=authorization_pb2.SignableEntries(entries=[UNLISTED]))),
        target(holder, [UNLISTED], plan("gvcn")),
        target(holder, list=listed(entries=authorization_pb2.SignableEntries(entries=[UNLISTED]), source_documents=True)),
        target(holder, [UNLISTED], presentation=_shown("other", digest("other"))),
    ]
    any_factors = [authorization_pb2.Factor(pin=PIN), authorization_pb2.Factor(totp="000000")]
    for each in wrong:
        with refused(InvalidArgument):
            desk.authorize(holder, each, factors=any_factors)
    with refused(BatchTooLarge):
        desk.authorize(holder, target(holder, list=listed(root=root(root=b"r" * 32, count=20_001))), factors=any_factors)
    assert desk.authorize(holder, target(holder, [UNLISTED], presentation=_shown("mine", UNLISTED))).sad


def _shown(document_id: str, entry: bytes) -> authorization_pb2.Presentation:
    item = authorization_pb2.PresentedItem(document_id=document_id, entry=entry, text="Nguyễn Văn A")
    return authorization_pb2.Presentation(class_name="12A1", items=[item])


def test_a_page_is_asked_once_and_others_see_no_sad(desk: Holders, holder: Holder) -> None:
    service = desk.service
    asked = authorization_pb2.RequestAuthorizationRequest(
        request_id=fresh_id(), target=target(holder, [UNLISTED], presentation=_shown("mine", UNLISTED)), person_id=holder.person_id
    )
    first, again = (service.RequestAuthorization(asked, timeout=60).authorization for _ in range(2))
    assert (first.authorization_id, first.state) == (again.authorization_id, STATE.AUTHORIZATION_STATE_PENDING)
    assert not first.target.presentation.items, "lines are for the page alone"
    changed = authorization_pb2.RequestAuthorizationRequest.FromString(asked.SerializeToString())
    changed.target.presentation.class_name = "12A2"
    with refused(RequestIdReused), our_errors():
        service.RequestAuthorization(changed, timeout=60)
    found = service.GetAuthorization(
        authorization_pb2.GetAuthorizationRequest(school_id=SCHOOL, authorization_id=first.authorization_id), timeout=60
    )
    assert found.sad == b""
    for request_type, method in (
        (authorization_pb2.GetAuthorizationRequest, "GetAuthorization"),
        (authorization_pb2.RevokeAuthorizationRequest, "RevokeAuthorization"),
    ):
        stranger = authorization_pb2_stub(desk, "other-school")
        with refused(SchoolNotFound), our_errors():
            getattr(stranger, method)(request_type(school_id=SCHOOL, authorization_id=first.authorization_id), timeout=60)
        with refused(AuthorizationNotFound), our_errors():
            getattr(stranger, method)(request_type(school_id="79000002", authorization_id=first.authorization_id), timeout=60)
    page = service.ListAuthorizations(
        authorization_pb2.ListAuthorizationsRequest(school_id=SCHOOL, person_id=holder.person_id, page_size=1), timeout=60
    )
    assert [each.authorization_id for each in page.authorizations] == [first.authorization_id]


def authorization_pb2_stub(desk: Holders, client: str) -> Any:
    return authorization_pb2_grpc.AuthorizationServiceStub(desk.office.channel(client))


def test_challenges_are_of_the_page_for_people(desk: Holders, holder: Holder) -> None:
    asked = authorization_pb2.CreateChallengeRequest(
        person_id=holder.person_id, kind=authorization_pb2.FACTOR_KIND_WEBAUTHN, target=target(holder, [UNLISTED])
    )
    with refused(NotServedYet), our_errors():
        desk.service.CreateChallenge(asked, timeout=60)


def test_the_journal_says_who_allowed_what_and_what_they_were_shown(desk: Holders, holder: Holder, database: Path) -> None:
    given = desk.authorize(holder, target(holder, list(LISTED.values())))
    request_id = fresh_id()
    sign(desk, holder, given.sad, LISTED, request_id=request_id)
    authorization_id = given.authorization.authorization_id
    [granted] = [note for note in notes(database, NoteKind.AUTHORIZATION_GRANTED) if note["subject"] == authorization_id]
    assert (granted["person"], granted["client"], granted["class"], granted["count"]) == (holder.person_id, "school", "12A1", 3)
    assert granted["list_sha256"] == digest_of_entries(list(LISTED.values())).hex()
    assert len(granted["shown"]) == len(granted["target"]) == 64
    assert granted["factors"] == "pin,totp"
    [spent] = [note for note in notes(database, NoteKind.AUTHORIZATION_SPENT) if note["subject"] == authorization_id]
    assert spent["request"] == request_id
    assert set(_authorizations(database, request_id)) == {authorization_id}


def _authorizations(database: Path, request_id: str) -> list[str]:
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        bodies = [msgspec.json.decode(body) for (body,) in connection.execute("SELECT body FROM journal_entry WHERE kind = 'intent'")]
    return [body.get("authorization", "") for body in bodies if body["request"] == request_id]


def test_no_factor_seed_sad_or_words_shown_stand_anywhere_in_the_clear(desk: Holders, holder: Holder, database: Path) -> None:
    factors = holder.factors()
    given = desk.authorize(holder, target(holder, list(LISTED.values())), factors=factors)
    sign(desk, holder, given.sad, LISTED)
    with refused(FactorsRefused) as caught:
        desk.authorize(holder, target(holder, [UNLISTED]), factors=holder.factors("canary-wrong-pin"))
    with refused(InvalidArgument) as odd:
        desk.authorize(holder, target(holder, [UNLISTED]), factors=[authorization_pb2.Factor(pin="canary" * 40)])
    running = desk.office.running
    places = {
        "log": running.log.read_bytes(),
        "errors": repr([caught.value.__dict__, odd.value.__dict__]).encode(),
        "command lines": b"".join(
            (Path("/proc") / str(pid) / "cmdline").read_bytes() for pid in [running.process.pid, *running.worker_pids("")]
        ),
        "environment": (Path("/proc") / str(running.process.pid) / "environ").read_bytes(),
        "metrics": repr(metrics(running.metrics_port())).encode(),
    } | {file.name: file.read_bytes() for file in database.parent.glob("office.db*") if file.suffix != ".secret"}
    secrets = {
        "pin": PIN.encode(),
        "wrong pin": b"canary-wrong-pin",
        "odd pin": b"canarycanary",
        "seed": SEED,
        "seed in base32": totp.seed_text(SEED).encode(),
        "seed in hex": SEED.hex().encode(),
        "seed in base64": base64.b64encode(SEED).rstrip(b"="),
        "sad": given.sad[36:80],
        "sad in hex": given.sad.hex().encode()[:64],
        "sad in base64": base64.b64encode(given.sad)[:40],
        "words shown": b"canary-summary",
        "appliance secret": (database.parent / "office.db.secret").read_bytes().strip(),
    }
    found = [(what, where) for where, content in places.items() for what, secret in secrets.items() if secret in content]
    assert found == []
    assert places["office.db"], "the journal was looked at"


def test_refusals_are_counted_by_reason(desk: Holders, holder: Holder) -> None:
    port = desk.office.running.metrics_port()
    before = metric(port, "signer_sad_refusals_total", reason="AUTHORIZATION_REQUIRED")
    sign(desk, holder, b"", LISTED)
    assert metric(port, "signer_sad_refusals_total", reason="AUTHORIZATION_REQUIRED") == before + 1
    assert metric(port, "signer_factor_refusals_total") > 0


def test_the_appliances_secret_is_its_owners_alone(database: Path) -> None:
    assert (database.parent / "office.db.secret").stat().st_mode & 0o777 == 0o600


def _sha256(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()

"""Between messages and values: what a holder is asked to allow, their factors, and what became of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

from google.protobuf.duration_pb2 import Duration

from signer.errors import BatchTooLarge, InvalidArgument, NotServedYet
from signer.formats.entry_list import digest_of_entries, is_of
from signer.people.authorization import (
    Authorization,
    AuthorizationState,
    AuthorizationTarget,
    ListBinding,
    Presentation,
    PresentedItem,
    SignableList,
)
from signer.people.factor import Factor, FactorKind, PinFactor, TotpFactor, WebAuthnFactor
from signer.secrets import Secret
from signer.server import convert
from signer.server.activating import entries
from signer.v1 import authorization_pb2

_LISTED_MAX: Final = 1000
_HASH_BYTES: Final = 32
_ENTRY_BYTES_MAX: Final = 64
_NAME_MAX: Final = 300
_ITEM_TEXT_MAX: Final = 200
_APPROVALS_MAX: Final = 16
_PIN_MAX: Final = 64
_CODE_MAX: Final = 8
_BLOB_MAX: Final = 4096
STATES: Final[dict[AuthorizationState, Any]] = {
    state: authorization_pb2.AuthorizationState.Value(f"AUTHORIZATION_STATE_{state.name}") for state in AuthorizationState
}
_STATES_BY_NUMBER: Final = {number: state for state, number in STATES.items()}
KINDS: Final[dict[FactorKind, Any]] = {kind: authorization_pb2.FactorKind.Value(f"FACTOR_KIND_{kind.name}") for kind in FactorKind}
_KINDS_BY_NUMBER: Final = {number: kind for kind, number in KINDS.items()}


def signable(message: authorization_pb2.SignableList, count_max: int) -> tuple[SignableList, tuple[bytes, ...]]:
    """A list, and its entries where it came whole. BatchTooLarge beyond what one SAD may allow."""
    field = "target.list"
    which = message.WhichOneof("list")
    if which == "entries":
        listed = entries(message.entries.entries, f"{field}.entries", _LISTED_MAX)
        if not listed:
            raise InvalidArgument(f"{field}.entries is required: at least one", field=f"{field}.entries")
        binding, bound, count = ListBinding.DIGEST, digest_of_entries(listed), len(listed)
    elif which == "root":
        listed, binding, bound, count = (), ListBinding.ROOT, bytes(message.root.root), message.root.count
    elif which == "digest":
        listed, binding, bound, count = (), ListBinding.DIGEST, bytes(message.digest.sha256), message.digest.count
    else:
        raise InvalidArgument(f"{field} is required: what may be signed, exactly", field=field)
    if len(bound) != _HASH_BYTES or not count:
        raise InvalidArgument(f"{field}.{which} needs {_HASH_BYTES} bytes and a count of 1 or more", field=f"{field}.{which}")
    if count > count_max:
        raise BatchTooLarge(f"one SAD allows {count_max} signatures at most; ask for several", limitCount=count_max)
    if message.source_documents and listed and len(listed[0]) != _HASH_BYTES:
        raise InvalidArgument(f"{field}.entries of documents are SHA-256, {_HASH_BYTES} bytes", field=f"{field}.entries")
    return SignableList(binding, bound, count, message.source_documents), listed


def presentation(message: authorization_pb2.Presentation, target: SignableList) -> Presentation:
    """What the holder sees. Lines, where there are any, are the whole list in its order: what is shown is what is signed."""
    field = "target.presentation"
    for name in ("class_name", "school_name", "acting_for_name", "summary"):
        _text(getattr(message, name), f"{field}.{name}", _NAME_MAX)
    if len(message.pupil_list_sha256) not in (0, _HASH_BYTES):
        raise InvalidArgument(f"{field}.pupil_list_sha256 must be {_HASH_BYTES} bytes, or left out", field=f"{field}.pupil_list_sha256")
    items = tuple(_item(item, f"{field}.items") for item in message.items)
    if items and not is_of(target, [item.entry for item in items]):
        raise InvalidArgument(f"{field}.items must be the list, all of it and in its order, or left out", field=f"{field}.items")
    return Presentation(
        class_name=message.class_name,
        school_name=message.school_name,
        role=convert.ROLES.get(message.role),
        acting_for_name=message.acting_for_name,
        summary=message.summary,
        pupil_list_sha256=message.pupil_list_sha256,
        items=items,
    )


def factors(messages: Sequence[authorization_pb2.Factor]) -> list[Factor]:
    """Factors as they were given; InvalidArgument repeats none of them."""
    if not messages:
        raise InvalidArgument("factors is required", field="factors")
    found: list[Factor] = []
    for message in messages:
        which = message.WhichOneof("factor")
        if which not in _FACTORS:
            raise NotServedYet("factors may be pin, totp and webauthn; others are part of the contract, but not served", field="factors")
        found.append(_FACTORS[which](message))
    return found


def factor_kind(number: int) -> FactorKind:
    """A kind; InvalidArgument for none."""
    if number not in _KINDS_BY_NUMBER:
        raise InvalidArgument("kind is required", field="kind")
    return _KINDS_BY_NUMBER[number]


def span(message: Duration, field: str) -> timedelta:
    """A length of time, above zero; zero where it is not said."""
    found = timedelta(microseconds=message.ToMicroseconds())
    if found < timedelta():
        raise InvalidArgument(f"{field} must not be negative", field=field)
    return found


def states(numbers: Sequence[int]) -> tuple[AuthorizationState, ...]:
    """States of a filter."""
    if any(number not in _STATES_BY_NUMBER for number in numbers):
        raise InvalidArgument("states has one that is not of this contract", field="states")
    return tuple(_STATES_BY_NUMBER[number] for number in numbers)


def approval_ids(given: Sequence[str]) -> tuple[str, ...]:
    """Approvals, by id."""
    if len(given) > _APPROVALS_MAX:
        raise InvalidArgument(f"target.approval_ids has more than {_APPROVALS_MAX}", field="target.approval_ids")
    return tuple(convert.identifier(each, "target.approval_ids") for each in given)


def authorization_message(found: Authorization) -> authorization_pb2.Authorization:
    """An authorisation, without its SAD, entries and lines."""
    message = authorization_pb2.Authorization(
        authorization_id=found.id,
        target=_target_message(found.target),
        state=STATES[found.state],
        person_id=found.person_id,
        client_id=found.client_id,
        allowed_count=found.target.list.count,
        signed_count=found.signed_count,
        spent_by_request_id=found.spent_by,
        factors=[KINDS[kind] for kind in sorted(found.factors, key=lambda kind: kind.value)],
        create_time=convert.timestamp(found.created),
        expire_time=convert.timestamp(found.expires),
    )
    message.target.lifetime.FromTimedelta(found.lifetime)
    if found.decided is not None:
        message.decide_time.CopyFrom(convert.timestamp(found.decided))
    return message


def _target_message(target: AuthorizationTarget) -> authorization_pb2.AuthorizationTarget:
    shown = target.presentation
    algorithm: Any = convert.ALGORITHM_NUMBERS[target.algorithm] if target.algorithm else 0
    role: Any = convert.ROLE_NUMBERS[shown.role] if shown.role else 0
    message = authorization_pb2.AuthorizationTarget(
        school_id=target.school_id,
        credential_id=target.credential_id,
        list=_list_message(target.list),
        algorithm=algorithm,
        presentation=authorization_pb2.Presentation(
            class_name=shown.class_name,
            school_name=shown.school_name,
            role=role,
            acting_for_name=shown.acting_for_name,
            summary=shown.summary,
            pupil_list_sha256=shown.pupil_list_sha256,
        ),
        request_id=target.request_id,
        approval_ids=target.approval_ids,
    )
    if target.plan:
        message.plan.ParseFromString(target.plan)
    return message


def _list_message(listed: SignableList) -> authorization_pb2.SignableList:
    if listed.binding is ListBinding.ROOT:
        root = authorization_pb2.SignableRoot(root=listed.sha256, count=listed.count)
        return authorization_pb2.SignableList(root=root, source_documents=listed.source_documents)
    digest = authorization_pb2.SignableDigest(sha256=listed.sha256, count=listed.count)
    return authorization_pb2.SignableList(digest=digest, source_documents=listed.source_documents)


def with_role(shown: Presentation, target: AuthorizationTarget) -> Presentation:
    """The presentation with the plan's role; InvalidArgument where it shows another."""
    if shown.role not in (None, target.role):
        raise InvalidArgument("target.presentation.role is not the role of target.plan.record", field="target.presentation.role")
    return replace(shown, role=target.role)


def _item(message: authorization_pb2.PresentedItem, field: str) -> PresentedItem:
    _text(message.text, f"{field}.text", _ITEM_TEXT_MAX)
    if not _HASH_BYTES <= len(message.entry) <= _ENTRY_BYTES_MAX:
        raise InvalidArgument(f"{field}.entry must be {_HASH_BYTES} to {_ENTRY_BYTES_MAX} bytes", field=f"{field}.entry")
    return PresentedItem(convert.identifier(message.document_id, f"{field}.document_id"), message.entry, message.text)


def _text(value: str, field: str, characters_max: int) -> None:
    if len(value) > characters_max:
        raise InvalidArgument(f"{field} is longer than {characters_max} characters", field=field)


def _pin(message: authorization_pb2.Factor) -> Factor:
    return PinFactor(_secret(message.pin, "factors.pin", _PIN_MAX))


def _totp(message: authorization_pb2.Factor) -> Factor:
    return TotpFactor(_secret(message.totp, "factors.totp", _CODE_MAX))


def _secret(value: str, field: str, characters_max: int) -> Secret:
    if not 0 < len(value) <= characters_max:
        raise InvalidArgument(f"{field} has 1 to {characters_max} characters", field=field)
    return Secret(value)


def _webauthn(message: authorization_pb2.Factor) -> Factor:
    given = message.webauthn
    blobs = (given.authenticator_credential_id, given.authenticator_data, given.client_data_json, given.signature)
    if any(not 0 < len(blob) <= _BLOB_MAX for blob in blobs):
        raise InvalidArgument(f"each part of factors.webauthn has 1 to {_BLOB_MAX} bytes", field="factors.webauthn")
    return WebAuthnFactor(convert.identifier(given.challenge_id, "factors.webauthn.challenge_id"), *blobs)


_FACTORS: Final[Mapping[str | None, Callable[[authorization_pb2.Factor], Factor]]] = {"pin": _pin, "totp": _totp, "webauthn": _webauthn}

"""Between messages and values: credentials and the life of their keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from signer.algorithms import KeyKind
from signer.errors import InvalidArgument, SignerError
from signer.formats.certificate_request import Subject, encode_name
from signer.model import ActivationMode, Credential, CredentialState, KeyStorage, Problem, ProblemKind
from signer.pipeline.engine import Engine
from signer.pipeline.key_life import KeyMade, WantedKey
from signer.rpc_status import to_rpc_status
from signer.server import convert
from signer.tokens.certificates import key_kind_of
from signer.tokens.pool import TokenPool
from signer.v1 import admin_keys_pb2, common_pb2, credential_pb2

_PROBLEMS: dict[ProblemKind, Any] = {
    kind: credential_pb2.CredentialProblem.Value(f"CREDENTIAL_PROBLEM_{kind.name}") for kind in ProblemKind
}
_STATE_NUMBERS: dict[CredentialState, Any] = {
    state: credential_pb2.CredentialState.Value(f"CREDENTIAL_STATE_{state.name}") for state in CredentialState
}
_SETTABLE: dict[int, CredentialState] = {
    credential_pb2.CREDENTIAL_STATE_ACTIVE: CredentialState.ACTIVE,
    credential_pb2.CREDENTIAL_STATE_SUSPENDED: CredentialState.SUSPENDED,
    credential_pb2.CREDENTIAL_STATE_DISABLED: CredentialState.DISABLED,
}
_STORAGE_NUMBERS = {KeyStorage.TOKEN: credential_pb2.KEY_STORAGE_TOKEN, KeyStorage.WRAPPED: credential_pb2.KEY_STORAGE_WRAPPED}
_STORAGES = {0: KeyStorage.TOKEN} | {number: storage for storage, number in _STORAGE_NUMBERS.items()}
_KIND_NUMBERS: dict[KeyKind, Any] = {kind: common_pb2.KeyKind.Value(f"KEY_KIND_{kind.name}") for kind in KeyKind}
_KINDS = {0: KeyKind.RSA_2048} | {number: kind for kind, number in _KIND_NUMBERS.items()}
_ACTIVATIONS: dict[int, ActivationMode | None] = {
    0: None,
    credential_pb2.ACTIVATION_MODE_NONE: ActivationMode.NONE,
    credential_pb2.ACTIVATION_MODE_SAD: ActivationMode.SAD,
}
_TEXT_MAX = 300


def credential_message(engine: Engine, pools: Mapping[str, TokenPool], credential: Credential) -> credential_pb2.Credential:
    """A credential with everything that is the matter with it now."""
    now = engine.utc_now()
    findings = engine.credentials.findings(credential, now)
    pool = pools.get(credential.token_name)
    problem = f"token {credential.token_name} is not configured" if pool is None else pool.problem
    if problem:
        findings.append(Problem(ProblemKind.TOKEN_NOT_READY, problem))
    message = credential_pb2.Credential(
        credential_id=credential.id,
        school_id=credential.school_id,
        token_name=credential.token_name,
        algorithms=[convert.ALGORITHM_NUMBERS[algorithm] for algorithm in credential.algorithms],
        state=_STATE_NUMBERS[CredentialState.ACTIVE if credential.certificate else CredentialState.AWAITING_CERTIFICATE],
        usable=all(finding.kind.is_warning for finding in findings),
        findings=[credential_pb2.CredentialFinding(problem=_PROBLEMS[finding.kind], message=finding.text) for finding in findings],
        activation=credential_pb2.ACTIVATION_MODE_NONE,
        key_storage=credential_pb2.KEY_STORAGE_TOKEN,
    )
    if credential.certificate:
        message.certificate.CopyFrom(convert.certificate_info(credential.certificate))
        kind = key_kind_of(credential.certificate)
        message.key_kind = _KIND_NUMBERS[kind] if kind else common_pb2.KEY_KIND_UNSPECIFIED
    if engine.signers is not None and (good_at := engine.signers.good_at(credential)) is not None:
        message.status_checked_time.FromDatetime(good_at)
    kept = credential.kept
    if kept is not None:
        is_replaced = kept.renewed_by and kept.usable_until is not None and now > kept.usable_until
        message.state = _STATE_NUMBERS[CredentialState.REPLACED if is_replaced else kept.state]
        message.person_id = kept.key.person_id
        message.display_name = kept.display_name
        message.key_kind = _KIND_NUMBERS[kept.key.kind]
        message.key_storage = _STORAGE_NUMBERS[kept.key.storage]
        message.renewed_by_credential_id = kept.renewed_by
        if kept.activation is ActivationMode.SAD:
            message.activation = credential_pb2.ACTIVATION_MODE_SAD
            message.multisign_max = engine.multisign_max
    return message


def wanted_keys(specs: Sequence[admin_keys_pb2.KeySpec]) -> list[WantedKey]:
    """The keys to generate; InvalidArgument names the field that is wrong, before any is made."""
    if not specs:
        raise InvalidArgument("keys is required: at least one", field="keys")
    wanted = [_wanted_key(spec, f"keys[{index}]") for index, spec in enumerate(specs)]
    ids = [one.credential_id for one in wanted]
    if len(set(ids)) != len(ids):
        twice = next(one for one in ids if ids.count(one) > 1)
        raise InvalidArgument(f"keys has credential_id {twice!r} twice", field="keys")
    return wanted


def _wanted_key(spec: admin_keys_pb2.KeySpec, field: str) -> WantedKey:
    if spec.key_kind not in _KINDS:
        raise InvalidArgument(f"{field}.key_kind {spec.key_kind} is not one of this contract", field=f"{field}.key_kind")
    if spec.key_storage not in _STORAGES:
        raise InvalidArgument(f"{field}.key_storage {spec.key_storage} is not one of this contract", field=f"{field}.key_storage")
    if spec.activation not in _ACTIVATIONS:
        raise InvalidArgument(f"{field}.activation {spec.activation} is not one of this contract", field=f"{field}.activation")
    return WantedKey(
        credential_id=convert.identifier(spec.credential_id, f"{field}.credential_id"),
        school_id=convert.identifier(spec.school_id, f"{field}.school_id") if spec.school_id else "",
        person_id=convert.identifier(spec.person_id, f"{field}.person_id") if spec.person_id else "",
        token_name=convert.identifier(spec.token_name, f"{field}.token_name"),
        kind=_KINDS[spec.key_kind],
        storage=_STORAGES[spec.key_storage],
        subject=subject_name(spec.subject, field) if spec.HasField("subject") else b"",
        display_name=text(spec.display_name, f"{field}.display_name"),
        activation=_ACTIVATIONS[spec.activation] or (ActivationMode.SAD if spec.person_id else ActivationMode.NONE),
    )


def subject_name(message: admin_keys_pb2.SubjectName, field: str) -> bytes:
    """A subject as an encoded Name."""
    subject = Subject(
        common_name=message.common_name,
        country=message.country,
        locality=message.locality,
        organization=message.organization,
        organizational_units=tuple(message.organizational_units),
        user_id=message.user_id,
        email=message.email,
    )
    try:
        return encode_name(subject)
    except InvalidArgument as error:
        raise InvalidArgument(f"{field}.{error.message}", field=f"{field}.subject") from error


def settable_state(number: int) -> CredentialState:
    """A state that an operator may set."""
    if number not in _SETTABLE:
        raise InvalidArgument("state must be CREDENTIAL_STATE_ACTIVE, _SUSPENDED or _DISABLED", field="state")
    return _SETTABLE[number]


def text(value: str, field: str) -> str:
    """Words for people, bounded."""
    if len(value) > _TEXT_MAX:
        raise InvalidArgument(f"{field} is longer than {_TEXT_MAX} characters", field=field)
    return value


def key_result(
    engine: Engine, pools: Mapping[str, TokenPool], credential_id: str, outcome: KeyMade | SignerError
) -> admin_keys_pb2.KeyResult:
    """What became of one key."""
    if isinstance(outcome, SignerError):
        return admin_keys_pb2.KeyResult(credential_id=credential_id, status=to_rpc_status(outcome))
    return admin_keys_pb2.KeyResult(
        credential_id=outcome.credential.id,
        credential=credential_message(engine, pools, outcome.credential),
        certificate_request=outcome.request,
        replayed=outcome.replayed,
    )


def moment(message: Timestamp, field: str) -> datetime:
    """A Timestamp as an aware time; InvalidArgument for one beyond what a time can be."""
    try:
        return message.ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        raise InvalidArgument(f"{field} is no time", field=field) from error

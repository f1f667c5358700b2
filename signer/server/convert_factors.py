"""Factors as messages bring them: secrets for as long as the call that carries them."""

from __future__ import annotations

from collections.abc import Sequence

from signer.errors import InvalidArgument
from signer.people.factor import Factor, PinFactor, TotpFactor, WebAuthnFactor
from signer.secrets import Secret
from signer.v1 import authorization_pb2

_FACTORS_MAX = 4
_SECRET_CHARACTERS_MAX = 256
_ASSERTION_BYTES_MAX = 16 * 1024


def factors(messages: Sequence[authorization_pb2.Factor], field: str = "factors") -> list[Factor]:
    """What a person gave. InvalidArgument for none, too many, or a kind that nobody sends; what is wrong with one is never said."""
    if not 1 <= len(messages) <= _FACTORS_MAX:
        raise InvalidArgument(f"{field} must be 1 to {_FACTORS_MAX}: what shows that it is the person", field=field)
    return [_factor(message, field) for message in messages]


def _factor(message: authorization_pb2.Factor, field: str) -> Factor:
    match message.WhichOneof("factor"):
        case "pin":
            return PinFactor(_secret(message.pin, field))
        case "totp":
            return TotpFactor(_secret(message.totp, field))
        case "webauthn":
            return _assertion(message.webauthn, field)
        case _:
            raise InvalidArgument(f"{field}: this release takes pin, totp and webauthn", field=field)


def _secret(value: str, field: str) -> Secret:
    if len(value) > _SECRET_CHARACTERS_MAX:
        raise InvalidArgument(f"{field} has one of more than {_SECRET_CHARACTERS_MAX} characters", field=field)
    return Secret(value)


def _assertion(message: authorization_pb2.WebAuthnAssertion, field: str) -> WebAuthnFactor:
    if message.ByteSize() > _ASSERTION_BYTES_MAX:
        raise InvalidArgument(f"{field} has an assertion of more than {_ASSERTION_BYTES_MAX} bytes", field=field)
    return WebAuthnFactor(
        message.challenge_id, message.authenticator_credential_id, message.authenticator_data, message.client_data_json, message.signature
    )

"""WebAuthn (W3C Level 2) by its library: options for browsers, and whether an answer is right. No I/O and no rows here.

User verification is always asked for and looked at: the authenticator has checked a finger or a PIN of its own, so an assertion is two
factors. Attestation is not asked for: which make of authenticator people use is their own affair.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from webauthn import (
    generate_authentication_options,
    generate_registration_options,
    options_to_json,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers import parse_attestation_object
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from signer.errors import InvalidArgument, NotServedYet
from signer.people.factor import Passkey, WebAuthnFactor

_NAME = "signer"


@dataclass(frozen=True, slots=True)
class Attestation:
    """An authenticator's new credential (W3C WebAuthn 5.2.1), answering a challenge of ours. label: what its owner calls it."""

    challenge_id: str
    label: str
    client_data_json: bytes = field(repr=False)
    attestation_object: bytes = field(repr=False)


class Authenticators:
    """origin: of the page for people, whose host name is the relying party; empty where there is no page."""

    def __init__(self, origin: str) -> None:
        self._rp_id = urlsplit(origin).hostname or ""
        self._origin = origin

    def require_served(self) -> None:
        """NotServedYet where there is no page for people."""
        if not self._rp_id:
            raise NotServedYet("passkeys are bound to the page for people, and this appliance has none: [pages]")

    def assertion_options(self, challenge: bytes, ids: Sequence[bytes]) -> str:
        """PublicKeyCredentialRequestOptionsJSON for one of these authenticators."""
        options = generate_authentication_options(
            rp_id=self._rp_id,
            challenge=challenge,
            allow_credentials=[PublicKeyCredentialDescriptor(each) for each in ids],
            user_verification=UserVerificationRequirement.REQUIRED,
        )
        return options_to_json(options)

    def registration_options(self, challenge: bytes, person_id: str, display_name: str, known: Sequence[bytes]) -> str:
        """PublicKeyCredentialCreationOptionsJSON for an authenticator that is none of the known ones."""
        options = generate_registration_options(
            rp_id=self._rp_id,
            rp_name=_NAME,
            user_name=person_id,
            user_id=person_id.encode()[:64],
            user_display_name=display_name or person_id,
            challenge=challenge,
            exclude_credentials=[PublicKeyCredentialDescriptor(each) for each in known],
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.PREFERRED, user_verification=UserVerificationRequirement.REQUIRED
            ),
        )
        return options_to_json(options)

    def asserted(self, factor: WebAuthnFactor, challenge: bytes, passkey: Passkey) -> int | None:
        """The authenticator's new count when the assertion answers the challenge and is this passkey's; None otherwise."""
        response = {
            "authenticatorData": _text(factor.authenticator_data),
            "clientDataJSON": _text(factor.client_data_json),
            "signature": _text(factor.signature),
        }
        try:
            verified = verify_authentication_response(
                credential=_credential(factor.authenticator_credential_id, response),
                expected_challenge=challenge,
                expected_rp_id=self._rp_id,
                expected_origin=self._origin,
                credential_public_key=passkey.public_key,
                credential_current_sign_count=passkey.sign_count,
                require_user_verification=True,
            )
        except (WebAuthnException, ValueError, KeyError, TypeError):
            return None
        return int(verified.new_sign_count)

    def registered(self, attestation: Attestation, challenge: bytes, person_id: str, created: datetime) -> Passkey:
        """The passkey that answers the challenge; InvalidArgument for anything else."""
        response = {
            "clientDataJSON": _text(attestation.client_data_json),
            "attestationObject": _text(attestation.attestation_object),
        }
        try:
            verified = verify_registration_response(
                credential=_credential(_id_within(attestation.attestation_object), response),
                expected_challenge=challenge,
                expected_rp_id=self._rp_id,
                expected_origin=self._origin,
                require_user_verification=True,
            )
        except (WebAuthnException, ValueError, KeyError, TypeError) as error:
            raise InvalidArgument("the authenticator's answer does not fit what it was asked", field="attestation") from error
        return Passkey(
            verified.credential_id, person_id, verified.credential_public_key, verified.sign_count, created, attestation.label[:100]
        )


def _credential(credential_id: bytes, response: dict[str, str]) -> dict[str, Any]:
    text = _text(credential_id)
    return {"id": text, "rawId": text, "response": response, "type": "public-key"}


def _id_within(attestation_object: bytes) -> bytes:
    """The credential id that the attestation itself names: browsers send it a second time, beside it."""
    data = parse_attestation_object(attestation_object).auth_data.attested_credential_data
    if data is None:
        raise ValueError("no credential in it")
    return bytes(data.credential_id)


def _text(raw: bytes) -> str:
    return urlsafe_b64encode(raw).decode().rstrip("=")

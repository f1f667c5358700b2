"""Which PKCS#11 tokens there are, how each is worked, and which keys on them are credentials."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from signer.errors import ConfigError
from signer.secrets import PinReference
from signer.settings import Identifier, KeyId, OptionalIdentifier, PinReferenceText
from signer.tokens.uri import TokenUri
from signer.tokens.wire import PinCaution


def _token_uri(value: str) -> str:
    if value:
        try:
            TokenUri.parse(value)
        except ConfigError as error:
            raise ValueError(error.message) from None
    return value


@dataclass(frozen=True, slots=True)
class TokenSettings:
    """`[[tokens]]`: one PKCS#11 token, its worker processes and its limits. Exactly one of label, serial and uri is given."""

    name: Annotated[Identifier, Field(description="What credentials, logs and metrics call it; unique.")]
    module: Annotated[Path, Field(description="The vendor's PKCS#11 library (.so). hsm-config/ has the stanza for known devices.")]
    pin: Annotated[
        PinReferenceText | None,
        Field(
            description="Where the worker reads the user PIN: 'file:PATH' (mode 0600), 'env:NAME' (a variable of the worker) or "
            "'credential:NAME' (systemd LoadCredential=). A PIN itself is refused. Required, unless uri has a pin-source."
        ),
    ] = None
    label: Annotated[str, Field(max_length=32, description="CK_TOKEN_INFO.label, without its padding.")] = ""
    serial: Annotated[str, Field(max_length=16, description="CK_TOKEN_INFO.serialNumber, without its padding.")] = ""
    uri: Annotated[
        str,
        AfterValidator(_token_uri),
        Field(
            description="PKCS#11 URI of the token (RFC 7512), as `p11tool --list-tokens` prints it: attributes token, serial, "
            "manufacturer, model, slot-… and library-…, each matched exactly; pin-source may stand in place of pin; pin-value is refused."
        ),
    ] = ""
    processes: Annotated[
        int,
        Field(ge=0, le=256, description="Worker processes; 0 = one a core (SoftHSM). A USB token takes 1, a network HSM a few."),
    ] = 1
    sessions: Annotated[
        int,
        Field(
            ge=1,
            le=256,
            description="Threads of a worker, each with a session of its own; above 1 only for modules that lock well (CKF_OS_LOCKING_OK).",
        ),
    ] = 1
    kept_keys_max: Annotated[
        int,
        Field(
            ge=1,
            le=100_000,
            description="Wrapped keys that a session holds unwrapped at once; the one used least recently makes room. Stay below what the "
            "token allows of session objects.",
        ),
    ] = 256
    kept_key_idle_s: Annotated[
        float,
        Field(
            gt=0,
            le=86_400,
            description="How long a session holds a wrapped key unwrapped that nobody signs with; looked at with each signature and every "
            "keep_alive_s.",
        ),
    ] = 60.0
    pin_caution: Annotated[
        PinCaution,
        Field(
            description="From which state of its PIN counter on (CKF_USER_PIN_*) the token's PIN is tried only after `signer tokens "
            "release-pin`: 'count-low' (a wrong try since the last right one), 'final-try' (one try left) or 'locked' (never: not advised)."
        ),
    ] = PinCaution.COUNT_LOW
    keep_alive_s: Annotated[
        float,
        Field(
            ge=0,
            le=86_400,
            description="How often an idle session is used for nothing and the slot looked at, so that the token expires none and its "
            "removal shows at once; 0 for never.",
        ),
    ] = 10.0
    queue_max: Annotated[
        int, Field(ge=1, le=10_000_000, description="Digests waiting for this token; one more is answered QUEUE_FULL at once.")
    ] = 20_000
    call_s_max: Annotated[
        float,
        Field(
            gt=0,
            le=3600,
            description="Longest C_Sign; beyond it the worker is killed and replaced, and its item ends as TOKEN_TIMED_OUT.",
        ),
    ] = 30.0
    login_s_max: Annotated[
        float,
        Field(
            gt=0, le=3600, description="Longest C_Initialize and C_Login; a worker is never killed before it, since that can empty a token."
        ),
    ] = 60.0
    network: Annotated[
        bool,
        Field(
            description="Whether the module reaches its device over a network (an HSM that is no card and no USB device): its workers may "
            "open IPv4 and IPv6 sockets then, and otherwise none."
        ),
    ] = False
    environment: Annotated[
        Mapping[str, str],
        Field(description="Variables for the workers of this token, such as SOFTHSM2_CONF; never the PIN. Values are taken as they stand."),
    ] = field(default_factory=dict)
    softhsm_token_directory: Annotated[
        Path | None,
        Field(
            description="SoftHSM only: its directories.tokendir. When given, a copy is kept while no login runs, and put back if a crash "
            "inside C_Login empties the token."
        ),
    ] = None
    softhsm_copy_directory: Annotated[
        Path | None,
        Field(
            description="SoftHSM only: where that copy is kept, outside softhsm_token_directory; by default beside it, with '.copy' added."
        ),
    ] = None

    @property
    def pin_reference(self) -> PinReference:
        """Where the PIN is: `pin`, else the URI's pin-source. ConfigError when neither says so."""
        found = self.pin or (TokenUri.parse(self.uri).pin if self.uri else None)
        if found is None:
            raise ConfigError(f"token {self.name}: give pin, or a pin-source in uri")
        return found

    @property
    def softhsm_copy(self) -> Path | None:
        """Folder of the safe copy of the token directory; None when none is kept."""
        if self.softhsm_token_directory is None:
            return None
        return self.softhsm_copy_directory or self.softhsm_token_directory.with_name(self.softhsm_token_directory.name + ".copy")


@dataclass(frozen=True, slots=True)
class KeySettings:
    """`[keys]`: how keys and certificates are looked after."""

    expiry_warning_days: Annotated[
        int,
        Field(
            ge=0,
            le=3650,
            description="How long before its certificate ends a credential is shown as EXPIRES_SOON. A renewal takes days; May is busy.",
        ),
    ] = 90


@dataclass(frozen=True, slots=True)
class CredentialSettings:
    """`[[credentials]]`: a key on a token under the name callers use (CSC: credential). Exactly one of key_label and key_id is given."""

    id: Annotated[Identifier, Field(description="What callers name it; unique.")]
    token: Annotated[Identifier, Field(description="The name of the token that holds the key.")]
    key_label: Annotated[str, Field(description="CKA_LABEL of the private key; empty when key_id is given.")] = ""
    key_id: Annotated[KeyId, Field(description="CKA_ID of the private key in hex digits; empty when key_label is given.")] = ""
    school: Annotated[
        OptionalIdentifier,
        Field(description="The school whose clients may use it; empty for the appliance's own keys (TSA), which no client may."),
    ] = ""
    certificate: Annotated[
        Path | None,
        Field(description="PEM or DER certificate, for tokens that hold the key alone; by default the certificate with the key's CKA_ID."),
    ] = None

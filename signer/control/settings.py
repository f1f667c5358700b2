"""How the holders' control over their keys is set up."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated

from pydantic import Field

from signer.model import Role
from signer.settings import PinReferenceText


@dataclass(frozen=True, slots=True)
class EnrolmentSettings:
    """`[enrolment]`: how people come by their factors."""

    code_hours: Annotated[
        int, Field(ge=1, le=720, description="How long a one-time code may wait for its person; then an operator makes another.")
    ] = 72

    @property
    def code_life(self) -> timedelta:
        """The same as a duration."""
        return timedelta(hours=self.code_hours)


@dataclass(frozen=True, slots=True)
class ActivationSettings:
    """`[activation]`: how holders show that it is they, and for how long what they allow holds."""

    secrets: Annotated[
        tuple[PinReferenceText, ...],
        Field(
            description="Where the appliance's own secrets are read, written as a token's pin is: 32 random characters or more each. SADs "
            "are made and factors sealed with the first; all are accepted, so a secret is changed by putting a new one before it. Replicas "
            "share them. Empty: one is made beside an SQLite journal at the first start (FILE.secret, mode 0600): keep a copy apart from "
            "the database's, for without it nobody's factors are known any more."
        ),
    ] = ()
    sad_s_max: Annotated[
        int, Field(ge=10, le=86_400, description="How long a SAD may wait to be spent; the default where a caller asks for no time.")
    ] = 300
    decide_s_max: Annotated[
        int, Field(ge=60, le=30 * 86_400, description="How long a holder may take to decide on the page; the default as well.")
    ] = 86_400
    entries_max: Annotated[
        int, Field(ge=1, le=1_000_000, description="Most signatures that one SAD may allow, shown as a credential's multisign_max.")
    ] = 20_000
    pin_alone_roles: Annotated[
        tuple[Role, ...],
        Field(description="Roles for which the PIN is enough by itself. Empty: everybody gives PIN and TOTP, or a passkey."),
    ] = ()
    passkey_roles: Annotated[tuple[Role, ...], Field(description="Roles that must give a passkey.")] = ()
    tries_max: Annotated[
        int, Field(ge=3, le=100, description="Wrong tries in a row that lock a person's factors, until two operators unlock them.")
    ] = 10
    delay_s_max: Annotated[
        float, Field(ge=1, le=86_400, description="Longest wait after a wrong try; it doubles from one second with each.")
    ] = 300.0
    refusal_s: Annotated[
        float,
        Field(
            ge=0, le=10, description="A refusal of factors comes so long after they were given, or later: its time tells nothing of them."
        ),
    ] = 0.5
    hashes_at_once: Annotated[
        int, Field(ge=1, le=64, description="PINs that are looked at together, each in 19 MiB and a thread; further ones wait.")
    ] = 2

"""A person's first visit, with the one-time code they were handed: it is spent in the commit that sets their PIN and TOTP."""

from __future__ import annotations

from signer.access.factor_rules import require_pin
from signer.control.enrolment import OneTimeCodes
from signer.control.factors import Factors
from signer.journal.factors import set_factors
from signer.people.person import Person
from signer.secrets import Secret


class FirstFactors:
    """What the page for people asks for; the same for somebody who forgot their PIN and was handed another code."""

    def __init__(self, codes: OneTimeCodes, factors: Factors) -> None:
        self._codes = codes
        self._factors = factors

    async def look(self, person_id: str, code: Secret) -> Person:
        """Whose code it is; it stays usable. FactorsRefused for whatever is wrong."""
        return await self._codes.look(person_id, code)

    def require_fit(self, pin: Secret) -> None:
        """InvalidArgument for a PIN that the rules refuse."""
        require_pin(pin.reveal())

    async def set_factors(self, person_id: str, code: Secret, pin: Secret, totp_seed: bytes, totp: Secret) -> None:
        """Spends the code and sets PIN and TOTP, all or nothing. totp: a code of the new seed, which proves that it has arrived.

        FactorsRefused for a code that opens nothing; InvalidArgument for a PIN or TOTP code that does not do, with nothing changed.
        """
        await self._codes.look(person_id, code)
        prepared = await self._factors.prepared(person_id, pin, totp_seed, totp)
        await self._codes.spend(person_id, code, set_factors(prepared))

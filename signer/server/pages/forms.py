"""What was posted: a form, short, of our own page (CSRF: a token bound to the browser's cookie, beside SameSite and Origin)."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from base64 import urlsafe_b64decode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qs

from signer.errors import InvalidArgument
from signer.people.factor import Factor, PinFactor, TotpFactor, WebAuthnFactor
from signer.secrets import Secret

CONTENT_TYPE: Final = "application/x-www-form-urlencoded"
TOKEN_FIELD: Final = "csrf"
NOBODY: Final = "-"
_PERSON_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_PLAIN_CHARACTERS_MAX: Final = 200
_FIELDS_MAX = 600
_FIELD_CHARACTERS_MAX = 16_384
_TOTP_SPACES = str.maketrans("", "", " -")


def is_plain(text: str) -> bool:
    """Whether it could be an id or a name: short, and of characters that people can see."""
    return len(text) <= _PLAIN_CHARACTERS_MAX and text.isprintable()


class CsrfTokens:
    """Makes and knows the tokens of forms. They end with the process, as sessions do."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)

    def of(self, cookie: str) -> str:
        """The token for forms of the browser that has this cookie."""
        return hmac.new(self._key, cookie.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()

    def fits(self, cookie: str, token: str) -> bool:
        """Whether it is."""
        return bool(cookie) and hmac.compare_digest(self.of(cookie).encode(), token.encode("utf-8", "surrogatepass"))


@dataclass(frozen=True, slots=True)
class Form:
    """Fields by name. Not shown: some are secrets."""

    fields: Mapping[str, Sequence[str]] = field(default_factory=dict, repr=False)

    @classmethod
    def read(cls, body: bytes) -> Form:
        """Raises InvalidArgument, which repeats nothing of it."""
        try:
            fields = parse_qs(body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_FIELDS_MAX)
        except ValueError:
            raise InvalidArgument("the form can't be read") from None
        if any(len(value) > _FIELD_CHARACTERS_MAX for values in fields.values() for value in values):
            raise InvalidArgument("a field of the form is too long")
        return cls(fields)

    def text(self, name: str) -> str:
        """A field without the spaces around it; empty when it was not given."""
        return self.raw(name).strip()

    def raw(self, name: str) -> str:
        """As it was typed."""
        values = self.fields.get(name, ())
        return values[0] if values else ""

    def texts(self, name: str) -> tuple[str, ...]:
        """All plain values of a field, each once."""
        return tuple(dict.fromkeys(value for value in self.fields.get(name, ()) if is_plain(value)))

    def person_id(self) -> str:
        """Who it is, they say; what could be nobody's id is one that nobody has."""
        said = self.text("person_id")
        return said if _PERSON_ID.fullmatch(said) else NOBODY

    def secret(self, name: str) -> Secret:
        """A field that must not be shown."""
        return Secret(self.raw(name))

    def totp(self) -> Secret:
        """A one-time password, without the spaces that apps show within."""
        return Secret(self.text("totp").translate(_TOTP_SPACES))

    def octets(self, name: str) -> bytes:
        """A field of base64url (RFC 4648 section 5), as the script writes it."""
        value = self.text(name)
        try:
            return urlsafe_b64decode(value + "=" * (-len(value) % 4))
        except ValueError:
            raise InvalidArgument("the authenticator's answer can't be read") from None

    def factors(self) -> tuple[Factor, ...]:
        """The factors that were given: PIN, one-time password, passkey; those left empty are left out."""
        given: list[Factor] = []
        if self.raw("pin"):
            given.append(PinFactor(self.secret("pin")))
        if self.text("totp"):
            given.append(TotpFactor(self.totp()))
        if self.text("signature"):
            given.append(
                WebAuthnFactor(
                    self.text("challenge_id"),
                    self.octets("passkey_id"),
                    self.octets("authenticator_data"),
                    self.octets("client_data"),
                    self.octets("signature"),
                )
            )
        return tuple(given)

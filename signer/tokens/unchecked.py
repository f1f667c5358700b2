"""A signature between the token that made it and the check that lets it out (rule 8 of the path: no faulty signature leaves the appliance).

Making and checking are apart, so that a worker checks what it made in one go: a check right after each signature finds the processor's
caches full of the token's work, and costs three times as much.
"""

from __future__ import annotations

from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature

from signer.algorithms import SignatureAlgorithm
from signer.errors import TokenRefused, TokenSignatureWrong
from signer.secrets import Secret
from signer.tokens.discovery import HeldKey
from signer.tokens.mechanisms import RECIPES, PublicKey, Recipe


@dataclass(frozen=True, slots=True)
class UncheckedSignature:
    """What a token answered. Only `checked` gives it away."""

    _raw: bytes
    _digest: bytes
    _recipe: Recipe
    _public_key: PublicKey
    _token_name: str

    def checked(self) -> bytes:
        """The signature as formats want it. TokenSignatureWrong when it does not verify: it is withheld."""
        try:
            signature = self._recipe.shape_output(self._raw)
            self._recipe.verify(self._public_key, signature, self._digest)
        except (InvalidSignature, ValueError) as error:
            raise TokenSignatureWrong(
                f"token {self._token_name} returned a signature that does not verify; it was withheld. Take the token out of use.",
                token=self._token_name,
            ) from error
        return signature


def sign(key: HeldKey, algorithm: SignatureAlgorithm, digest: bytes, *, pin: Secret, token_name: str) -> UncheckedSignature:
    """A signature of a digest. pin: for keys that want it each time (CKA_ALWAYS_AUTHENTICATE).

    Raises TokenRefused (the key was not used), PKCS11Error as the token answers.
    """
    if key.public_key is None:
        raise TokenRefused(f"token {token_name}: no public key to check signatures with", token=token_name)
    recipe = RECIPES[algorithm]
    login = {"pin": pin.reveal()} if key.always_authenticate else {}
    raw = key.handle.sign(recipe.shape_input(digest), mechanism=recipe.mechanism, mechanism_param=recipe.parameter, **login)
    return UncheckedSignature(raw, digest, recipe, key.public_key, token_name)

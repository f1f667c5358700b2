"""A signature between the token that made it and the check that lets it out (rule 8 of the path: no faulty signature leaves the appliance).

Making and checking are apart, so that a worker checks what it made in one go: a check right after each signature finds the processor's
caches full of the token's work, and costs three times as much. A check that costs more than the signature is made beside the worker
(`checking`).
"""

from __future__ import annotations

import msgspec
from cryptography.exceptions import InvalidSignature

from signer.algorithms import KeyFamily, SignatureAlgorithm
from signer.errors import TokenRefused, TokenSignatureWrong
from signer.secrets import Secret
from signer.tokens.discovery import HeldKey
from signer.tokens.mechanisms import RECIPES, PublicKey


class Claim(msgspec.Struct, frozen=True, array_like=True):
    """What a process that checks is told of a signature. public_key: SubjectPublicKeyInfo DER. raw: as the token answered."""

    public_key: bytes
    algorithm: SignatureAlgorithm
    raw: bytes
    digest: bytes


class UncheckedSignature(msgspec.Struct, frozen=True):
    """What a token answered. Only `checked` and `proven` give it away; as a dataclass it took six times as long to make."""

    _raw: bytes
    _digest: bytes
    _algorithm: SignatureAlgorithm
    _key: HeldKey
    _public_key: PublicKey
    _token_name: str

    @property
    def is_dear(self) -> bool:
        """Whether its check costs more than making it did."""
        return self._algorithm.family is KeyFamily.EC

    @property
    def claim(self) -> Claim:
        """For a process that checks."""
        return Claim(self._key.found.public_key, self._algorithm, self._raw, self._digest)

    def checked(self) -> bytes:
        """The signature as formats want it. TokenSignatureWrong when it does not verify: it is withheld."""
        try:
            return check(self._public_key, self._algorithm, self._raw, self._digest)
        except (InvalidSignature, ValueError) as error:
            raise self._wrong() from error

    def proven(self, verdict: bytes) -> bytes:
        """As `checked`, by the verdict of a process that was told the claim: the signature, or nothing."""
        if not verdict:
            raise self._wrong()
        return verdict

    def _wrong(self) -> TokenSignatureWrong:
        return TokenSignatureWrong(
            f"token {self._token_name} returned a signature that does not verify; it was withheld. Take the token out of use.",
            token=self._token_name,
        )


def check(public_key: PublicKey, algorithm: SignatureAlgorithm, raw: bytes, digest: bytes) -> bytes:
    """What a token answered, as formats want it. InvalidSignature or ValueError when it is not the digest's signature by this key."""
    recipe = RECIPES[algorithm]
    signature = recipe.shape_output(raw)
    recipe.verify(public_key, signature, digest)
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
    return UncheckedSignature(raw, digest, algorithm, key, key.public_key, token_name)

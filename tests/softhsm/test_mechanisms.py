"""The table of mechanisms against other implementations: asn1crypto's DigestInfo, openssl's judgement, and wrong keys."""

from __future__ import annotations

import hashlib
import os
import subprocess
from pathlib import Path

import pytest
from asn1crypto import algos
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from pkcs11 import Mechanism

from signer.algorithms import KeyFamily, Padding, SignatureAlgorithm
from signer.tokens.mechanisms import RECIPES
from tests.support import pki

PKCS1 = [algorithm for algorithm in SignatureAlgorithm if algorithm.padding is Padding.PKCS1_V15]
EC = [algorithm for algorithm in SignatureAlgorithm if algorithm.family is KeyFamily.EC]


def other_family(algorithm: SignatureAlgorithm) -> pki.Key:
    return pki.ec_key() if algorithm.family is KeyFamily.RSA else pki.rsa_key()


def test_every_algorithm_has_its_recipe() -> None:
    assert RECIPES.keys() == set(SignatureAlgorithm)
    assert {RECIPES[algorithm].mechanism for algorithm in PKCS1} == {Mechanism.RSA_PKCS}
    assert {RECIPES[algorithm].mechanism for algorithm in EC} == {Mechanism.ECDSA}


@pytest.mark.parametrize("algorithm", PKCS1, ids=lambda algorithm: algorithm.value)
def test_pkcs1_input_is_the_digest_info_that_asn1crypto_makes(algorithm: SignatureAlgorithm) -> None:
    digest = os.urandom(algorithm.digest.size_bytes)
    expected = algos.DigestInfo({"digest_algorithm": {"algorithm": algorithm.digest.value}, "digest": digest})
    assert RECIPES[algorithm].shape_input(digest) == expected.dump()


@pytest.mark.parametrize("algorithm", [one for one in SignatureAlgorithm if one not in PKCS1], ids=lambda algorithm: algorithm.value)
def test_the_others_take_the_digest_itself(algorithm: SignatureAlgorithm) -> None:
    digest = os.urandom(algorithm.digest.size_bytes)
    assert RECIPES[algorithm].shape_input(digest) == digest


@given(st.integers(0, 2**384 - 1), st.integers(0, 2**384 - 1))
def test_a_tokens_raw_ecdsa_value_becomes_der(r: int, s: int) -> None:
    der = RECIPES[SignatureAlgorithm.ECDSA_SHA384].shape_output(r.to_bytes(48) + s.to_bytes(48))
    assert decode_dss_signature(der) == (r, s)


@pytest.mark.parametrize("algorithm", list(SignatureAlgorithm), ids=lambda algorithm: algorithm.value)
def test_the_check_before_release_passes_what_is_right_and_nothing_else(algorithm: SignatureAlgorithm) -> None:
    key = pki.key_for(algorithm)
    digest = os.urandom(algorithm.digest.size_bytes)
    good = pki.sign(key, algorithm, digest)
    verify = RECIPES[algorithm].verify
    verify(key.public_key(), good, digest)
    flipped = good[:-1] + bytes([good[-1] ^ 1])
    wrong = [(key, flipped, digest), (key, good, bytes(len(digest))), (key, b"", digest), (key, bytes(len(good)), digest)]
    for owner, signature, signed in [*wrong, (pki.key_for(algorithm, 1), good, digest), (other_family(algorithm), good, digest)]:
        with pytest.raises(InvalidSignature):
            verify(owner.public_key(), signature, signed)


@pytest.mark.parametrize("algorithm", list(SignatureAlgorithm), ids=lambda algorithm: algorithm.value)
def test_the_check_agrees_with_openssl(algorithm: SignatureAlgorithm, tmp_path: Path) -> None:
    """The signature is made by an independent library and judged by two."""
    key = pki.key_for(algorithm)
    digest = hashlib.new(algorithm.digest.value, b"report card").digest()
    signature = pki.sign(key, algorithm, digest)
    RECIPES[algorithm].verify(key.public_key(), signature, digest)
    (tmp_path / "digest").write_bytes(digest)
    (tmp_path / "signature").write_bytes(signature)
    (tmp_path / "public.pem").write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    options = [f"digest:{algorithm.digest.value}"]
    if algorithm.padding is Padding.PSS:
        options += ["rsa_padding_mode:pss", f"rsa_pss_saltlen:{algorithm.digest.size_bytes}", f"rsa_mgf1_md:{algorithm.digest.value}"]
    chosen = [argument for option in options for argument in ("-pkeyopt", option)]
    files = ["-inkey", str(tmp_path / "public.pem"), "-pubin", "-in", str(tmp_path / "digest"), "-sigfile", str(tmp_path / "signature")]
    done = subprocess.run(["openssl", "pkeyutl", "-verify", *files, *chosen], capture_output=True, text=True, check=False)
    assert "Verified Successfully" in done.stdout, done.stderr

"""Objects that real tokens hold after years of use: doubled ids, certificates without keys or unreadable, keys without their public half.

Run as a program, because a module reads SOFTHSM2_CONF once a process.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pkcs11
from pkcs11 import Attribute, CertificateType, KeyType, MechanismFlag, ObjectClass
from pkcs11.util.ec import encode_named_curve_parameters

from signer.demo.softhsm import DemoToken

_SIGNING = MechanismFlag.SIGN | MechanismFlag.VERIFY
_NO_CERTIFICATES = {b"\xbb": b"this is no certificate", b"\xcc": b"\x30\x03\x02\x01\x01"}


def add_odd_objects(token: DemoToken) -> None:
    """Puts them on the token, beside what is there; takes the public key objects of `seal` and `bare` away."""
    arguments = [str(token.module_path), token.label, str(token.pin_file)]
    environment = {**os.environ, **token.environment, "PYTHONPATH": str(Path(__file__).parents[2])}
    subprocess.run([sys.executable, __file__, *arguments], env=environment, check=True)


def main() -> None:
    module, label, pin_file = sys.argv[1:]
    library = pkcs11.lib(module)
    pin = Path(pin_file).read_text(encoding="ascii")
    with library.get_token(token_label=label).open(rw=True, user_pin=pin) as session:
        for name, key_id, curve in (("twin", b"\xaa", "secp256r1"), ("twin", b"\xaa", "secp256r1"), ("wide", b"\xdd", "secp521r1")):
            encoded = {Attribute.EC_PARAMS: encode_named_curve_parameters(curve)}
            parameters = session.create_domain_parameters(KeyType.EC, encoded, local=True)
            parameters.generate_keypair(id=key_id, label=name, store=True, capabilities=_SIGNING)
        capabilities = MechanismFlag.ENCRYPT | MechanismFlag.DECRYPT
        session.generate_keypair(KeyType.RSA, 2048, id=b"\xee", label="decrypts", store=True, capabilities=capabilities)
        for key_id, value in _NO_CERTIFICATES.items():
            session.create_object(_certificate(key_id, value))
        for name in ("seal", "bare"):
            for stored in list(session.get_objects({Attribute.CLASS: ObjectClass.PUBLIC_KEY, Attribute.LABEL: name})):
                stored.destroy()
    library.finalize()


def _certificate(key_id: bytes, value: bytes) -> dict[Attribute, Any]:
    return {
        Attribute.CLASS: ObjectClass.CERTIFICATE,
        Attribute.CERTIFICATE_TYPE: CertificateType.X_509,
        Attribute.TOKEN: True,
        Attribute.LABEL: "lonely",
        Attribute.ID: key_id,
        Attribute.SUBJECT: b"\x30\x00",
        Attribute.VALUE: value,
    }


if __name__ == "__main__":
    main()

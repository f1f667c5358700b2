"""The tree of errors, whatever file a leaf stands in: one door, one leaf a reason."""

from __future__ import annotations

from collections import Counter
from importlib import import_module
from inspect import isclass
from pkgutil import iter_modules

import signer.errors
from signer.errors import Reason, SignerError, leaves


def test_what_a_file_of_the_package_defines_is_had_at_its_door() -> None:
    for room in iter_modules(signer.errors.__path__, "signer.errors."):
        for name, kind in vars(import_module(room.name)).items():
            if isclass(kind) and issubclass(kind, SignerError):
                assert getattr(signer.errors, name) is kind, f"{room.name} is not in signer/errors/__init__.py"


def test_a_reason_has_one_leaf() -> None:
    def of(kind: type[SignerError]) -> list[Reason]:
        children = kind.__subclasses__()
        return [reason for child in children for reason in of(child)] if children else [kind.reason]

    assert Counter(of(SignerError)) == Counter(Reason)
    assert leaves().keys() == set(Reason)

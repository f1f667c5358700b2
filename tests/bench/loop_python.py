"""`loop.c` for machines without a compiler: the same lines in and out, through python-pkcs11 in one thread.

python -m tests.bench.loop_python MODULE TOKEN_LABEL KEY_LABEL rsa|ec
"""

# ruff: noqa: T201 - printed lines are its answers

from __future__ import annotations

import json
import os
import sys
from time import perf_counter
from typing import Any

import pkcs11

from tests.bench.measure import percentile

_DIGEST_INFO = bytes.fromhex("3031300d060960864801650304020105000420")
_INPUTS = {"rsa": (_DIGEST_INFO, pkcs11.Mechanism.RSA_PKCS), "ec": (b"", pkcs11.Mechanism.ECDSA)}


def run(key: Any, family: str, seconds: float) -> dict[str, float]:
    """Signs for so long; figures as `Sample.of` reads them."""
    prefix, mechanism = _INPUTS[family]
    took_ms: list[float] = []
    start = before = end = perf_counter()
    while end - start < seconds:
        key.sign(prefix + len(took_ms).to_bytes(32), mechanism=mechanism)
        end = perf_counter()
        took_ms.append((end - before) * 1e3)
        before = end
    took_ms.sort()
    return {"items": len(took_ms), "seconds": end - start, "p50_ms": percentile(took_ms, 0.5), "p99_ms": percentile(took_ms, 0.99)}


def main() -> None:
    module, token_label, key_label, family = sys.argv[1:]
    token = pkcs11.lib(module).get_token(token_label=token_label)
    session = token.open(user_pin=sys.stdin.readline().rstrip("\n"))
    key = session.get_key(object_class=pkcs11.ObjectClass.PRIVATE_KEY, label=key_label)
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        print(json.dumps(run(key, family, float(line))), flush=True)
    session.close()
    sys.stdout.flush()
    os._exit(0)  # modules crash in exit handlers


if __name__ == "__main__":
    main()

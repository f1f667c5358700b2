"""Signing appliance for school report cards: a gRPC daemon in front of PKCS#11 tokens.

The way of a document through these folders: `server` (the gRPC door) → `access` (who may) → `pipeline` (the steps, in order)
→ `documents` (parse and prepare, without secrets) → `journal` (intent) → `tokens` (the key) → `timestamp` → `formats`
(assemble) → `journal` (outcome) → `server`.
"""

__version__ = "0.1.0"

"""Formats: CMS, PAdES, XML signatures, evidence and status, as pure functions from bytes and values to bytes and values.

Rules of the room:
- No clock, no randomness, no file, no network, no key: times and nonces arrive as arguments, signatures are made elsewhere.
- No daemon, token or database needed: a client at a school may use these functions to prepare documents itself.
- Encodings written here are canonical (DER, C14N), and tests hold them against an independent implementation byte by byte.
"""

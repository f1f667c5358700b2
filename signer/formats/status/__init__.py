"""Certificate status: paths to a trust anchor, and whether an OCSP answer or a CRL may be believed (RFC 5280 §5, §6; RFC 6960; RFC 5019).

    path      from a certificate up to an anchor, every link verified
    question  which certificate of which issuer, and where its issuer says that its status is told
    ocsp      a request; an answer judged
    crl       a CRL judged
    answer    what a judged answer says, and for which moment it is good
    loading   certificates read once

Rules of the room:
- Pure: no network, no clock; certificates and answers are read by `cryptography`, whose parsers are memory-safe.
- What leaves it as an `Answer` says "not revoked" and stood every check: signature, authorised signer, the very certificate, and time.
  What did not is `AnswerRefused`, which names the check and stays inside the rooms that ask; a verified answer that says "revoked" is
  CertificateRevoked.
"""

"""Revocation: asks CAs whether certificates are revoked, OCSP (RFC 6960) first, CRL (RFC 5280) second, and believes no answer unverified.

    StatusSource.answer      one certificate's status: remembered, or asked for once, whoever waits      `source`
      Web                    the door to the network: one POST or GET, bounded in size and time          `web`
      formats.status         is this answer to be believed?                                              (pure)

Rules of the room:
- Only addresses that stand in a certificate are called, and only of certificates that a configured anchor vouches for: callers give
  `Question`s out of a verified `Path`. A document's own untrusted certificate makes nobody call anything.
- No redirects, no cookies, no proxies of the environment, plain http alone: status answers are signed.
- An answer that is refused counts by the check it failed, and the next source is asked; what nobody can tell is
  CertificateStatusUnavailable, never "good".
- Answers are remembered for as long as they are good, at most `cache_s_max`; "revoked" is never remembered.
"""

"""CMS SignedData from templates (RFC 5652, RFC 5035, RFC 5754, RFC 4056; profiled by ETSI EN 319 122-1 and EN 319 142-1).

What is constant for a credential and a profile (certificates, algorithm identifiers, signing-certificate-v2, the signer's
identifier) is encoded once, in `template`; a signature adds its digest, perhaps a time, its value and perhaps a timestamp:

    template = CmsTemplate.build(certificate, chain, algorithm)
    attributes = template.signed_attributes(digest_of_the_content)
    cms = template.assemble(attributes, sign(hash(attributes)), timestamp=token)

Rules of the room:
- Pure, and DER throughout: byte for byte what asn1crypto writes for the same values (a property test holds them together).
- The bytes of certificates, contents and timestamps are never re-encoded, only wrapped.
- An algorithm is a row of `identifiers`, never a branch.
"""

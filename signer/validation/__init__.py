"""Validation: is this signed document what its signer signed, and do we know who that was?

ETSI EN 319 102-1 indications on top of pyHanko's validator; ISO 32000-2 12.8 for what a PDF signature covers, XMLDSig 4.4 and EN 319 132-1
for an XML signature (`xml`), RFC 5652 and EN 319 122-1 for a CMS (`cms`); `document` takes any of them. What revocation means for
signatures that stand otherwise (`revocation`), and what a PDF lacks to be verifiable for long (`long_term`).

Rules of the room:
- no network, ever: chains come from the document and from the caller's anchors, revocation data from the document alone;
- nothing here trusts the machine's own certificate store: whom to believe is the caller's to say (`TrustAnchors`);
- a document that can't be read raises a leaf of `signer.errors`; a signature that can't be read, or is wrong, is a report: one bad
  signature does not hide the others;
- runs where strangers' bytes are parsed: in document workers and on the command line, never in the daemon; but for values and what follows
  from them alone (`report`, `revocation`, `summary`, `usage`).
"""

"""Trust: which CAs are believed, and for what: signing here, validation of documents, timestamps.

    anchor   a believed CA, as a value
    known    the government's CAs by name and fingerprint: the appliance ships fingerprints, never certificates
    admit    is this certificate the CA it says it is, and what should an operator know of it?
    files    certificates and their purposes in PEM
    book     everything the configuration names and `signer trust add` added, read anew when a file changes

Rules of the room:
- A self-signed certificate is an anchor for its purposes; any other completes chains, and is believed for nothing by itself.
- A name that the table of known CAs has is believed with the table's fingerprint only: an impostor is refused, whoever says yes to it.
- A CA that the table does not know is believed on the word of an operator who has its fingerprint from the CA itself.
- SHA-1 counts on the certificates named here (the government's first generation), and on no other.
"""

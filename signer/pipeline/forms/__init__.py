"""Forms: what differs from profile to profile on a document's path. The path itself is the same for all (`pipeline`).

A `Form` does steps 3 and 4 for a lot: it asks a document worker where a stranger's bytes must be parsed, checks the answer, and gives each
document a `Prepared`: all of the signed file but signature and timestamp. A `Prepared` is a value that the journal keeps while a
signature waits, so it knows, without the document, what is signed, what a timestamp covers, and which `Additions` make the signed file.

Rules of the room:
- Signed structures are built here, from templates of `formats`; a document worker's answer says where and what, never how.
- One file a form, one row in `table`; nothing else of the path asks for the profile.
"""

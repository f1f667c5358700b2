"""Report cards (học bạ số): which signature a record takes, where, after which others, and what keeps it from being signed.

The Ministry's XML guide (v1.0, primary) and the multi-level layout that followed it; the regulations' order of signatures, lock and
correction. Layouts are data (`layouts/*.toml`, one file a version), read by `layout_files` alone; everything else is pure: a parsed record,
a plan and a moment come in, findings or the signature to make go out (`examination`).

Rules of the room:
- nothing of a record but identifiers and states leaves it, and no finding repeats a pupil's data;
- a record is read through its layout alone: no tag of the Ministry's stands in the code;
- signatures don't cover one another, so their order is only what is checked here: before a key is used, and again by whoever verifies;
- whether an earlier signature is valid is said by the caller (`validation`), never assumed.
"""

"""PAdES: a PDF is signed by an incremental update appended to its bytes (ISO 32000-2 7.5.6 and 12.8, ETSI EN 319 142-1).

Two kinds of process meet here, and the files are cut along that line:
- `update` is plain byte work without a PDF parser: the daemon uses it to check, hash and splice what a document worker prepared;
- `prepare` parses what strangers send and runs in document workers only: on the path of `fast`, which reads just what a report card
  needs and hands over whatever it is not sure of, or on the `complete` one by pyHanko (with `reading`, `refusal` and `signable`). Nothing
  imports them at the door of this package, so that the daemon never loads a PDF parser by accident.

What a visible signature shows is made beforehand, by neither path (`appearance`); both put the same objects into the update. Where one
stands that was asked for beside a text is found for each document first (`anchor`).

Rules of the room:
- no byte of the original is changed or left out: the signed file is the original followed by the update;
- any input gives a `PreparedUpdate` or a leaf of `signer.errors`, nothing else;
- what is sent back holds no metadata of the document: /Info and XMP are left as they are (they may name a pupil, and the update is
  kept as signature material);
- `now` is an argument; the only randomness is the second half of the trailer's /ID.
"""

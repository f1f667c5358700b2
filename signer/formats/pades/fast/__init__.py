"""The fast PAdES path: an incremental update written straight from the bytes of an ordinary report card.

It reads only what it must and writes what the complete path would. In the order of a document's way:

    ending     header and last lines              history    all cross-reference `sections` → where objects are
    objects    an object by number, also from     catalog    certified? version and extension
               object streams (`streams`)         form       may it be signed? fields, earlier signatures
    page       the page that carries the widget   restricting  certification and field lock
    changes    edits of objects, in their bytes   writer     the update, byte by byte
    path       all of this in order

Rules of the room:
- it refuses nothing and guesses nothing: what it is not sure of is handed over with a reason of the table in `fallback`, and the
  complete path signs or refuses it. So it is never less strict than that path; differential tests and fuzzing hold it to that;
- whatever the complete path reads of a document is read here too, at least as strictly, even where we don't need it;
- time and memory are bounded by the length of the document, loops by counters, unpacking by limits told beforehand;
- values are never parsed and printed again: bytes that don't change are copied.
"""

"""Documents with the same markup, such as the records of a class: read once, then only their character data (XML 1.0 §2.4).

A class's records differ in what stands between their tags. One of them, with every text replaced by a numbered mark (`apart`), is parsed,
looked at and canonicalised by libxml2 as any document is; what is found depends on markup alone, since there was nothing else. Where the
next document has the same markup to the byte, its texts are put where the marks were (`parts`, `pattern`), and nothing is parsed.

Rules of the room:
- What is remembered is made of marked documents only, so it can't depend on what one pupil's record says.
- Kept are tags with their attributes, and of texts those that documents have in common: values that are compared, a signer's certificates.
- A text is taken as it stands only where its parsed and its canonical form are the same bytes (`apart`).
- Whatever is unusual is not for this room: None, and the document is read as a whole. It never refuses a document and never differs from
  what reading the whole of it would yield; tests hold the two against one another.
"""

"""What a visible signature shows: a form XObject with all it needs, made once for many documents (ISO 32000-2 12.5.5, Decree 30/2020).

    text     which text can be written, and how it is wrapped and fitted into a box
    face     a TrueType font: widths, and the subset that is embedded (9.7.4: Type 0, CIDFontType2, Identity-H, ToUnicode)
    picture  a PNG as an image XObject with a soft mask (11.6.5.2), no finer than paper shows
    compose  style, text and picture → an `Artwork`
    artwork  the finished value: PDF objects numbered from one another, and how they are put into a rectangle

Rules of the room:
- equal input gives equal bytes: no time, no randomness; a subset's tag is made from its digest;
- one artwork serves every rectangle: a viewer fits the form's /BBox into the widget's /Rect (12.5.5, algorithm 8.1), so a /BBox of the
  rectangle's own proportions keeps the picture's, and nothing is drawn outside of the rectangle. Per document only numbers are written;
- `artwork` and `place` are all that a document worker loads: fonts and images are no matter of the path;
- Vietnamese letters are written composed (NFC), one glyph each, so no shaping is needed. What would need some (combining marks, scripts
  from right to left) is refused, never drawn wrong.
"""

from __future__ import annotations

from enum import Enum, unique


@unique
class FallbackReason(Enum):
    """Why a document was handed to the complete path; the values are labels of a metric and are never renamed."""

    PLACEMENT = "placement"
    """The request names something the complete path refuses or has to look at: odd field names, text Unicode can't write."""
    HEADER = "header"
    """No `%PDF-1.0` to `%PDF-2.0` at byte 0."""
    ENDING = "ending"
    """It does not end with startxref, a number, %%EOF and at most a line end."""
    XREF = "xref"
    """A cross-reference section is not where it should be or not written as ISO 32000-2 7.5.4 and 7.5.8 say."""
    XREF_KINDS = "xref-kinds"
    """Cross-reference tables and streams in one file, hybrid-reference files (7.5.8.4) among them."""
    HISTORY = "history"
    """Sections that contradict one another: loops, shrinking sizes, objects freed or reused, more revisions than we follow."""
    TRAILER = "trailer"
    """A trailer without what we need, or an older one with entries that the newest lacks."""
    ENCRYPTED = "encrypted"
    """A trailer names an encryption dictionary."""
    SYNTAX = "syntax"
    """Bytes that the fast path's reader of objects does not take."""
    NESTING = "nesting"
    """Deeper than any report card."""
    AMBIGUOUS = "ambiguous"
    """One key twice, one object in two parts, one field twice."""
    OBJECT = "object"
    """An object that is missing, elsewhere than its cross-reference says, or of another kind than expected."""
    STREAM = "stream"
    """A cross-reference or object stream with other filters or parameters than Flate, or with wrong lengths."""
    TOO_LARGE = "too-large"
    """More bytes to unpack or read than one report card needs."""
    CATALOG = "catalog"
    """A version or extension entry we can't read with certainty."""
    CERTIFIED = "certified"
    """/Perms: certified, or with usage rights; the complete path knows what they allow."""
    XFA = "xfa"
    """The form has a second description in XML."""
    FORM = "form"
    """An AcroForm we don't read: fields in a tree, with locks or seed values, or not written as usual."""
    FIELD_NAME = "field-name"
    """A field's name in an encoding we don't compare."""
    FIELD_TAKEN = "field-taken"
    """The field asked for is signed, or is no signature field."""
    TRANSFORM = "transform"
    """An earlier signature has transform methods (DocMDP, FieldMDP), which may forbid changes."""
    PAGE = "page"
    """The first page or its annotations can't be found with certainty."""
    UNEXPECTED = "unexpected"
    """A bug of the fast path; the document is none the worse for it."""


class HandOver(Exception):
    """The fast path is not sure of a document; it has done nothing, and the complete path takes over."""

    def __init__(self, reason: FallbackReason) -> None:
        super().__init__(reason.value)
        self.reason = reason

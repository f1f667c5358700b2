"""The catalog: whether the document is certified, and what a PAdES signature declares in it (ISO 32000-2 7.7.2, 7.12; EN 319 142-1 5.6).

Files older than PDF 2.0 declare the extension ESIC level 1, and version 1.7 if they are older than that.
"""

from __future__ import annotations

import re
from typing import Final

from signer.formats.pades.fast.changes import Changes
from signer.formats.pades.fast.fallback import FallbackReason, HandOver
from signer.formats.pades.fast.objects import Objects
from signer.formats.pades.fast.syntax import Dictionary, read_dictionary

_version: Final = re.compile(rb"/(1\.[0-7]|2\.0)").fullmatch
_EXTENSION: Final = b"<</Type/DeveloperExtensions/BaseVersion/1.7/ExtensionLevel 1>>"
_EXTENSIONS: Final = b"<</ESIC " + _EXTENSION + b">>"


def read_catalog(objects: Objects, root: int, changes: Changes) -> Dictionary:
    """The document's catalog, ready to be changed; HandOver when it is none or says that the document is certified."""
    catalog = objects.dictionary(root)
    if catalog.values.get(b"Type") != b"/Catalog":
        raise HandOver(FallbackReason.CATALOG)
    if b"Perms" in catalog.values:
        raise HandOver(FallbackReason.CERTIFIED)
    changes.of(catalog)
    return catalog


def declare_pades(catalog: Dictionary, header_version: bytes, changes: Changes) -> None:
    """Version and extension, where they don't stand in the catalog already."""
    version = header_version
    if b"Version" in catalog.values:
        found = _version(catalog.values[b"Version"])
        if found is None:
            raise HandOver(FallbackReason.CATALOG)
        version = found[1]
    if version < b"1.7":
        changes.put(catalog, b"Version", b"/1.7")
    if version < b"2.0":
        _declare_extension(catalog, changes)


def _declare_extension(catalog: Dictionary, changes: Changes) -> None:
    declared = catalog.values.get(b"Extensions")
    if declared == _EXTENSIONS:
        return
    if declared is None:
        changes.put(catalog, b"Extensions", _EXTENSIONS)
        return
    extensions = read_dictionary(declared, 0, catalog.owner).values
    if b"ESIC" not in extensions:
        changes.put(catalog.dictionary(b"Extensions"), b"ESIC", _EXTENSION)
    elif not read_dictionary(extensions[b"ESIC"], 0, catalog.owner).integer(b"ExtensionLevel"):
        raise HandOver(FallbackReason.CATALOG)

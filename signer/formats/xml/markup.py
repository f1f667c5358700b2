"""Text of canonical XML: what is written here is what canonicalisation would make of it (C14N 1.0 §2.3, Exclusive C14N §2.3)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from signer.formats.xml.names import Canonicalization
from signer.formats.xml.values import Surroundings

_TEXT: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#xD;"})
_VALUE: Final = str.maketrans({"&": "&amp;", "<": "&lt;", '"': "&quot;", "\t": "&#x9;", "\n": "&#xA;", "\r": "&#xD;"})
_ESCAPED_IN_VALUES: Final = re.compile(f"[{''.join(map(chr, _VALUE))}]")
_INHERITED_BY_C14N_11: Final = frozenset({"lang", "space"})


def escape_text(text: str) -> str:
    """Character data."""
    return text.translate(_TEXT)


def escape_value(value: str) -> str:
    """An attribute's value, between double quotes."""
    return value.translate(_VALUE) if _ESCAPED_IN_VALUES.search(value) else value


def start_tag(
    name: str,
    attributes: Iterable[tuple[str, str]],
    namespaces: Mapping[str, str],
    inherited: Iterable[tuple[str, str]] = (),
) -> str:
    """A start tag as canonical XML has it.

    attributes: of no namespace. namespaces: URI by prefix, empty for the default one. inherited: local name and value of attributes of the
    xml namespace, which follow all others.
    """
    text = f"<{name}"
    for prefix, uri in sorted(namespaces.items()):
        text += f' xmlns{prefix and ":"}{prefix}="{escape_value(uri)}"'
    for key, value in sorted(attributes):
        text += f' {key}="{escape_value(value)}"'
    for key, value in sorted(inherited):
        text += f' xml:{key}="{escape_value(value)}"'
    return f"{text}>"


def apex_tag(
    name: str,
    attributes: Iterable[tuple[str, str]],
    surroundings: Surroundings,
    own: Mapping[str, str],
    canonicalization: Canonicalization,
) -> str:
    """The start tag of the element that a canonical form begins with.

    own: the namespaces declared between the place and that element, and on it. Exclusive C14N renders those that its name uses.
    """
    if canonicalization.is_exclusive:
        prefix = name.partition(":")[0] if ":" in name else ""
        return start_tag(name, attributes, {prefix: own[prefix]})
    inherited = [each for each in surroundings.attributes if is_inherited(each[0], canonicalization)]
    return start_tag(name, attributes, {**dict(surroundings.namespaces), **own}, inherited)


def is_inherited(local_name: str, canonicalization: Canonicalization) -> bool:
    """Whether an attribute of the xml namespace reaches from an ancestor into the canonical form of an element (C14N 1.1 §2.4)."""
    match canonicalization:
        case Canonicalization.C14N_10:
            return True
        case Canonicalization.C14N_11:
            return local_name in _INHERITED_BY_C14N_11
        case Canonicalization.EXCLUSIVE:
            return False

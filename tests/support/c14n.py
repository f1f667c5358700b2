"""Canonical XML by the book, slowly: the recommendations' rules for an element and all below it, written down once for tests.

Canonical XML 1.0 and 1.1 §2.3, §2.4; Exclusive XML Canonicalization 1.0 §3. For documents in which no two prefixes mean the same namespace.
"""

from __future__ import annotations

from lxml import etree

from signer.formats.xml.names import XML, Canonicalization

_TEXT = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#xD;"}
_VALUE = {"&": "&amp;", "<": "&lt;", '"': "&quot;", "\t": "&#x9;", "\n": "&#xA;", "\r": "&#xD;"}


def by_the_book(apex: etree._Element, method: Canonicalization) -> bytes:
    """Without comments."""
    return "".join(_element(apex, method, {}, is_apex=True)).encode()


def _element(element: etree._Element, method: Canonicalization, rendered: dict[str, str], *, is_apex: bool) -> list[str]:
    scope = {prefix or "": uri for prefix, uri in element.nsmap.items()}
    name = _name(element.tag, {uri: prefix for prefix, uri in scope.items()}, element.prefix)
    attributes = _attributes(element, scope, method, is_apex=is_apex)
    if method.is_exclusive:
        used = {element.prefix or ""} | {name.partition(":")[0] for name, _ in attributes.values() if ":" in name}
        scope = {prefix: uri for prefix, uri in scope.items() if prefix in used}
        if "" in used:
            scope.setdefault("", "")
    else:
        scope.setdefault("", "")
    declared = {prefix: uri for prefix, uri in scope.items() if prefix != "xml" and rendered.get(prefix, "") != uri}
    out = [f"<{name}"]
    out += [f' xmlns{":" if prefix else ""}{prefix}="{_escape(uri, _VALUE)}"' for prefix, uri in sorted(declared.items())]
    out += [f' {name}="{_escape(value, _VALUE)}"' for _key, (name, value) in sorted(attributes.items())]
    out += [">", _escape(element.text or "", _TEXT)]
    for child in element:
        if isinstance(child, etree._ProcessingInstruction):
            out.append(f"<?{child.target!s}{' ' + child.text if child.text else ''}?>")
        elif not isinstance(child, etree._Comment):
            out += _element(child, method, {**rendered, **declared}, is_apex=False)
        out.append(_escape(child.tail or "", _TEXT))
    return [*out, f"</{name}>"]


def _attributes(
    element: etree._Element, scope: dict[str, str], method: Canonicalization, *, is_apex: bool
) -> dict[tuple[str, str], tuple[str, str]]:
    """Name and value by namespace and local name, which is their order."""
    found = {str(key): str(value) for key, value in element.attrib.items()}
    inherited = {Canonicalization.C14N_10: None, Canonicalization.C14N_11: ("lang", "space"), Canonicalization.EXCLUSIVE: ()}[method]
    for ancestor in element.iterancestors() if is_apex else ():
        for key, value in ancestor.attrib.items():
            qualified = etree.QName(key)
            if qualified.namespace == XML and (inherited is None or qualified.localname in inherited):
                found.setdefault(str(key), str(value))
    prefixes = {uri: prefix for prefix, uri in scope.items() if prefix} | {XML: "xml"}
    return {
        (etree.QName(key).namespace or "", etree.QName(key).localname): (_name(key, prefixes, None), value) for key, value in found.items()
    }


def _name(tag: str, prefixes: dict[str, str], prefix: str | None) -> str:
    qualified = etree.QName(tag)
    prefix = prefix or (prefixes.get(qualified.namespace or "") if prefix is None and qualified.namespace else "")
    return f"{prefix}:{qualified.localname}" if prefix else qualified.localname


def _escape(text: str, table: dict[str, str]) -> str:
    return "".join(table.get(character, character) for character in text)

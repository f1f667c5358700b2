"""A package's licence as an SPDX expression, and whether it may be shipped with ours (Apache-2.0).

What makers declare is taken where it is an expression (PEP 639) or a name that means one licence. Where it isn't, somebody has read the
licence's text: `_READ`. Whatever is left is unknown, and may not be shipped.
"""

from __future__ import annotations

from importlib.metadata import PackageMetadata

from license_expression import ExpressionError, LicenseExpression, get_spdx_licensing

_EXPRESSION_CHARS_MAX = 200
_SPDX = get_spdx_licensing()

ALLOWED = frozenset(
    {
        "0BSD",
        "Apache-2.0",
        "BSD-2-Clause",
        "BSD-3-Clause",
        "ISC",
        "MIT",
        "MIT-0",
        "MIT-CMU",
        "PSF-2.0",
        "Zlib",
        # Weak copyleft, by file: shipped unchanged, with a notice where the source is.
        "MPL-2.0",
        # Weak copyleft, by library: shipped unchanged as packages of their own, which whoever runs signer may replace.
        "LGPL-3.0-only",
    }
)
"""Those of which each demand is met by shipping the package's own licence file beside it, as wheels do."""

_NAMES = {
    "3-clause bsd license": "BSD-3-Clause",
    "apache 2.0": "Apache-2.0",
    "apache license, version 2.0": "Apache-2.0",
    "license :: osi approved :: apache software license": "Apache-2.0",
    "license :: osi approved :: mit license": "MIT",
}

_READ = {
    "jinja2": "BSD-3-Clause",
    "pyasn1-modules": "BSD-2-Clause",
    "pypdfium2": "BSD-3-Clause AND Apache-2.0",
    "reportlab": "BSD-3-Clause",
    "segno": "BSD-3-Clause",
}
"""Declared as a plain "BSD", or (pypdfium2) with the licences of the libraries in it, all permissive and beside it."""


def spdx_of(name: str, told: PackageMetadata) -> str:
    """Empty when nobody knows."""
    if name in _READ:
        return _READ[name]
    declared = [text for member in ("License-Expression", "License", "Classifier") for text in told.get_all(member) or ()]
    return next((known for text in declared if (known := _known(text))), "")


def may_be_shipped(expression: str) -> bool:
    """Whether each licence that applies, or one of those to choose from, is allowed."""
    try:
        parsed = _SPDX.parse(expression, validate=True, strict=True)
    except ExpressionError:
        return False
    return parsed is not None and _is_allowed(parsed)


def _is_allowed(expression: LicenseExpression) -> bool:
    if isinstance(expression, _SPDX.AND):
        return all(_is_allowed(each) for each in expression.args)
    if isinstance(expression, _SPDX.OR):
        return any(_is_allowed(each) for each in expression.args)
    return str(expression) in ALLOWED


def _known(text: str) -> str:
    text = text.strip()
    if text.lower() in _NAMES:
        return _NAMES[text.lower()]
    try:
        parsed = _SPDX.parse(text, validate=True, strict=True) if len(text) <= _EXPRESSION_CHARS_MAX else None
    except ExpressionError:
        return ""
    return str(parsed) if parsed is not None else ""

"""docs/licences.md: what is shipped, and under which licences. `python -m tools.supply.licences` prints it."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from tools.supply.shipped import Shipped, read_shipped
from tools.supply.spdx import may_be_shipped

_HEAD = """# Licences

Written by `make docs` from what is installed; a test keeps it so. signer itself is under [Apache-2.0](../LICENSE).

## Shipped with it

The Python packages of `requirements.lock`, unchanged in the Debian package and the image, each with its licence's text in its `.dist-info`
folder. Several bring C libraries along (cryptography, grpcio, lxml, Pillow, pikepdf, pypdfium2, …), whose licences lie there too. None is
shipped whose licence is unknown or asks for more than that its text goes along; MPL-2.0 also wants its source to be had: at the address
beside it. LGPL-3.0 (the PostgreSQL driver) wants that it can be replaced: it is a package of its own, and signer runs with another build
of it.

| package | version | licence | from |
|---|---|---|---|
"""

_TAIL = """
No font is shipped, and none of reportlab's: `deploy/debian/environment.sh` takes them out. The appliance ships no CA certificate either.

## Used where it is installed, not shipped

Debian's packages, under the licences in their `/usr/share/doc/*/copyright`.

| package | licence | for |
|---|---|---|
| python3.11 | PSF-2.0 | everything |
| fonts-liberation2 | OFL-1.1 | texts of visible signatures; the letters used are embedded in the PDF, which the OFL allows |
| fonts-dejavu-core | Bitstream Vera, public domain | the demo's report cards, where Liberation is missing |
| softhsm2 | BSD-2-Clause, ISC | tokens in software, loaded by token workers |
| openssl | Apache-2.0 | the demo |
| poppler-utils | GPL-2.0-or-later | the demo's second opinion: a program of its own, run and not linked |
| libnss3-tools | MPL-2.0 | the same |

A vendor's PKCS#11 module is loaded by token workers under the vendor's licence.
"""


def page(shipped: Iterable[Shipped]) -> str:
    """The whole page."""
    rows = [f"| {each.name} | {each.version} | {each.licence or '**unknown**'} | {each.home} |\n" for each in shipped]
    return _HEAD + "".join(rows) + _TAIL


def unfit(shipped: Iterable[Shipped]) -> tuple[Shipped, ...]:
    """Those that may not be shipped with ours."""
    return tuple(each for each in shipped if not may_be_shipped(each.licence))


if __name__ == "__main__":
    sys.stdout.write(page(read_shipped()))

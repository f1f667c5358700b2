"""The bill of materials of what is shipped: CycloneDX 1.6, JSON.

`python -m tools.supply.sbom FILE` writes it, once the schema has nothing against it: names, versions, SHA-256 of every file that an install
may take, licences, and who needs whom. It has no time and no serial number: the same lock makes the same bytes.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import ExternalReference, ExternalReferenceType, HashAlgorithm, HashType, Property, XsUri
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL

from signer import __version__
from tools.supply.shipped import Shipped, needs_of_signer, read_shipped

SCHEMA = SchemaVersion.V1_6
_LICENCES = LicenseFactory()


def bill(shipped: Sequence[Shipped]) -> str:
    """The document."""
    ours = Component(
        name="signer",
        version=__version__,
        type=ComponentType.APPLICATION,
        bom_ref="signer",
        description="Signing appliance for school report cards",
        licenses=[_LICENCES.make_from_string("Apache-2.0")],
        purl=PackageURL("generic", name="signer", version=__version__),
    )
    components = {each.name: _component(each) for each in shipped}
    bom = Bom(components=components.values())
    bom.metadata.component = ours
    bom.metadata.properties.add(Property(name="cdx:reproducible", value="true"))
    bom.register_dependency(ours, [components[name] for name in needs_of_signer(components)])
    for each in shipped:
        bom.register_dependency(components[each.name], [components[name] for name in each.needs])
    written: dict[str, Any] = json.loads(JsonV1Dot6(bom).output_as_string())
    del written["serialNumber"], written["metadata"]["timestamp"]  # of the occasion, not of what is written about
    return json.dumps(written, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def faults(document: str) -> str:
    """What the schema, its formats and SPDX ids find wrong; empty when nothing."""
    found = JsonStrictValidator(SCHEMA).validate_str(document)
    return "" if found is None else str(found)


def _component(each: Shipped) -> Component:
    purl = PackageURL("pypi", name=each.name, version=each.version)
    references = [ExternalReference(type=ExternalReferenceType.WEBSITE, url=XsUri(each.home))] if each.home else []
    if each.sha256:
        files = [HashType(alg=HashAlgorithm.SHA_256, content=sha256) for sha256 in each.sha256]
        references.append(
            ExternalReference(type=ExternalReferenceType.DISTRIBUTION, url=XsUri(str(purl)), comment="one of these files", hashes=files)
        )
    return Component(
        name=each.name,
        version=each.version,
        type=ComponentType.LIBRARY,
        bom_ref=str(purl),
        purl=purl,
        description=each.summary,
        licenses=[_LICENCES.make_from_string(each.licence)] if each.licence else [],
        external_references=references,
    )


def _write(path: Path) -> str:
    document = bill(read_shipped())
    wrong = faults(document)
    if not wrong:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(document, encoding="utf-8")
    return wrong


if __name__ == "__main__":
    sys.exit(_write(Path(sys.argv[1])) or 0)

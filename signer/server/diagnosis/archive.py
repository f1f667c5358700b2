"""Whether what is archived lies where this daemon looks for it: with several on one database, one of them may have written it elsewhere."""

from __future__ import annotations

from signer.errors import JournalUnavailable
from signer.model import Finding
from signer.pipeline.archiving import Archiving
from signer.server.diagnosis.findings import ok, warn

_PAGE = "SignerArchiveFails"
_NAMED_MAX = 3
_REMEDY = (
    "daemons on one database share one archive folder: name it in [journal.archive] of each, and put into it what lies elsewhere or in the "
    "backup; then `signer audit verify`"
)


async def check_archive(archiving: Archiving) -> list[Finding]:
    """Nothing is said where nothing was archived and nothing is to be."""
    try:
        missing = await archiving.missing()
    except JournalUnavailable as error:
        return [warn("archive", error.message, "mend what it says; signing goes on meanwhile", _PAGE)]
    if not missing:
        return [ok("archive", f"every archived segment is in {archiving.folder}")] if archiving.folder else []
    names = ", ".join([*missing[:_NAMED_MAX], *["…"][: len(missing) > _NAMED_MAX]])
    where = f"not in {archiving.folder}" if archiving.folder else "in no folder of this daemon, which has no [journal.archive]"
    return [warn("archive", f"{len(missing)} archived segments are {where}: {names}", _REMEDY, _PAGE)]

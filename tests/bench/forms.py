"""BatchSignDocuments beside PDF: records in the Ministry's XML, XAdES on the same files, CAdES beside report cards."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from signer.model import Profile
from tests.bench.against import row_against
from tests.bench.documents import plain_documents, records, sizes_kb
from tests.bench.ground import Ground, NotSigned
from tests.bench.orders import Work
from tests.bench.pades import sign_all
from tests.bench.row import Row, Target
from tests.support import cms_judges, xml_verdicts

_LOOP = "C_Sign loop, 1 process"
_JUDGED = 4


def ministry(ground: Ground) -> Iterator[Row]:
    """Records of 20 KB, signed in the homeroom teacher's slot."""
    folder = records(ground.folder / "documents", ground.pace.batch)
    yield _row("ministry-xml", ground, Profile.MINISTRY_XML, folder=folder, target=Target(0.75), judge=_judge_xml)


def ministry_third(ground: Ground) -> Iterator[Row]:
    """The seal over records that homeroom teacher and principal have signed, whose signatures are verified first."""
    folder = records(ground.folder / "documents", ground.pace.batch)
    with ground.daemon(ground.config("ministry-xml-signed")) as deployed:
        for credential in ("gvcn", "cbql"):
            order = ground.order(Work.BATCH, credential, batch=ground.pace.batch, folder=str(folder), profile=Profile.MINISTRY_XML)
            folder = sign_all(ground, deployed, order)
    yield _row("ministry-xml-third", ground, Profile.MINISTRY_XML, folder=folder, target=None, judge=_judge_third, credential="seal")


def xades(ground: Ground) -> Iterator[Row]:
    """The same files, XAdES B-B over the whole of each."""
    folder = records(ground.folder / "documents", ground.pace.batch)
    yield _row("xades-b-b", ground, Profile.XADES, folder=folder, target=Target(0.65), judge=_judge_xml)


def cades(ground: Ground) -> Iterator[Row]:
    """CAdES B-B, detached, over report cards."""
    folder = plain_documents(ground.folder / "documents", ground.pace.batch)
    yield _row("cades-detached", ground, Profile.CADES, folder=folder, target=Target(0.85), judge=_judge_cms)


def _row(
    bench: str,
    ground: Ground,
    profile: Profile,
    *,
    folder: Path,
    target: Target | None,
    judge: Callable[[Ground, Path, Path], bool],
    credential: str = "gvcn",
) -> Row:
    """One row; what the daemon makes of some documents is judged first."""
    order = ground.order(Work.BATCH, credential, batch=ground.pace.batch, folder=str(folder), profile=profile)
    with ground.loop(credential) as loop, ground.daemon(ground.config(bench)) as deployed:
        judged = ground.scratch(f"judged-{bench}")
        deployed.client.do(msgspec.structs.replace(order, batch=_JUDGED, seconds=0, keep=str(judged)))
        for signed in judged.iterdir():
            if not judge(ground, signed, folder / signed.name):
                raise NotSigned(f"{signed}: its signature does not stand")
        size = {"batch": order.batch, "document_kb": sizes_kb(folder)}
        return row_against(bench, ground, deployed, order, lambda: loop.run(ground.pace.seconds), target=target, name=_LOOP, **size)


def _judge_xml(ground: Ground, signed: Path, _original: Path, number: int = 0) -> bool:
    cas = (ground.world.root_file, ground.world.ca_file)
    return xml_verdicts.xmlsec1(signed.read_bytes(), cas, ground.scratch(f"xmlsec1-{signed.parent.name}-{signed.stem}-{number}"), number)


def _judge_third(ground: Ground, signed: Path, original: Path) -> bool:
    return all(_judge_xml(ground, signed, original, number) for number in range(3))


def _judge_cms(ground: Ground, signed: Path, original: Path) -> bool:
    folder = ground.scratch(f"openssl-{signed.stem}")
    return cms_judges.openssl(signed.read_bytes(), ground.world.root_file, folder, original.read_bytes()).returncode == 0

"""Who makes artworks for the daemon: each once, for whom it belongs to; and what a repeat of a visible signature must have in common."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from signer.algorithms import SignatureAlgorithm
from signer.documents import appearances
from signer.documents.appearances import Appearances
from signer.documents.settings import AppearanceSettings, ImageSettings
from signer.errors import ConfigError, InvalidArgument
from signer.formats.pades.appearance.artwork import Artwork
from signer.formats.pades.appearance.face import Embedded, Face
from signer.model import Appearance, AppearanceStyle, Credential, FieldPlacement, KeptImage, Level, PageRectangle, Profile
from signer.pipeline.plan import ReadyPlan, fingerprint
from tests.support import looks, pki

ALGORITHM = SignatureAlgorithm.RSA_PKCS1_SHA256
NOW = datetime(2026, 5, 30, 1, 15, tzinfo=UTC)
LEAF = pki.issue("Nguyễn Thị Lan", pki.rsa_key(1), pki.authority())
TEACHER = Credential("gvcn", "token", b"\x01", "gvcn", "1", LEAF.der, (), (ALGORITHM,))
PERSON = AppearanceStyle.PERSON
WANTED = Appearance(PERSON, looks.LINES, "", looks.BELOW)


class KeptByOperators:
    """Images of school 1 in memory; what the store is to appearances."""

    def __init__(self, *pngs: tuple[KeptImage, bytes]) -> None:
        self.pngs = dict(pngs)

    async def of_school(self, school_id: str) -> list[KeptImage]:
        return [image for image in self.pngs if image.school_id == school_id]

    async def png(self, image: KeptImage) -> bytes | None:
        return self.pngs.get(image)


NO_IMAGES = KeptByOperators()
SUBSET = Face._subset


def kept(png: bytes, image_id: str, credential_id: str = "", style: AppearanceStyle = PERSON) -> tuple[KeptImage, bytes]:
    return KeptImage(image_id, "1", credential_id, style, 90.0, hashlib.sha256(png).digest()), png


@pytest.fixture
def settings(tmp_path: Path) -> AppearanceSettings:
    """Teacher and school have an image each; the teacher's is enrolled for the credential."""
    (tmp_path / "image.png").write_bytes(looks.signature_png(200, 80))
    mine = ImageSettings("mine", ("1",), PERSON, 100.0, tmp_path / "image.png", "gvcn")
    seal = ImageSettings("seal", ("1", "2"), AppearanceStyle.ORGANISATION, 100.0, tmp_path / "image.png", "gvcn")
    return AppearanceSettings(images=(mine, seal))


async def made(source: Appearances, wanted: Appearance = WANTED, school: str = "1", moment: datetime = NOW) -> Artwork:
    return await source.prepare(wanted, TEACHER, school, moment)


async def test_what_was_made_is_not_made_again(settings: AppearanceSettings) -> None:
    source = Appearances(settings, NO_IMAGES)
    first = await made(source)
    assert await made(source, moment=NOW + timedelta(seconds=9)) is first
    moved = replace(WANTED, rectangle=replace(looks.BELOW, page=-1, x=10.0))
    assert await made(source, moved) is first
    assert await made(source, replace(WANTED, lines=("Trần Văn Hùng",))) is not first


async def test_what_is_kept_is_bounded(settings: AppearanceSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(appearances, "_KEPT_MAX", 2)
    source = Appearances(settings, NO_IMAGES)
    first = await made(source)
    for number in range(3):
        await made(source, replace(WANTED, lines=(str(number),)))
    again = await made(source)
    assert again is not first
    assert again == first


async def test_many_may_ask_at_once(settings: AppearanceSettings) -> None:
    source = Appearances(settings, NO_IMAGES)
    wanted = [replace(WANTED, lines=(f"Nguyễn {number % 3}",)) for number in range(12)]
    together = await asyncio.gather(*[made(source, each) for each in wanted])
    for at, each in enumerate(together):
        assert each == together[at % 3]
    assert together[0] != together[1]


async def test_a_credential_s_image_is_shown_where_none_is_named_and_only_at_its_school(settings: AppearanceSettings) -> None:
    source = Appearances(settings, NO_IMAGES)
    named = await made(source, replace(WANTED, image_id="mine"))
    assert await made(source) is named
    elsewhere = await made(source, school="2")
    assert len(elsewhere.parts) < len(named.parts)
    with pytest.raises(InvalidArgument, match="no image 'mine'"):
        await made(source, replace(WANTED, image_id="mine"), school="2")


async def test_a_style_s_own_wording_names_the_certificate_s_holder(settings: AppearanceSettings) -> None:
    source = Appearances(settings, NO_IMAGES)
    copy = Appearance(AppearanceStyle.CERTIFIED_COPY)
    first = await made(source, copy)
    assert await made(source, copy, moment=NOW + timedelta(seconds=1)) != first
    assert await made(source, replace(copy, lines=("SAO Y", "Nguyễn Thị Lan", "Thời gian ký: 30/05/2026 01:15:00 +00:00"))) == first


async def test_a_missing_font_matters_to_text_alone(settings: AppearanceSettings, tmp_path: Path) -> None:
    source = Appearances(replace(settings, font=tmp_path / "none.ttf"), NO_IMAGES)
    assert (await made(source, replace(WANTED, lines=()))).form.stream
    with pytest.raises(ConfigError, match="fonts-liberation2"):
        await made(source)
    (tmp_path / "none.ttf").write_bytes(looks.FONT.read_bytes())
    assert (await made(source)).form.stream


async def test_an_image_that_was_damaged_later_is_the_operator_s_to_mend(settings: AppearanceSettings) -> None:
    settings.images[0].file.write_bytes(b"no image any more")
    with pytest.raises(ConfigError, match="'mine'"):
        await made(Appearances(settings, NO_IMAGES))


PLAN = ReadyPlan(Profile.PADES, Level.B_B, TEACHER, ALGORITHM, FieldPlacement("GVCN"), "1f")
LOOKS = [
    None,
    Appearance(PERSON),
    Appearance(AppearanceStyle.ANNEX),
    Appearance(PERSON, image_id="a"),
    Appearance(PERSON, ("a",)),
    Appearance(PERSON, ("a", "")),
    Appearance(PERSON, ("", "a")),
    *(Appearance(PERSON, (), "", PageRectangle(*numbers)) for numbers in ((1, 2, 3, 4, 5), (-1, 2, 3, 4, 5), (1, 2, 3, 5, 4))),
]


def test_every_other_look_is_another_request() -> None:
    marks = {fingerprint(PLAN, FieldPlacement("GVCN", appearance=look), bytes(32)) for look in LOOKS}
    assert len(marks) == len(LOOKS)


def test_invisible_signatures_keep_the_fingerprint_that_journals_already_hold() -> None:
    digest = hashlib.sha256(bytes(32))
    for part in ("pades/b-b", "gvcn", ALGORITHM.value, "GVCN", "n", "r", "l"):
        digest.update(len(part).to_bytes(4) + part.encode())
    assert fingerprint(PLAN, FieldPlacement("GVCN", "n", "r", "l"), bytes(32)) == digest.digest()


def test_what_is_shown_is_no_part_of_the_fingerprint_only_what_was_asked_for() -> None:
    """A renewed image must not make a repeat of an old request look like another one."""
    placement = FieldPlacement("GVCN", appearance=WANTED)
    drawn = replace(PLAN, placement=placement, artwork=looks.artwork())
    assert fingerprint(drawn, placement, bytes(32)) == fingerprint(replace(drawn, artwork=None), placement, bytes(32))


async def test_an_operators_image_is_shown_by_its_id_and_as_its_credentials_default() -> None:
    source = Appearances(AppearanceSettings(), KeptByOperators(kept(looks.signature_png(200, 80), "new", "gvcn")))
    default = await made(source)
    assert [part for part in default.parts if b"/Image" in part.dictionary]
    assert await made(source, replace(WANTED, image_id="new")) is default
    with pytest.raises(InvalidArgument, match="no image 'new'"):
        await made(source, replace(WANTED, image_id="new"), school="2")
    with pytest.raises(InvalidArgument, match="for style person"):
        await made(source, replace(WANTED, image_id="new", style=AppearanceStyle.ORGANISATION))


async def test_a_replaced_image_is_shown_from_then_on() -> None:
    images = KeptByOperators(kept(looks.signature_png(200, 80), "new", "gvcn"))
    source = Appearances(AppearanceSettings(), images)
    first = await made(source)
    images.pngs = dict([kept(looks.seal_png(90), "new", "gvcn")])
    assert await made(source) != first


async def test_the_configurations_image_is_shown_before_an_operators(settings: AppearanceSettings) -> None:
    other = kept(looks.seal_png(90), "mine", "gvcn")
    assert await made(Appearances(settings, KeptByOperators(other))) == await made(Appearances(settings, NO_IMAGES))


async def test_the_next_second_of_a_styles_own_wording_takes_no_new_subset(monkeypatch: pytest.MonkeyPatch) -> None:
    subsets: list[str] = []

    def counted(face: Face, text: str, first: int) -> Embedded:
        subsets.append(text)
        return SUBSET(face, text, first)

    monkeypatch.setattr(Face, "_subset", counted)
    source = Appearances(AppearanceSettings(), NO_IMAGES)
    copies = [
        await made(source, Appearance(AppearanceStyle.CERTIFIED_COPY), moment=NOW + timedelta(seconds=13 * second)) for second in range(20)
    ]
    assert len(set(copies)) == 20
    assert len(subsets) == 1

"""Visible signatures over gRPC: prepared once, shown on every document, kept over repeats, and judged by others."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from PIL import ImageChops

from signer.demo.pupils import generate_class
from signer.demo.report_card import render
from signer.errors import ConfigError, InvalidArgument
from signer.v1 import common_pb2, plan_pb2
from signer.validation.pdf import verify_pdf
from signer.validation.report import Changes, Indication
from signer.validation.trust import TrustAnchors
from tests.support import looks, pdfs
from tests.support.calls import fresh_id, intents, plan, refused, sign_batch, sign_document
from tests.support.daemon import OTHER_SCHOOL, SCHOOL, Running, World, running_daemon
from tests.support.judges import pdfsig

PERSON, ORGANISATION = plan_pb2.APPEARANCE_STYLE_PERSON, plan_pb2.APPEARANCE_STYLE_ORGANISATION
COPY = plan_pb2.APPEARANCE_STYLE_CERTIFIED_COPY
BELOW = plan_pb2.PageRectangle(page=-1, x=320, y=90, width=180, height=70)
LINES = ["Ký bởi: Nguyễn Thị Hiệu Trưởng", "Trường Tiểu học Thử Nghiệm"]
PAGES = 2


@pytest.fixture(scope="module")
def visible(world: World) -> Iterator[Running]:
    """A daemon that knows a teacher's signature, the school's seal, another school's seal, and an image whose file goes away."""
    for name, png in (("teacher", looks.signature_png()), ("seal", looks.seal_png()), ("gone", looks.seal_png())):
        (world.folder / f"{name}.png").write_bytes(png)
    images: list[dict[str, Any]] = [
        {"id": "teacher", "schools": [SCHOOL], "style": "person", "width_pt": 120.0, "file": "teacher.png", "credential": "gvcn"},
        {"id": "seal", "schools": [SCHOOL], "style": "organisation", "width_pt": 102.0, "file": "seal.png", "credential": "seal"},
        {"id": "theirs", "schools": [OTHER_SCHOOL], "style": "organisation", "width_pt": 102.0, "file": "seal.png"},
        {"id": "gone", "schools": [SCHOOL], "style": "organisation", "width_pt": 102.0, "file": "gone.png"},
    ]
    config = world.config("visible.toml", journal={"url": "sqlite:///visible.db"}, images=images)
    with running_daemon(config) as running:
        (world.folder / "gone.png").unlink()
        yield running


@pytest.fixture(scope="module")
def channel(world: World, visible: Running) -> Iterator[grpc.Channel]:
    with world.channel(visible.port) as opened:
        yield opened


def look(credential: str = "gvcn", field: str = "GVCN", **appearance: Any) -> plan_pb2.SigningPlan:
    made = plan(credential, field_name=field)
    fields: dict[str, Any] = {"style": PERSON, "lines": LINES, "rectangle": BELOW} | appearance
    made.pades.appearance.CopyFrom(plan_pb2.Appearance(**fields))
    return made


def test_a_class_shows_its_teacher_and_a_repeat_gives_the_same_bytes(channel: grpc.Channel, world: World, tmp_path: Path) -> None:
    documents = {f"pupil-{number}": pdfs.report_card(number, pages=PAGES) for number in range(12)}
    request_id = fresh_id()
    signed = sign_batch(channel, documents, plan=look(), request_id=request_id).signed()
    assert signed.keys() == documents.keys()
    for name, document in documents.items():
        assert signed[name].startswith(document)
        text = looks.text_of(signed[name], tmp_path, PAGES)
        assert all(line in text for line in LINES)
    again = sign_batch(channel, documents, plan=look(), request_id=request_id)
    assert again.summary is not None
    assert again.summary.replayed == len(documents)
    assert again.signed() == signed
    assert sorted(intents(world.folder / "visible.db", request_id)) == sorted(documents)
    one, other = (looks.rendered(each["pupil-3"], tmp_path, PAGES) for each in (documents, signed))
    left, upper, right, lower = ImageChops.difference(one, other).getbbox() or (0, 0, 0, 0)
    assert (left >= 319, upper >= one.height - 161, right <= 501, lower <= one.height - 89) == (True,) * 4
    assert lower > upper


def test_the_journal_keeps_what_a_class_shows_once(channel: grpc.Channel, world: World) -> None:
    documents = {f"pupil-{number}": pdfs.report_card(number, pages=PAGES) for number in range(8)}
    carried, kept = [], []
    for asked in (look(lines=["Phạm Thị Một Lần"]), plan("gvcn", field_name="GVCN")):
        signed = sign_batch(channel, documents, plan=asked).signed()
        carried.append(min(len(signed[name]) - len(document) for name, document in documents.items()))
        with sqlite3.connect(f"file:{world.folder}/visible.db?mode=ro", uri=True) as connection:
            sizes = connection.execute("SELECT length(content) FROM material ORDER BY outcome DESC LIMIT 8").fetchall()
        kept.append(max(size for (size,) in sizes))
    assert carried[0] - carried[1] > 5000, "the files carry it all"
    assert kept[0] - kept[1] < 3000


def test_batches_side_by_side_each_show_their_own(channel: grpc.Channel, tmp_path: Path) -> None:
    documents = {f"pupil-{number}": pdfs.report_card(number, pages=1) for number in range(16)}
    names = ("Nguyễn Thị Lan", "Trần Văn Hùng", "")

    def sign(name: str) -> dict[str, bytes]:
        place = plan_pb2.PageRectangle(page=1, x=400, y=90, width=180, height=70)
        return sign_batch(channel, documents, plan=look(lines=[name], rectangle=place) if name else plan()).signed()

    with ThreadPoolExecutor(len(names)) as threads:
        batches = list(threads.map(sign, names))
    for name, batch in zip(names, batches, strict=True):
        assert batch.keys() == documents.keys()
        for number in (0, 5, 10, 15):
            text = looks.text_of(batch[f"pupil-{number}"], tmp_path)
            assert [each for each in names[:2] if each in text] == ([name] if name else [])


@pytest.mark.parametrize(
    "change",
    [
        {"lines": ["Người khác"]},
        {"style": COPY},
        {"image_id": "teacher"},
        {"rectangle": plan_pb2.PageRectangle(page=-1, x=320, y=91, width=180, height=70)},
    ],
    ids=lambda change: next(iter(change)),
)
def test_the_same_ids_with_another_look_are_refused(change: dict[str, Any], channel: grpc.Channel) -> None:
    request_id, documents = fresh_id(), {"d": pdfs.report_card(pages=PAGES)}
    assert sign_batch(channel, documents, plan=look(), request_id=request_id).signed()
    for other in (look(**change), plan("gvcn", field_name="GVCN")):
        assert sign_batch(channel, documents, plan=other, request_id=request_id).reasons() == {0: "REQUEST_ID_REUSED"}


def test_three_visible_signatures_in_a_row_stand_for_pdfsig_and_pyhanko(channel: grpc.Channel, world: World, tmp_path: Path) -> None:
    """Teacher, principal without an image, and the seal over the left third of the principal's; on every structure of file."""
    documents = {name.replace(" ", "-"): make(1) for name, make in pdfs.VARIANTS.items()}
    places = {"gvcn": (PERSON, 60, 90, 180, 70), "cbql": (PERSON, 320, 200, 180, 70), "seal": (ORGANISATION, 270, 180, 110, 110)}
    for credential, (style, x, y, width, height) in places.items():
        rectangle = plan_pb2.PageRectangle(page=1, x=x, y=y, width=width, height=height)
        wanted = look(credential, f"Ký {credential}", style=style, rectangle=rectangle, lines=[] if credential == "seal" else LINES)
        wanted.level = common_pb2.LEVEL_B_T
        answers = sign_batch(channel, documents, plan=wanted)
        assert answers.reasons() == {}
        documents = answers.signed()
    root = x509.load_pem_x509_certificate(world.root_file.read_bytes()).public_bytes(Encoding.DER)
    for name, document in documents.items():
        report = verify_pdf(document, TrustAnchors(signing=(root,), timestamping=(root,)))
        assert [signature.indication for signature in report.signatures] == [Indication.TOTAL_PASSED] * 3, name
        assert [signature.changes for signature in report.signatures] == [*[Changes.FORMS_AND_SIGNATURES] * 2, Changes.NONE], name
        file = tmp_path / f"{name}.pdf"
        file.write_bytes(document)
        found = [one for one in pdfsig(file) if "The signature form field is not signed." not in one]
        assert [one["Signature Validation"] for one in found] == ["Signature is Valid."] * 3, name
        assert "Total document signed" in found[-1]
        seal: Any = looks.rendered(document, tmp_path).crop((270, 842 - 290, 380, 842 - 180)).getcolors(110 * 110)
        assert any(red > 150 and blue < 90 for _count, (red, _green, blue) in seal), name


def test_a_style_without_lines_says_who_and_when(channel: grpc.Channel, tmp_path: Path) -> None:
    document = pdfs.report_card(pages=1)
    asked = look("seal", style=COPY, lines=[])
    asked.pades.appearance.ClearField("rectangle")
    text = looks.text_of(sign_document(channel, document, plan=asked).content, tmp_path)
    assert "SAO Y" in text
    assert "Nguyễn Thị seal (DEMO)" in text
    assert "Thời gian ký: " in text
    assert "+07:00" in text


def test_a_document_without_the_place_fails_alone(channel: grpc.Channel) -> None:
    documents = {"short": pdfs.report_card(pages=1), "long": pdfs.report_card(pages=3), "none": pdfs.report_card(pages=1)}
    answers = sign_batch(channel, documents, plan=look(rectangle=plan_pb2.PageRectangle(page=3, x=320, y=90, width=180, height=70)))
    assert answers.signed().keys() == {"long"}
    assert set(answers.reasons().values()) == {"INVALID_ARGUMENT"}


def _rectangle(**changes: float) -> plan_pb2.PageRectangle:
    return plan_pb2.PageRectangle(**{"page": 1, "x": 100, "y": 100, "width": 180, "height": 70} | changes)  # type: ignore[arg-type]


HOSTILE: dict[str, tuple[dict[str, Any], str]] = {
    "no style": ({"style": 0}, "style"),
    "not a number": ({"rectangle": _rectangle(x=float("nan"))}, "rectangle.x"),
    "infinite": ({"rectangle": _rectangle(width=float("inf"))}, "rectangle.width"),
    "huge": ({"rectangle": _rectangle(height=1e300)}, "rectangle.height"),
    "empty": ({"rectangle": _rectangle(width=0)}, "rectangle.width"),
    "page 0": ({"rectangle": _rectangle(page=0)}, "rectangle.page"),
    "too small for its text": ({"rectangle": _rectangle(width=20, height=14)}, "lines"),
    "13 lines": ({"lines": ["x"] * 13}, "lines"),
    "a long line": ({"lines": ["x" * 201]}, "lines"),
    "a control character": ({"lines": ["a\x00b"]}, "lines"),
    "a line end": ({"lines": ["a\nb"]}, "lines"),
    "written from right to left": ({"lines": ["שלום"]}, "lines"),
    "turned by a mark": ({"lines": ["Ký\u202ebởi"]}, "lines"),
    "no letter of the font": ({"lines": ["học bạ 你好"]}, "lines"),
    "an unknown image": ({"image_id": "nobody"}, "image_id"),
    "another school's image": ({"image_id": "theirs", "style": ORGANISATION}, "image_id"),
    "an image of another style": ({"image_id": "seal"}, "image_id"),
    "an image for text alone": ({"image_id": "seal", "style": COPY}, "image_id"),
    "a seal without room": ({"image_id": "seal", "style": ORGANISATION, "lines": [], "rectangle": _rectangle(width=60)}, "rectangle"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_what_can_t_be_shown_is_refused_before_a_key_is_used(case: str, channel: grpc.Channel, world: World) -> None:
    changes, field = HOSTILE[case]
    request_id = fresh_id()
    with refused(InvalidArgument, field=f"plan.pades.appearance.{field}"):
        sign_batch(channel, {"d": pdfs.report_card(pages=1)}, plan=look(**changes), request_id=request_id)
    assert intents(world.folder / "visible.db", request_id) == []


def test_nobody_can_tell_another_school_s_image_from_none(channel: grpc.Channel) -> None:
    told = []
    for image in ("theirs", "nobody"):
        with refused(InvalidArgument) as caught:
            sign_batch(channel, {}, plan=look(style=ORGANISATION, image_id=image))
        told.append(caught.value.message.replace(image, "…"))
    assert told[0] == told[1]


def test_an_image_whose_file_is_gone_is_the_operator_s_to_mend(channel: grpc.Channel) -> None:
    with refused(ConfigError, grpcCode="FAILED_PRECONDITION"):
        sign_batch(channel, {}, plan=look(style=ORGANISATION, image_id="gone", lines=[]))


def beside(text: str, **anchor: Any) -> plan_pb2.SigningPlan:
    size = {"dx": 10, "dy": -80, "width": 180, "height": 70, "occurrence": 1}
    return look(rectangle=None, anchor=plan_pb2.TextAnchor(text=text, **size | anchor))


def test_each_card_shows_its_teacher_beside_a_text_and_one_without_it_fails_alone(channel: grpc.Channel, tmp_path: Path) -> None:
    pupils = generate_class(size=3)
    documents = {f"pupil-{number}": render(pupils, pupil) for number, pupil in enumerate(pupils.pupils)} | {"other": pdfs.report_card()}
    answers = sign_batch(channel, documents, plan=beside("GIÁO  VIÊN CHỦ NHIỆM", occurrence=0))
    assert answers.reasons() == {3: "DOCUMENT_UNSUPPORTED"}
    for name, signed in answers.signed().items():
        pages = [page for page in range(1, 5) if LINES[0] in looks.text_of(signed, tmp_path, page)]
        assert pages == [4], name


def test_the_same_ids_beside_another_text_are_refused(channel: grpc.Channel) -> None:
    documents, request_id = {"d": pdfs.report_card()}, fresh_id()
    assert sign_batch(channel, documents, plan=beside("0 0 3"), request_id=request_id).signed()
    for other in (beside("0 0 4"), beside("0 0 3", dx=11), beside("0 0 3", occurrence=0), look()):
        assert sign_batch(channel, documents, plan=other, request_id=request_id).reasons() == {0: "REQUEST_ID_REUSED"}


@pytest.mark.parametrize(
    ("anchor", "field"),
    [
        ({"text": " "}, "text"),
        ({"text": "x" * 257}, "text"),
        ({"width": 0}, "width"),
        ({"dy": 1e9}, "dy"),
        ({"occurrence": 10_001}, "occurrence"),
    ],
    ids=str,
)
def test_a_place_that_no_text_could_have_is_refused_by_its_field(anchor: dict[str, Any], field: str, channel: grpc.Channel) -> None:
    with refused(InvalidArgument, field=f"plan.pades.appearance.anchor.{field}"):
        sign_batch(channel, {}, plan=beside(**{"text": "GVCN"} | anchor))

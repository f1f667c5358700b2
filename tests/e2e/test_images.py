"""Images that operators keep: set, shown, replaced and deleted over gRPC and from the command line, journalled, and nobody else's."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from signer.client import Appearance, AppearanceStyle, Document, PageRectangle, SignerClient
from signer.errors import CredentialNotFound, DocumentDamaged, DocumentTooLarge, IdTaken, InvalidArgument, RoleRefused, SignerError
from tests.e2e.test_cli_sign import desk_at
from tests.support import looks, pdfs
from tests.support.calls import fresh_id
from tests.support.daemon import OTHER_SCHOOL, SCHOOL, Running, World, running_daemon

PLACE = PageRectangle(1, 320, 90, 180, 110)


@pytest.fixture(scope="module")
def appliance(world: World) -> Iterator[Running]:
    (world.folder / "theirs.png").write_bytes(looks.seal_png())
    images: list[dict[str, Any]] = [{"id": "theirs", "schools": [SCHOOL], "style": "organisation", "width_pt": 102.0, "file": "theirs.png"}]
    with running_daemon(world.config("images.toml", journal={"url": "sqlite:///images.db"}, images=images)) as running:
        yield running


def client_of(world: World, port: int, name: str) -> SignerClient:
    return SignerClient(
        f"localhost:{port}", ca=world.pki / "tls-ca.crt", certificate=world.pki / f"{name}.crt", key=world.pki / f"{name}.key"
    )


@pytest.fixture
def operator(world: World, appliance: Running) -> Iterator[SignerClient]:
    with client_of(world, appliance.port, "operator") as client:
        yield client


@pytest.fixture
def school(world: World, appliance: Running) -> Iterator[SignerClient]:
    with client_of(world, appliance.port, "school") as client:
        yield client


def shown(client: SignerClient, folder: Path, *, image_id: str = "", credential: str = "seal") -> set[tuple[int, int, int]]:
    """The inks of a visible seal, by rendering it."""
    look = Appearance(AppearanceStyle.ORGANISATION, (), image_id, PLACE)
    ids: dict[str, Any] = {"school_id": SCHOOL, "request_id": fresh_id(), "credential_id": credential}
    signed = client.sign_document(Document("d", pdfs.report_card(pages=1)), level="b-b", appearance=look, **ids).content
    height = 842
    place = looks.rendered(signed, folder).crop((320, height - 200, 500, height - 90))
    return {ink for _count, ink in place.getcolors(180 * 110) or []}  # type: ignore[misc]


def is_red(inks: set[tuple[int, int, int]]) -> bool:
    return any(red > 150 and blue < 90 for red, _green, blue in inks)


def is_blue(inks: set[tuple[int, int, int]]) -> bool:
    return any(blue > 130 and red < 90 for red, _green, blue in inks)


def test_a_seal_is_shown_by_its_id_and_as_default_replaced_and_deleted(
    operator: SignerClient, school: SignerClient, tmp_path: Path
) -> None:
    kept: dict[str, Any] = {"school_id": SCHOOL, "style": "organisation", "width_pt": 90.0, "credential_id": "seal"}
    image = operator.images.set("seal-2026", looks.seal_png(), **kept)
    assert (image.sha256, image.style) == (hashlib.sha256(looks.seal_png()).hexdigest(), "ORGANISATION")
    assert operator.images.list(SCHOOL) == [image]
    assert operator.images.list(OTHER_SCHOOL) == []
    assert is_red(shown(school, tmp_path))
    assert is_red(shown(school, tmp_path, image_id="seal-2026", credential="cbql"))
    operator.images.set("seal-2026", looks.signature_png(300, 300), **kept)
    inks = shown(school, tmp_path)
    assert is_blue(inks)
    assert not is_red(inks)
    operator.images.delete("seal-2026", school_id=SCHOOL)
    operator.images.delete("seal-2026", school_id=SCHOOL)
    assert operator.images.list(SCHOOL) == []
    with pytest.raises(InvalidArgument):
        shown(school, tmp_path, image_id="seal-2026")


def test_images_outlive_the_daemon(world: World, tmp_path: Path) -> None:
    config = world.config("images-again.toml", journal={"url": "sqlite:///images-again.db"})
    with running_daemon(config) as running, client_of(world, running.port, "operator") as client:
        client.images.set("seal", looks.seal_png(), school_id=SCHOOL, style="organisation", width_pt=90.0, credential_id="seal")
    with running_daemon(config) as running, client_of(world, running.port, "school") as client:
        assert is_red(shown(client, tmp_path))


def with_header(png: bytes, width: int) -> bytes:
    return png[:16] + width.to_bytes(4) + png[20:]


def opaque_png() -> bytes:
    out = BytesIO()
    Image.new("RGB", (40, 20), looks.BLUE).save(out, "PNG")
    return out.getvalue()


@pytest.mark.parametrize(
    ("png", "changes", "error"),
    [
        (b"", {}, DocumentDamaged),
        (b"\xff\xd8\xff\xe0JFIF", {}, DocumentDamaged),
        (looks.seal_png()[:200], {}, DocumentDamaged),
        (with_header(looks.seal_png(), 4001), {}, DocumentDamaged),
        (looks.seal_png() + bytes(1 << 20), {}, DocumentTooLarge),
        (opaque_png(), {}, InvalidArgument),
        (looks.seal_png(), {"width_pt": 0.0}, InvalidArgument),
        (looks.seal_png(), {"width_pt": 601.0}, InvalidArgument),
        (looks.seal_png(), {"style": "annex"}, InvalidArgument),
        (looks.seal_png(), {"credential_id": "nobody"}, CredentialNotFound),
        (looks.seal_png(), {"image_id": "theirs"}, IdTaken),
        (looks.seal_png(), {"image_id": "a b"}, InvalidArgument),
    ],
    ids=[
        "nothing",
        "a JPEG",
        "cut",
        "too wide",
        "too long",
        "opaque",
        "no width",
        "wide",
        "text alone",
        "no credential",
        "configured",
        "id",
    ],
)
def test_what_can_t_be_shown_is_refused_and_not_kept(
    png: bytes, changes: dict[str, Any], error: type[SignerError], operator: SignerClient
) -> None:
    wanted: dict[str, Any] = {"image_id": "new", "school_id": SCHOOL, "style": "organisation", "width_pt": 90.0} | changes
    with pytest.raises(error):
        operator.images.set(png=png, **wanted)
    assert operator.images.list(SCHOOL) == []


def test_a_credential_has_one_default_of_a_style(operator: SignerClient) -> None:
    kept: dict[str, Any] = {"school_id": SCHOOL, "style": "person", "width_pt": 90.0, "credential_id": "gvcn"}
    operator.images.set("one", looks.signature_png(), **kept)
    with pytest.raises(IdTaken, match="'one'"):
        operator.images.set("two", looks.signature_png(), **kept)
    operator.images.set("two", looks.seal_png(), **kept | {"style": "organisation"})
    for image_id in ("one", "two"):
        operator.images.delete(image_id, school_id=SCHOOL)


def test_images_are_for_operators(school: SignerClient) -> None:
    with pytest.raises(RoleRefused):
        school.images.set("x", looks.seal_png(), school_id=SCHOOL, style="organisation", width_pt=90.0)
    with pytest.raises(RoleRefused):
        school.images.list(SCHOOL)
    with pytest.raises(RoleRefused):
        school.images.delete("x", school_id=SCHOOL)


def test_an_operator_sets_lists_and_deletes_from_the_command_line(world: World, appliance: Running, tmp_path: Path) -> None:
    desk = desk_at(world, appliance.port, tmp_path, "operator")
    (desk.folder / "seal.png").write_bytes(looks.seal_png())
    done = desk.run("images", "set", "seal-cli", "seal.png", "--style", "organisation", "--width", "102", "--credential", "seal", "--json")
    assert done.returncode == 0, done.stderr
    listed = json.loads(desk.run("images", "list", "--json").stdout)
    assert listed == json.loads(done.stdout)
    assert listed["images"][0]["sha256"] == hashlib.sha256(looks.seal_png()).hexdigest()
    assert "seal-cli" in desk.run("images", "list").stdout
    assert desk.run("images", "delete", "seal-cli").returncode == 0
    assert json.loads(desk.run("images", "list", "--json").stdout) == {"images": []}

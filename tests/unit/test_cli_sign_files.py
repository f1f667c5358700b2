"""Which files `signer sign` takes, where it writes, and what it never touches."""

from __future__ import annotations

import os
import re
from pathlib import Path

import click
import pytest

from signer.cli.sign_files import FileKind, Layout, write_whole
from signer.cli.sign_forms import Form


def make(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode())
    return folder


def names(layout: Layout) -> list[str]:
    return [job.name for job in layout.jobs()]


def test_a_folder_is_every_pdf_below_it_in_order_and_nothing_hidden(tmp_path: Path) -> None:
    folder = make(tmp_path / "1A", "b.pdf", "a.PDF", "x/c.pdf", "notes.txt", ".hidden.pdf", ".git/d.pdf")
    layout = Layout.of(folder, None)
    assert names(layout) == ["a.PDF", "b.pdf", "x/c.pdf"]
    assert layout.output == tmp_path / "1A-signed"
    assert [job.output for job in layout.jobs()] == [tmp_path / "1A-signed" / name for name in names(layout)]


def test_an_output_folder_inside_the_source_is_not_signed_again(tmp_path: Path) -> None:
    folder = make(tmp_path / "1A", "a.pdf", "out/a.pdf")
    assert names(Layout.of(folder, folder / "out")) == ["a.pdf"]


def test_a_trailing_slash_and_a_dot_name_the_same_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(make(tmp_path / "1A", "a.pdf"))
    assert Layout.of(Path(), None).output.resolve() == tmp_path / "1A-signed"


@pytest.mark.parametrize(
    ("out", "target"), [(None, "card-signed.pdf"), ("done.pdf", "done.pdf"), ("folder", "folder/card.pdf"), ("there", "there/card.pdf")]
)
def test_one_file_goes_beside_itself_or_where_it_is_told(tmp_path: Path, out: str | None, target: str) -> None:
    make(tmp_path, "card.pdf", "there/other.pdf")
    [job] = Layout.of(tmp_path / "card.pdf", tmp_path / out if out else None).jobs()
    assert job.output == tmp_path / target


def test_detached_signatures_stand_beside_their_files_under_their_names(tmp_path: Path) -> None:
    folder = make(tmp_path / "1A", "a.xlsx", "x/b.pdf", ".hidden")
    beside = FileKind("", ".p7s")
    assert [job.output for job in Layout.of(folder, None, kind=beside).jobs()] == [
        tmp_path / "1A-signed" / "a.xlsx.p7s",
        tmp_path / "1A-signed" / "x" / "b.pdf.p7s",
    ]
    [alone] = Layout.of(folder / "a.xlsx", None, kind=beside).jobs()
    assert alone.output == folder / "a.xlsx.p7s"
    [elsewhere] = Layout.of(folder / "a.xlsx", tmp_path / "out", kind=beside).jobs()
    assert elsewhere.output == tmp_path / "out" / "a.xlsx.p7s"


def form(source: Path, profile: str = "", **given: object) -> Form:
    nothing = {"attached": False, "packaging": None, "role": None} | dict.fromkeys(
        ("element", "place", "layout", "subject", "delegation"), ""
    )
    return Form.taken_from({**nothing, **given}, profile, source)


def test_the_kind_of_signature_follows_from_the_files_and_the_role(tmp_path: Path) -> None:
    xml, pdf = make(tmp_path / "x", "a.xml", "notes.txt"), make(tmp_path / "p", "a.pdf", "notes.txt")
    both = make(tmp_path / "b", "a.xml", "a.pdf")
    assert [form(source).profile for source in (xml, xml / "a.xml", pdf, pdf / "a.pdf", pdf / "notes.txt")] == ["xades"] * 2 + ["pades"] * 3
    assert form(both, role="principal").profile == "ministry-xml"
    assert form(both, "pades").profile == "pades"
    with pytest.raises(click.UsageError, match="say which with --profile"):
        form(both)


def test_each_profile_takes_its_own_files_and_names(tmp_path: Path) -> None:
    there = make(tmp_path, "a.xml")
    assert form(there, "cades").files == FileKind("", ".p7s")
    assert form(there, "cades", attached=True).files == FileKind("", ".p7m")
    assert form(there).files == FileKind(".xml")
    assert form(there, packaging="detached").files == FileKind("", ".xades")
    assert (form(there, packaging="detached").names_files, form(there).names_files) == (True, False)


@pytest.mark.parametrize(
    ("profile", "given", "words"),
    [
        ("pades", {"attached": True}, "--attached is not for --profile pades"),
        ("cades", {"role": "clerk"}, "--role is not for --profile cades"),
        ("ministry-xml", {}, "give --role"),
        ("", {"role": "clerk", "element": "x"}, "--element is not for --profile ministry-xml"),
    ],
)
def test_options_of_another_kind_are_refused(tmp_path: Path, profile: str, given: dict[str, object], words: str) -> None:
    with pytest.raises(click.UsageError, match=words):
        form(make(tmp_path, "a.xml"), profile, **given)


def test_an_input_is_never_an_output(tmp_path: Path) -> None:
    folder = make(tmp_path / "1A", "a.pdf", "b.pdf")
    (tmp_path / "link").symlink_to(folder)
    (tmp_path / "out").mkdir()
    os.link(folder / "b.pdf", tmp_path / "out" / "a.pdf")
    for source, out in ((folder, folder), (folder, tmp_path / "link"), (folder, tmp_path / "out"), (folder / "a.pdf", folder / "a.pdf")):
        with pytest.raises(click.UsageError, match="never overwritten"):
            Layout.of(source, out).jobs()


def test_a_folder_without_pdfs_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(click.UsageError, match=re.escape("no .pdf file")):
        Layout.of(make(tmp_path, "a.txt"), None).jobs()


def test_an_unreadable_file_is_told_and_stops_no_other(tmp_path: Path) -> None:
    folder = make(tmp_path / "1A", "a.pdf")
    (folder / "gone.pdf").symlink_to(tmp_path / "nowhere.pdf")
    readable, gone = Layout.of(folder, None).jobs()
    assert (readable.unreadable, gone.unreadable) == ("", "No such file or directory")


def test_ids_hold_no_name_and_change_with_name_and_content(tmp_path: Path) -> None:
    folder = make(tmp_path / "1A", "Nguyễn Văn A.pdf", "b.pdf")
    (folder / "copy.pdf").write_bytes((folder / "b.pdf").read_bytes())
    before = {job.name: job.document_id for job in Layout.of(folder, None).jobs()}
    (folder / "b.pdf").write_bytes(b"corrected")
    after = {job.name: job.document_id for job in Layout.of(folder, None).jobs()}
    assert all(re.fullmatch(r"[0-9a-f]{40}", document_id) for document_id in before.values())
    assert len(set(before.values())) == 3
    assert {name for name in before if before[name] != after[name]} == {"b.pdf"}


def test_a_name_that_is_no_utf8_can_be_signed(tmp_path: Path) -> None:
    (tmp_path / "1A").mkdir()
    with (tmp_path / "1A" / os.fsdecode(b"h\xf2c.pdf")).open("wb") as file:
        file.write(b"x")
    [job] = Layout.of(tmp_path / "1A", None).jobs()
    write_whole(job.output, b"signed")
    assert job.output.read_bytes() == b"signed"


def test_a_write_replaces_whole_and_leaves_nothing_behind_when_it_fails(tmp_path: Path) -> None:
    target = tmp_path / "new" / "a.pdf"
    write_whole(target, b"one")
    write_whole(target, b"two")
    assert target.read_bytes() == b"two"
    (tmp_path / "new" / "folder.pdf").mkdir()
    with pytest.raises(OSError, match="directory"):
        write_whole(tmp_path / "new" / "folder.pdf", b"three")
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["a.pdf", "folder.pdf"]


def test_what_a_kill_left_half_written_is_cleared_away_by_the_repeat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "Học bạ.pdf"

    def die(_partial: Path, _target: Path) -> None:
        raise SystemExit

    with monkeypatch.context() as killed:
        killed.setattr(Path, "replace", die)
        killed.setattr(Path, "unlink", lambda _path, missing_ok=False: None)  # noqa: ARG005
        with pytest.raises(SystemExit):
            write_whole(target, b"half")
    assert len(list(tmp_path.glob("*.partial"))) == 1
    write_whole(target, b"whole")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"Học bạ.pdf": b"whole"}

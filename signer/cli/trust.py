"""`signer trust`: which CAs the appliance believes. Works on the files beside the daemon, which takes changes in within seconds."""

# ruff: noqa: PLC0415  # imported where needed: what a command does not use is not loaded
from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from signer.cli.daemon_config import daemon_config_option
from signer.cli.exits import ExitCode, epilog
from signer.cli.language import Text, language_option, say
from signer.cli.output import clean, is_json, json_option, note, print_json, print_table
from signer.cli.trust_report import PURPOSES, WARNING, members, row, show, vouching, words

if TYPE_CHECKING:
    from signer.trust.anchor import Anchor
    from signer.trust.book import TrustBook

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_HEADINGS = (
    Text("Subject", "Chủ thể"),
    Text("SHA-256", "SHA-256"),
    Text("Known as", "Được biết là"),
    Text("Kind", "Loại"),
    Text("Believed for", "Tin cậy cho"),
    Text("Ends", "Hết hạn"),
    Text("Remarks", "Ghi chú"),
)
_NONE = Text("no CA is believed yet; see `signer trust add --help`", "chưa tin cậy CA nào; xem `signer trust add --help`")
_KNOWN = Text(
    "its fingerprint is the one this program knows for the {known}",
    "mã SHA-256 khớp với mã mà chương trình biết cho {known}",
)
_GIVEN = Text("its fingerprint is the one you gave", "mã SHA-256 khớp với mã bạn đưa")
_UNKNOWN = Text(
    "this program does not know it: compare the fingerprint with the one the CA itself publishes, and give it as --sha256",
    "chương trình không biết CA này: hãy đối chiếu mã SHA-256 với mã do chính CA công bố rồi đưa vào bằng --sha256",
)
_QUESTION = Text("Is this the fingerprint that the CA itself publishes?", "Đây có đúng là mã SHA-256 do chính CA công bố không?")
_ADDED = Text("believed from now on for: {purposes}", "từ nay được tin cậy cho: {purposes}")
_SHOWN = Text("nothing was changed", "chưa thay đổi gì")
_REMOVED = Text("{subject}: believed no longer", "{subject}: không còn được tin cậy")
_NOT_ADDED = Text("not believed; nothing was changed", "không được tin cậy; chưa thay đổi gì")
_CHAINS = Text("{subject}: chains to {anchor}, believed for: {purposes}", "{subject}: thuộc {anchor}, được tin cậy cho: {purposes}")
_NO_CHAIN = Text("{subject}: no chain leads to a believed CA", "{subject}: không có chuỗi nào dẫn tới CA được tin cậy")
_UNCLEAR = Text(
    "{prefix}: names {count} of the CAs in the list; give more digits of the SHA-256", "{prefix}: ứng với {count} CA; hãy đưa thêm chữ số"
)

_Command = TypeVar("_Command", bound=Callable[..., Any])


def _where(command: _Command) -> _Command:
    """--config and --folder."""
    config = daemon_config_option("The daemon's configuration; its [trust] section is used.")
    folder = click.option(
        "--folder",
        type=click.Path(file_okay=False, path_type=Path),
        metavar="DIR",
        help="Use this folder alone, and no configuration.",
    )
    return config(folder(command))


@click.group()
def trust() -> None:
    """Say which CAs are believed: add, list, check and remove them.

    Works on the files that the daemon's configuration names under [trust]; a running daemon takes changes in within seconds.
    """


@trust.command(
    epilog=epilog(ExitCode.OK) + "\n  1    not believed: nobody vouched for the fingerprint\n  2    refused: an impostor, or no CA"
)
@click.argument("file", type=_FILE)
@click.option("--purpose", "purposes", multiple=True, type=click.Choice(PURPOSES), help="What it is believed for. Default: all three.")
@click.option("--sha256", metavar="HEX", help="The fingerprint as the CA itself publishes it; colons and spaces are ignored.")
@click.option("--dry-run", is_flag=True, help="Only show who it is.")
@_where
@json_option
@language_option
def add(  # noqa: PLR0917  # click passes by name
    file: Path, purposes: tuple[str, ...], sha256: str | None, dry_run: bool, config_path: Path, folder: Path | None
) -> None:
    """Believe the CA of a certificate file.

    Shows who it is and its SHA-256. The government's CAs are known by name and fingerprint: one of those names with another fingerprint
    is refused, whatever you say. Any other CA is believed on your word: give the fingerprint, or confirm it when asked.

    \b
    Examples:
      signer trust add g2-root.pem
      signer trust add school-ca.pem --purpose signing --sha256 5E:3C:…
    """  # noqa: D301  # click reads \b
    from signer.trust.admit import require_genuine
    from signer.trust.anchor import EVERY_PURPOSE, Anchor, TrustPurpose
    from signer.trust.files import read_certificate

    book = _book(config_path, folder)
    wanted = frozenset(TrustPurpose(each) for each in purposes) or EVERY_PURPOSE
    anchor = Anchor(read_certificate(file.read_bytes()), wanted)
    given = _digits(sha256) if sha256 else None
    if not is_json():
        show(anchor)
    require_genuine(anchor.certificate, book.anchors, given)
    is_vouched = _is_vouched(anchor, given, may_ask=not dry_run and not is_json())
    if is_vouched and not dry_run:
        anchor = book.add(anchor)
    if is_json():
        print_json({"believed": is_vouched and not dry_run, "anchor": members(anchor)})
    elif dry_run:
        click.echo(say(_SHOWN))
    else:
        click.echo(say(_ADDED, purposes=words(anchor)) if is_vouched else say(_NOT_ADDED))
    sys.exit(ExitCode.OK if is_vouched else ExitCode.SOME_FAILED)


@trust.command(name="list", epilog=epilog(ExitCode.OK, ExitCode.USAGE))
@_where
@json_option
@language_option
def list_(config_path: Path, folder: Path | None) -> None:
    """List the believed CAs, what for, and what there is to know of them."""
    book = _book(config_path, folder)
    if is_json():
        print_json({"anchors": [members(each) for each in book.anchors]})
    elif not book.anchors:
        note(say(_NONE))
    else:
        print_table([say(heading) for heading in _HEADINGS], [row(each) for each in book.anchors])


@trust.command(epilog=epilog(ExitCode.OK) + "\n  1    no such CA was believed\n  2    wrong arguments, or it stands in a configured file")
@click.argument("sha256")
@_where
@language_option
def remove(sha256: str, config_path: Path, folder: Path | None) -> None:
    """Believe a CA no longer: the one with this SHA-256, or the first digits of it.

    Signatures and timestamps below it are not accepted any more, archived ones included.
    """
    book = _book(config_path, folder)
    prefix = _digits(sha256)
    found = [each for each in book.anchors if each.anchor_id.startswith(prefix)]
    if len(found) != 1:
        note(say(_UNCLEAR, prefix=prefix, count=len(found)))
        sys.exit(ExitCode.SOME_FAILED)
    book.remove(found[0].anchor_id)
    click.echo(say(_REMOVED, subject=clean(found[0].subject)))


@trust.command(epilog=epilog(ExitCode.OK) + "\n  1    at least one chains to no believed CA\n  2    wrong arguments")
@click.argument("files", nargs=-1, required=True, type=_FILE, metavar="CERTIFICATE...")
@_where
@json_option
@language_option
def check(files: tuple[Path, ...], config_path: Path, folder: Path | None) -> None:
    """Tell which believed CA vouches for each certificate, and for what. Nothing is asked over the network."""
    from signer.trust.files import read_certificate

    book = _book(config_path, folder)
    told = [(file, vouching(book, read_certificate(file.read_bytes()))) for file in files]
    if is_json():
        print_json({"certificates": [{"file": str(file), **found} for file, found in told]})
    for _file, found in () if is_json() else told:
        texts = {"subject": clean(found["subject"]), "anchor": clean(found["anchor"]), "purposes": ", ".join(found["purposes"])}
        click.echo(say(_CHAINS if found["anchor"] else _NO_CHAIN, **texts))
        for warning in found["warnings"]:
            note(say(WARNING, text=warning))
    sys.exit(ExitCode.OK if all(found["anchor"] for _file, found in told) else ExitCode.SOME_FAILED)


def _book(config_path: Path, folder: Path | None) -> TrustBook:
    from signer.config import load
    from signer.trust.book import TrustBook

    if folder is not None:
        return TrustBook((), folder)
    section = load(config_path).trust
    return TrustBook(section.ca_files, section.folder)


def _digits(sha256: str) -> str:
    found = "".join(each for each in sha256.lower() if each not in ": -")
    if not found or set(found) - set("0123456789abcdef"):
        raise click.UsageError(f"{sha256!r} is no SHA-256 in hexadecimal")
    return found


def _is_vouched(anchor: Anchor, given: str | None, *, may_ask: bool) -> bool:
    from signer.trust.known import recognise

    known = recognise(anchor.certificate)
    if known is not None:
        note(say(_KNOWN, known=known.known_as))
        return True
    if given is not None:
        note(say(_GIVEN))
        return True
    if may_ask and sys.stdin.isatty():
        return click.confirm(say(_QUESTION), err=True)
    note(say(_UNKNOWN))
    return False

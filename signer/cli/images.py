"""`signer images`: the signature images and seals that visible signatures show."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from signer.cli.connection import connection_options, given
from signer.cli.exits import ExitCode, epilog
from signer.cli.language import Text, language_option, say
from signer.cli.output import is_json, json_option, note, print_json, print_table

if TYPE_CHECKING:
    from signer.client.images import ImageInfo

_CODES = epilog(ExitCode.OK, ExitCode.USAGE, ExitCode.UNREACHABLE, ExitCode.REFUSED)
_HEADINGS = (
    Text("Image", "Ảnh"),
    Text("Style", "Kiểu"),
    Text("Width, points", "Rộng, point"),
    Text("Default of", "Mặc định của"),
    Text("SHA-256", "SHA-256"),
)
_NONE = Text("no image was set for this school", "trường này chưa có ảnh nào được đặt")
_STYLES = ("person", "organisation")


@click.group()
def images() -> None:
    """Look after signature images and seals: set, list, delete.

    Needs the client certificate of an operator. Images of the daemon's configuration file ([[appearance.images]]) stay there.

    \b
    Example:
      signer images set seal-2026 seal.png --style organisation --width 102 --credential seal --school 79000001
    """  # noqa: D301  # click reads \b


_school_option = click.option("--school", envvar="SIGNER_SCHOOL", metavar="ID", help="The school whose image it is.")


@images.command("set", epilog=_CODES)
@click.argument("image_id", metavar="ID")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="PNG")
@click.option("--style", type=click.Choice(_STYLES), required=True, help="What it is of: a person's signature, or an organisation's seal.")
@click.option("--width", "width_pt", type=float, required=True, metavar="POINTS", help="Its width on paper; 36 mm are 102 points.")
@click.option("--credential", default="", metavar="ID", help="Whose default it is, where a request names no image. Default: nobody's.")
@_school_option
@connection_options
@json_option
@language_option
def set_(  # noqa: PLR0917  # click passes by name
    image_id: str,
    file: Path,
    style: str,
    width_pt: float,
    credential: str,
    client_config: Path | None,
    connect_timeout_s: float,
    **options: str | None,
) -> None:
    """Keep an image, or another one under its id: PNG, transparent where paper shows, at most 1 MiB."""
    values = given(client_config, **options)
    values.require("school")
    with values.connect(connect_timeout_s=connect_timeout_s) as client:
        kept = client.images.set(
            image_id,
            file.read_bytes(),
            school_id=values.get("school", ""),
            style=style,
            width_pt=width_pt,
            credential_id=credential,
        )
    _print([kept])


@images.command("list", epilog=_CODES)
@_school_option
@connection_options
@json_option
@language_option
def list_(client_config: Path | None, connect_timeout_s: float, **options: str | None) -> None:
    """List a school's images."""
    values = given(client_config, **options)
    values.require("school")
    with values.connect(connect_timeout_s=connect_timeout_s) as client:
        _print(client.images.list(values.get("school", "")))


@images.command(epilog=_CODES)
@click.argument("image_id", metavar="ID")
@_school_option
@connection_options
@language_option
def delete(image_id: str, client_config: Path | None, connect_timeout_s: float, **options: str | None) -> None:
    """Delete an image. What is signed keeps showing it."""
    values = given(client_config, **options)
    values.require("school")
    with values.connect(connect_timeout_s=connect_timeout_s) as client:
        client.images.delete(image_id, school_id=values.get("school", ""))


def _print(found: list[ImageInfo]) -> None:
    if is_json():
        print_json({"images": [_members(image) for image in found]})
    elif not found:
        note(say(_NONE))
    else:
        rows = [(image.id, image.style.lower(), f"{image.width_pt:g}", image.credential_id, image.sha256) for image in found]
        print_table([say(heading) for heading in _HEADINGS], rows)


def _members(image: ImageInfo) -> dict[str, Any]:
    return {
        "id": image.id,
        "school": image.school_id,
        "credential": image.credential_id,
        "style": image.style.lower(),
        "width_pt": image.width_pt,
        "sha256": image.sha256,
    }

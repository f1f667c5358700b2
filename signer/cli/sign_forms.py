"""The options of `signer sign` that say what kind of signature, where it is no PDF's; and what follows from a file's kind."""

# ruff: noqa: PLC0415  # imported where needed: what a command does not use is not loaded
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from signer.cli.sign_files import PDF, FileKind, kinds_in

if TYPE_CHECKING:
    from signer.model import CadesOptions, RecordPlan, XadesOptions

_Command = TypeVar("_Command", bound=Callable[..., Any])
_PACKAGINGS = ("enveloped", "enveloping", "detached")
_ROLES = ("subject-teacher", "homeroom-teacher", "principal", "vice-principal", "clerk")
_XML = FileKind(".xml")
_NAMES = ("attached", "packaging", "element", "place", "role", "layout", "subject", "delegation")
_OF_PROFILE = {
    "pades": (),
    "cades": ("attached",),
    "xades": ("packaging", "element", "place"),
    "ministry-xml": ("role", "layout", "subject", "delegation"),
}
"""Which of these options a profile takes."""


def form_options(command: _Command) -> _Command:
    """The options that `Form.taken_from` takes."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


_OPTIONS = (
    click.option("--role", type=click.Choice(_ROLES), help="Records: the role in whose slot they are signed; makes it ministry-xml."),
    click.option("--layout", default="", metavar="ID", help="Records: refuse other layouts. Default: recognised from each."),
    click.option("--subject", default="", metavar="ID", help="Records: whose marks a subject teacher signs, by the Id in the record."),
    click.option(
        "--delegation", default="", metavar="ID", help="Records: under which the signer acts for another; `signer people delegations`."
    ),
    click.option("--attached", is_flag=True, help="CAdES: the file inside its signature, NAME.p7m, instead of beside it, NAME.p7s."),
    click.option("--packaging", type=click.Choice(_PACKAGINGS), help="XAdES: how signature and file hang together.  [default: enveloped]"),
    click.option("--element", default="", metavar="ID", help="XAdES: sign the element of this Id. Default: the whole document."),
    click.option("--place", default="", metavar="XPATH", help="XAdES: the element that takes the signature. Default: the root."),
)


@dataclass(frozen=True, slots=True)
class Form:
    """What kind of signature is asked for. given: this file's options, as texts."""

    profile: str
    given: dict[str, str]

    @classmethod
    def taken_from(cls, options: dict[str, Any], profile: str, source: Path) -> Form:
        """Takes the options of `form_options` out of a command's; UsageError for some that don't go together.

        profile: as asked for; empty to tell it from the options and the files.
        """
        given = {name: "yes" if value is True else str(value or "") for name, value in ((name, options.pop(name)) for name in _NAMES)}
        chosen = profile or ("ministry-xml" if given["role"] else _of_files(source))
        strange = [name for name, value in given.items() if value and name not in _OF_PROFILE[chosen]]
        if strange:
            raise click.UsageError(f"--{strange[0]} is not for --profile {chosen}")
        if chosen == "ministry-xml" and not given["role"]:
            raise click.UsageError("records are signed in a role: give --role, or --profile xades for XML that is no record")
        return cls(chosen, given)

    @property
    def files(self) -> FileKind:
        """Which files are signed, and what becomes of their names."""
        if self.profile == "cades":
            return FileKind("", ".p7m" if self.given["attached"] else ".p7s")
        if self.given["packaging"] == "detached":
            return FileKind("", ".xades")
        return PDF if self.profile == "pades" else _XML

    @property
    def names_files(self) -> bool:
        """Whether the signature names the file it signs."""
        return self.given["packaging"] == "detached"

    @property
    def options(self) -> CadesOptions | XadesOptions | None:
        """For the client."""
        from signer.model import CadesOptions, Packaging, XadesOptions

        if self.profile == "cades":
            return CadesOptions(Packaging.ENVELOPING if self.given["attached"] else Packaging.DETACHED)
        if self.profile == "xades":
            return XadesOptions(Packaging(self.given["packaging"] or "enveloped"), self.given["element"], self.given["place"])
        return None

    @property
    def record(self) -> RecordPlan | None:
        """For the client."""
        from signer.model import RecordPlan, Role

        if self.profile != "ministry-xml":
            return None
        given = self.given
        return RecordPlan(Role(given["role"]), given["layout"], subject_id=given["subject"], delegation_id=given["delegation"])


def _of_files(source: Path) -> str:
    """XML alone is signed as XML, everything else as PDF; UsageError for a folder of both."""
    found = kinds_in(source, (PDF, _XML))
    if found == {PDF, _XML}:
        raise click.UsageError(f"{source} holds both PDF and XML: say which with --profile")
    return "xades" if found == {_XML} else "pades"

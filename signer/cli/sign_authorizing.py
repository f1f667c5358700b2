"""The options of `signer sign` with which the key's holder allows what is signed: here, by PIN and code; or on their own page."""

# ruff: noqa: PLC0415  # imported where needed: what a command does not use is not loaded
from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import click

from signer.cli.language import Text, say
from signer.cli.output import note

if TYPE_CHECKING:
    from signer.cli.sign_files import Job
    from signer.client import SignerClient
    from signer.client.authorization_values import Allowing, Sad
    from signer.client.values import Plan

_Command = TypeVar("_Command", bound=Callable[..., Any])
_WAIT_S = 24 * 3600.0
_NAME_MAX = 200
_ASKED = Text(
    "signer: {person} is asked to allow {count} files on {page} ({id}); waiting; interrupt, and run the same command again later",
    "signer: đã đề nghị {person} cho phép ký {count} tệp tại {page} ({id}); đang chờ; có thể dừng và chạy lại đúng lệnh này sau",
)
_PIN = Text("PIN of {person} for {count} signatures", "Mã PIN của {person} để ký {count} tệp")
_CODE = Text("Code of the app (TOTP)", "Mã của ứng dụng (TOTP)")
_SUMMARY = Text("{count} files of {folder}", "{count} tệp của {folder}")


def authorizing_options(command: _Command) -> _Command:
    """The options that `Asking.taken_from` takes."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


_OPTIONS = (
    click.option("--authorize", metavar="PERSON", help="The key's holder allows these files now: asks for their PIN and code."),
    click.option("--ask", metavar="PERSON", help="Asks the key's holder on their own page, and waits for them."),
    click.option("--class", "class_name", default="", metavar="NAME", help="The class, for the holder to see with --authorize or --ask."),
)


@dataclass(frozen=True, slots=True)
class Asking:
    """Whom to ask. person: empty for nobody."""

    person: str
    on_page: bool
    class_name: str

    @classmethod
    def taken_from(cls, options: dict[str, Any]) -> Asking:
        """Takes the options of `authorizing_options` out of a command's; UsageError for both ways at once."""
        here, page, class_name = options.pop("authorize"), options.pop("ask"), options.pop("class_name")
        if here and page:
            raise click.UsageError("give --authorize or --ask, not both")
        return cls(here or page or "", bool(page), class_name)

    def sad(self, client: SignerClient, plan: Plan, request_id: str, jobs: Sequence[Job], folder: str) -> Sad | None:
        """What the holder allows for this request: as before, or asked for now. Raises errors of our tree."""
        if not self.person:
            return None
        wanted = self._allowing(plan, request_id, jobs, folder)
        given = client.authorizations.of_request(wanted)
        if given is not None:
            return given
        if self.on_page:
            found, page = client.authorizations.ask(wanted)
            note(say(_ASKED, person=self.person, count=len(jobs), page=page or "?", id=found.id))
            return client.authorizations.wait(wanted, found.id, timeout_s=_WAIT_S)
        from signer.secrets import Secret

        pin = Secret(click.prompt(say(_PIN, person=self.person, count=len(jobs)), hide_input=True, err=True))
        code = Secret(click.prompt(say(_CODE), hide_input=True, err=True))
        return client.authorizations.authorize(wanted, pin=pin, totp=code)

    def _allowing(self, plan: Plan, request_id: str, jobs: Sequence[Job], folder: str) -> Allowing:
        from signer.client.authorization_values import Allowing, Line

        entries = [bytes.fromhex(job.source_sha256) for job in jobs]
        if len(set(entries)) < len(entries):
            raise click.UsageError("two of the files are the same; what a holder allows is signed once: take one of them away")
        lines = [Line(job.document_id, entry, job.name[:_NAME_MAX]) for job, entry in zip(jobs, entries, strict=True)]
        return Allowing(
            plan=plan,
            person_id=self.person,
            request_id=request_id,
            entries=tuple(entries),
            class_name=self.class_name,
            summary=say(_SUMMARY, count=len(jobs), folder=folder),
            lines=tuple(lines) if self.on_page else (),
        )

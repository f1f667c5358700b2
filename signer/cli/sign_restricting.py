"""The options of `signer sign` that say what may be changed after a signature."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from signer.model import FieldLock

_Command = TypeVar("_Command", bound=Callable[..., Any])
_PERMISSIONS = ("no-changes", "fill-forms", "annotate")
_ACTIONS = ("all", "include", "exclude")


def restricting_options(command: _Command) -> _Command:
    """The options that `Restrictions.taken_from` takes."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


_OPTIONS = (
    click.option(
        "--certify",
        type=click.Choice(_PERMISSIONS),
        help="Certify the PDF, and allow no change, filling in and signing, or annotating as well. Its first signature only.",
    ),
    click.option("--lock", type=click.Choice(_ACTIONS), help="Lock all fields, those of --locked-field, or all but those."),
    click.option("--locked-field", "locked_fields", multiple=True, metavar="NAME", help="A field for --lock; give one for each."),
)


@dataclass(frozen=True, slots=True)
class Restrictions:
    """What a signature allows afterwards. certify: empty for everything."""

    certify: str
    lock: FieldLock | None

    @classmethod
    def taken_from(cls, options: dict[str, Any]) -> Restrictions:
        """Takes the options of `restricting_options` out of a command's; UsageError for some that don't go together."""
        from signer.model import FieldLock, LockAction  # noqa: PLC0415  # loaded where needed

        certify, lock, names = options.pop("certify"), options.pop("lock"), options.pop("locked_fields")
        if (lock in {"include", "exclude"}) != bool(names):
            raise click.UsageError("--locked-field goes with --lock include or --lock exclude")
        return cls(certify or "", FieldLock(LockAction(lock), names) if lock else None)

    def as_texts(self) -> dict[str, str]:
        """For the request's state, which compares texts."""
        lock = [] if self.lock is None else [self.lock.action.value, *self.lock.fields]
        return {"certify": self.certify, "lock": " ".join(lock)}

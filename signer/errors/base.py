"""The root of the tree, and its leaves by their reasons."""

from __future__ import annotations

from typing import ClassVar, Self

from signer.errors.reason import Reason


class SignerError(Exception):
    """Root of the tree; never raised itself.

    `metadata` holds identifiers and limits for machines (AIP-193 ErrorInfo.metadata): lowerCamelCase keys, short values, no secrets.
    """

    reason: ClassVar[Reason]

    def __init__(self, message: str, /, *, retry_after_s: float | None = None, **metadata: str | float) -> None:
        super().__init__(message)
        self.message = message
        self.retry_after_s = retry_after_s
        self.metadata: dict[str, str] = {key: str(value) for key, value in metadata.items()}

    def copy(self) -> Self:
        """The same error for another item: one exception raised in several places would share its traceback."""
        made = type(self)(self.message, retry_after_s=self.retry_after_s)
        made.metadata.update(self.metadata)
        return made


def leaves() -> dict[Reason, type[SignerError]]:
    """Every leaf by its reason: what the status table is checked against and frames are read with."""
    found: dict[Reason, type[SignerError]] = {}
    pending: list[type[SignerError]] = [SignerError]
    while pending:
        kind = pending.pop()
        children = kind.__subclasses__()
        pending.extend(children)
        if not children:
            found[kind.reason] = kind
    return found

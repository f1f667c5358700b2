"""What keeps a school record from being signed, released or corrected."""

from __future__ import annotations

from signer.errors.access import AccessError
from signer.errors.base import SignerError
from signer.errors.documents import DocumentError
from signer.errors.reason import Reason
from signer.errors.request import RequestError


class RecordUnfit(DocumentError):
    """The record must not be signed in this role now; `metadata['finding']` is the first RecordProblem, by its name in the contract."""

    reason = Reason.RECORD_UNFIT


class LayoutNotFound(RequestError):
    """The request names a record layout that the appliance doesn't know; ListLayouts has those it knows."""

    reason = Reason.LAYOUT_NOT_FOUND


class RecordStateError(SignerError):
    """The record's state does not allow what is asked for; nothing was changed."""


class RecordNotLocked(RecordStateError):
    """What is asked for comes after the lock, or after release, and the record is not there; `metadata['state']`."""

    reason = Reason.RECORD_NOT_LOCKED


class RecordReplaced(RecordStateError):
    """The record was replaced or recalled; `metadata['state']`."""

    reason = Reason.RECORD_REPLACED


class RecordNotFound(AccessError):
    """The appliance knows no such record of this school. Nothing was changed."""

    reason = Reason.RECORD_NOT_FOUND


class CalendarNotFound(AccessError):
    """No dates are set for the school year. Nothing was changed."""

    reason = Reason.CALENDAR_NOT_FOUND

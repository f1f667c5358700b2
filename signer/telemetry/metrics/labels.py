"""Values of labels that code picks, and the bounds that several histograms share."""

from __future__ import annotations

from enum import Enum, IntEnum

STAGE_SECONDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)


class Stage(Enum):
    """Where one item's time goes."""

    QUEUE = "queue"
    TOKEN = "token"
    DOCUMENT = "document"
    TIMESTAMP = "timestamp"
    JOURNAL = "journal"


class Outcome(Enum):
    """How one item ended: signed now, answered from the journal, parked until its timestamp can be had, or failed."""

    SIGNED = "signed"
    REPEATED = "repeated"
    PARKED = "parked"
    FAILED = "failed"


class PreparationPath(Enum):
    """Which way a document was prepared."""

    FAST = "fast"
    COMPLETE = "complete"


class Reading(Enum):
    """How much of an XML document was read before it was signed."""

    TEXTS = "texts"
    WHOLE = "whole"


class CertificateVerdict(Enum):
    """What the check of a certificate that is to sign came to."""

    GOOD = "good"
    REVOKED = "revoked"
    UNKNOWN = "unknown"
    UNFIT = "unfit"


class KeyClass(Enum):
    """How a key that signed is held: named by the configuration, or kept for a person or an organisation, in the token or wrapped."""

    CONFIGURED = "configured"
    PERSON_TOKEN = "person-token"
    PERSON_WRAPPED = "person-wrapped"
    ORGANISATION_TOKEN = "organisation-token"
    ORGANISATION_WRAPPED = "organisation-wrapped"
    TIMESTAMP_AUTHORITY = "timestamp-authority"


class PinState(IntEnum):
    """Value of `signer_token_pin_state`."""

    READY = 0
    HELD = 1
    LOCKED = 2
    SOURCE_UNREADABLE = 3

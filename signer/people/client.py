"""Who calls, for which schools, and how much they may use."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Final


class ClientKind(Enum):
    """What kind of caller a client is; the value is its name in configuration, in the database and on the command line."""

    SCHOOL_SOFTWARE = "school-software"
    EDGE = "edge"
    OPERATOR = "operator"
    AUDITOR = "auditor"


@dataclass(frozen=True, slots=True)
class Window:
    """An interval of time, half open; None for no bound."""

    start: datetime | None = None
    end: datetime | None = None

    def holds_at(self, moment: datetime) -> bool:
        """Whether the moment is within."""
        return (self.start is None or self.start <= moment) and (self.end is None or moment < self.end)


ALWAYS: Final = Window()


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """One certificate of a client. sha256: lower-case hexadecimal."""

    sha256: str
    accepted: Window = ALWAYS
    revoked: bool = False


@dataclass(frozen=True, slots=True)
class Client:
    """A caller, known by its TLS client certificates; any of them is accepted. etag: version of the row, empty for configured ones."""

    id: str
    kind: ClientKind
    display_name: str = ""
    school_ids: frozenset[str] = frozenset()
    certificates: tuple[ClientCertificate, ...] = ()
    may_sign_digests: bool = False
    disabled: bool = False
    etag: str = ""


class SchoolTier(Enum):
    """What a school teaches; the value is its name in configuration, database and metrics, and on the command line."""

    UNKNOWN = "unknown"
    PRIMARY = "primary"
    LOWER_SECONDARY = "lower-secondary"
    UPPER_SECONDARY = "upper-secondary"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class School:
    """A school. code: MA_TRUONG, as records name it. weight: its share of a token when schools wait for it. tier: only for figures."""

    id: str
    code: str
    display_name: str = ""
    weight: int = 1
    disabled: bool = False
    tier: SchoolTier = SchoolTier.UNKNOWN
    etag: str = ""


class QuotaSubject(Enum):
    """Whose quota it is."""

    CLIENT = "client"
    SCHOOL = "school"


@dataclass(frozen=True, slots=True)
class Quota:
    """How much a client or school may use; 0 for no limit. Signatures a second are averaged over ten; a day is Vietnam's."""

    subject: QuotaSubject
    subject_id: str
    signatures_per_second_max: float = 0.0
    signatures_per_day_max: int = 0
    concurrent_rpcs_max: int = 0

"""Where a signature stands in a PDF, what it shows, and what it forbids."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class AppearanceStyle(Enum):
    """The look of a visible signature after Decree 30/2020; the value is its name in the configuration and on the command line."""

    PERSON = "person"
    ORGANISATION = "organisation"
    ANNEX = "annex"
    CERTIFIED_COPY = "certified-copy"

    @property
    def takes_image(self) -> bool:
        """A signature image or a seal; the others are text alone."""
        return self in (AppearanceStyle.PERSON, AppearanceStyle.ORGANISATION)


@dataclass(frozen=True, slots=True)
class KeptImage:
    """An image for visible signatures that an operator keeps with the appliance, without its bytes.

    credential_id: whose default it is; empty: none's. width_pt: on paper. sha256: of the PNG.
    """

    id: str
    school_id: str
    credential_id: str
    style: AppearanceStyle
    width_pt: float
    sha256: bytes


@dataclass(frozen=True, slots=True)
class PageRectangle:
    """A place on a page. page: from 1, negative from the last (-1). The rest: points from the page's lower left corner, before rotation."""

    page: int
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class TextAnchor:
    """A place beside a text: the box's lower left corner stands dx to the right of the text's and dy above it, in points.

    occurrence: which one over the document, from 1; 0: the last.
    """

    text: str
    dx: float
    dy: float
    width: float
    height: float
    occurrence: int = 1


@dataclass(frozen=True, slots=True)
class Appearance:
    """What a visible signature is asked to look like, and where.

    lines: empty for the style's own wording. image_id: empty for the one enrolled for the credential. rectangle or anchor, one at most:
    None for the existing field's own place, or the style's.
    """

    style: AppearanceStyle
    lines: tuple[str, ...] = ()
    image_id: str = ""
    rectangle: PageRectangle | None = None
    anchor: TextAnchor | None = None

    @property
    def size(self) -> tuple[float, float] | None:
        """Width and height of its place, points; None where the request does not name them."""
        place = self.rectangle or self.anchor
        return None if place is None else (place.width, place.height)


class DocMdp(Enum):
    """What a certification allows afterwards (ISO 32000-2 table 257, /P); the value is its name on the command line."""

    NO_CHANGES = "no-changes"
    FILL_FORMS = "fill-forms"
    ANNOTATE = "annotate"

    @property
    def permission(self) -> int:
        """/P."""
        return 1 + tuple(DocMdp).index(self)


class LockAction(Enum):
    """Which fields a signature locks: every one, the named ones, or every one but those; the value is its name on the command line."""

    ALL = "all"
    INCLUDE = "include"
    EXCLUDE = "exclude"


@dataclass(frozen=True, slots=True)
class FieldLock:
    """What a signature locks (ISO 32000-2 12.8.2.4). fields: full names, those of INCLUDE and EXCLUDE; empty for ALL."""

    action: LockAction
    fields: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FieldPlacement:
    """Which signature field of a PDF is filled, and what its dictionary says (ISO 32000-2 12.8.1).

    field_name: an existing empty field, or the name of a new one. name, reason, location: /Name, /Reason and /Location, left out when
    empty. appearance: None for an invisible signature. doc_mdp: None for one that does not certify. field_lock: None for none.
    """

    field_name: str
    name: str = ""
    reason: str = ""
    location: str = ""
    appearance: Appearance | None = None
    doc_mdp: DocMdp | None = None
    field_lock: FieldLock | None = None

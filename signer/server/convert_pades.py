"""PAdES options: which field, what it allows afterwards, and what is shown where."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from signer.errors import InvalidArgument
from signer.model import (
    Appearance,
    AppearanceStyle,
    DocMdp,
    FieldLock,
    FieldPlacement,
    LockAction,
    PageRectangle,
    TextAnchor,
)
from signer.server.convert import field_name, identifier
from signer.v1 import plan_pb2

_TEXT_MAX: Final = 256
_DEFAULT_FIELD: Final = "Signature"
_PADES: Final = "plan.pades"
_APPEARANCE: Final = f"{_PADES}.appearance"
_COORDINATE_PT_MAX: Final = 14_400.0
"""Readers show no larger pages (ISO 32000-2 annex C)."""
_SIDE_PT_MIN: Final = 1.0
_OCCURRENCE_MAX: Final = 10_000
_LOCKED_FIELDS_MAX: Final = 256
_LOCKED_NAME_BYTES_MAX: Final = 256

STYLES: dict[int, AppearanceStyle] = {plan_pb2.AppearanceStyle.Value(f"APPEARANCE_STYLE_{style.name}"): style for style in AppearanceStyle}
DOC_MDPS: dict[int, DocMdp] = {plan_pb2.DocMdp.Value(f"DOC_MDP_{each.name}"): each for each in DocMdp}
LOCKS: dict[int, LockAction] = {plan_pb2.FieldLock.Value(f"FIELD_LOCK_{action.name}"): action for action in LockAction}


def placement(options: plan_pb2.PadesOptions) -> FieldPlacement:
    """Which field is filled, what its dictionary says and what it allows afterwards."""
    for name in ("name", "reason", "location"):
        _bounded(getattr(options, name), f"{_PADES}.{name}")
    return FieldPlacement(
        field_name(options.field_name) or _DEFAULT_FIELD,
        options.name,
        options.reason,
        options.location,
        appearance(options.appearance) if options.HasField("appearance") else None,
        DOC_MDPS.get(options.doc_mdp),
        field_lock(options),
    )


def field_lock(options: plan_pb2.PadesOptions) -> FieldLock | None:
    """Which fields are locked; None for none. The number is known to be one of the contract's."""
    field, names = f"{_PADES}.locked_fields", tuple(options.locked_fields)
    action = LOCKS.get(options.field_lock)
    takes_names = action in {LockAction.INCLUDE, LockAction.EXCLUDE}
    if takes_names != bool(names):
        raise InvalidArgument(f"{field} names the fields of FIELD_LOCK_INCLUDE and FIELD_LOCK_EXCLUDE, and is empty otherwise", field=field)
    if len(names) > _LOCKED_FIELDS_MAX or not all(0 < len(name.encode()) <= _LOCKED_NAME_BYTES_MAX for name in names):
        raise InvalidArgument(
            f"{field} holds at most {_LOCKED_FIELDS_MAX} names of 1 to {_LOCKED_NAME_BYTES_MAX} bytes of UTF-8", field=field
        )
    return None if action is None else FieldLock(action, names)


def appearance(message: plan_pb2.Appearance) -> Appearance:
    """A visible signature; its text and image are looked at when it is made (`documents.appearances`)."""
    if message.style not in STYLES:
        raise InvalidArgument(
            f"{_APPEARANCE}.style is required: PERSON, ORGANISATION, ANNEX or CERTIFIED_COPY", field=f"{_APPEARANCE}.style"
        )
    if message.image_id:
        identifier(message.image_id, f"{_APPEARANCE}.image_id")
    return Appearance(
        STYLES[message.style],
        tuple(message.lines),
        message.image_id,
        rectangle(message.rectangle) if message.HasField("rectangle") else None,
        anchor(message.anchor) if message.HasField("anchor") else None,
    )


def rectangle(message: plan_pb2.PageRectangle) -> PageRectangle:
    """A rectangle that some page could have; whether the document's does is seen there."""
    field = f"{_APPEARANCE}.rectangle"
    if message.page == 0:
        raise InvalidArgument("pages count from 1, or from -1 for the last", field=f"{field}.page")
    return PageRectangle(message.page, *_points(message, ("x", "y"), field), *_points(message, ("width", "height"), field))


def anchor(message: plan_pb2.TextAnchor) -> TextAnchor:
    """A text that could stand on some page; whether it does is seen there."""
    field = f"{_APPEARANCE}.anchor"
    _bounded(message.text, f"{field}.text")
    if not message.text.strip():
        raise InvalidArgument(f"{field}.text is required: the text beside which the signature is to stand", field=f"{field}.text")
    if message.occurrence > _OCCURRENCE_MAX:
        raise InvalidArgument(f"{field}.occurrence must be at most {_OCCURRENCE_MAX:,}", field=f"{field}.occurrence")
    dx, dy = _points(message, ("dx", "dy"), field)
    width, height = _points(message, ("width", "height"), field)
    return TextAnchor(message.text, dx, dy, width, height, message.occurrence)


def _points(message: plan_pb2.PageRectangle | plan_pb2.TextAnchor, names: Iterable[str], field: str) -> tuple[float, ...]:
    """Coordinates, or sides where the names are width and height, to a thousandth of a point."""
    points = []
    for name in names:
        value = getattr(message, name)
        low = _SIDE_PT_MIN if name in {"width", "height"} else -_COORDINATE_PT_MAX
        if not low <= value <= _COORDINATE_PT_MAX:  # NaN is in no range
            raise InvalidArgument(f"{field}.{name} must be {low:g} to {_COORDINATE_PT_MAX:g} points", field=f"{field}.{name}")
        points.append(round(value, 3))
    return tuple(points)


def _bounded(text: str, field: str) -> None:
    if len(text) > _TEXT_MAX:
        raise InvalidArgument(f"{field} is longer than {_TEXT_MAX} characters", field=field)

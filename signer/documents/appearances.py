"""Visible signatures made ready: images and font of the configuration, and the artworks made of them, each made once.

Fonts and images are taken apart in a thread beside the event loop, before the first document: they come from the operator, only the
text from a caller. Image files and font are read when they are first needed.
"""

from __future__ import annotations

import asyncio
import threading
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.x509.oid import NameOID

from signer.documents.settings import AppearanceSettings, ImageSettings
from signer.errors import ConfigError, InvalidArgument
from signer.formats.pades.appearance.artwork import Artwork
from signer.formats.pades.appearance.text import checked
from signer.formats.pades.appearance.wording import own_wording
from signer.model import Appearance, AppearanceStyle, Credential

if TYPE_CHECKING:
    from signer.formats.pades.appearance.face import Face
    from signer.formats.pades.appearance.picture import Picture

_KEPT_MAX: Final = 64
_IMAGE_FIELD: Final = "plan.pades.appearance.image_id"


@dataclass(frozen=True, slots=True)
class _Recipe:
    """All that an artwork depends on, and so its name in the cache."""

    style: AppearanceStyle
    lines: tuple[str, ...]
    image: ImageSettings | None
    size: tuple[float, float] | None


class Appearances:
    """Makes artworks. `prepare` from the event loop; the threads take turns."""

    def __init__(self, settings: AppearanceSettings) -> None:
        self._settings = settings
        self._turn = threading.Lock()
        self._face: Face | None = None
        self._kept: OrderedDict[_Recipe, Artwork] = OrderedDict()

    async def prepare(self, wanted: Appearance, credential: Credential, school_id: str, moment: datetime) -> Artwork:
        """The artwork of an appearance, from the cache if it was made before.

        Args:
            wanted: as asked for.
            credential: whose image is shown where the appearance names none, and whose name where it has no lines.
            school_id: whose images are known.
            moment: of signing, for a style's own wording; aware.

        Raises:
            InvalidArgument: the text can't be written or does not fit, the image is unknown here or of another style.
            ConfigError: the font or an image file of the configuration can't be used.
        """
        recipe = self._recipe(wanted, credential, school_id, moment)
        found = self._kept.get(recipe)
        if found is None:
            found = self._kept[recipe] = await asyncio.to_thread(self._make, recipe)
            while len(self._kept) > _KEPT_MAX:
                self._kept.popitem(last=False)
        self._kept.move_to_end(recipe)
        return found

    def _recipe(self, wanted: Appearance, credential: Credential, school_id: str, moment: datetime) -> _Recipe:
        lines = checked(wanted.lines)
        if not lines and not wanted.style.takes_image:
            lines = checked(own_wording(wanted.style, _common_name(credential), moment))
        return _Recipe(wanted.style, lines, self._image(wanted, credential, school_id), wanted.size)

    def _image(self, wanted: Appearance, credential: Credential, school_id: str) -> ImageSettings | None:
        """The image to show; another school's is as unknown as one that is not there."""
        if not wanted.style.takes_image:
            if wanted.image_id:
                raise InvalidArgument(f"style {wanted.style.value} is text alone; leave image_id empty", field=_IMAGE_FIELD)
            return None
        ours = (image for image in self._settings.images if school_id in image.schools)
        if not wanted.image_id:
            enrolled = (image for image in ours if image.credential == credential.id)
            return next((image for image in enrolled if image.style is wanted.style), None)
        found = next((image for image in ours if image.id == wanted.image_id), None)
        if found is None:
            raise InvalidArgument(f"no image {wanted.image_id!r} is enrolled for school {school_id!r}", field=_IMAGE_FIELD)
        if found.style is not wanted.style:
            raise InvalidArgument(f"image {found.id!r} is for style {found.style.value}, not {wanted.style.value}", field=_IMAGE_FIELD)
        return found

    def _make(self, recipe: _Recipe) -> Artwork:
        from signer.formats.pades.appearance.compose import compose  # noqa: PLC0415  # 25 MiB that a daemon without visible signatures spares

        with self._turn:
            picture = None if recipe.image is None else _picture(recipe.image)
            face = self._loaded_face() if any(recipe.lines) else None
            return compose(recipe.style, recipe.lines, picture, face, recipe.size)

    def _loaded_face(self) -> Face:
        from signer.formats.pades.appearance.face import Face  # noqa: PLC0415  # as above

        if self._face is None:
            remedy = "install Debian's fonts-liberation2, or correct `font` under [appearance]"
            self._face = Face(_read(self._settings.font, "the font of visible signatures", remedy))
        return self._face


def _picture(image: ImageSettings) -> Picture:
    from signer.formats.pades.appearance.picture import Picture  # noqa: PLC0415  # as above

    content = _read(image.file, f"image {image.id!r}", "correct `file` under [[appearance.images]]")
    try:
        return Picture.of(content, image.width_pt)
    except InvalidArgument as error:
        raise ConfigError(f"image {image.id!r}: {error.message}") from error


def _read(file: Path, what: str, remedy: str) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise ConfigError(f"{what} can't be read ({error.strerror}); the operator must {remedy}") from error


def _common_name(credential: Credential) -> str:
    """Whose certificate it is, for people."""
    subject = x509.load_der_x509_certificate(credential.certificate).subject
    names = subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(names[0].value) if names else credential.id

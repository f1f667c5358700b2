"""Visible signatures made ready: images and font, and the artworks made of them, each made once.

Fonts and images are taken apart in a thread beside the event loop, before the first document: they come from operators, only the text
from a caller. Images stand in the configuration or were kept by SetImage; where both know an id, the configuration's is shown. Files are
read when they are first needed.
"""

from __future__ import annotations

import asyncio
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

from cryptography import x509
from cryptography.x509.oid import NameOID

from signer.documents.settings import AppearanceSettings, ImageSettings
from signer.errors import ConfigError, InvalidArgument
from signer.formats.pades.appearance.artwork import Artwork
from signer.formats.pades.appearance.text import checked
from signer.formats.pades.appearance.wording import own_wording
from signer.model import Appearance, AppearanceStyle, Credential, KeptImage

if TYPE_CHECKING:
    from signer.formats.pades.appearance.face import Face
    from signer.formats.pades.appearance.picture import Picture

_KEPT_MAX: Final = 64
_IMAGE_FIELD: Final = "plan.pades.appearance.image_id"


class KeptImages(Protocol):
    """Images that operators keep with the appliance (`journal.ImageStore`). Both raise JournalUnavailable."""

    async def of_school(self, school_id: str) -> Sequence[KeptImage]:
        """A school's."""

    async def png(self, image: KeptImage) -> bytes | None:
        """Its bytes; None when it was replaced meanwhile."""


_Image: TypeAlias = ImageSettings | KeptImage


@dataclass(frozen=True, slots=True)
class _Recipe:
    """All that an artwork depends on, and so its name in the cache."""

    style: AppearanceStyle
    lines: tuple[str, ...]
    image: _Image | None
    size: tuple[float, float] | None


class Appearances:
    """Makes artworks. `prepare` from the event loop; the threads take turns."""

    def __init__(self, settings: AppearanceSettings, kept_images: KeptImages) -> None:
        self._settings = settings
        self._kept_images = kept_images
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
            JournalUnavailable: images that operators keep can't be read.
        """
        image = await self._image(wanted, credential, school_id)
        recipe = _Recipe(wanted.style, _lines(wanted, credential, moment), image, wanted.size)
        found = self._kept.get(recipe)
        if found is None:
            png = await self._kept_png(image) if isinstance(image, KeptImage) else b""
            found = self._kept[recipe] = await asyncio.to_thread(self._make, recipe, png)
            while len(self._kept) > _KEPT_MAX:
                self._kept.popitem(last=False)
        self._kept.move_to_end(recipe)
        return found

    async def _image(self, wanted: Appearance, credential: Credential, school_id: str) -> _Image | None:
        """The image to show; another school's is as unknown as one that is not there."""
        if not wanted.style.takes_image:
            if wanted.image_id:
                raise InvalidArgument(f"style {wanted.style.value} is text alone; leave image_id empty", field=_IMAGE_FIELD)
            return None
        configured = [image for image in self._settings.images if school_id in image.schools]
        if not wanted.image_id:
            enrolled = (image for image in configured if image.credential == credential.id and image.style is wanted.style)
            return next(enrolled, None) or await self._kept_default(credential, school_id, wanted.style)
        found = next((image for image in configured if image.id == wanted.image_id), None) or await self._kept_one(
            school_id, wanted.image_id
        )
        if found is None:
            raise InvalidArgument(f"no image {wanted.image_id!r} is enrolled for school {school_id!r}", field=_IMAGE_FIELD)
        if found.style is not wanted.style:
            raise InvalidArgument(f"image {found.id!r} is for style {found.style.value}, not {wanted.style.value}", field=_IMAGE_FIELD)
        return found

    async def _kept_default(self, credential: Credential, school_id: str, style: AppearanceStyle) -> KeptImage | None:
        kept = await self._kept_images.of_school(school_id)
        return next((image for image in kept if image.credential_id == credential.id and image.style is style), None)

    async def _kept_one(self, school_id: str, image_id: str) -> KeptImage | None:
        return next((image for image in await self._kept_images.of_school(school_id) if image.id == image_id), None)

    async def _kept_png(self, image: KeptImage) -> bytes:
        png = await self._kept_images.png(image)
        if png is None:
            raise InvalidArgument(f"image {image.id!r} was replaced at this moment; repeat", field=_IMAGE_FIELD)
        return png

    def _make(self, recipe: _Recipe, png: bytes) -> Artwork:
        from signer.formats.pades.appearance.compose import compose  # noqa: PLC0415  # 25 MiB that a daemon without visible signatures spares

        with self._turn:
            picture = None if recipe.image is None else _picture(recipe.image, png)
            face = self._loaded_face() if any(recipe.lines) else None
            return compose(recipe.style, recipe.lines, picture, face, recipe.size)

    def _loaded_face(self) -> Face:
        from signer.formats.pades.appearance.face import Face  # noqa: PLC0415  # as above

        if self._face is None:
            remedy = "install Debian's fonts-liberation2, or correct `font` under [appearance]"
            self._face = Face(_read(self._settings.font, "the font of visible signatures", remedy))
        return self._face


def _lines(wanted: Appearance, credential: Credential, moment: datetime) -> tuple[str, ...]:
    lines = checked(wanted.lines)
    if lines or wanted.style.takes_image:
        return lines
    return checked(own_wording(wanted.style, _common_name(credential), moment))


def _picture(image: _Image, png: bytes) -> Picture:
    """png: of a kept one; a configured one's file is read."""
    from signer.formats.pades.appearance.picture import Picture  # noqa: PLC0415  # as above

    if isinstance(image, KeptImage):
        return Picture.of(png, image.width_pt)
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

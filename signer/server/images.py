"""AdminService: images of visible signatures. For operators."""

from __future__ import annotations

import asyncio
import hashlib
from functools import partial
from typing import Any, Final

from signer.documents.settings import ImageSettings
from signer.errors import IdTaken, InvalidArgument
from signer.journal import ImageStore
from signer.model import KeptImage
from signer.pipeline.engine import Engine
from signer.server import convert
from signer.server.convert_pades import STYLES
from signer.server.door import current_operator
from signer.v1 import admin_images_pb2, admin_pb2_grpc, plan_pb2

_operator = partial(current_operator, "look after images")

_WIDTH_PT_MAX: Final = 600.0
"""As in `[[appearance.images]]`."""
_STYLE_NUMBERS: Final[dict[Any, Any]] = {style: number for number, style in STYLES.items()}


class ImageMethods(admin_pb2_grpc.AdminServiceServicer):
    """Convert, keep, convert. configured: images of the configuration, whose ids are theirs."""

    def __init__(self, engine: Engine, store: ImageStore, configured: tuple[ImageSettings, ...]) -> None:
        self._engine = engine
        self._images = store
        self._configured_images = configured

    async def SetImage(  # noqa: N802
        self,
        request: admin_images_pb2.SetImageRequest,
        context: Any,  # noqa: ARG002
    ) -> admin_images_pb2.SetImageResponse:
        """Keeps an image, or another one under its id."""
        client_id = _operator()
        image = _wanted(request)
        if any(each.id == image.id and image.school_id in each.schools for each in self._configured_images):
            raise IdTaken(f"image {image.id!r} is of the daemon's configuration; choose another id, or take it out there", image=image.id)
        if image.credential_id:
            await self._engine.credential(image.credential_id, image.school_id)
        await asyncio.to_thread(_check, request.png, image.width_pt)
        await self._images.keep(client_id, image, request.png)
        return admin_images_pb2.SetImageResponse(image=_message(image))

    async def ListImages(  # noqa: N802
        self,
        request: admin_images_pb2.ListImagesRequest,
        context: Any,  # noqa: ARG002
    ) -> admin_images_pb2.ListImagesResponse:
        """A school's images that were set; those of the configuration stand there."""
        _operator()
        images = await self._images.of_school(convert.identifier(request.school_id, "school_id"))
        return admin_images_pb2.ListImagesResponse(images=map(_message, images))

    async def DeleteImage(  # noqa: N802
        self,
        request: admin_images_pb2.DeleteImageRequest,
        context: Any,  # noqa: ARG002
    ) -> admin_images_pb2.DeleteImageResponse:
        """Deletes it, if it is there."""
        client_id = _operator()
        school_id, image_id = convert.identifier(request.school_id, "school_id"), convert.identifier(request.image_id, "image_id")
        await self._images.delete(client_id, school_id, image_id)
        return admin_images_pb2.DeleteImageResponse()


def _wanted(request: admin_images_pb2.SetImageRequest) -> KeptImage:
    message = request.image
    style = STYLES.get(message.style)
    if style is None or not style.takes_image:
        raise InvalidArgument("image.style is required: PERSON or ORGANISATION; the others are text alone", field="image.style")
    if not 0 < message.width <= _WIDTH_PT_MAX:  # NaN is in no range
        raise InvalidArgument(f"image.width must be above 0 and at most {_WIDTH_PT_MAX:g} points", field="image.width")
    return KeptImage(
        id=convert.identifier(message.image_id, "image.image_id"),
        school_id=convert.identifier(message.school_id, "image.school_id"),
        credential_id=convert.identifier(message.credential_id, "image.credential_id") if message.credential_id else "",
        style=style,
        width_pt=message.width,
        sha256=hashlib.sha256(request.png).digest(),
    )


def _check(png: bytes, width_pt: float) -> None:
    from signer.formats.pades.appearance.picture import require_stamp  # noqa: PLC0415  # 25 MiB that a daemon without images spares

    require_stamp(png, width_pt)


def _message(image: KeptImage) -> admin_images_pb2.Image:
    style: plan_pb2.AppearanceStyle.ValueType = _STYLE_NUMBERS[image.style]
    return admin_images_pb2.Image(
        image_id=image.id,
        school_id=image.school_id,
        credential_id=image.credential_id,
        style=style,
        width=image.width_pt,
        sha256=image.sha256,
    )

"""What an operator keeps with the appliance: signature images and seals for visible signatures.

with SignerClient(…) as signer:
    signer.images.set("seal-2026", png, school_id="79000001", style="organisation", width_pt=102.0, credential_id="seal")
"""

from __future__ import annotations

import builtins
import time
from dataclasses import dataclass

from signer.client.channel import Connection
from signer.client.convert import name_of
from signer.client.retries import RetryPolicy
from signer.client.unary import call_patiently
from signer.model import AppearanceStyle
from signer.v1 import admin_images_pb2, admin_pb2_grpc, plan_pb2

TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class ImageInfo:
    """An image. style: the contract's name, such as `PERSON`. credential_id: whose default it is; empty: nobody's. sha256: hex."""

    id: str
    school_id: str
    credential_id: str
    style: str
    width_pt: float
    sha256: str


class ImageClient:
    """`SignerClient.images`, for operators. Every method may be repeated."""

    def __init__(self, connection: Connection, policy: RetryPolicy) -> None:
        self._connection = connection
        self._policy = policy

    def set(
        self,
        image_id: str,
        png: bytes,
        *,
        school_id: str,
        style: AppearanceStyle | str,
        width_pt: float,
        credential_id: str = "",
        timeout_s: float = TIMEOUT_S,
    ) -> ImageInfo:
        """Keeps an image, or another one under its id, from the next request on.

        png: transparent where paper shows, at most 1 MiB and 4,000 pixels a side. width_pt: on paper. credential_id: whose default it is.
        """
        image = admin_images_pb2.Image(
            image_id=image_id,
            school_id=school_id,
            credential_id=credential_id,
            style=plan_pb2.AppearanceStyle.Value(f"APPEARANCE_STYLE_{AppearanceStyle(style).name}"),
            width=width_pt,
        )
        request = admin_images_pb2.SetImageRequest(image=image, png=png)
        deadline_s = time.monotonic() + timeout_s
        return _info(call_patiently(self._stub.SetImage, request, policy=self._policy, deadline_s=deadline_s).image)

    def list(self, school_id: str, *, timeout_s: float = TIMEOUT_S) -> builtins.list[ImageInfo]:
        """A school's images that were set, by id; those of the daemon's configuration stand there."""
        request = admin_images_pb2.ListImagesRequest(school_id=school_id)
        deadline_s = time.monotonic() + timeout_s
        response = call_patiently(self._stub.ListImages, request, policy=self._policy, deadline_s=deadline_s)
        return [_info(image) for image in response.images]

    def delete(self, image_id: str, *, school_id: str, timeout_s: float = TIMEOUT_S) -> None:
        """Deletes an image, if it is there. What is signed keeps showing it."""
        request = admin_images_pb2.DeleteImageRequest(school_id=school_id, image_id=image_id)
        call_patiently(self._stub.DeleteImage, request, policy=self._policy, deadline_s=time.monotonic() + timeout_s)

    @property
    def _stub(self) -> admin_pb2_grpc.AdminServiceStub:
        return admin_pb2_grpc.AdminServiceStub(self._connection.channel)


def _info(message: admin_images_pb2.Image) -> ImageInfo:
    return ImageInfo(
        id=message.image_id,
        school_id=message.school_id,
        credential_id=message.credential_id,
        style=name_of(plan_pb2.AppearanceStyle, message.style, "APPEARANCE_STYLE_"),
        width_pt=message.width,
        sha256=message.sha256.hex(),
    )

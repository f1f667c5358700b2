from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Final

from aiohttp import hdrs, web

_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"


class BodyRefused(Exception):
    """The body did not come as it may; the connection is of no more use."""

    def __init__(self, status: HTTPStatus, text: str) -> None:
        super().__init__(text)
        self.status = status


async def read_body(request: web.BaseRequest, bytes_max: int, idle_s: float) -> bytes:
    """The whole body of a request. BodyRefused when it is longer than `bytes_max`, or does not come within `idle_s`."""
    too_long = BodyRefused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"a request has at most {bytes_max} bytes")
    if (request.content_length or 0) > bytes_max:
        raise too_long
    body = request.content.read_nowait() if request.content.is_eof() else await _slow_body(request, bytes_max, idle_s)
    if len(body) > bytes_max:
        raise too_long
    return body


async def _slow_body(request: web.BaseRequest, bytes_max: int, idle_s: float) -> bytes:
    """A body that did not come along with its head."""
    if request.headers.get(hdrs.EXPECT, "").lower() == "100-continue" and request.transport is not None:
        request.transport.write(_CONTINUE)
    body = bytearray()
    try:
        async with asyncio.timeout(idle_s):
            while len(body) <= bytes_max and (piece := await request.content.readany()):
                body += piece
    except TimeoutError:
        raise BodyRefused(HTTPStatus.REQUEST_TIMEOUT, f"the request did not come within {idle_s:g} s") from None
    except web.RequestPayloadError:
        raise BodyRefused(HTTPStatus.BAD_REQUEST, "the request's body can't be read") from None
    return bytes(body)

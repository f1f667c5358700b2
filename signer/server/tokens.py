"""AdminService: what the daemon knows of its tokens, and what an operator may do to them. For operators.

A change is in the journal, with its caller, before it takes effect.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import Any

from signer.errors import InvalidArgument, TokenNotFound
from signer.journal import Journal, NoteKind
from signer.people.approval import ApprovalKind
from signer.people.four_eyes import GuardedAct, spend_approval
from signer.pipeline.engine import Engine
from signer.server.convert_tokens import token_message
from signer.server.door import current_operator
from signer.tokens.pool import TokenPool
from signer.v1 import admin_pb2_grpc, admin_tokens_pb2

_operator = partial(current_operator, "look after tokens")

_REASON_CHARACTERS_MAX = 300


class TokenMethods(admin_pb2_grpc.AdminServiceServicer):
    """What this release serves of the tokens."""

    def __init__(self, engine: Engine, pools: Mapping[str, TokenPool], journal: Journal) -> None:
        self._engine = engine
        self._pools = pools
        self._journal = journal

    async def ListTokens(  # noqa: N802
        self,
        request: admin_tokens_pb2.ListTokensRequest,  # noqa: ARG002
        context: Any,  # noqa: ARG002
    ) -> admin_tokens_pb2.ListTokensResponse:
        """All tokens, by name."""
        _operator()
        return admin_tokens_pb2.ListTokensResponse(tokens=[self._message(pool) for _name, pool in sorted(self._pools.items())])

    async def GetToken(  # noqa: N802
        self,
        request: admin_tokens_pb2.GetTokenRequest,
        context: Any,  # noqa: ARG002
    ) -> admin_tokens_pb2.GetTokenResponse:
        """One token."""
        _operator()
        return admin_tokens_pb2.GetTokenResponse(token=self._message(self._pool(request.token_name)))

    async def ReleasePin(  # noqa: N802
        self,
        request: admin_tokens_pb2.ReleasePinRequest,
        context: Any,  # noqa: ARG002
    ) -> admin_tokens_pb2.ReleasePinResponse:
        """One more login, with the PIN as its source holds it now."""
        client_id, pool = _operator(), self._pool(request.token_name)
        bounds = {"allowFinalTry": "true"} if request.allow_final_try else {}
        act = GuardedAct(ApprovalKind.PIN_RELEASE, "", pool.name, client_id, bounds)
        approval_id = await spend_approval(self._engine.four_eyes, act, request.approval_id)
        detail: dict[str, str | int] = {"allow-final-try": int(request.allow_final_try), "approval": approval_id, "client": client_id}
        await self._journal.note(NoteKind.PIN_RELEASED, pool.name, detail)
        await pool.workers.release(allow_final_try=request.allow_final_try)
        return admin_tokens_pb2.ReleasePinResponse(token=self._message(pool))

    async def PauseToken(  # noqa: N802
        self,
        request: admin_tokens_pb2.PauseTokenRequest,
        context: Any,  # noqa: ARG002
    ) -> admin_tokens_pb2.PauseTokenResponse:
        """Its workers finish what they have in hand, log out and leave; what is new waits."""
        client_id, pool = _operator(), self._pool(request.token_name)
        if len(request.reason) > _REASON_CHARACTERS_MAX:
            raise InvalidArgument(f"reason is longer than {_REASON_CHARACTERS_MAX} characters", field="reason")
        await self._journal.note(NoteKind.TOKEN_PAUSED, pool.name, {"client": client_id, "reason": request.reason})
        await asyncio.shield(self._engine.start_task(pool.workers.pause(request.reason)))  # half a pause would be none
        return admin_tokens_pb2.PauseTokenResponse(token=self._message(pool))

    async def ResumeToken(  # noqa: N802
        self,
        request: admin_tokens_pb2.ResumeTokenRequest,
        context: Any,  # noqa: ARG002
    ) -> admin_tokens_pb2.ResumeTokenResponse:
        """Its workers start and log in; a PIN that was held stays held."""
        client_id, pool = _operator(), self._pool(request.token_name)
        await self._journal.note(NoteKind.TOKEN_RESUMED, pool.name, {"client": client_id})
        pool.workers.resume()
        return admin_tokens_pb2.ResumeTokenResponse(token=self._message(pool))

    def _pool(self, name: str) -> TokenPool:
        pool = self._pools.get(name)
        if pool is None:
            raise TokenNotFound(f"no token {name!r}; `signer tokens list` names those there are", token=name)
        return pool

    def _message(self, pool: TokenPool) -> admin_tokens_pb2.Token:
        return token_message(pool, self._engine.credentials.ids_on(pool.name))

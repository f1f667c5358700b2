"""AdminService, as far as it is served: what the daemon knows of its tokens. For operators."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from signer.errors import PinLocked, RoleRefused, TokenRemoved
from signer.pipeline.engine import Engine
from signer.rpc_status import to_rpc_status
from signer.server.door import current_visit
from signer.tokens.pool import TokenPool
from signer.v1 import admin_pb2_grpc, admin_tokens_pb2
from signer.workers.supervisor import PlaceState


class AdminService(admin_pb2_grpc.AdminServiceServicer):
    """What this release serves of AdminService."""

    def __init__(self, engine: Engine, pools: Mapping[str, TokenPool]) -> None:
        self._engine = engine
        self._pools = pools

    async def ListTokens(  # noqa: N802
        self,
        request: admin_tokens_pb2.ListTokensRequest,  # noqa: ARG002
        context: Any,  # noqa: ARG002
    ) -> admin_tokens_pb2.ListTokensResponse:
        """All tokens, by name."""
        if not current_visit().caller.is_operator:
            raise RoleRefused("only a client with operator = true in the configuration may list tokens")
        return admin_tokens_pb2.ListTokensResponse(tokens=[self._message(pool) for _name, pool in sorted(self._pools.items())])

    def _message(self, pool: TokenPool) -> admin_tokens_pb2.Token:
        ready = pool.ready
        states = [place.state for place in pool.places]
        message = admin_tokens_pb2.Token(
            token_name=pool.name,
            module_path=str(pool.settings.module),
            state=token_state(pool),
            workers_ready=states.count(PlaceState.READY),
            workers_configured=len(states),
            sessions_open=pool.sessions_open,
            sessions_busy=pool.sessions_busy,
            restarts=sum(place.restarts for place in pool.places),
            queue_depth=pool.queue_depth,
            credential_ids=self._engine.credentials.ids_on(pool.name),
        )
        if ready is not None:
            message.slot_id, message.label, message.serial, message.model = ready.slot, ready.label, ready.serial, ready.model
        message.queue_age.FromNanoseconds(round(pool.queue_age_s * 1e9))
        fault = pool.fault
        if fault is not None:
            message.message = fault.message
            message.last_fault.status.CopyFrom(to_rpc_status(fault))
            message.last_fault.return_value = fault.metadata.get("ckr", "")
        return message


def token_state(pool: TokenPool) -> Any:
    """One state for the whole token: ready as soon as one worker is."""
    states = {place.state for place in pool.places}
    fault = pool.fault
    if PlaceState.READY in states:
        return admin_tokens_pb2.TOKEN_STATE_READY
    if states == {PlaceState.HELD}:
        return admin_tokens_pb2.TOKEN_STATE_PIN_LOCKED if isinstance(fault, PinLocked) else admin_tokens_pb2.TOKEN_STATE_PIN_HELD
    if isinstance(fault, TokenRemoved):
        return admin_tokens_pb2.TOKEN_STATE_ABSENT
    if PlaceState.HEALING in states:
        return admin_tokens_pb2.TOKEN_STATE_HEALING
    return admin_tokens_pb2.TOKEN_STATE_STARTING

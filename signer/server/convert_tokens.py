"""A pool's standing as the contract's `Token`: what the daemon last saw; no token is asked."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import datetime

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from signer.rpc_status import to_rpc_status
from signer.tokens.pool import TokenPool
from signer.tokens.standing import FaultSeen, TokenState
from signer.tokens.wire import PinCount
from signer.v1 import admin_tokens_pb2
from signer.workers.supervisor import PlaceState

_STATES = {state: admin_tokens_pb2.TokenState.Value(f"TOKEN_STATE_{state.name}") for state in TokenState}
_PIN_STATES = {count: admin_tokens_pb2.PinState.Value(f"PIN_STATE_{count.name}") for count in PinCount}


def token_message(pool: TokenPool, credential_ids: Iterable[str]) -> admin_tokens_pb2.Token:
    """Everything there is to say of a token."""
    ready, standing = pool.ready, pool.standing
    now_s = asyncio.get_running_loop().time()
    states = [place.state for place in pool.places]
    message = admin_tokens_pb2.Token(
        token_name=pool.name,
        module_path=str(pool.settings.module),
        state=_STATES[standing.state],
        state_time=_time(standing.since),
        message=pool.problem,
        pin_state=_PIN_STATES[pool.pin_count] if pool.pin_count else admin_tokens_pb2.PIN_STATE_UNSPECIFIED,
        workers_ready=states.count(PlaceState.READY),
        workers_configured=len(states),
        sessions_open=pool.sessions_open,
        sessions_busy=pool.sessions_busy,
        restarts=sum(place.restarts for place in pool.places),
        credential_ids=credential_ids,
        queue_depth=pool.queue_depth,
        queue_age=_duration(pool.queue_age_s),
        sign_duration=_duration(pool.pace.median_s(now_s)),
        signatures_per_second=pool.pace.a_second(now_s),
    )
    if ready is not None:
        message.slot_id, message.label, message.serial = ready.slot, ready.label, ready.serial
        message.model = " ".join(part for part in (ready.manufacturer.strip(), ready.model.strip()) if part)
        message.mechanisms.extend(ready.mechanisms)
    if standing.last_fault is not None:
        message.last_fault.CopyFrom(_fault(standing.last_fault))
    return message


def _fault(seen: FaultSeen) -> admin_tokens_pb2.TokenFault:
    healed_after = None if seen.healed_after_s is None else _duration(seen.healed_after_s)
    return admin_tokens_pb2.TokenFault(
        fault_time=_time(seen.at),
        status=to_rpc_status(seen.error),
        return_value=seen.error.metadata.get("ckr", ""),
        healed_after=healed_after,
    )


def _time(moment: datetime) -> Timestamp:
    message = Timestamp()
    message.FromDatetime(moment)
    return message


def _duration(seconds: float) -> Duration:
    message = Duration()
    message.FromNanoseconds(round(seconds * 1e9))
    return message

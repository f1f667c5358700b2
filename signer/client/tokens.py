"""What an operator asks of the appliance's PKCS#11 tokens, and does to them.

with SignerClient(…) as signer:
    for token in signer.tokens.list():
        if token.state == "PIN_HELD":
            signer.tokens.release_pin(token.name)
"""

from __future__ import annotations

import builtins
import time
from dataclasses import dataclass
from datetime import datetime

import grpc

from signer.client.channel import Connection
from signer.client.convert import moment, name_of, seconds
from signer.client.retries import RetryPolicy
from signer.client.unary import call_patiently
from signer.errors import SignerError
from signer.rpc_status import from_failed_call, from_rpc_status
from signer.v1 import admin_pb2_grpc, admin_tokens_pb2

TIMEOUT_S = 30.0
RELEASE_TIMEOUT_S = 120.0
"""A login to a slow token, after its module was initialised."""


@dataclass(frozen=True, slots=True)
class TokenFault:
    """What last went wrong with a token. ckr: the module's answer, if it gave one. healed_after_s: None while it has not signed again."""

    at: datetime
    error: SignerError
    ckr: str
    healed_after_s: float | None


@dataclass(frozen=True, slots=True)
class TokenInfo:
    """A token as the daemon sees it. state, pin_state: the contract's names without prefix, such as `READY`. since: of its state."""

    name: str
    module: str
    slot: int
    label: str
    serial: str
    model: str
    state: str
    since: datetime
    message: str
    pin_state: str
    workers_ready: int
    workers_configured: int
    sessions_open: int
    sessions_busy: int
    restarts: int
    last_fault: TokenFault | None
    mechanisms: tuple[str, ...]
    credential_ids: tuple[str, ...]
    queue_depth: int
    queue_age_s: float
    sign_s: float
    signatures_per_second: float


class TokenClient:
    """`SignerClient.tokens`, for operators. Every method raises the leaf of `signer.errors` that ended it."""

    def __init__(self, connection: Connection, policy: RetryPolicy) -> None:
        self._connection = connection
        self._policy = policy

    def list(self, *, timeout_s: float = TIMEOUT_S) -> builtins.list[TokenInfo]:
        """The daemon's tokens, by name; none of them is asked."""
        request, deadline_s = admin_tokens_pb2.ListTokensRequest(), time.monotonic() + timeout_s
        response = call_patiently(self._stub.ListTokens, request, policy=self._policy, deadline_s=deadline_s)
        return [_token(token) for token in response.tokens]

    def get(self, name: str, *, timeout_s: float = TIMEOUT_S) -> TokenInfo:
        """One token; TokenNotFound."""
        request, deadline_s = admin_tokens_pb2.GetTokenRequest(token_name=name), time.monotonic() + timeout_s
        return _token(call_patiently(self._stub.GetToken, request, policy=self._policy, deadline_s=deadline_s).token)

    def release_pin(
        self, name: str, *, allow_final_try: bool = False, approval_id: str = "", timeout_s: float = RELEASE_TIMEOUT_S
    ) -> TokenInfo:
        """Lets a held token log in once more. Asked once, whatever happens: each repeat could cost a try of the PIN.

        approval_id: where the policy asks for one (ApprovalRequired). Raises PinHeld, PinLocked or PinSourceUnreadable when it is held
        again.
        """
        request = admin_tokens_pb2.ReleasePinRequest(token_name=name, allow_final_try=allow_final_try, approval_id=approval_id)
        try:
            return _token(self._stub.ReleasePin(request, timeout=timeout_s).token)
        except grpc.RpcError as failed:
            raise from_failed_call(failed) from failed

    def pause(self, name: str, reason: str = "", *, timeout_s: float = TIMEOUT_S) -> TokenInfo:
        """Takes a token out of use: what is under way is finished, its workers log out, what is new waits."""
        request = admin_tokens_pb2.PauseTokenRequest(token_name=name, reason=reason)
        deadline_s = time.monotonic() + timeout_s
        return _token(call_patiently(self._stub.PauseToken, request, policy=self._policy, deadline_s=deadline_s).token)

    def resume(self, name: str, *, timeout_s: float = TIMEOUT_S) -> TokenInfo:
        """Takes a paused token into use again."""
        request, deadline_s = admin_tokens_pb2.ResumeTokenRequest(token_name=name), time.monotonic() + timeout_s
        return _token(call_patiently(self._stub.ResumeToken, request, policy=self._policy, deadline_s=deadline_s).token)

    @property
    def _stub(self) -> admin_pb2_grpc.AdminServiceStub:
        return admin_pb2_grpc.AdminServiceStub(self._connection.channel)


def _token(message: admin_tokens_pb2.Token) -> TokenInfo:
    return TokenInfo(
        name=message.token_name,
        module=message.module_path,
        slot=message.slot_id,
        label=message.label,
        serial=message.serial,
        model=message.model,
        state=name_of(admin_tokens_pb2.TokenState, message.state, "TOKEN_STATE_"),
        since=moment(message.state_time),
        message=message.message,
        pin_state=name_of(admin_tokens_pb2.PinState, message.pin_state, "PIN_STATE_"),
        workers_ready=message.workers_ready,
        workers_configured=message.workers_configured,
        sessions_open=message.sessions_open,
        sessions_busy=message.sessions_busy,
        restarts=message.restarts,
        last_fault=_fault(message.last_fault) if message.HasField("last_fault") else None,
        mechanisms=tuple(message.mechanisms),
        credential_ids=tuple(message.credential_ids),
        queue_depth=message.queue_depth,
        queue_age_s=seconds(message.queue_age),
        sign_s=seconds(message.sign_duration),
        signatures_per_second=message.signatures_per_second,
    )


def _fault(message: admin_tokens_pb2.TokenFault) -> TokenFault:
    healed_after_s = seconds(message.healed_after) if message.HasField("healed_after") else None
    return TokenFault(moment(message.fault_time), from_rpc_status(message.status), message.return_value, healed_after_s)

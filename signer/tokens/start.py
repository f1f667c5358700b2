"""How a process that holds a token is started: the same for those that sign and for the one that makes keys."""

from __future__ import annotations

from pathlib import Path

import msgspec

from signer.tokens.settings import TokenSettings
from signer.tokens.wire import Identity, PinCaution, Start
from signer.workers.process import INHERITED, WorkerSpec

_LOOK_S = 1.0
_NOBODY = Identity()


def worker_spec(
    settings: TokenSettings,
    name: str,
    module: str,
    *,
    lock_path: Path,
    log_level: str,
    pin_caution: PinCaution | None = None,
    known: Identity = _NOBODY,
) -> WorkerSpec:
    """What runs `python -m module` on the token. The PIN goes as its reference; a variable that holds it goes to this worker alone."""
    start = Start(
        name=settings.name,
        module=str(settings.module),
        label=settings.label,
        serial=settings.serial,
        uri=settings.uri,
        pin=str(settings.pin_reference),
        sessions=settings.sessions,
        kept_keys_max=settings.kept_keys_max,
        kept_key_idle_s=settings.kept_key_idle_s,
        lock_path=str(lock_path),
        softhsm_token_directory=str(settings.softhsm_token_directory or ""),
        safe_copy_directory=str(settings.softhsm_copy or ""),
        log_level=log_level,
        pin_caution=pin_caution or settings.pin_caution,
        known=known,
        keep_alive_s=settings.keep_alive_s,
        look_s=_LOOK_S,
        network=settings.network,
    )
    pin_variable = (start.pin.removeprefix("env:"),) if start.pin.startswith("env:") else ()
    return WorkerSpec(
        name=name,
        module=module,
        start_body=msgspec.msgpack.encode(start),
        start_s_max=settings.login_s_max,
        silence_s_max=settings.call_s_max,
        environment=dict(settings.environment),
        inherit=INHERITED + pin_variable,
    )

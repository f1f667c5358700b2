"""How tests start a token worker by itself, without a daemon."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from signer.tokens.wire import Start
from signer.workers.process import WorkerSpec
from tests.support.daemon import World


def spec_of(world: World, *, environment: Mapping[str, str] | None = None, **changes: Any) -> WorkerSpec:
    """A worker for the world's token. changes: of the START frame."""
    token = world.token
    fields: dict[str, Any] = {
        "name": "test",
        "module": str(token.module_path),
        "label": token.label,
        "serial": "",
        "pin": f"file:{token.pin_file}",
        "sessions": 1,
        "kept_keys_max": 4,
        "kept_key_idle_s": 60.0,
        "lock_path": str(world.folder / "start.lock"),
        "softhsm_token_directory": str(token.tokens_directory),
        "safe_copy_directory": str(token.tokens_directory) + ".copy",
        "log_level": "warning",
    }
    body = msgspec.msgpack.encode(Start(**(fields | changes)))
    return WorkerSpec("test#0", "signer.tokens.worker", body, 60.0, 30.0, environment=environment or token.environment)

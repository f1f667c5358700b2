"""The appliance's own secrets, read where the configuration says, or made beside the journal at the first start."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Final

from signer.access.appliance_keys import ApplianceKeys
from signer.control.settings import ActivationSettings
from signer.errors import ConfigError, PinSourceUnreadable
from signer.secrets import PinReference, PinSource

_CHARACTERS_MIN: Final = 32
_RANDOM_BYTES: Final = 32


def read_keys(settings: ActivationSettings, journal_file: Path | None) -> ApplianceKeys:
    """The keys of all secrets; where none is named, of one that is made beside the journal's file if it is not there.

    Raises ConfigError when one can't be read or made, or is too short; what it holds is never repeated.
    """
    references = settings.secrets or (_beside(journal_file),)
    return ApplianceKeys([_read(reference) for reference in references])


def _read(reference: PinReference) -> bytes:
    try:
        value = reference.read().reveal()
    except PinSourceUnreadable as error:
        raise ConfigError(f"[activation] secrets: {error.message}") from error
    if len(value) < _CHARACTERS_MIN:
        raise ConfigError(
            f"[activation] secrets: {reference} is shorter than {_CHARACTERS_MIN} characters; make one with `openssl rand -hex 32`"
        )
    return value.encode()


def _beside(journal_file: Path | None) -> PinReference:
    if journal_file is None:
        raise ConfigError("[activation] secrets is required where the journal is kept by a server: replicas must share it")
    path = journal_file.with_name(journal_file.name + ".secret")
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        pass
    except OSError as error:
        raise ConfigError(f"[activation] secrets: {path} can't be made: {error.strerror}") from error
    else:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(_RANDOM_BYTES) + "\n")
            file.flush()
            os.fsync(file.fileno())
    return PinReference(PinSource.FILE, str(path))

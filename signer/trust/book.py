"""Every believed CA: of the configured files, and of the folder that `signer trust` and AdminService write to.

A file of the folder is one certificate, named by its fingerprint, and written whole or not at all. Who holds a book reads it anew when a
file has changed (`refresh`), so that the command line beside a running daemon needs no restart.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from cryptography import x509

from signer.errors import ConfigError
from signer.trust.anchor import Anchor, TrustPurpose
from signer.trust.files import read_anchors, render

_SUFFIX: Final = ".pem"
_State = frozenset[tuple[str, int, int]]


class TrustBook:
    """ca_files: configured, for their purposes. tsa_files: configured for timestamps alone. folder: of added ones; None: none is kept.

    Raises ConfigError for a file that can't be read.
    """

    def __init__(self, ca_files: Iterable[Path], folder: Path | None = None, tsa_files: Iterable[Path] = ()) -> None:
        self._ca_files = tuple(ca_files)
        self._tsa_files = tuple(tsa_files)
        self._folder = folder
        self._state = self._look()
        self._anchors = self._read()

    @property
    def anchors(self) -> tuple[Anchor, ...]:
        """Each certificate once, with all its purposes, by subject."""
        return self._anchors

    @property
    def certificates(self) -> tuple[x509.Certificate, ...]:
        """All of them: what completes chains."""
        return tuple(each.certificate for each in self._anchors)

    def roots(self, purpose: TrustPurpose) -> tuple[bytes, ...]:
        """DER of the anchors for a purpose."""
        return tuple(each.der for each in self._anchors if each.is_root and purpose in each.purposes)

    def believed(self, purpose: TrustPurpose) -> tuple[bytes, ...]:
        """DER of all that serve a purpose, anchors and intermediates."""
        return tuple(each.der for each in self._anchors if purpose in each.purposes)

    @property
    def intermediates(self) -> tuple[bytes, ...]:
        """DER of those that complete chains only."""
        return tuple(each.der for each in self._anchors if not each.is_root)

    def refresh(self) -> bool:
        """Reads the files anew if one has changed; returns whether what is believed did. ConfigError leaves everything as it was."""
        state = self._look()
        if state == self._state:
            return False
        anchors = self._read()
        self._state = state
        changed, self._anchors = anchors != self._anchors, anchors
        return changed

    def add(self, anchor: Anchor) -> Anchor:
        """Believes it from now on, for its purposes and no others. ConfigError when there is no folder, or it can't be written."""
        folder = self._require_folder()
        file = folder / f"{anchor.anchor_id}{_SUFFIX}"
        part = file.with_suffix(".part")
        try:
            folder.mkdir(mode=0o755, parents=True, exist_ok=True)
            part.write_bytes(render(anchor))
            with part.open("rb") as written:
                os.fsync(written.fileno())
            part.replace(file)
        except OSError as error:
            raise ConfigError(f"{file}: can't be written: {error.strerror}", file=str(file)) from error
        self.refresh()
        return Anchor(anchor.certificate, anchor.purposes, file)

    def remove(self, anchor_id: str) -> bool:
        """Believes it no longer; returns whether it was there. ConfigError for one that stands in a configured file."""
        for each in self._anchors:
            if each.anchor_id == anchor_id and each.file is not None and each.file.parent != self._folder:
                raise ConfigError(f"{each.subject}: stands in {each.file}, which the configuration names; remove it there")
        file = self._require_folder() / f"{anchor_id}{_SUFFIX}"
        try:
            file.unlink()
        except FileNotFoundError:
            return False
        except OSError as error:
            raise ConfigError(f"{file}: can't be removed: {error.strerror}", file=str(file)) from error
        self.refresh()
        return True

    def _require_folder(self) -> Path:
        if self._folder is None:
            raise ConfigError("[trust] folder is not configured: name the folder in which added CAs are to be kept")
        return self._folder

    def _added_files(self) -> list[Path]:
        return sorted(self._folder.glob(f"*{_SUFFIX}")) if self._folder is not None and self._folder.is_dir() else []

    def _look(self) -> _State:
        found = []
        for file in (*self._ca_files, *self._tsa_files, *self._added_files()):
            try:
                status = file.stat()
            except OSError:
                continue
            found.append((str(file), status.st_mtime_ns, status.st_size))
        return frozenset(found)

    def _read(self) -> tuple[Anchor, ...]:
        merged: dict[str, Anchor] = {}
        for each in self._all():
            known = merged.get(each.anchor_id)
            merged[each.anchor_id] = each if known is None else Anchor(each.certificate, known.purposes | each.purposes, known.file)
        return tuple(sorted(merged.values(), key=lambda each: (each.subject, each.anchor_id)))

    def _all(self) -> Iterator[Anchor]:
        for file in (*self._ca_files, *self._added_files()):
            yield from read_anchors(file)
        for file in self._tsa_files:
            yield from (Anchor(each.certificate, frozenset({TrustPurpose.TIMESTAMP}), file) for each in read_anchors(file))

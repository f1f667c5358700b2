"""One TOML file becomes one `Config`: every room's frozen dataclass, checked as a whole before anything starts.

Rules of the room:
- TOML v1.0.0. Keys are strict: unknown ones are refused, a string is never a number, a PIN never stands in the file.
- Every problem of the file is told at once, each as `file: key.path: what is wrong, what to do`; values are repeated only where they can't
  be a secret.
- Relative paths are read from the configuration file's folder, whatever the working directory is.
- docs/config.md is rendered from the dataclasses (`python -m signer.config`); nothing is documented twice.
"""

from signer.config.advice import advise
from signer.config.load import load
from signer.config.problems import Problem
from signer.config.reference import reference
from signer.config.tree import Config, TrustSettings

__all__ = ["Config", "Problem", "TrustSettings", "advise", "load", "reference"]

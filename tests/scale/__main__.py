"""`make scale`: writes docs/scale.md."""

from __future__ import annotations

import sys

from tests.scale.report import page

sys.stdout.write(page())

"""The one tree of errors: every failure a caller, an operator or another room can meet.

Rules of the room:
- Each leaf has a `Reason`, which is part of the contract: it crosses gRPC as `google.rpc.ErrorInfo.reason` (AIP-193), processes as a
  frame, the command line as text. Reasons are never renamed.
- A leaf's docstring says what state the world is in: above all whether a key was used.
- Messages name the cause and the next step, and never hold a secret or a pupil's data.
- `rpc_status.py` maps each leaf to its gRPC code in one table; no room below knows gRPC.
- One file a theme, and a leaf is named in its file alone: everybody imports it from here.
"""

from signer.errors.access import *  # noqa: F403
from signer.errors.authorization import *  # noqa: F403
from signer.errors.base import *  # noqa: F403
from signer.errors.credentials import *  # noqa: F403
from signer.errors.daemon import *  # noqa: F403
from signer.errors.documents import *  # noqa: F403
from signer.errors.evidence import *  # noqa: F403
from signer.errors.journal import *  # noqa: F403
from signer.errors.limits import *  # noqa: F403
from signer.errors.queue import *  # noqa: F403
from signer.errors.reason import *  # noqa: F403
from signer.errors.records import *  # noqa: F403
from signer.errors.remote import *  # noqa: F403
from signer.errors.request import *  # noqa: F403
from signer.errors.timestamps import *  # noqa: F403
from signer.errors.tokens import *  # noqa: F403

"""`signer doctor` and AdminService.Diagnose: what is wrong with this appliance, and what to do.

- `findings`: what a check says.
- `files`: what the configuration and the files it names tell, with or without a daemon.
- `services`: whether what lies outside can be reached.
- `process`: what the daemon's machine lets processes give up.
- `archive`: whether what is archived is where the daemon looks for it.
- `rooms`: what the running daemon sees of its tokens, clock, authorities, CAs and journal.

Rules of the room:
- A check looks, and changes nothing: no PIN is tried, no key used, no token opened.
- Every finding that is not OK says what to do. Secrets are read at most to see that they can be, and never shown.
"""

from signer.server.diagnosis.files import check_files
from signer.server.diagnosis.findings import gravest_first
from signer.server.diagnosis.rooms import check_rooms
from signer.server.diagnosis.services import check_services

__all__ = ["check_files", "check_rooms", "check_services", "gravest_first"]

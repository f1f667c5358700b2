"""The nouns every room shares: what is signed, for whom, how, with which credential.

Values only: frozen, compared by content, without I/O. Names are the field's own (CSC: credential; CMS: signed attributes; ETSI EN
319 142-1: levels). One file a theme; everybody imports from here.
"""

from signer.model.credentials import *  # noqa: F403
from signer.model.findings import *  # noqa: F403
from signer.model.pdf import *  # noqa: F403
from signer.model.records import *  # noqa: F403
from signer.model.signing import *  # noqa: F403

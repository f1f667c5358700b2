"""A trial's material, made once in the container: a token in software, a PKI that imitates the government's, a class, a configuration.

Replace it by your own for anything real: compose.yaml says how. TRIAL_JOURNAL: the URL of the database that several daemons share
(replicas.yaml); they share the appliance's own secret as well, which is made here, and tell the balancer whether they are ready.
"""

import os
import secrets
from pathlib import Path

from signer.demo.stage import build

FOLDER = Path("/var/lib/signer/trial")
JOURNAL = os.environ.get("TRIAL_JOURNAL", "")
METRICS = "0.0.0.0:9464" if JOURNAL else "127.0.0.1:9464"
LISTENS = ("0.0.0.0:8443", METRICS, "0.0.0.0:3161")  # the container's own addresses: gRPC, metrics, timestamps


def shared(text: str) -> str:
    """The configuration of daemons on one database."""
    secret = FOLDER / "appliance.secret"
    secret.touch(mode=0o600)
    secret.write_text(secrets.token_urlsafe(48), encoding="ascii")
    journal = f'url = "{JOURNAL}"\npassword_file = "/run/secrets/database-password"'
    text = text.replace('url = "sqlite:///journal.db"', journal)
    return f'{text}\n[activation]\nsecrets = ["file:{secret}"]\n'


if not (FOLDER / "client.toml").is_file():
    stage = build(FOLDER)
    text = stage.config.read_text(encoding="utf-8")
    for listen in LISTENS:
        text = text.replace('listen = "127.0.0.1:0"', f'listen = "{listen}"', 1)
    stage.config.write_text(shared(text) if JOURNAL else text, encoding="utf-8")
    client = stage.client_config.read_text(encoding="utf-8")
    stage.client_config.write_text(client.replace("@PORT@", "8443"), encoding="utf-8")

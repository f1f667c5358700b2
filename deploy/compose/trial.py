"""A trial's material, made once in the container: a token in software, a PKI that imitates the government's, a class, a configuration.

Replace it by your own for anything real: compose.yaml says how.
"""

from pathlib import Path

from signer.demo.stage import build

FOLDER = Path("/var/lib/signer/trial")
LISTENS = ("0.0.0.0:8443", "127.0.0.1:9464", "0.0.0.0:3161")  # the container's own addresses: gRPC, metrics, timestamps

if not (FOLDER / "client.toml").is_file():
    stage = build(FOLDER)
    text = stage.config.read_text(encoding="utf-8")
    for listen in LISTENS:
        text = text.replace('listen = "127.0.0.1:0"', f'listen = "{listen}"', 1)
    stage.config.write_text(text, encoding="utf-8")
    client = stage.client_config.read_text(encoding="utf-8")
    stage.client_config.write_text(client.replace("@PORT@", "8443"), encoding="utf-8")

"""Everything the demonstration stands on, made anew in one folder: token, PKI, class, configuration."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from signer.demo.certificate_profiles import LeafKind, Subject
from signer.demo.pem import write_certificates, write_crl
from signer.demo.pki import DemoPki
from signer.demo.preflight import write_records
from signer.demo.pupils import SchoolClass, generate_class
from signer.demo.report_card import write_class
from signer.demo.softhsm import DemoToken, KeySpec, create_token, store_certificates
from signer.demo.tls_pki import TlsPki

CLIENT_NAME = "school-software"
POLICY_OID = "2.999.3161.1"
"""An OID of the arc that is set aside for examples; a real authority registers its own."""


@dataclass(frozen=True, slots=True)
class Round:
    """One signature on every record. credential: its key's label and id. field: the PDF field."""

    credential: str
    field: str
    title: str
    title_vi: str


ROUNDS = (
    Round("homeroom-teacher-1a", "GVCN", "Homeroom teacher", "Giáo viên chủ nhiệm"),
    Round("principal", "CBQL", "Principal", "Hiệu trưởng"),
    Round("school-seal", "KY_PHAT_HANH", "School seal", "Con dấu nhà trường"),
)
_TSA = "timestamp-authority"
_KINDS = {
    "homeroom-teacher-1a": LeafKind.HOMEROOM_TEACHER,
    "principal": LeafKind.PRINCIPAL,
    "school-seal": LeafKind.SCHOOL_SEAL,
    _TSA: LeafKind.TSA,
}


@dataclass(frozen=True, slots=True)
class Stage:
    """The folder after `build`."""

    folder: Path
    school_class: SchoolClass
    token: DemoToken

    @property
    def config(self) -> Path:
        """The daemon's configuration."""
        return self.folder / "signer.toml"

    @property
    def client_config(self) -> Path:
        """What `signer sign --client-config` reads; its port is filled in when the daemon answers."""
        return self.folder / "client.toml"

    @property
    def records(self) -> Path:
        """The class as the school software exports it: a PDF a pupil, unsigned."""
        return self.folder / "records"

    @property
    def xml_records(self) -> Path:
        """The same class as XML, a few records of it unfit to be signed."""
        return self.folder / "records-xml"

    @property
    def signed(self) -> Path:
        """One PDF a pupil with its three signatures."""
        return self.folder / "signed"

    @property
    def roots(self) -> Path:
        """PEM of the demo root: what verifiers trust."""
        return self.folder / "pki" / "root.pem"

    @property
    def pki(self) -> Path:
        """Certificates, and the TLS keys of server and client."""
        return self.folder / "pki"


def build(folder: Path) -> Stage:
    """Makes the folder anew; what an earlier demonstration left there is removed. ConfigError names a missing Debian package."""
    if folder.exists():
        shutil.rmtree(folder)
    pki_folder = folder / "pki"
    pki_folder.mkdir(parents=True)
    school_class = generate_class()
    with ThreadPoolExecutor(3) as pool:
        pki_made = pool.submit(DemoPki.create)
        token_made = pool.submit(create_token, folder / "softhsm", "demo-school", [KeySpec(label) for label in _KINDS])
        write_class(folder / "records", school_class)
        write_records(folder / "records-xml", school_class)
        pki, token = pki_made.result(), token_made.result()
    subjects = _subjects(school_class)
    issued = {label: pki.issue_leaf(kind, subjects[label], token.key(label).public_key) for label, kind in _KINDS.items()}
    token = store_certificates(token, issued)
    write_certificates(pki_folder / "ca.pem", pki.subordinate_certificate, pki.root_certificate)
    write_certificates(pki_folder / "root.pem", pki.root_certificate)
    write_crl(pki_folder / "ca.crl", pki.crl())
    _write_tls(pki_folder)
    stage = Stage(folder, school_class, token)
    stage.config.write_text(_config_text(stage), encoding="utf-8")
    stage.client_config.write_text(_client_text(stage), encoding="utf-8")
    return stage


def _subjects(school_class: SchoolClass) -> dict[str, Subject]:
    school = school_class.school

    def at_school(name: str) -> Subject:
        organisation, units = f"UBND {school.province}", (school.department, school.name)
        return Subject(f"{name} (DEMO)", organisation=organisation, units=units, locality=school.commune)

    return {
        "homeroom-teacher-1a": at_school(school_class.homeroom_teacher),
        "principal": at_school(school_class.principal),
        "school-seal": at_school(school.name),
        _TSA: Subject("Cấp dấu thời gian (DEMO)", organisation="Ban Cơ yếu Chính phủ (DEMO)"),
    }


def _write_tls(folder: Path) -> None:
    tls = TlsPki.create()
    write_certificates(folder / "tls-ca.crt", tls.certificate)
    tls.server().write_pem(folder, "server")
    tls.client(CLIENT_NAME).write_pem(folder, CLIENT_NAME)


def _config_text(stage: Stage) -> str:
    token, school = stage.token, stage.school_class.school.code
    credentials = "".join(
        f'\n[[credentials]]\nid = "{each.credential}"\ntoken = "demo-school"\nkey_label = "{each.credential}"\nschool = "{school}"\n'
        for each in ROUNDS
    )
    return f"""# Made by `signer demo`. Every key is explained in docs/config.md.

[server]
listen = "127.0.0.1:0"
tls_certificate = "pki/server.crt"
tls_private_key = "pki/server.key"
tls_client_ca = "pki/tls-ca.crt"

[metrics]
listen = "127.0.0.1:0"

[journal]
url = "sqlite:///journal.db"

[trust]
ca_files = ["pki/ca.pem"]

[timestamp]
credential = "{_TSA}"
policy_oid = "{POLICY_OID}"

[timestamp.clock]
guard = "unguarded"                    # a trial may believe its clock

[timestamp.http]
listen = "127.0.0.1:0"

[[tokens]]
name = "demo-school"
module = "{token.module_path}"
label = "demo-school"
pin = "file:{token.pin_file.relative_to(stage.folder)}"
processes = 0
softhsm_token_directory = "{token.tokens_directory.relative_to(stage.folder)}"
environment = {{ SOFTHSM2_CONF = "{token.conf_path}" }}
{credentials}
[[credentials]]
id = "{_TSA}"
token = "demo-school"
key_label = "{_TSA}"

[[clients]]
id = "{CLIENT_NAME}"
common_name = "{CLIENT_NAME}"
schools = ["{school}"]
operator = true
"""


def _client_text(stage: Stage) -> str:
    return f"""# Made by `signer demo`: what `signer sign --client-config` reads.
server = "localhost:@PORT@"
ca = "pki/tls-ca.crt"
certificate = "pki/{CLIENT_NAME}.crt"
key = "pki/{CLIENT_NAME}.key"
school = "{stage.school_class.school.code}"
"""

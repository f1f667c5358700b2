"""The class's XML records, checked before any key is used: three of them are as unfit as real exports are."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from rich.console import Console

from signer.demo.ministry_xml import write_class_xml
from signer.demo.pupils import SchoolClass
from signer.demo.records import Fault, spoil
from signer.demo.shown import shown
from signer.errors import Unrecognized

_FAULTS = {6: Fault.PERSONAL_NUMBER_MISSING, 17: Fault.RESULT_MISSING, 29: Fault.OTHER_SCHOOL}
"""By the pupil's place in the register, from 0."""


def write_records(folder: Path, school_class: SchoolClass) -> None:
    """An XML file a pupil, some of them unfit to be signed."""
    paths = write_class_xml(folder, school_class)
    for index, fault in _FAULTS.items():
        paths[index].write_bytes(spoil(paths[index].read_bytes(), fault))


def check_records(folder: Path, client_config: Path, console: Console) -> None:
    """Asks as a homeroom teacher would, and shows what each unfit record lacks."""
    arguments = ["records", "check", shown(folder), "--role", "homeroom-teacher", "--client-config", shown(client_config)]
    console.print("3. Which XML records may be signed? No key is used for that:")
    console.print(f"   signer {' '.join(arguments)}", style="bold", soft_wrap=True)
    done = subprocess.run([sys.executable, "-m", "signer", *arguments, "--json"], stdout=subprocess.PIPE, check=False)
    told = json.loads(done.stdout)
    if told.get("error"):
        raise Unrecognized(f"signer records check ended with {told['error']['reason']}: {told['error']['message']}")
    summary = told["summary"]
    console.print(f"   {summary['checked']} records: {summary['fit']} fit to be signed, {summary['unfit']} not")
    for record in told["records"]:
        for finding in record["findings"]:
            console.print(f"   {record['path']}: {finding['message_vi']}", style="yellow", soft_wrap=True, highlight=False)

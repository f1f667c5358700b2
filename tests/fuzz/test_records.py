"""Signed records that somebody has been at: whatever is done to one, it is sealed only over the very data that its principal signed.

SIGNER_FUZZ_EXAMPLES: examples a test, for long runs.
"""

from __future__ import annotations

import copy
import os
import time

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from signer.demo.ministry_xml import RecordLayout
from signer.errors import DocumentError
from tests.support.records import CLERK, OFFICE, TEACHERS, signed

EXAMPLES = int(os.environ.get("SIGNER_FUZZ_EXAMPLES", "100"))
DOCUMENT_S_MAX = 5.0  # generous: a record takes some milliseconds; what loops would take for ever
fuzz = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
READY = {
    RecordLayout.PRIMARY_V1: signed(RecordLayout.PRIMARY_V1, 2),
    RecordLayout.MULTI_LEVEL: signed(RecordLayout.MULTI_LEVEL, len(TEACHERS) + 2),
}
"""Records that only wait for the seal."""
TAGS = ("GVCN", "CBQL", "KY_PHAT_HANH", "DU_LIEU_HOC_BA", "DANH_SACH_THONG_TIN_KY", "PHAT_HANH_HOC_BA", "MA_TRUONG", "MUC_DAT_DUOC", "X")
IDS = ("data", "thongtinhocba", "DTK_TOAN", "GV_TOAN", "x", "")


@st.composite
def edited(draw: st.DrawFn) -> tuple[RecordLayout, bytes]:
    """A record that waits for its seal, with elements moved, doubled, removed, renamed, rewritten or given other Ids."""
    layout = draw(st.sampled_from(RecordLayout))
    root = etree.fromstring(READY[layout])
    for _ in range(draw(st.integers(1, 4))):
        nodes = list(root.iter(etree.Element))
        node, other = draw(st.sampled_from(nodes)), draw(st.sampled_from(nodes))
        parent = node.getparent()
        match draw(st.sampled_from(["move", "double", "remove", "rename", "text", "id"])):
            case "move" if parent is not None and node not in other.iterancestors() and node is not other:
                other.append(node)
            case "double":
                other.append(copy.deepcopy(node))
            case "remove" if parent is not None:
                parent.remove(node)
            case "rename":
                node.tag = draw(st.sampled_from(TAGS))
            case "text":
                node.text = draw(st.sampled_from(["", "T", "10", "Xuất sắc"]))
            case "id":
                node.set(draw(st.sampled_from(["Id", "ID", "id"])), draw(st.sampled_from(IDS)))
    return layout, etree.tostring(root, encoding="UTF-8", xml_declaration=True)


def data_of(record: bytes) -> bytes:
    """What a reader takes for the record's data, canonical."""
    found = etree.fromstring(record).find("DU_LIEU_HOC_BA")
    return b"" if found is None else etree.tostring(found, method="c14n")


@fuzz
@given(record=edited())
def test_a_record_is_sealed_only_over_the_data_that_its_principal_signed(record: tuple[RecordLayout, bytes]) -> None:
    layout, content = record
    if OFFICE.problems(content, CLERK):
        return
    assert data_of(content) == data_of(READY[layout])
    assert not OFFICE.problems(OFFICE.sign(content, CLERK), CLERK)[1:]


@fuzz
@given(layout=st.sampled_from(RecordLayout), at=st.integers(0, 40_000), length=st.integers(0, 50), put=st.binary(max_size=20))
def test_any_bytes_are_judged_or_refused_with_our_error_in_bounded_time(layout: RecordLayout, at: int, length: int, put: bytes) -> None:
    content = READY[layout]
    at %= len(content)
    started_s = time.process_time()
    try:
        findings = OFFICE.check(content[:at] + put + content[at + length :], CLERK).findings
    except DocumentError:
        findings = ()
    assert all(finding.en and finding.vi for finding in findings)
    assert time.process_time() - started_s < DOCUMENT_S_MAX

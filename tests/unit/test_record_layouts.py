"""Layouts: the ones that come with the appliance, what a file may say, and that a wrong one is refused in words that help."""

from __future__ import annotations

import contextlib
import re
import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from signer.documents.wire import Start
from signer.errors import ConfigError
from signer.model import RecordSlot, Role
from signer.records.layout import Layout
from signer.records.layout_checks import SIGNING_ROLES
from signer.records.layout_files import load_layouts, parse_layout

FOLDER = Path(__file__).parents[2] / "signer" / "records" / "layouts"
PRIMARY = (FOLDER / "moet-1.0-primary.toml").read_text(encoding="utf-8")
MULTI_LEVEL = (FOLDER / "moet-2.0.toml").read_text(encoding="utf-8")
LAYOUTS = load_layouts()


def names(slots: Any) -> list[str]:
    return [slot.value for slot in slots]


def test_the_ministrys_layouts_come_with_the_appliance() -> None:
    primary, multi_level = LAYOUTS
    assert (primary.id, multi_level.id) == ("moet-1.0-primary", "moet-2.0")
    assert names(slot.slot for slot in primary.slots) == ["GVCN", "CBQL", "KY_PHAT_HANH"]
    assert names(slot.slot for slot in multi_level.slots) == ["GVBM", "GVCN", "CBQL", "KY_PHAT_HANH"]
    assert [slot.optional for slot in primary.slots] == [True, False, False]
    assert not any(slot.optional for slot in multi_level.slots)


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.id)
def test_the_seal_comes_after_every_other_signature(layout: Layout) -> None:
    seal = layout.slot(RecordSlot.SEAL)
    assert seal is not None
    assert [slot.slot for slot in layout.before(seal)] == [slot.slot for slot in layout.slots[:-1]]


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.id)
@given(role=st.sampled_from(Role))
def test_a_role_signs_one_slot_at_most_and_only_its_own(layout: Layout, role: Role) -> None:
    slots = [slot for slot in layout.slots if role in slot.roles]
    assert len(slots) <= 1
    assert all(role in SIGNING_ROLES[slot.slot] for slot in slots)
    assert layout.slot_of(role) == (slots[0] if slots else None)


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.id)
@given(data=st.data())
def test_whatever_comes_before_a_slot_comes_before_what_follows_it(layout: Layout, data: st.DataObject) -> None:
    later = data.draw(st.sampled_from(layout.slots))
    for earlier in layout.before(later):
        assert set(layout.before(earlier)) <= set(layout.before(later))
        assert later not in layout.before(earlier)


def test_the_documented_layout_is_one() -> None:
    (sample,) = re.findall(r"```toml\n(.*?)```", (FOLDER.parents[2] / "docs" / "records.md").read_text(encoding="utf-8"), re.DOTALL)
    assert parse_layout(sample.encode()).id == "so-gddt-2026"


def test_layouts_reach_document_workers_as_they_are() -> None:
    start = Start(name="0", memory_bytes_max=1, log_level="info", layouts=LAYOUTS)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(start), type=Start) == start


def test_a_folders_layout_is_known_beside_the_appliances_own_and_replaces_the_same_id(tmp_path: Path) -> None:
    (tmp_path / "new.toml").write_text(MULTI_LEVEL.replace('id = "moet-2.0"', 'id = "moet-3.0"'), encoding="utf-8")
    (tmp_path / "same.toml").write_text(PRIMARY.replace("optional = true", "optional = false"), encoding="utf-8")
    (tmp_path / "notes.txt").write_text("no layout", encoding="utf-8")
    found = load_layouts(tmp_path)
    assert [layout.id for layout in found] == ["moet-1.0-primary", "moet-2.0", "moet-3.0"]
    assert not found[0].slots[0].optional


def test_every_problem_of_every_file_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(PRIMARY.replace("[identifiers]", "[identifiers]\nname = '/x'"), encoding="utf-8")
    (tmp_path / "b.toml").write_text("id = ", encoding="utf-8")
    (tmp_path / "c.toml").write_text(MULTI_LEVEL, encoding="utf-8")
    (tmp_path / "d.toml").write_text(MULTI_LEVEL, encoding="utf-8")
    with pytest.raises(ConfigError) as refused:
        load_layouts(tmp_path)
    told = refused.value.message.splitlines()
    assert len(told) == 3
    assert "a.toml: identifiers.name: unknown key" in told[0]
    assert "b.toml: is no TOML" in told[1]
    assert "d.toml: id: 'moet-2.0' is the layout of" in told[2]


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such folder"):
        load_layouts(tmp_path / "none")


WRONG = {
    "a key is missing": ('root = "HOC_BA"\n', "", "recognition.root: field required"),
    "a key is unknown": ('root = "HOC_BA"', 'root = "HOC_BA"\nleaf = 1', "recognition.leaf: unknown key"),
    "a role that does not exist": ('roles = ["clerk"]', 'roles = ["teacher"]', "slots[3].roles[0]: input should be"),
    "nobody may sign": ('roles = ["clerk"]', "roles = []", "slots[3].roles: tuple should have at least 1 item"),
    "a relative place": ('place = "/HOC_BA/PHAT_HANH_HOC_BA//CBQL"', 'place = "CBQL"', "slots[2].place: string should match pattern"),
    "no XPath": ("PHAT_HANH_HOC_BA//CBQL", "PHAT_HANH_HOC_BA//CB[QL", "slots[CBQL].place: is no XPath 1.0"),
    "an unknown variable": ("GVBM/@Id = $subject", "GVBM/@Id = $class", "slots[GVBM].references[0].element: the one variable"),
    "no date": ("valid_from = 2025-01-01", 'valid_from = "soon"', "valid_from: input should be a valid date"),
    "SHA-1": ('id = "data" }', 'id = "data", digest = "sha1" }', "slots[2].references[0].digest: input should be 'sha256'"),
    "an XSLT transform": (
        'id = "data" }',
        'id = "data", transforms = ["http://www.w3.org/TR/1999/REC-xslt-19991116"] }',
        "slots[CBQL].references[0].transforms: at most one is allowed",
    ),
    "an unknown canonicalisation": (
        'after = ["CBQL"]',
        'after = ["CBQL"]\ncanonicalization = "urn:mine"',
        "slots[KY_PHAT_HANH].canonicalization: unknown; known: http",
    ),
    "a teacher who seals": ('roles = ["clerk"]', 'roles = ["clerk", "principal"]', "slots[KY_PHAT_HANH].roles: 'principal' can't sign"),
    "a slot twice": ('slot = "GVCN"', 'slot = "CBQL"', "slots[CBQL]: is described twice"),
    "a seal without a principal": ('after = ["CBQL"]', 'after = ["GVBM"]', "slots[KY_PHAT_HANH].after: must name CBQL"),
    "a circle": ('after = ["GVBM"]', 'after = ["KY_PHAT_HANH"]', "slots[GVCN].after: KY_PHAT_HANH stands later in the file"),
    "an order of slots that are not there": ('slot = "GVBM"', 'slot = "GVCN"', "slots[GVCN].after: the layout has no slot GVBM"),
    "a subject of everybody's": ('after = ["GVCN"]', 'after = ["GVCN"]\nsubject = "@Id"', "slots[CBQL].subject: is for GVBM"),
    "subjects that nobody tells apart": (" = $subject or GVBM/@Id = $subject", "", "slots[GVBM].references: name $subject exactly where"),
    "a signature inside what is signed": (
        'place = "/HOC_BA/DANH_SACH_THONG_TIN_KY/GVCN"',
        'place = "/HOC_BA/DU_LIEU_HOC_BA/GVCN"',
        "slots[GVCN].place: lies inside /HOC_BA/DU_LIEU_HOC_BA",
    ),
}


@pytest.mark.parametrize(("before", "after", "told"), WRONG.values(), ids=WRONG)
def test_a_wrong_layout_is_refused_by_key_and_cause(before: str, after: str, told: str) -> None:
    assert before in MULTI_LEVEL
    with pytest.raises(ConfigError) as refused:
        parse_layout(MULTI_LEVEL.replace(before, after).encode())
    assert told in refused.value.message


_VALUES = st.recursive(
    st.one_of(st.booleans(), st.integers(), st.text(max_size=20)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)),
    max_leaves=8,
)


@given(key=st.sampled_from(sorted(tomllib.loads(MULTI_LEVEL))), value=_VALUES)
def test_any_value_in_a_layout_is_taken_or_refused_with_our_error(key: str, value: Any) -> None:
    raw = tomllib.loads(MULTI_LEVEL) | {key: value}
    with contextlib.suppress(ConfigError):
        assert isinstance(parse_layout(_toml(raw).encode()), Layout)


def _toml(value: Any) -> str:
    """Just enough TOML: a document of inline values."""
    return "\n".join(f"{_key(name)} = {_inline(each)}" for name, each in value.items())


def _inline(value: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case dict():
            return "{" + ", ".join(f"{_key(name)} = {_inline(each)}" for name, each in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(_inline, value)) + "]"
        case str():
            return _key(value)
        case _:
            return str(value)


def _key(text: str) -> str:
    return '"' + "".join(f"\\U{ord(each):08x}" if ord(each) not in range(0xD800, 0xE000) else "?" for each in text) + '"'

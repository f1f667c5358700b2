"""Documents of one markup: read by their texts alone, they yield what reading the whole of them yields, or are read whole."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from functools import cache
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from lxml import etree

from signer.algorithms import DigestAlgorithm
from signer.demo.ministry_xml import RecordLayout
from signer.demo.records import Fault, class_records
from signer.documents.records import KnownRecords, find_slot
from signer.documents.wire import ExaminedXmlReply, ExamineXmlCall
from signer.documents.xml import examine_xml
from signer.errors import RecordUnfit, SignerError
from signer.formats.xml.alike.apart import take_apart
from signer.formats.xml.alike.learning import Marked
from signer.formats.xml.alike.memory import KINDS_MAX, KNOWN_MAX, Memory
from signer.formats.xml.alike.pattern import Pattern
from signer.formats.xml.names import Canonicalization
from signer.formats.xml.reading import read
from signer.formats.xml.template import XmlProfile
from signer.model import RecordPlan, XadesOptions
from signer.records.alike import compared_in, compared_names, record_pattern
from signer.records.examination import SlotVerdict
from tests.support import pki, xml_verdicts, xmls
from tests.support.records import HOMEROOM, LAYOUTS, OFFICE, ORDER, PRINCIPAL, Office
from tests.unit.test_xml_canonical import documents

EXAMPLES = int(os.environ.get("SIGNER_FUZZ_EXAMPLES", "60"))
laws = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))

PRIMARY = RecordLayout.PRIMARY_V1
BETWEEN_TAGS = re.compile(rb">([^<>]*)</")
TEXTS = (
    *(b"", b" ", b"9,5", "Tiến bộ rõ rệt".encode(), "\ue0001\ue001".encode(), b'"data"', b"'", b"S-0000000000000000"),
    *(b"a > b", b"&amp;", b"&#65;", b"&la;", b"\r\n", b"\x00", b"\x1f", b"\x7f", b"]]>", b"\xef\xbf\xbe", b"\xef\xbf\xbf", b"\xef\xbf\xa5"),
    *(b"\xc4", b"\x91", b"\xed\xa0\x80", b"<!-- a -->", b"<![CDATA[a]]>", b"<?a?>", b"<b/>", b"<", b">", b"></x><x>"),
)
"""Plain ones, and such as are another text when they are parsed, or none at all."""


def without_time(reply: ExaminedXmlReply) -> ExaminedXmlReply:
    return msgspec.structs.replace(reply, document_s=0, is_alike=False)


def xades(document: bytes, known: Memory[Pattern], options: XadesOptions = XadesOptions()) -> ExaminedXmlReply:  # noqa: B008 - frozen
    return examine_xml(ExamineXmlCall(document=document, options=options, digest_algorithm=DigestAlgorithm.SHA256, name=""), known)


def slot(record: bytes, plan: RecordPlan, known: Memory[KnownRecords], office: Office = OFFICE) -> ExaminedXmlReply:
    return find_slot(office.slot_call(record, plan), LAYOUTS, known)


def outcome(work: object) -> object:
    """What was found, or what was refused and why."""
    try:
        return without_time(work())  # type: ignore[operator]
    except SignerError as error:
        return type(error), error.message, error.metadata


def with_texts(document: bytes, texts: list[bytes]) -> bytes:
    """The document with these texts in leaves, by turns."""
    left = iter(texts * (1 + len(document) // max(1, len(texts))))
    return BETWEEN_TAGS.sub(lambda _found: b">" + next(left) + b"</", document)


@cache
def pupils(layout: RecordLayout = PRIMARY) -> list[bytes]:
    return [each.content for each in class_records(layout, size=6)]


SHAPE = b'<?xml version="1.0"?>\n<r>\n<data Id="data"><a>%s</a><b>%s</b>%s</data><c>%s</c></r>\n'
PLAIN = [SHAPE % texts for texts in ((b"1", b"2", b"", b"3"), (b"4", b"5", b"", b"6"), ("ỵ".encode(), b"", b" ", b""))]


def among(others: list[bytes], document: bytes, options: XadesOptions = XadesOptions()) -> object:  # noqa: B008 - frozen
    """What a document yields to whoever has read the others; fails if nothing was learnt of them."""
    known: Memory[Pattern] = Memory()
    assert [xades(each, known, options).is_alike for each in (*others, others[0])][-1]
    return outcome(lambda: xades(document, known, options))


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("place", range(4))
def test_every_text_is_taken_as_it_is_parsed_and_in_its_canonical_form(text: bytes, place: int) -> None:
    document = SHAPE % tuple(text if number == place else b"x" for number in range(4))
    assert among(PLAIN, document) == outcome(lambda: xades(document, Memory()))


def test_halves_of_a_character_in_two_texts_are_not_one_character() -> None:
    document = SHAPE % ("đ".encode()[:1], "đ".encode()[1:], b"", b"")
    assert among(PLAIN, document) == outcome(lambda: xades(document, Memory()))


def test_brackets_in_a_text_are_no_tag() -> None:
    others = [b"<r><a>%d</a><y/><b>2</b></r>" % number for number in range(3)]
    document = b"<r><a>1</a>>y/><b>2</b></r>"
    assert among(others, document) == outcome(lambda: xades(document, Memory()))
    assert among(others, document) != among(others, others[1])


@pytest.mark.parametrize(
    "document", [PLAIN[0] + b"x", PLAIN[0].replace(b"?>\n", b"?>x"), b"x" + PLAIN[0], PLAIN[0] + b" ", b"\xef\xbb\xbf" + PLAIN[0]]
)
def test_what_stands_outside_of_the_root_is_part_of_the_markup(document: bytes) -> None:
    assert among(PLAIN, document) == outcome(lambda: xades(document, Memory()))


@pytest.mark.parametrize("number", range(4))
def test_markup_that_looks_like_a_mark_stays_what_it_is(number: int) -> None:
    known: Memory[Pattern] = Memory()
    for text in (b"1", b"2", b"3", b"4"):
        document = f'<r a="\ue000{number}\ue001"><b>%s</b></r>'.encode() % text
        assert outcome(lambda document=document: xades(document, known)) == outcome(lambda document=document: xades(document, Memory()))


def test_an_id_that_stands_in_a_text_is_not_given_to_the_signature() -> None:
    options = XadesOptions(reference_id="data")
    taken = xades(SHAPE % (b"1", b"2", b"", b"3"), Memory(), options).examined.id
    document = SHAPE % (b"1", b"2", b"", taken.encode())
    assert among(PLAIN, document, options) == outcome(lambda: xades(document, Memory(), options))
    assert xades(document, Memory(), options).examined.id == f"{taken}x"


@pytest.mark.parametrize("inside", [b"<!-- a -->", b"<![CDATA[a]]>", b"<?a b?>"])
def test_comments_sections_and_instructions_are_part_of_the_markup(inside: bytes) -> None:
    shape = b"<r><a>%s</a>" + inside + b"%s<b>%s</b></r>"
    others = [shape % texts for texts in ((b"1", b"", b"2"), (b"3", b"x", b""), (b"4", b"y", b"z"))]
    document = shape % (b"5", b"7", b"")
    assert among(others, document) == outcome(lambda: xades(document, Memory()))
    assert xades(document, Memory()).examined.references != xades(document.replace(b"7", b""), Memory()).examined.references


@laws
@given(
    documents(),
    st.lists(st.sampled_from(TEXTS), min_size=1, max_size=4),
    st.sampled_from(Canonicalization),
    st.sampled_from(("", "data")),
    st.sampled_from(("", "/*/*/*[2]")),
)
def test_any_document_yields_what_it_yields_alone(
    document: bytes, texts: list[bytes], method: Canonicalization, reference_id: str, place: str
) -> None:
    options = XadesOptions(reference_id=reference_id, placement_xpath=place, canonicalization=method.value)
    known: Memory[Pattern] = Memory()
    for variant in (
        document,
        with_texts(document, [b"x", "ỵ".encode()]),
        document,
        with_texts(document, texts),
        with_texts(document, [b""]),
    ):
        expected = outcome(lambda variant=variant: xades(variant, Memory(), options))
        assert outcome(lambda variant=variant: xades(variant, known, options)) == expected


@laws
@given(st.integers(0, 5), st.dictionaries(st.integers(0, 300), st.sampled_from(TEXTS), max_size=3), st.sampled_from(ORDER[PRIMARY]))
def test_any_record_yields_what_it_yields_alone(number: int, changes: dict[int, bytes], plan: RecordPlan) -> None:
    known: Memory[KnownRecords] = Memory()
    place = -1

    def changed(found: re.Match[bytes]) -> bytes:
        nonlocal place
        place += 1
        return b">" + changes.get(place, found[1]) + b"</"

    record = BETWEEN_TAGS.sub(changed, pupils()[number])
    for each in (*pupils()[:4], record, *pupils()):
        expected = outcome(lambda each=each: slot(each, plan, Memory()))
        assert outcome(lambda each=each: slot(each, plan, known)) == expected


def test_a_class_is_parsed_twice_for_each_markup_and_then_read_by_its_texts() -> None:
    known: Memory[KnownRecords] = Memory()
    found = [slot(each, HOMEROOM, known) for each in pupils()]
    markups = {BETWEEN_TAGS.sub(b"></", each) for each in pupils()}
    assert len(markups) < 3
    assert sum(not each.is_alike for each in found) <= 2 * len(markups)
    assert [without_time(each) for each in found] == [without_time(slot(each, HOMEROOM, Memory())) for each in pupils()]
    assert len({each.identity for each in found}) == len(found)


def test_other_xml_of_one_markup_is_read_by_its_texts() -> None:
    known: Memory[Pattern] = Memory()
    found = [xades(b"<bang>\n<dong>%d</dong>\n</bang>" % number, known) for number in range(5)]
    assert [each.is_alike for each in found] == [False, False, True, True, True]
    assert len({each.examined.id for each in found}) == 5


@pytest.mark.parametrize("fault", [each for each in Fault if each is not Fault.TRUNCATED])
@pytest.mark.parametrize("plan", [HOMEROOM, PRINCIPAL])
def test_a_faulty_record_is_found_so_also_among_records_of_its_markup(fault: Fault, plan: RecordPlan) -> None:
    known: Memory[KnownRecords] = Memory()
    for each in pupils():
        slot(each, plan, known)
    unfit = class_records(size=6, faults={5: fault})[5].content
    assert outcome(lambda: slot(unfit, plan, known)) == outcome(lambda: slot(unfit, plan, Memory()))
    assert slot(pupils()[0], plan, known).is_alike


@pytest.mark.parametrize("blank", ["", "  ", "\n\t"])
def test_a_blank_result_is_unfinished_also_among_records_of_its_markup(blank: str) -> None:
    known: Memory[KnownRecords] = Memory()
    for each in pupils():
        slot(each, HOMEROOM, known)
    record = re.sub(rb"(<DIEM_TONG_KET [^>]*>\s*<MUC_DAT_DUOC>)[^<]*", rb"\g<1>" + blank.encode(), pupils()[5], count=1)
    with pytest.raises(RecordUnfit) as refused:
        slot(record, HOMEROOM, known)
    assert refused.value.metadata["finding"] == "RESULTS_UNFINISHED"


def test_what_was_learnt_for_one_plan_or_school_is_not_used_for_another() -> None:
    known: Memory[KnownRecords] = Memory()
    for each in pupils():
        slot(each, HOMEROOM, known)
    assert not slot(pupils()[0], PRINCIPAL, known).is_alike
    with pytest.raises(RecordUnfit):
        slot(pupils()[0], HOMEROOM, known, Office("99999999"))
    with pytest.raises(RecordUnfit):
        slot(pupils()[0], replace(HOMEROOM, class_id="9Z"), known)


@pytest.mark.parametrize(
    ("old", "new"),
    [(b'Id="data"', b'Id="dat4"'), (b"<GVCN/>", b"<GVCN></GVCN>"), (b"<CBQL/>", b"<!-- --><CBQL/>"), (b"<HOC_BA>", b"<HOC_BA >")],
)
def test_another_markup_is_never_taken_for_a_known_one(old: bytes, new: bytes) -> None:
    known: Memory[KnownRecords] = Memory()
    for each in pupils():
        slot(each, HOMEROOM, known)
    changed = pupils()[0].replace(old, new, 1)
    assert changed != pupils()[0]
    assert outcome(lambda: slot(changed, HOMEROOM, known)) == outcome(lambda: slot(changed, HOMEROOM, Memory()))


def test_xmlsec1_and_signxml_accept_records_that_were_read_by_their_texts(tmp_path: Path) -> None:
    cas = tmp_path / "root.pem", tmp_path / "ca.pem"
    for file, issued in zip(cas, (pki.root(), pki.authority()), strict=True):
        file.write_bytes(issued.pem)
    known: Memory[KnownRecords] = Memory()
    judged = 0
    for record in pupils():
        reply = slot(record, HOMEROOM, known)
        if reply.is_alike:
            signed = xmls.complete(record, reply.examined, xmls.signer(), XmlProfile.MINISTRY)
            assert xml_verdicts.xmlsec1(signed, cas, tmp_path)
            assert xml_verdicts.signxml(signed, cas, tmp_path) is not None
            assert not xml_verdicts.xmlsec1(signed.replace(b"<LOP>1A<", b"<LOP>1B<"), cas, tmp_path)
            judged += 1
    assert judged >= 2


@pytest.mark.parametrize(("path", "is_supplementary"), [("/HOC_BA/DU_LIEU_HOC_BA/TONG_KET", True), ("/HOC_BA/THI_LAI", False)])
def test_how_supplementary_assessment_is_told_is_known_of_a_markup(path: str, is_supplementary: bool) -> None:
    primary, *others = LAYOUTS
    layouts = (replace(primary, identifiers=replace(primary.identifiers, supplementary=path)), *others)
    known: Memory[KnownRecords] = Memory()
    found = [find_slot(OFFICE.slot_call(each, HOMEROOM), layouts, known) for each in pupils()]
    assert any(each.is_alike for each in found)
    assert {each.identity.is_supplementary for each in found if each.identity} == {is_supplementary}


def test_the_value_of_an_element_with_others_in_it_is_asked_of_each_record() -> None:
    primary, *others = LAYOUTS
    father = "".join(str(each) for each in next(etree.fromstring(pupils()[5]).iter("CHA")).itertext())
    (reference,) = primary.slots[0].references
    picky = replace(reference, element=f"/HOC_BA/DU_LIEU_HOC_BA[not(THONG_TIN_CHUNG/HOC_SINH/CHA = '{father}')]")
    layouts = (replace(primary, slots=(replace(primary.slots[0], references=(picky,)), *primary.slots[1:])), *others)
    known: Memory[KnownRecords] = Memory()
    for each in pupils()[:5] * 2:
        find_slot(OFFICE.slot_call(each, HOMEROOM), layouts, known)
    with pytest.raises(RecordUnfit):
        find_slot(OFFICE.slot_call(pupils()[5], HOMEROOM), layouts, known)


def test_a_layout_that_asks_for_a_text_has_its_records_read_whole() -> None:
    primary, *others = LAYOUTS
    asks = replace(primary.identifiers, class_id=primary.identifiers.class_id.replace("[last()]", "[NAM_HOC = '2025-2026']"))
    layouts = (replace(primary, identifiers=asks), *others)
    known: Memory[KnownRecords] = Memory()
    found = [find_slot(OFFICE.slot_call(each, HOMEROOM), layouts, known) for each in pupils()]
    assert not any(each.is_alike for each in found)
    assert {each.identity.class_id for each in found if each.identity} == {"1A"}


@pytest.mark.parametrize("fault", [Fault.RESULT_MISSING, Fault.SUMMARY_MISSING, Fault.ID_WRONG, Fault.ID_TWICE, Fault.LAYOUT_UNKNOWN])
def test_nothing_is_learnt_of_an_unfit_record_s_markup(fault: Fault) -> None:
    document = take_apart(class_records(size=1, faults={0: fault})[0].content)
    assert document is not None
    assert record_pattern(Marked(document), OFFICE.expectation(HOMEROOM), LAYOUTS, lambda *_: SlotVerdict(None)) is None


@pytest.mark.parametrize("document", [b"", b"abc", b"<", b">", b"<>", b"<r", b"r>", b"<r/>", b"<<r>>"])
def test_what_is_hardly_xml_is_met_as_it_is_alone(document: bytes) -> None:
    known: Memory[Pattern] = Memory()
    for _ in range(4):
        assert outcome(lambda: xades(document, known)) == outcome(lambda: xades(document, Memory()))
    assert (take_apart(document) is None) == (document not in {b"<>", b"<r/>"})


@pytest.mark.parametrize("quoted", [b'"S-0000000000000000"', b"'S-0000000000000000'", b'"x S-0000000000000000"', b"'S-0000000000000007'"])
def test_what_looks_like_an_id_of_a_signature_is_told_from_one_that_is_a_mark(quoted: bytes) -> None:
    shape = b'<r><x Id="%s"/><data Id="data" b=' + quoted + b">%d</data></r>"
    others = [shape % (b"S-0000000000000000", number) for number in range(3)]
    document = shape % (b"S-aaaaaaaaaaaaaaaa", 4)
    known: Memory[Pattern] = Memory()
    for each in (*others, document):
        assert outcome(lambda each=each: xades(each, known)) == outcome(lambda each=each: xades(each, Memory()))


def test_ids_of_signatures_are_taken_from_each_document() -> None:
    shape = b'<r><x Id="S-%016x" URI="#S-%016x-time"/><y Id="S-%016x"/><data Id="data">1</data></r>'
    others = [shape % (number, number, number + 1) for number in (2**60, 2**61, 2**62)]
    for document in (shape % (2**59, 2**59, 1 + 2**59), shape % (2**59, 1 + 2**59, 1 + 2**59), shape % (2**59, 2**59, 2**59)):
        assert among(others, document) == outcome(lambda document=document: xades(document, Memory()))


class Counting:
    """Answers to `Memory.ask` that count how often something is learnt. fills: whether what is known is of use."""

    def __init__(self, *, fills: bool, learns: str | None) -> None:
        self.learnt = 0
        self._fills = fills
        self._learns = learns

    def ask(self, known: Memory[str], times: int) -> list[bool]:
        return [
            known.ask(b"<r>1</r>", 0, fill=lambda *_: "a" if self._fills else None, read=lambda: "a", learn=self._learn)[1]
            for _ in range(times)
        ]

    def _learn(self, _document: object) -> str | None:
        self.learnt += 1
        return self._learns


def test_where_nothing_can_be_learnt_nobody_tries_again() -> None:
    counting = Counting(fills=True, learns=None)
    assert not any(counting.ask(Memory(), 20))
    assert counting.learnt == 1


def test_what_does_not_give_its_own_document_s_answer_is_not_kept_nor_learnt_again() -> None:
    counting = Counting(fills=False, learns="something")
    assert not any(counting.ask(Memory(), 20))
    assert counting.learnt == 1


def test_kinds_that_alternate_without_end_are_learnt_every_second_time_at_most() -> None:
    known: Memory[int] = Memory()
    learnt = 0

    def learn(kind: int) -> int:
        nonlocal learnt
        learnt += 1
        return kind

    kinds = KINDS_MAX + 12
    rounds = 12 * kinds
    for number in range(rounds):
        kind = number % kinds
        found, _ = known.ask(
            b"<r>1</r>",
            0,
            fill=lambda each, _document, kind=kind: each if each == kind else None,  # type: ignore[misc]
            read=lambda kind=kind: kind,  # type: ignore[misc]
            learn=lambda _document, kind=kind: learn(kind),  # type: ignore[misc]
        )
        assert found == kind
    assert learnt <= rounds // 2


def test_memory_is_bounded_and_keeps_what_is_used() -> None:
    known: Memory[Pattern] = Memory()

    def show(name: bytes) -> bool:
        return xades(b"<%s><a>1</a></%s>" % (name, name), known).is_alike

    assert [show(b"used") for _ in range(3)] == [False, False, True]
    for number in range(3 * KNOWN_MAX):
        assert [show(b"r%d" % number) for _ in range(3)] == [False, False, True]
        assert show(b"used")
    assert known.count <= KNOWN_MAX
    assert not show(b"r1")


def test_memory_forgets_big_markups_first_of_all_by_their_bytes() -> None:
    known: Memory[Pattern] = Memory(bytes_max=100_000)
    for number in range(10):
        document = b"<r%d>%s</r%d>" % (number, b"<dong/>" * 4000, number)
        for _ in range(3):
            xades(document, known)
    assert known.count <= 4


def test_nothing_is_learnt_of_what_is_refused() -> None:
    known: Memory[KnownRecords] = Memory()
    for _ in range(4):
        with pytest.raises(RecordUnfit):
            slot(pupils()[0], HOMEROOM, known, Office("99999999"))
    assert known.count == 0


OF_MARKUP = (
    *("/HOC_BA", "/A/B/C", "/A//B", "//B", "/A/*", "/A/*[self::B or self::C-D]", "/A/B[last()]/C", "/A/B[2]", "/A | /B", "(/A/B)[C]"),
    *("/A/B[not(C)]", "/A/B[C and D]/E", "/A/B.C/D_E", "(/A/B)[not(C/D)]", "/A/B[@C]", "/A/B[@C = 'x']"),
)
OF_VALUES = {
    "/A/B[C='x']": {"C"},
    "/A/B[C = $subject or D/@Id = $subject]": {"C"},
    '//B[C/D = "|x"]/E': None,
    "//B[C/D = 'x']/E": {"D"},
    "/A/B[not(/A//C = 'x') and D]": {"C"},
    "/A/B[C = 'D = 1']": {"C"},
}
OF_TEXT = (
    *("/A/B[C != D]", "/A/B[. = 1]", "/A/B[C > 1]", "/A/B[text()]", "/A/B[string(C)]", "/A/B[C + 1]", "/A/B[C = D]", "/A/B[C = 1]"),
    *("/A/B[C * 2]", "/A/B[C*2]", "/A/B[-C]", "/A/B[C div 2]", "/A/B[C mod D]", "/A/B[number(C)]", "/A/B[count(C)]", "/A/B[C - 1]"),
    *("/A/B[contains(C, D)]", "id(/A/B)", "/A/B[position() = C]", "/A/B[lang('vi')]", "/A/B[sum(C)]", "/A/B[not(string(C))]"),
    *("/A/B[normalize-space()]", "/A/B[C[1] = 'x']", "/A/B[(C) = 'x']", "/A/B[* = 'x']", "/A/B['x' = C]", "/A/B[C | D = 'x']"),
)


@pytest.mark.parametrize("expression", OF_MARKUP)
def test_an_expression_of_names_paths_and_positions_depends_on_no_text(expression: str) -> None:
    assert compared_in(expression) == frozenset()


@pytest.mark.parametrize("expression", OF_VALUES)
def test_an_expression_that_compares_depends_on_the_elements_that_it_names(expression: str) -> None:
    assert compared_in(expression) == OF_VALUES[expression]


@pytest.mark.parametrize("expression", OF_TEXT)
def test_of_an_expression_that_computes_or_calls_nothing_is_said(expression: str) -> None:
    assert compared_in(expression) is None


def test_the_ministry_s_layouts_ask_for_the_values_of_two_elements() -> None:
    assert compared_names(LAYOUTS) == {"CAP_HOC", "MA_GVBM"}


WORDS = (
    *("/A", "//B", "[", "]", "not(", ")", "*", " or ", " and ", "B", "self::B", "1", "last()", ".", "-", " ", "div ", "|", "="),
    *(
        "[B]",
        "[last()]",
        "[1]",
        "[not(A)]",
        "[self::A or self::B]",
        "[B = '1']",
        "[C = $subject]",
        "[A/B='1' and C]",
        "C",
        "'1'",
        "$subject",
    ),
)
EXPRESSIONS = st.text(st.sampled_from("AB/[]()|*.@$='-+ 12"), min_size=1, max_size=14) | st.lists(st.sampled_from(WORDS), max_size=9).map(
    "".join
)


@settings(max_examples=20 * EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(EXPRESSIONS)
def test_an_expression_finds_the_same_whatever_the_texts_say_that_it_does_not_compare(expression: str) -> None:
    compared = compared_in(expression)
    assume(compared is not None and "A" not in compared)
    shape = b"<A>%s<B>1</B><B><A>%s</A></B><A><B>%s</B><C>%s</C></A></A>"
    found = []
    for texts in ((b"", b"", b"1", b""), (b"1", b"2", b"3", b"0"), (b"x", b"0", b"1", b"1"), (b"2", b"A", b"B", b" ")):
        said = [b"1" if name in (compared or ()) else text for name, text in zip("ABBC", texts, strict=True)]
        root = read(shape % tuple(said)).root
        try:
            result = root.xpath(expression, subject="1")
        except etree.XPathError:
            return
        found.append([root.getroottree().getpath(each) for each in result] if isinstance(result, list) else result)  # type: ignore[arg-type]
    assert all(each == found[0] for each in found)

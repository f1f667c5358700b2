"""Laws of the fair queue: nothing lost or doubled, order kept within a line, no line waits for more than one turn of each other."""

from __future__ import annotations

from collections import Counter, deque

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from signer.tokens.fair import FairQueue

LINES = st.sampled_from(["a", "b", "c", "d", ""])
Item = tuple[str, int]


def filled(*lines: str) -> FairQueue[Item]:
    queue: FairQueue[Item] = FairQueue()
    for number, line in enumerate(lines):
        queue.put(line, (line, number))
    return queue


def test_a_class_does_not_wait_behind_a_whole_department() -> None:
    queue = filled(*["department"] * 10_000, *["school"] * 35)
    taken = queue.take(70)
    assert Counter(line for line, _ in taken) == {"department": 35, "school": 35}
    assert {line for line, _ in queue.take(100)} == {"department"}


@given(st.lists(LINES, max_size=60), st.integers(0, 80))
def test_each_line_gets_as_many_turns_as_any_other_that_has_something_waiting(lines: list[str], count: int) -> None:
    waiting = Counter(lines)
    taken = Counter(line for line, _ in filled(*lines).take(count))
    for line, had in waiting.items():
        for other in waiting:
            assert taken[other] <= taken[line] + 1 or taken[line] == had, "a line with items left is at most one turn behind"
    assert sum(taken.values()) == min(count, len(lines))


@given(st.lists(LINES, max_size=40), st.lists(st.integers(0, 5), max_size=40))
def test_taking_in_portions_is_taking_at_once(lines: list[str], portions: list[int]) -> None:
    whole, piecewise = filled(*lines), filled(*lines)
    taken = [item for portion in portions for item in piecewise.take(portion)]
    assert taken == whole.take(sum(portions))


@given(weights=st.fixed_dictionaries({"a": st.integers(1, 5), "b": st.integers(1, 5), "c": st.integers(1, 5)}), portion=st.integers(1, 7))
def test_lines_that_all_wait_share_by_their_weights_however_few_are_taken_at_once(weights: dict[str, int], portion: int) -> None:
    queue: FairQueue[Item] = FairQueue(weights.__getitem__)
    for number in range(200):
        for line in weights:
            queue.put(line, (line, number))
    rounds = 10
    wanted = rounds * sum(weights.values())
    taken = [item for _ in range(-(-wanted // portion)) for item in queue.take(portion)][:wanted]
    assert Counter(line for line, _ in taken) == {line: rounds * weight for line, weight in weights.items()}


def test_a_line_that_leaves_in_the_middle_of_its_turn_leaves_nothing_of_it_behind() -> None:
    queue: FairQueue[Item] = FairQueue({"a": 3, "b": 1}.__getitem__)
    for number in range(3):
        queue.put("a", ("a", number))
        queue.put("b", ("b", number))
    assert queue.take(1) == [("a", 0)]
    queue.remove_where(lambda item: item[0] == "a")
    queue.put("a", ("a", 9))
    assert [line for line, _ in queue.take(4)] == ["b", "a", "b", "b"]


class Laws(RuleBasedStateMachine):
    """Against the obvious model: a deque a line, and a round of the lines that have something."""

    def __init__(self) -> None:
        super().__init__()
        self.queue: FairQueue[Item] = FairQueue()
        self.lines: dict[str, deque[Item]] = {}
        self.round: list[str] = []
        self.numbers = 0

    @rule(line=LINES, count=st.integers(1, 5))
    def put(self, line: str, count: int) -> None:
        for _ in range(count):
            self.numbers += 1
            self.queue.put(line, (line, self.numbers))
            if line not in self.round:
                self.round.append(line)
            self.lines.setdefault(line, deque()).append((line, self.numbers))

    @rule(count=st.integers(0, 12))
    def take(self, count: int) -> None:
        expected: list[Item] = []
        while self.round and len(expected) < count:
            line = self.round.pop(0)
            expected.append(self.lines[line].popleft())
            if self.lines[line]:
                self.round.append(line)
        assert self.queue.take(count) == expected

    @rule(divisor=st.integers(1, 4), line=st.one_of(st.none(), LINES))
    def remove(self, divisor: int, line: str | None) -> None:
        def unwanted(item: Item) -> bool:
            return item[1] % divisor == 0 and line in {None, item[0]}

        gone = {item for items in self.lines.values() for item in items if unwanted(item)}
        assert set(self.queue.remove_where(unwanted)) == gone
        self.lines = {name: deque(item for item in items if item not in gone) for name, items in self.lines.items()}
        self.round = [name for name in self.round if self.lines[name]]

    @invariant()
    def length_is_what_waits(self) -> None:
        assert len(self.queue) == sum(map(len, self.lines.values()))


TestLaws = Laws.TestCase
TestLaws.settings = settings(max_examples=30, deadline=None)

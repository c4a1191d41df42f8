"""Assembly: which candidates are taken, so that the text fits its budget and what is worth most is in it.

Here belongs the choice. Sections are served by priority; within one priority items are taken by value a token, or where
values only rank by value, the best first, and one that does not fit leaves its place to smaller ones. The text is
counted as a whole before it is returned.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from context_plane.bundles.viewport.budget import CHOSEN, MANDATORY, Decision, Report
from context_plane.bundles.viewport.rendering import render
from context_plane.bundles.viewport.sections import Item, Section, check
from context_plane.ctx.tokens import counter
from context_plane.errors import Infeasible


@dataclass(frozen=True)
class Viewport:
    """A context window's text, and how its budget was spent."""

    text: str
    tokens: int
    """Of the text, at most the budget."""
    items: tuple[tuple[str, Item], ...]
    """Section and item of all that is in it, in the order of the sections given."""
    report: Report


def assemble(sections: Sequence[Section], budget: int) -> Viewport:
    """The best text of at most `budget` tokens (o200k_base). The same sections give the same bytes.

    Raises `InputError` for sections or a budget that cannot be meant, and `Infeasible` where what is mandatory alone
    takes more: with the least budget that would do.
    """
    given = tuple(sections)
    check(given, budget)
    choice = _Choice(given, budget)
    choice.take_mandatory()
    priorities = sorted({section.priority for section in given}, reverse=True)
    for reserving in (True, False):  # what was kept for a section and not needed is anybody's
        for priority in priorities:
            choice.take(priority, reserving=reserving)
    if choice.counted_anew():
        for priority in priorities:
            choice.take(priority, reserving=False)
    return choice.fitted()


_TAKES: Final = "it takes"


@dataclass
class _Candidate:
    section: Section
    item: Item
    tokens: int
    place: tuple[int, int]
    """Section and item as they were given: decides ties."""

    @property
    def worth(self) -> float:
        """What it is taken by: its value a token, or where values only rank its value."""
        return self.item.value if self.section.ranked else self.item.value / max(1, self.tokens)


@dataclass
class _Choice:
    """What was taken so far."""

    sections: tuple[Section, ...]
    budget: int
    taken: dict[str, list[Item]] = field(default_factory=dict)
    order: list[_Candidate] = field(default_factory=list)
    why: dict[tuple[int, int], str] = field(default_factory=dict)
    said: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        count = counter()
        self.taken = {section.name: [] for section in self.sections}
        self.candidates = [
            _Candidate(section, item, count(f"{item.text}\n") if item.tokens is None else item.tokens + 1, (at, number))
            for at, section in enumerate(self.sections)
            for number, item in enumerate(section.items)
        ]
        self.frames = {
            section.name: 0 if section.trusted else count(f"<{section.name}>\n</{section.name}>\n")
            for section in self.sections
        }
        self.spent = 0
        self._whole: tuple[str, int] | None = None
        self.spent_by = dict.fromkeys(self.taken, 0)

    def take_mandatory(self) -> None:
        """Takes what there is no context without. Raises `Infeasible`."""
        for each in self.candidates:
            if each.item.mandatory and not self.repeated(each):
                self.add(each, MANDATORY)
        tokens = counter()(self.text())
        if tokens > self.budget:
            what = f"what is mandatory takes {tokens:,} tokens, the budget is {self.budget:,}"
            raise Infeasible(what, where="max_tokens", remedy=f"give at least {tokens:,}")
        self.spent = tokens

    def take(self, priority: int, *, reserving: bool) -> None:
        """Takes items of the sections of a priority, by value a token, while they fit."""
        mine = [each for each in self.candidates if each.section.priority == priority and not each.item.mandatory]
        for each in sorted(mine, key=lambda one: (-one.worth, one.place)):
            if self.why.get(each.place) == CHOSEN or self.repeated(each):
                continue
            section, cost = each.section, self.cost(each)
            if section.most is not None and self.spent_by[section.name] + each.tokens > section.most:
                self.why[each.place] = f"the section may take {section.most:,} tokens"
                continue
            room = self.budget - self.spent - (self.reserved(priority) if reserving else 0)
            if cost > room:
                self.why[each.place] = f"{_TAKES} {cost:,} tokens, {max(0, room):,} are left"
                continue
            self.add(each, CHOSEN)
            self.spent += cost

    def counted_anew(self) -> bool:
        """Counts the text as a whole, which has fewer tokens than its parts; whether something more may fit now."""
        self.spent = self.whole()[1]
        room = self.budget - self.spent
        return any(each.tokens <= room and self.why.get(each.place, "").startswith(_TAKES) for each in self.candidates)

    def whole(self) -> tuple[str, int]:
        """The text of what was taken, and its tokens."""
        if self._whole is None:
            text = self.text()
            self._whole = text, counter()(text)
        return self._whole

    def cost(self, each: _Candidate) -> int:
        """Tokens of an item, with those of its section's frame where it is the first."""
        return each.tokens + (0 if self.taken[each.section.name] else self.frames[each.section.name])

    def reserved(self, priority: int) -> int:
        """Tokens kept for sections of lower priorities, as far as their items can use them."""
        total = 0
        for section in self.sections:
            if section.priority < priority and section.least:
                frame = 0 if self.taken[section.name] else self.frames[section.name]
                usable = sum(each.tokens for each in self.candidates if each.section is section)
                total += frame + max(0, min(section.least, usable) - self.spent_by[section.name])
        return total

    def repeated(self, each: _Candidate) -> bool:
        """Whether another item that was taken says the same; keeps that it does."""
        keys = [f"text {each.item.text}"] + ([] if each.item.same_as is None else [f"key {each.item.same_as}"])
        first = next((self.said[key] for key in keys if key in self.said), None)
        if first is None and each.item.says and all(f"fact {fact}" in self.said for fact in each.item.says):
            first = self.said[f"fact {each.item.says[0]}"]
        if first is not None:
            self.why[each.place] = f"{first} says the same"
        return first is not None

    def add(self, each: _Candidate, why: str) -> None:
        """Takes an item."""
        self._whole = None
        self.taken[each.section.name].append(each.item)
        self.order.append(each)
        self.why[each.place] = why
        self.spent_by[each.section.name] += each.tokens
        about = f"{each.section.name}/{each.item.id}"
        self.said[f"text {each.item.text}"] = about
        if each.item.same_as is not None:
            self.said[f"key {each.item.same_as}"] = about
        for fact in each.item.says:
            self.said.setdefault(f"fact {fact}", about)

    def text(self) -> str:
        """The text of what was taken."""
        return render(self.sections, self.taken)

    def fitted(self) -> Viewport:
        """The text, without the last items that were taken where the whole has more tokens than its parts."""
        text, tokens = self.whole()
        while tokens > self.budget:
            last = next(each for each in reversed(self.order) if not each.item.mandatory)
            self.order.remove(last)
            self.taken[last.section.name].remove(last.item)
            self.why[last.place] = "the whole would have had more tokens than its parts"
            text = self.text()
            tokens = counter()(text)
        included = {each.place for each in self.order}
        decisions = tuple(
            Decision(each.section.name, each.item.id, each.tokens, each.place in included, self.why[each.place])
            for each in self.candidates
        )
        items = tuple((each.section.name, each.item) for each in sorted(self.order, key=lambda one: one.place))
        return Viewport(text, tokens, items, Report(self.budget, tokens, decisions))

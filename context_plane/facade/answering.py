"""Answers: context under a budget, with a receipt from which its bytes are rebuilt."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from context_plane.errors import Infeasible, InputError, NotFound
from context_plane.facade.packing import Packing
from context_plane.tenant import Cut

if TYPE_CHECKING:
    from context_plane.bundles.answers.answer import Context
    from context_plane.bundles.answers.gathering import Gathered, Ref
    from context_plane.bundles.answers.receipt import Receipt
    from context_plane.bundles.answers.replay import Replayed
    from context_plane.bundles.answers.request import Request
    from context_plane.bundles.spec import ContextSpec
    from context_plane.bundles.viewport.assembly import Viewport
    from context_plane.bundles.viewport.sections import Item
    from context_plane.memory.chains.walk import Direction, Walk
    from context_plane.memory.nodes.recalling import Recalled
    from context_plane.parts.view import View
    from context_plane.retrieval.hit import Hit

_OF_ENTITY = frozenset({"entity", "memory", "events", "chain"})
"""Sections that are about the entity: without any of them nobody knows it."""
_DEPTH = 3
"""Links that an answer follows from its entity."""


class Answering(Packing):
    """Contexts and receipts."""

    def context(
        self,
        tenant: str,
        entity: str,
        goal: str | None = None,
        *,
        max_tokens: int = 2_000,
        spec: str | None = None,
        instructions: str | None = None,
        state: Any = None,
        knowledge: str | Sequence[str] | None = None,
        packages: str | Sequence[str] | None = None,
        as_of: Cut = None,
        known_at: int | None = None,
    ) -> Context:
        """Context about an entity for a goal, of at most `max_tokens` tokens, with its receipt.

        Assembled of the entity's fields (of the spec, by default the only one for its type; of no fields where there is
        none), of what is remembered about it, of its events and its links, and of knowledge: the best for the goal, or
        the newest where there is no goal. `instructions` are trusted and stand first; `state` is JSON; topics in
        `knowledge` and `packages` must be there. Nothing is cut inside: an item is there whole or not at all, and
        `budget` says of each why.

        The receipt is in the log when this returns, and `replay` renders the same bytes from it. Raises `Infeasible`
        where what is mandatory alone takes more than the budget, with the least that would do; `NotFound` for an
        unknown tenant, entity, spec, topic or package; `InputError` for arguments that cannot be meant.
        """
        from context_plane.bundles.answers.request import request
        from context_plane.bundles.viewport.sections import check

        asked = request(entity, goal, max_tokens, spec, instructions, state, knowledge, packages)
        check((), max_tokens)
        view = self._known(tenant).view(as_of, known_at)
        answer = self._answered(view, asked)
        self._keep(tenant, answer.manifest)
        return answer

    def _answered(self, view: View, asked: Request, only: frozenset[str] | None = None) -> Context:
        """The answer to a request, whose receipt is not in the log yet. `only` names the sections that it may have;
        who names them may ask about an entity that nobody knows."""
        from context_plane.bundles.answers.answer import Context
        from context_plane.bundles.answers.gathering import gather
        from context_plane.bundles.answers.receipt import receipt_of
        from context_plane.bundles.viewport.assembly import assemble
        from context_plane.instants import now

        chosen = self._answer_spec(view, asked) if only is None or "entity" in only else None
        found = gather(asked, self._sources(view, asked, chosen), only)
        if only is None and not found.found.keys() & _OF_ENTITY and not view.events(asked.entity).num_rows:
            remedy = "check the name (type/id); a later as_of may know it"
            raise NotFound(f"there is no event of {asked.entity!r:.80}", where=f"tenant {view.tenant}", remedy=remedy)
        port = assemble(found.sections, asked.max_tokens)
        if port.report.decisions and not port.items:
            what = f"nothing fits into {asked.max_tokens:,} tokens"
            raise Infeasible(what, where="max_tokens", remedy=f"give at least {_least(found):,}")
        _check_topics(asked, found, port)
        told = None if chosen is None else chosen.to_json()
        receipt = receipt_of(view.tenant, now(), asked, (view.number, view.as_of, view.end), told, found, port)
        texts = {(name, item.id): item.text for name, item in port.items}
        return Context(
            port.text, port.tokens, receipt, port.report,
            {"spec": chosen.name if chosen else None, "candidates": found.found},
            view.snapshot.number if view.snapshot else None, _texts(receipt, found.sections, texts),
        )  # fmt: skip

    def receipt(self, receipt: str) -> Receipt:
        """A receipt by its id. Raises `NotFound`, `InputError`."""
        from context_plane.bundles.answers.receipt import split

        return self._known(split(receipt)[0]).receipts.read(receipt)

    def receipts(self, tenant: str) -> list[str]:
        """The ids of a tenant's receipts, the oldest first."""
        return self._known(tenant).receipts.ids()

    def replay(self, receipt: str) -> Replayed:
        """Renders the text of a receipt again from the log, and says whether it has the bytes that were answered.

        Nothing is searched: the items are those of the receipt. Raises `NotFound`, `InputError`."""
        from context_plane.bundles.answers.replay import Recorded, replay
        from context_plane.bundles.spec import ContextSpec
        from context_plane.log.history import removed

        found = self.receipt(receipt)
        state = self._known(found.tenant)
        view = replace(state.view(None, found.number), as_of=found.as_of, end=found.end)
        spec = None if found.spec is None else ContextSpec.from_json(found.spec)
        return replay(
            found,
            Recorded(
                view.events,
                lambda: self._seen(view),
                lambda: None if spec is None else state.bundles.one(view, spec, found.request.entity),
                lambda item: self._packed_text(view, item["package"], item["version"], item["recipe"]).strip(),
                frozenset(removed(state.history.records(found.number))[0]),
            ),
        )

    def replay_all(self, tenant: str | None = None) -> Iterator[Replayed]:
        """Replays all receipts, of one tenant or of all, the oldest of each first."""
        for name in [tenant] if tenant is not None else self.tenants():
            try:
                ids = self.receipts(name)
            except NotFound:
                if tenant is not None:
                    raise
                continue
            for each in ids:
                yield self.replay(each)

    def _keep(self, tenant: str, receipt: Receipt) -> None:
        from context_plane.log.append import append
        from context_plane.log.events import Limits

        self._check_writable()
        state = self._tenant(tenant)
        with state.lock:
            append(state.history, [receipt.event()], limits=Limits(**vars(self.settings.ingest)))
            state.look_again()

    def _answer_spec(self, view: View, asked: Request) -> ContextSpec | None:
        """The spec that fields come from; of several for the entity's type one has to be named."""
        if asked.spec is not None:
            return self._spec(asked.spec, asked.entity, view)
        from context_plane.log.events import entity_type

        kind = entity_type(asked.entity)
        fitting = [spec for spec in self.specs(view).values() if spec.entity == kind]
        if len(fitting) > 1:
            what = f"{len(fitting)} context specs are for type {kind!r}"
            raise InputError(what, where="spec", remedy=f"name one of {', '.join(spec.name for spec in fitting)}")
        return fitting[0] if fitting else None

    def _sources(self, view: View, asked: Request, spec: ContextSpec | None) -> Any:
        from context_plane.bundles.answers.gathering import Sources

        entity, goal, state = asked.entity, asked.goal, self._tenant(view.tenant)

        def bundle() -> Any:
            try:
                return None if spec is None else state.bundles.one(view, spec, entity)
            except NotFound:
                return None  # an entity that is only remembered, or linked to, has no fields

        def recall(count: int) -> list[Recalled]:
            from context_plane.memory.nodes.recalling import Recalled, Wanted, listed
            from context_plane.memory.nodes.recalling import recall as recalled

            seen, wanted = self._seen(view), Wanted(entities=(entity,))
            newest = [Recalled(node, 0.0) for node in listed(seen, wanted)[-count:]]
            if goal and newest:
                globs = wanted.globs
                found = recalled(
                    seen, lambda some, k: self._search(view, goal, entity=some, type=globs, k=k), wanted, count
                )
                known = {each.id for each in found}
                newest = [each for each in newest if each.id not in known][: count - len(found)]
                return [*found, *newest]
            return [replace(each, score=rank / len(newest)) for rank, each in enumerate(newest, 1)]

        def search(count: int) -> list[Hit]:
            if goal:
                return self._search(view, goal, entity=entity, k=count)
            return self._newest(view, entity, count)

        def walks() -> list[Walk]:
            return [self._walk(view, entity, direction) for direction in ("back", "forward")]

        return Sources(
            bundle, recall, search, lambda count: self._chunks(view, asked, count),
            lambda: self._packages(view, asked), walks,
        )  # fmt: skip

    def _walk(self, view: View, entity: str, direction: Direction) -> Walk:
        from context_plane.memory.chains.graph import Thing
        from context_plane.memory.chains.walk import Walk, walk

        graph = self._graph(view)
        if entity not in graph:
            return Walk(Thing(entity), direction, (), 0)
        return walk(graph, entity, direction, _DEPTH)

    def _newest(self, view: View, entity: str, count: int) -> list[Hit]:
        """The newest events of an entity as hits, the newest with the highest score."""
        import pyarrow as pa
        import pyarrow.compute as pc

        from context_plane.log.events import RESERVED
        from context_plane.retrieval.hit import Hit, Scores

        events = view.events(entity)
        events = events.filter(pc.invert(pc.starts_with(events["type"], RESERVED)))
        events = events.slice(max(0, events.num_rows - count))
        columns = (events["id"], events["time"].cast(pa.int64()), events["type"], events["text"], events["source"])
        rows = zip(*(column.to_pylist() for column in columns), strict=True)
        return [
            Hit(view.tenant, id_, entity, at, type_, text or "", rank / events.num_rows, Scores(None, None), source)
            for rank, (id_, at, type_, text, source) in enumerate(rows, 1)
        ]

    def _chunks(self, view: View, asked: Request, count: int) -> list[tuple[Item, Ref]]:
        """Parts of the topics that were named, in their order; without any the best of all for the goal."""
        from context_plane.bundles.answers.passages import found, named
        from context_plane.knowledge.lookup import lookup

        state = self._tenant(view.tenant)
        catalog = self._catalog(state)
        if not asked.knowledge and not (asked.goal and catalog.current(view)):
            return []
        topics = [catalog.find(view, name) for name in asked.knowledge]
        searcher = self._searcher(state)
        best = (
            []
            if not asked.goal
            else lookup(
                catalog,
                lambda query: searcher.search(view, query),
                view,
                asked.goal,
                asked.knowledge or None,
                "auto",
                count,
            )
        )
        return named(topics, best) if topics else found(best)

    def _packages(self, view: View, asked: Request) -> list[tuple[Item, Ref]]:
        """The packages that were named, each whole, with what they are compiled by."""
        from context_plane.bundles.viewport.sections import Item

        if not asked.packages:
            return []
        shelf = self._shelf(view)
        found: list[tuple[Item, Ref]] = []
        for name in asked.packages:
            made = shelf.compiled(name)
            recipe = {each: declared.to_json() for each, declared in shelf.recipe(name).items()}
            ref = {"kind": "package", "package": name, "version": made.version, "recipe": recipe}
            says = tuple(
                f"{fact.source} {fact.id}" for part in made.parts for piece in part.pieces for fact in piece.facts
            )
            found.append((Item(name, made.text.strip(), mandatory=True, says=says), ref))
        return found


def _texts(receipt: Receipt, sections: Sequence[Any], texts: dict[tuple[str, str], str]) -> tuple[tuple[str, ...], ...]:
    """The items' texts as a receipt orders them."""
    from context_plane.bundles.viewport.rendering import in_order

    by_name = {section.name: section for section in sections}
    found = []
    for each in receipt.sections:
        section = by_name[each["name"]]
        taken = [item for item in section.items if (section.name, item.id) in texts]
        found.append(tuple(item.text for item in in_order(section, taken)))
    return tuple(found)


def _least(found: Gathered) -> int:
    """The fewest tokens of a context with one item."""
    from context_plane.bundles.viewport.rendering import frame
    from context_plane.ctx.tokens import count

    sections = found.sections
    return min(count(frame(s.name, [item.text], trusted=s.trusted)) for s in sections for item in s.items)


def _check_topics(asked: Request, found: Gathered, port: Viewport) -> None:
    """Raises `Infeasible` where nothing of a topic that was named is in the text, nor said by something else."""
    for topic in asked.knowledge:
        mine = [
            each for each in port.report.decisions if found.refs.get((each.section, each.id), {}).get("topic") == topic
        ]
        if mine and not any(each.included or each.why.endswith("says the same") for each in mine):
            what = f"nothing of topic {topic} fits into {port.report.budget:,} tokens beside the rest"
            least = min(each.tokens for each in mine)
            remedy = f"raise max_tokens: its smallest chunk takes {least:,}, {port.report.tokens:,} are spent"
            raise Infeasible(what, where="max_tokens", remedy=remedy)

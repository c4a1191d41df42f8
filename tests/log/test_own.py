"""Segments of the plane's own entities: at every number the same as reading the whole log would find."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st

from context_plane.log.history import History, live_segments
from context_plane.log.own import OwnSegments

ENTITIES = ("execution/a", "execution/b", "process/a")
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("ingest"), st.lists(st.sampled_from(ENTITIES), min_size=1, max_size=2, unique=True)),
        st.tuples(st.just("tombstone"), st.lists(st.sampled_from(ENTITIES), min_size=1, max_size=1)),
        st.tuples(st.just("rewrite"), st.lists(st.sampled_from(ENTITIES), min_size=1, max_size=1)),
        st.tuples(st.just("back"), st.lists(st.sampled_from(ENTITIES), min_size=1, max_size=1)),
    ),
    max_size=8,
)


class Log:
    """A history of records as a test makes them."""

    def __init__(self) -> None:
        self.made: list[Any] = []

    def refresh(self) -> int:
        return len(self.made)

    def records(self, after: int = 0, until: int | None = None) -> Sequence[Any]:
        return self.made[after:until]

    def segments(self, record: Any) -> Sequence[Any]:
        return cast("Sequence[Any]", record.segments)

    def commit(self, kind: str, entities: Sequence[str]) -> None:
        """A commit of a segment for each entity, of a tombstone, or of a rewrite of all that there is of an entity."""
        number = len(self.made) + 1
        gone = [ref.sha256 for each in self.made for ref in each.segments if ref.entity in entities]
        fresh = [SimpleNamespace(entity=entity, sha256=f"{number}/{entity}") for entity in entities]
        self.made.append(
            SimpleNamespace(
                number=number, kind="rewrite" if kind == "back" else kind, own=kind == "ingest",
                entities=entities if kind == "tombstone" else (),
                replaces=gone if kind in ("rewrite", "back") else (),
                segments=fresh if kind in ("ingest", "rewrite") else (),
            )
        )  # fmt: skip


@given(STEPS)
def test_what_is_still_there_is_what_the_whole_log_says(steps: list[tuple[str, list[str]]]) -> None:
    """For a reader who follows and for one who comes later; what lost something is known to be cut."""
    log = Log()
    history = cast("History", log)
    follower = OwnSegments(history, "execution")
    for kind, entities in steps:
        log.commit(kind, entities)
        expected: dict[str, list[str]] = {}
        for _, ref in live_segments(history, 0, len(log.made)):
            if ref.entity.startswith("execution/"):
                expected.setdefault(ref.entity, []).append(ref.sha256)
        for own in (follower, OwnSegments(history, "execution")):
            assert {entity: [ref.sha256 for ref in refs] for entity, refs in own.all().items()} == expected
            for entity in ENTITIES[:2]:
                assert [ref.sha256 for ref in own.of(entity)] == expected.get(entity, [])
                written = [r.sha256 for each in log.made for r in each.segments if r.entity == entity]
                assert own.cut(entity) == (written != expected.get(entity, []))

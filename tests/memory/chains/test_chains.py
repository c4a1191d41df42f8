"""Chains: what came before a thing and what came of it, by what events say, within limits, drawn."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from context_plane import ContextPlane
from context_plane.ctx.tokens import count
from context_plane.errors import InputError, NotFound
from context_plane.memory.chains import part
from context_plane.memory.chains.graph import Edge, Graph
from context_plane.memory.chains.layer import Layer
from context_plane.memory.chains.walk import walk
from context_plane.memory.links.link import Evidence, Link, Target
from tests.cli.conftest import Shell

DAY = 86_400_000_000


def edge(actor: str, kind: str, target: str, time: int = 0) -> Edge:
    """A statement that is in a text."""
    link = Link(
        time, "issues", f"{actor}-{time}", actor, kind, Target(target, target), False, kind, Evidence("text", 0, 5)
    )
    return Edge(time, kind, actor, target, link, f"{kind} {target}")


def graph(*edges: Edge) -> Graph:
    """A graph in which everything has events but what begins with a question mark."""
    names = {name for each in edges for name in (each.actor, each.target) if not name.startswith("?")}
    return made({name: f"about {name}" for name in names}, edges)


def made(titles: Mapping[str, str], edges: Iterable[Edge]) -> Graph:
    """A graph of things that have an event at the beginning of time, and of these edges."""
    firsts = [(0, "", "", name, title) for name, title in sorted(titles.items())]
    links = sorted((each.link, each.quote) for each in edges)
    return Graph([Layer([part.table(links, firsts)])])


def ids(graph_: Graph, start: str, **limits: Any) -> list[tuple[int, str]]:
    """Depth and thing of each step."""
    return [(step.depth, step.thing.id) for step in walk(graph_, start, **limits).steps]


CHAIN = graph(
    edge("d", "closes", "c", 4), edge("c", "refs", "b", 3), edge("c", "supersedes", "a", 3), edge("b", "led_to", "e", 5)
)


def test_what_a_thing_refers_to_came_before_it() -> None:
    """But what it led to came after."""
    assert ids(CHAIN, "d") == [(1, "c"), (2, "b"), (2, "a")]
    assert ids(CHAIN, "a", direction="forward") == [(1, "c"), (2, "d")]
    assert ids(CHAIN, "b", direction="forward") == [(1, "c"), (2, "d"), (1, "e")]
    assert ids(CHAIN, "e") == [(1, "b")]


def test_limits_say_what_they_left_out() -> None:
    """Depth, kinds, tokens."""
    near = walk(CHAIN, "d", depth=1)
    assert [(step.thing.id, step.cut) for step in near.steps] == [("c", True)]
    assert near.left_out == 2
    assert ids(CHAIN, "d", kinds=frozenset({"closes", "refs"})) == [(1, "c"), (2, "b")]
    few = walk(CHAIN, "d", max_tokens=12)
    assert len(few.steps) < 3
    assert few.left_out >= 1
    assert "more links are beyond the limits" in few.text


names = st.sampled_from("abcdefgh")
edges = st.lists(
    st.builds(edge, names, st.sampled_from(["refs", "closes", "led_to", "supersedes"]), names, st.integers(0, 9)),
    max_size=20,
)


def test_what_is_nearer_by_another_way_is_not_cut_off() -> None:
    """z is three links away, although the walk comes to x first where it is too far to go on to z."""
    found = walk(
        graph(
            edge("s", "refs", "a", 1), edge("a", "refs", "x", 2), edge("x", "refs", "y", 3), edge("y", "refs", "z", 4),
            edge("s", "refs", "x", 5),
        ), "s", depth=3,
    )  # fmt: skip
    assert "z" in {step.thing.id for step in found.steps}


@given(told=edges, direction=st.sampled_from(["back", "forward"]), limit=st.integers(1, 300))
def test_tokens_limit_the_text(told: list[Edge], direction: Any, limit: int) -> None:
    """All of it, but for the line of the start, which is always there."""
    found = walk(graph(edge("a", "refs", "b"), *told), "a", direction, 10, None, limit)
    assert not found.steps or count(found.text) <= limit


def test_circles_are_said_and_not_followed() -> None:
    """Issues refer to each other."""
    circle = graph(edge("a", "refs", "b", 1), edge("b", "refs", "c", 2), edge("c", "refs", "a", 3))
    steps = walk(circle, "a").steps
    assert [(step.thing.id, step.again) for step in steps] == [("b", False), ("c", False), ("a", True)]
    assert walk(circle, "a").text.endswith("(above)")
    assert graph(edge("a", "refs", "a")).entities() == ["a"]
    assert list(graph(edge("a", "refs", "a")).edges()) == []


def test_a_mere_reference_is_left_out_where_more_is_said() -> None:
    """In either direction; and what was said twice counts once, by the first who said it."""
    both = graph(
        edge("a", "refs", "b", 1), edge("b", "refs", "a", 2), edge("a", "closes", "b", 3), edge("a", "closes", "b", 4)
    )
    assert [(each.kind, each.time) for each in both.before("a")] == [("closes", 3)]
    assert both.before("b") == []


def test_the_tree_is_read_line_by_line() -> None:
    """With the words, the day and the event of each."""
    found = walk(
        graph(edge("d", "closes", "c", 4 * DAY), edge("c", "refs", "?x", 3 * DAY), edge("d", "refs", "b", 5 * DAY)), "d"
    )
    assert found.text.split("\n") == [
        'd  1970-01-01  "about d"',
        '├─ closes c  1970-01-01  "about c"  "closes c"  1970-01-05 issues d-345600000000',
        '│  └─ refs ?x (no event of it)  "refs ?x"  1970-01-04 issues c-259200000000',
        '└─ refs b  1970-01-01  "about b"  "refs b"  1970-01-06 issues d-432000000000',
    ]
    assert walk(CHAIN, "a").text.endswith("nothing is linked to it that came before")
    assert "closed by d" in walk(CHAIN, "c", "forward").text


def test_titles_cannot_become_code_of_a_diagram() -> None:
    """Quotes, brackets, arrows, line breaks of an event's own words."""
    nasty = 'x"] --> y[("click n0 href javascript:alert(1)'
    found = made({"a": nasty, "b|c": "`%%{init: {}}%%`"}, [edge("a", "refs", "b|c")])
    lines = walk(found, "a").mermaid.split("\n")
    assert lines[0] == "flowchart TB"
    for line in lines[1:]:
        assert re.fullmatch(r'  n\d+(\["[^"\[\]{}<>|`%]*"\]| -->\|"[a-z _]+"\| n\d+)', line), line


def near_to(graph_: Graph, start: str, direction: str, depth: int) -> set[str]:
    """All that is at most so many links away, level by level."""
    found = level = {start}
    for _ in range(depth):
        steps = [each for name in level for each in (graph_.before if direction == "back" else graph_.after)(name)]
        level = {each.earlier if direction == "back" else each.later for each in steps} - found
        found = found | level
    return found


@given(told=edges, direction=st.sampled_from(["back", "forward"]), depth=st.integers(1, 5))
def test_any_walk(told: list[Edge], direction: Any, depth: int) -> None:
    """Comes to all that is so near, goes on from each thing once, follows links that are there, whatever the order."""
    found_graph = graph(*told, edge("a", "refs", "b", 0))
    found = walk(found_graph, "a", direction, depth)
    assert walk(graph(edge("a", "refs", "b", 0), *reversed(told)), "a", direction, depth) == found
    gone_on = [step.thing.id for step in found.steps if not step.again and not step.cut]
    assert len(set(gone_on)) == len(gone_on)
    assert {step.thing.id for step in found.steps} | {"a"} == near_to(found_graph, "a", direction, depth)
    path = ["a"]
    for step in found.steps:
        del path[step.depth :]
        assert step.depth <= depth
        far = step.edge.earlier if direction == "back" else step.edge.later
        near = step.edge.later if direction == "back" else step.edge.earlier
        assert (near, far) == (path[-1], step.thing.id)
        path.append(step.thing.id)
    assert len(found.text.split("\n")) == 1 + max(1, len(found.steps)) + bool(found.left_out)


@pytest.mark.parametrize(
    ("limits", "where"),
    [
        ({"direction": "up"}, "direction"),
        ({"depth": 0}, "depth"),
        ({"depth": True}, "depth"),
        ({"max_tokens": 0}, "max_tokens"),
    ],
)
def test_impossible_limits_are_refused(limits: dict[str, Any], where: str) -> None:
    """With the argument's name."""
    with pytest.raises(InputError) as error:
        walk(CHAIN, "a", **limits)
    assert error.value.where == where


def event(number: int, entity: str, text: str, **data: Any) -> dict[str, Any]:
    """What somebody wrote on an issue, on a day of its own."""
    return {
        "specversion": "1.0", "id": str(number), "source": "issues", "type": "issue.commented", "subject": entity,
        "time": f"2026-03-{number + 1:02}T10:00:00Z", "data": {"text": text, **data},
    }  # fmt: skip


@pytest.fixture
def plane(tmp_path: Path) -> Iterator[ContextPlane]:
    with ContextPlane.open(tmp_path / "home", embedder="none") as made:
        made.ingest(
            "acme",
            [
                event(0, "issue/a/b#1", "Exports stop at 10,000 rows"),
                event(1, "issue/a/b#2", "Rewrite of exports, see #1"),
                event(2, "issue/a/b#3", "Limit raised\n\nCloses #1"), event(3, "issue/a/b#4", "Superseded by #3"),
            ],
        )  # fmt: skip
        yield made


def test_what_is_ingested_is_linked_at_once(plane: ContextPlane) -> None:
    """And as of a day before it was said it is not."""
    forward = plane.chain("acme", "issue/a/b#1", direction="forward")
    assert [(step.edge.kind, step.thing.id) for step in forward.steps] == [
        ("refs", "issue/a/b#2"), ("closes", "issue/a/b#3"),
    ]  # fmt: skip
    assert [step.edge.quote for step in forward.steps] == ["#1", "Closes #1"]
    plane.ingest("acme", [event(4, "issue/a/b#5", "Fixes #2")])
    assert len(plane.chain("acme", "issue/a/b#1", direction="forward").steps) == 3
    assert len(plane.chain("acme", "issue/a/b#1", direction="forward", as_of="2026-03-02").steps) == 1
    assert len(plane.chain("acme", "issue/a/b#1", direction="forward", known_at=1).steps) == 2
    assert [step.thing.id for step in plane.chain("acme", "issue/a/b#3", kinds="supersedes").steps] == ["issue/a/b#4"]


def test_columns_that_a_mapping_declares_are_links(plane: ContextPlane) -> None:
    """Of the source that it is for, also of events that are there already."""
    sources = plane.settings.sources
    sources.mkdir(parents=True, exist_ok=True)
    (sources / "issues.yaml").write_text(
        'source: issues\nformat: jsonl\nsubject: "issue/{entity}"\ntime: timestamp\ntype: "issue.{event}"\n'
        "text: text\nlinks: {parent: parent}\n"
    )
    plane.ingest("acme", [event(4, "issue/a/b#6", "A part of it", parent="#4")])
    found = plane.chain("acme", "issue/a/b#6")
    assert [(step.edge.kind, step.thing.id, step.edge.quote) for step in found.steps] == [("parent", "issue/a/b#4", "")]


@pytest.mark.parametrize("form", ["cloudevents", "jsonl"])
def test_texts_that_a_file_declares_are_read(plane: ContextPlane, form: str, tmp_path: Path) -> None:
    """Instead of the event's own text; the columns of a mapping are kept for it."""
    rows = "" if form == "cloudevents" else 'subject: "{key}"\ntype: note\ntime: at\ntext: title\ndata: []\n'
    sources = plane.settings.sources
    sources.mkdir(parents=True, exist_ok=True)
    (sources / "desk.yaml").write_text(f"source: desk\nformat: {form}\n{rows}texts: [text, body]\n")
    if form == "cloudevents":
        told = event(7, "issue/a/b#12", "See #1", body="Fixes #2", other="Fixes #3")
        plane.ingest("acme", [{**told, "source": "desk"}])
    else:
        row = {"key": "issue/a/b#12", "at": "2026-03-08T10:00:00Z", "title": "See #1", "body": "Fixes #2", "more": "#3"}
        (tmp_path / "rows.jsonl").write_text(json.dumps(row) + "\n")
        plane.ingest("acme", tmp_path / "rows.jsonl", source="desk")
    found = plane.chain("acme", "issue/a/b#12", depth=1)
    assert [(step.edge.kind, step.thing.id, step.edge.link.evidence.field) for step in found.steps] == [
        ("closes", "issue/a/b#2", "body"), ("refs", "issue/a/b#1", "text"),
    ]  # fmt: skip


@pytest.mark.parametrize("form", ["cloudevents", "jsonl"])
def test_references_that_a_file_declares_are_found(plane: ContextPlane, form: str) -> None:
    """As in Jira, where nothing follows from an entity's own id; in a mapping or for events as they come."""
    rows = "" if form == "cloudevents" else 'subject: "issue/{key}"\ntype: issue\ntime: at\n'
    sources = plane.settings.sources
    sources.mkdir(parents=True, exist_ok=True)
    (sources / "jira.yaml").write_text(
        f"source: issues\nformat: {form}\n{rows}links: {{parent: epic}}\n"
        'references: [{written: "AUTH-{number}", entity: "issue/AUTH-{number}"}]\n'
    )
    plane.ingest("acme", [event(7, "issue/AUTH-12", "Duplicate of AUTH-7", epic="AUTH-1")])
    found = plane.chain("acme", "issue/AUTH-12")
    assert {(step.edge.kind, step.thing.id) for step in found.steps} == {
        ("duplicate_of", "issue/AUTH-7"), ("parent", "issue/AUTH-1"),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ('references: [{written: "AUTH-{number}"}]', "needs written, and either entity or event"),
        ('references: [{written: "AUTH", entity: "issue/AUTH"}]', "no placeholder"),
        ('references: [{written: "A-{number}", entity: "issue/A-{digits}"}]', "is not in what is written"),
        ("links: {parent: data.epic}", "would be a field of that name inside the data"),
        ("texts: [data.body]", "would be a field of that name inside the data"),
        ("", "it declares nothing"),
    ],
)
def test_what_a_declaration_cannot_mean_names_file_and_line(plane: ContextPlane, declared: str, message: str) -> None:
    """When it is read: nothing is guessed."""
    sources = plane.settings.sources
    sources.mkdir(parents=True, exist_ok=True)
    (sources / "jira.yaml").write_text(f"source: issues\nformat: cloudevents\n{declared}\n")
    with pytest.raises(InputError, match=message) as error:
        plane.chain("acme", "issue/a/b#1")
    assert "jira.yaml:" in error.value.where


def test_an_unknown_start_is_refused(plane: ContextPlane) -> None:
    """Also one that others refer to, but that has no event."""
    plane.ingest("acme", [event(5, "issue/a/b#7", "See #99")])
    assert [step.thing.since for step in plane.chain("acme", "issue/a/b#7").steps] == [None]
    for start in ("issue/a/b#99", "issue/nothing", ""):
        with pytest.raises(NotFound, match="there is no event of"):
            plane.chain("acme", start)
    with pytest.raises(NotFound):
        plane.chain("nobody", "issue/a/b#1")


def test_the_command_draws_it(plane: ContextPlane, tmp_path: Path) -> None:
    """As text, as JSON and as a diagram."""
    cortex = Shell(tmp_path / "home")
    printed = cortex(
        "memory", "inspect", "acme", "issue/a/b#1", "--direction", "forward", "--mermaid", tmp_path / "m.mmd"
    )
    assert printed.exit_code == 0, printed.stderr
    assert '└─ closed by issue/a/b#3  2026-03-03  "Limit raised"  "Closes #1"  2026-03-03 issues 2' in printed.stdout
    assert (tmp_path / "m.mmd").read_text().startswith("flowchart TB\n")
    found = cortex.json("memory", "inspect", "acme", "issue/a/b#1", "--direction", "forward", "--kind", "closes")
    assert [(step["kind"], step["event_id"], step["rule"]) for step in found["steps"]] == [("closes", "2", "closes")]
    assert found["start"] == {
        "id": "issue/a/b#1",
        "since": "2026-03-01T10:00:00Z",
        "title": "Exports stop at 10,000 rows",
    }
    wrong = cortex("memory", "inspect", "acme", "issue/x")
    assert (wrong.exit_code, wrong.stdout) == (2, "")
    assert "there is no event of 'issue/x'" in wrong.stderr

"""`cortex knowledge`: what a tenant knows from files, by topic."""

from __future__ import annotations

import sys
from datetime import datetime
from typing import TYPE_CHECKING, Final

import click

from context_plane.cli.failures import WRONG, report
from context_plane.cli.options import cut_options, json_option, open_existing, open_plane, tenant_argument
from context_plane.cli.output import echo_json, note, on_terminal, progress, say, table
from context_plane.errors import InputError

if TYPE_CHECKING:
    from context_plane.knowledge.lookup import Passage
    from context_plane.knowledge.sync import Learned
    from context_plane.knowledge.topic import Topic, TopicInfo
    from context_plane.retrieval.searcher import Asked

_NAMED: Final = 20
_WIDTH: Final = 400
"""Characters of a text that people are shown."""
_BEGINS: Final = 60
_SHORT: Final = len("sha256:") + 12


@click.group("knowledge")
def command() -> None:
    """What a tenant knows from files, by topic: docs/knowledge.md."""


@command.command("sync")
@tenant_argument
@click.argument("folder", metavar="[FOLDER]", required=False)
@click.option("--keep-removed", is_flag=True, help="Keep topics that have no file in FOLDER.")
@json_option
def sync(tenant: str, folder: str | None, keep_removed: bool, as_json: bool) -> None:
    """Make the files in FOLDER, by default knowledge/ of the home, what TENANT knows: one topic a file, one commit.

    Topics without a file are removed; of a single file only its own topic is touched. Exits 2 where a file is refused:
    the others are learned all the same.
    """
    with open_plane() as plane:
        with progress("knowledge", "files") as bar:
            learned = plane.learn(tenant, folder, remove=not keep_removed, progress=bar)
        root = str(plane.settings.knowledge) if folder is None else folder
    if as_json:
        echo_json(learned.to_json())
    else:
        _tell(tenant, learned)
    if learned.left_out:
        kinds = "no kinds of files that are topics"
        note(f"warning: left out, {kinds}: {_listed(learned.left_out)}")
    for each in learned.refused:
        report(InputError(each.what, where=f"{each.path} in {root}", remedy=each.remedy))
    if learned.refused:
        raise click.exceptions.Exit(WRONG)


@command.command("list")
@tenant_argument
@cut_options
@json_option
def list_topics(tenant: str, as_of: datetime | int | None, known_at: int | None, as_json: bool) -> None:
    """List the topics that TENANT knows."""
    with open_existing() as plane:
        found = plane.topics(tenant, as_of=as_of, known_at=known_at)
    if as_json:
        echo_json([info.to_json() for info in found])
    elif not found:
        say("no topics: put files into knowledge/ of the home and run cortex knowledge sync")
    else:
        header = ["topic", "version", "tokens", "chunks", "since", "title"]
        table(header, [_row(info) for info in found], right=(2, 3))


@command.command("show")
@tenant_argument
@click.argument("topic", metavar="TOPIC")
@click.option("--version", metavar="V", help="The version that begins with V, instead of the current one.")
@click.option("--chunks", "as_chunks", is_flag=True, help="List the chunks instead of the text.")
@cut_options
@json_option
def show(
    tenant: str,
    topic: str,
    version: str | None,
    as_chunks: bool,
    as_of: datetime | int | None,
    known_at: int | None,
    as_json: bool,
) -> None:
    """Print TOPIC as its file was, byte for byte where a program reads it; which version it is goes to stderr."""
    with open_existing() as plane:
        found = plane.topic(tenant, topic, version=version, as_of=as_of, known_at=known_at)
    if as_json:
        echo_json(found.to_json())
        return
    info = found.info
    note(f"{info.name}  {info.version[:_SHORT]}  {info.tokens:,} tokens, {_count(info.chunks)}, since {info.time}")
    if as_chunks:
        table(["n", "tokens", "heading", "begins"], _chunks(found), right=(0, 1))
    else:
        _write(found.text)


@command.command("search")
@tenant_argument
@click.argument("query", metavar="QUERY")
@click.option("--topic", "topics", multiple=True, metavar="NAME", help="Only this topic; any of several.")
@click.option(
    "--mode", type=click.Choice(["auto", "bm25", "vector", "hybrid"]), default="auto", show_default=True,
    help="bm25: by words. vector: by meaning. hybrid: both. auto: hybrid where there are vectors.",
)  # fmt: skip
@click.option("-k", "k", type=int, default=5, show_default=True, metavar="N", help="How many chunks.")
@cut_options
@json_option
def search(
    tenant: str,
    query: str,
    topics: tuple[str, ...],
    mode: Asked,
    k: int,
    as_of: datetime | int | None,
    known_at: int | None,
    as_json: bool,
) -> None:
    """Print the chunks of current versions that answer QUERY best."""
    with open_existing() as plane:
        found = plane.lookup(
            tenant, query, topics=topics or None, mode=mode, k=k, as_of=as_of, known_at=known_at
        )  # fmt: skip
    if as_json:
        echo_json([each.to_json() for each in found])
        return
    for number, each in enumerate(found, 1):
        _show(number, each)
    if not found:
        say("nothing found")


def _tell(tenant: str, learned: Learned) -> None:
    for what in ("new", "changed", "removed"):
        names = getattr(learned, what)
        if names:
            say(f"{what}: {_listed(names)}")
    commit = "nothing changed" if learned.commit is None else f"commit {learned.commit}"
    counts = ", ".join(f"{len(getattr(learned, each)):,} {each}" for each in ("new", "changed", "unchanged", "removed"))
    say(f"{tenant}: {commit}: {counts}, {len(learned.refused):,} refused; {_count(learned.chunks)} written")


def _count(chunks: int) -> str:
    return f"{chunks:,} chunk{'s' * (chunks != 1)}"


def _listed(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def _row(info: TopicInfo) -> list[str]:
    return [info.name, info.version[:_SHORT], f"{info.tokens:,}", f"{info.chunks:,}", info.time, info.title]


def _chunks(topic: Topic) -> list[list[str]]:
    return [
        [str(each.n), f"{each.tokens:,}", _path(each.heading), " ".join(each.text.split())[:_BEGINS]]
        for each in topic.chunks
    ]


def _show(number: int, found: Passage) -> None:
    parts = {"bm25": found.scores.bm25, "vector": found.scores.vector}
    shown = ", ".join(f"{name} {value:.3f}" for name, value in parts.items() if value is not None)
    say(f"{number}. {found.topic}  {_path(found.heading)}".rstrip())
    say(f"   score {found.score:.3f} ({shown})  {found.event_id}  {found.chunk.tokens:,} tokens")
    text = " ".join(found.text.split())
    say(f"   {text if len(text) <= _WIDTH else text[:_WIDTH] + '…'}")


def _path(heading: tuple[str, ...]) -> str:
    return " > ".join(heading)


def _write(text: str) -> None:
    """A text as it is where a program reads it; for people with tabs as spaces and control characters written out."""
    if on_terminal():
        for line in text.removesuffix("\n").split("\n"):
            say(line.removesuffix("\r").expandtabs(4))
        return
    sys.stdout.flush()
    sys.stdout.buffer.write(text.encode())
    sys.stdout.buffer.flush()

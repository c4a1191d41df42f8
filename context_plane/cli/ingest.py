"""`cortex ingest`: files of events into a tenant's log; every file is a batch of its own, taken whole or not at all.

A file that is refused does not keep the others from being ingested: each has its own commit, and ingesting a file again
adds nothing. What the store refuses ends the command.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

import click

from context_plane.cli.failures import WRONG, report
from context_plane.cli.options import json_option, open_plane, tenant_option
from context_plane.cli.output import Report, echo_json, note, progress, say
from context_plane.errors import InputError, NotFound

if TYPE_CHECKING:
    from context_plane.log.outcome import Commit
    from context_plane.plane import ContextPlane

MAX_SHOWN: Final = 20
STDIN: Final = "-"


@dataclass
class Outcome:
    """What became of one file."""

    path: str
    commit: Commit | None
    error: InputError | None = None

    def to_json(self) -> dict[str, Any]:
        """The shape of `ingest --json`."""
        commit = self.commit
        return {
            "commit": commit and commit.id,
            "accepted": commit.accepted if commit else 0,
            "duplicates": commit.duplicates if commit else 0,
            "rejected": [{"line": each.line, "reason": each.reason} for each in commit.rejected] if commit else [],
        }


@dataclass
class Rejects:
    """The file that takes what `--skip-bad` leaves out; made at the first such event, and never over another file."""

    path: Path
    exact: bool
    """Whether the user named the file; if not, the next free name is taken."""
    count: int = 0
    _file: IO[bytes] | None = field(default=None, repr=False)

    def write(self, source: str, line: int, reason: str, event: Any) -> None:
        """One line: where the event stood, why it was left out, and the event (its text where it could not be read)."""
        if self._file is None:
            self._file = self._create()
        entry = {"file": source, "line": line, "reason": reason, "event": event}
        self._file.write(json.dumps(entry, ensure_ascii=False, default=str).encode("utf-8", "backslashreplace") + b"\n")
        self.count += 1

    def _create(self) -> IO[bytes]:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        stem, number = self.path.name.removesuffix(".jsonl"), 1
        while True:
            try:
                return open(self.path, "xb", buffering=0)
            except FileExistsError:
                if self.exact:
                    raise _exists(self.path) from None
                number += 1
                self.path = self.path.with_name(f"{stem}.{number}.jsonl")

    def close(self) -> None:
        """Makes it durable."""
        if self._file is not None:
            os.fsync(self._file.fileno())
            self._file.close()


@click.command("ingest")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@tenant_option
@click.option(
    "--source", metavar="NAME", help="Read the files through this source mapping of sources/ (a name, or a YAML file)."
)
@click.option("--skip-bad", is_flag=True, help="Keep the good events of a batch that has bad ones.")
@click.option("--rejects", metavar="FILE", help="Where --skip-bad writes what it leaves out [default: HOME/rejects/].")
@click.option("--batch-id", metavar="ID", help="Name of the batch: the same again is not read, its commit is reported.")
@json_option
def command(
    paths: tuple[str, ...],
    tenant: str,
    source: str | None,
    skip_bad: bool,
    rejects: str | None,
    batch_id: str | None,
    as_json: bool,
) -> None:
    """Store the events of each PATH (- is standard input), plain, .gz or .zst. Every file is one batch, all or none."""
    _check(paths, skip_bad, rejects, batch_id)
    with open_plane() as plane:
        common = Rejects(Path(rejects), exact=True) if rejects else None
        outcomes: list[Outcome] = []
        for path in paths:
            into = common or Rejects(plane.settings.home / "rejects" / _rejects_name(path), exact=False)
            try:
                outcomes.append(_ingest(plane, tenant, path, source, batch_id, into if skip_bad else None))
            finally:
                if into is not common:
                    into.close()
            _tell(outcomes[-1], as_json)
            if into is not common and into.count:
                note(f"{into.count:,} rejected events are in {into.path}")
        if common is not None:
            common.close()
            note(f"{common.count:,} rejected events are in {common.path}" if common.count else "nothing was rejected")
    _end(outcomes, as_json)


def _check(paths: Sequence[str], skip_bad: bool, rejects: str | None, batch_id: str | None) -> None:
    """Refuses what cannot go well before anything is stored."""
    if rejects is not None and not skip_bad:
        raise click.UsageError("--rejects goes with --skip-bad: without it a batch with bad events is refused whole.")
    if rejects is not None and os.path.lexists(rejects):
        raise _exists(Path(rejects))
    if batch_id is not None and len(paths) > 1:
        raise click.UsageError("--batch-id names one batch, and every file is one: ingest them one by one.")
    for path in paths:
        if path != STDIN:
            _check_path(path)


def _check_path(path: str) -> None:
    if not os.path.exists(path):
        raise NotFound("there is no such file", where=path, remedy="check the path")
    if os.path.isdir(path):
        raise InputError("this is a folder", where=path, remedy=f"name files, such as {os.path.join(path, '*.jsonl')}")
    if not os.access(path, os.R_OK):
        raise InputError("the file may not be read", where=path, remedy="check its permissions")


def _exists(path: Path) -> InputError:
    return InputError("the rejects file exists", where=str(path), remedy="name another, or remove it")


def _rejects_name(path: str) -> str:
    return f"{'stdin' if path == STDIN else os.path.basename(path)}.rejects.jsonl"


def _ingest(
    plane: ContextPlane, tenant: str, path: str, source: str | None, batch_id: str | None, rejects: Rejects | None
) -> Outcome:
    from context_plane.log.outcome import RefusedBatch

    events: Any = sys.stdin.buffer if path == STDIN and source is None else path
    with progress(f"ingest {os.path.basename(path)}", "events") as bar:
        try:
            commit = plane.ingest(
                tenant,
                events,
                source=source,
                skip_bad=rejects is not None,
                batch_id=batch_id,
                on_reject=_writer(rejects, path),
                progress=_counter(bar),
            )
        except RefusedBatch as error:
            place = f"{path}:{error.where.removeprefix('line ')}" if error.where.startswith("line ") else path
            return Outcome(path, error.commit, InputError(error.what, where=place, remedy=error.remedy))
        except InputError as error:
            return Outcome(path, None, error)
    return Outcome(path, commit)


def _writer(rejects: Rejects | None, path: str) -> Callable[[int, str, Any], None] | None:
    if rejects is None:
        return None
    return lambda line, reason, event: rejects.write(path, line, reason, event)


def _counter(bar: Report) -> Callable[[int], None]:
    return lambda count: bar(count, None)


def _tell(outcome: Outcome, as_json: bool) -> None:
    """Says what became of a file, the error on stderr in either case."""
    commit = outcome.commit
    if commit is not None and not as_json:
        for each in commit.rejected[:MAX_SHOWN]:
            say(f"{outcome.path}:{each.line}: {each.reason}")
        if commit.rejected_count > MAX_SHOWN:
            say(f"and {commit.rejected_count - MAX_SHOWN:,} more")
        if outcome.error is None:
            say(
                f"{outcome.path}: commit {commit.id}, {commit.accepted:,} accepted, {commit.duplicates:,} duplicate,"
                f" {commit.rejected_count:,} rejected"
            )
    if outcome.error is not None:
        report(outcome.error)


def _end(outcomes: Sequence[Outcome], as_json: bool) -> None:
    if as_json and len(outcomes) == 1:
        echo_json(outcomes[0].to_json())
    elif as_json:
        echo_json({"files": [{"path": each.path, **each.to_json()} for each in outcomes], "totals": _totals(outcomes)})
    elif len(outcomes) > 1:
        counts = _totals(outcomes)
        say(
            f"{len(outcomes)} files: {counts['accepted']:,} accepted, {counts['duplicates']:,} duplicate,"
            f" {counts['rejected']:,} rejected"
        )
    if any(each.error is not None for each in outcomes):
        raise click.exceptions.Exit(WRONG)


def _totals(outcomes: Sequence[Outcome]) -> dict[str, int]:
    commits = [each.commit for each in outcomes if each.commit is not None]
    return {
        "accepted": sum(each.accepted for each in commits),
        "duplicates": sum(each.duplicates for each in commits),
        "rejected": sum(each.rejected_count for each in commits),
    }

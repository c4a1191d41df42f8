"""`cortex package`: what is compiled from chains, topics and queries, and composed into one context."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from context_plane.cli.failures import NO, report
from context_plane.cli.options import cut_options, json_option, open_existing, open_plane, tenant_argument
from context_plane.cli.output import echo_json, note, say, table
from context_plane.errors import InputError

if TYPE_CHECKING:
    from context_plane.bundles.packages.package import Built, Freshness, Package, Row

_SHORT: Final = len("sha256:") + 12
_name = click.argument("name", metavar="NAME")
_STDOUT: Final = "-"


@click.group("package")
def command() -> None:
    """What is compiled from chains, topics and queries, and composed into one context: docs/packages.md."""


@command.command("build")
@tenant_argument
@click.argument("names", metavar="[NAME]…", nargs=-1)
@json_option
def build(tenant: str, names: tuple[str, ...], as_json: bool) -> None:
    """Compile packages that are stale or not built, by default all that packages/ declares, and keep them.

    Exits 1 where one cannot be compiled: the others are built all the same.
    """
    with open_existing() as plane:
        built = plane.build_packages(tenant, list(names) or None)
        broken = [] if names else [each.error for each in plane.home.packages().broken]
        told = [each.to_dict() for each in built]
    if as_json:
        echo_json(told)
    else:
        for each in built:
            _tell_built(each)
        if not built and not broken:
            say("no packages: declare some in packages/ of the home")
    failed = [*broken, *(each.error for each in built if each.error is not None)]
    for error in failed:
        report(error)
    if failed:
        raise click.exceptions.Exit(NO)


@command.command("list")
@tenant_argument
@cut_options
@json_option
def list_packages(tenant: str, as_of: datetime | int | None, known_at: int | None, as_json: bool) -> None:
    """List the packages of TENANT, with what was built of them and whether that is fresh."""
    with open_existing() as plane:
        rows = plane.packages(tenant, as_of=as_of, known_at=known_at)
    if as_json:
        echo_json([row.to_dict() for row in rows])
    elif not rows:
        say("no packages: declare some in packages/ of the home")
    else:
        header = ["package", "scope", "state", "version", "tokens", "raw", "ratio", "answers", "builds on"]
        table(header, [_shown(row) for row in rows], right=(4, 5, 6, 7))
        for row in rows:
            if row.error is not None:
                note(f"warning: {row.name}: {row.error}")


@command.command("show")
@tenant_argument
@_name
@cut_options
@click.option("--text", "only_text", is_flag=True, help="Print the text alone: what goes into a prompt.")
@json_option
def show(
    tenant: str, name: str, as_of: datetime | int | None, known_at: int | None, only_text: bool, as_json: bool
) -> None:
    """Print a package: compiled now unless what was built is fresh."""
    with open_existing() as plane:
        found = plane.package(tenant, name, as_of=as_of, known_at=known_at)
        told = found.to_dict()
    if as_json:
        echo_json(told)
    elif only_text:
        click.echo(found.text.encode())
    else:
        _tell(found)


@command.command("compose")
@tenant_argument
@click.argument("names", metavar="NAME…", nargs=-1, required=True)
@click.option("--max-tokens", type=int, required=True, metavar="N", help="The budget; nothing is cut inside a fact.")
@click.option("--text", "only_text", is_flag=True, help="Print the text alone: what goes into a prompt.")
@cut_options
@json_option
def compose(
    tenant: str,
    names: tuple[str, ...],
    max_tokens: int,
    only_text: bool,
    as_of: datetime | int | None,
    known_at: int | None,
    as_json: bool,
) -> None:
    """Print several packages in one text: those of higher precedence first, what two of them say once."""
    with open_existing() as plane:
        made = plane.compose(tenant, names, max_tokens, as_of=as_of, known_at=known_at)
    if as_json:
        echo_json(made.to_dict())
        return
    if only_text:
        click.echo(made.text.encode())
        return
    for line in made.text.split("\n"):
        say(line)
    said = f"{made.tokens:,} of {max_tokens:,} tokens, {_counted(len(made.taken), 'piece')}"
    said += f", {len(made.report.left_out):,} did not fit" if made.report.left_out else ""
    dropped = len(made.report.dropped)
    said += f", {_counted(dropped, 'fact')} said elsewhere or not current" if dropped else ""
    note(said)


@command.command("verify")
@tenant_argument
@click.argument("names", metavar="[NAME]…", nargs=-1)
@json_option
def verify(tenant: str, names: tuple[str, ...], as_json: bool) -> None:
    """Compile packages again from the log, at the view that they were built at, and compare the bytes.

    By default all that are built. Exits 1 where one is not equal.
    """
    with open_existing() as plane:
        chosen = names or [row.name for row in plane.packages(tenant) if row.version is not None]
        found = [plane.verify_package(tenant, name) for name in chosen]
    if as_json:
        echo_json([each.to_dict() for each in found])
    else:
        for each in found:
            what = "equal" if each.equal else f"not equal, {each.difference}"
            say(f"{each.name}: {what}, {(each.version or '')[:_SHORT]}")
        if not found:
            say("nothing is built: cortex package build")
    raise click.exceptions.Exit(0 if all(each.equal for each in found) else NO)


@command.command("export")
@tenant_argument
@_name
@click.argument("file", metavar="FILE")
@cut_options
def export(tenant: str, name: str, file: str, as_of: datetime | int | None, known_at: int | None) -> None:
    """Write a package, with what it takes from those that it builds on, into FILE (- for stdout)."""
    with open_existing() as plane:
        data = plane.export_package(tenant, name, as_of=as_of, known_at=known_at)
    if file == _STDOUT:
        click.echo(data, nl=False)
        return
    path = Path(file)
    try:
        path.write_bytes(data)
    except OSError as error:
        what = f"it cannot be written: {error.strerror or error}"
        raise InputError(what, where=str(path), remedy="choose another file") from error
    note(f"wrote {path}: {len(data):,} bytes")


@command.command("import")
@tenant_argument
@click.argument("file", metavar="FILE")
@click.option("--as", "name", metavar="NAME", help="Under another name than its own.")
@json_option
def import_(tenant: str, file: str, name: str | None, as_json: bool) -> None:
    """Check FILE, which cortex package export wrote, and take the package in it into the log of TENANT."""
    with open_plane() as plane:
        done = plane.import_package(tenant, file, name=name)
    if as_json:
        echo_json(done.to_dict())
        return
    how = "is there already" if not done.new else "imported" if done.before is None else "takes the place of"
    before = f" {done.before[:_SHORT]}" if done.new and done.before else ""
    say(f"{done.name}: {done.version[:_SHORT]} {how}{before}, {done.tokens:,} tokens")


@command.command("propose")
@tenant_argument
@click.option("--least", type=int, metavar="N", help="Answers that chains have to be in together [default: 5].")
@click.option("--lift", type=float, metavar="X", help="How many times as often as by chance [default: 1.5].")
@click.option("--write", is_flag=True, help="Write each into a file in packages/ of the home.")
@json_option
def propose(tenant: str, least: int | None, lift: float | None, write: bool, as_json: bool) -> None:
    """Print packages that nobody declared, of chains of memory that answers drew on together."""
    with open_existing() as plane:
        found = plane.proposals(tenant, least=least, lift=lift)
        folder = plane.settings.packages
    if as_json:
        echo_json([each.to_dict() for each in found])
    elif not found:
        say("no chains are drawn on together often enough")
    for each in found:
        if write:
            path = folder / f"{each.name.replace('/', '-')}.yaml"
            folder.mkdir(parents=True, exist_ok=True)
            path.write_text(each.yaml, "utf-8")
            note(f"wrote {path}")
        if not as_json:
            for line in each.yaml.rstrip("\n").split("\n"):
                say(line)


def _tell_built(each: Built) -> None:
    made = each.package
    if made is None:
        return
    what = "built" if each.new else "fresh"
    why = f" ({'; '.join(each.changes[:3])})" if each.new and each.changes else ""
    say(f"{each.name}: {what}{why}, {_sizes(made)}, {made.version[:_SHORT]}")


def _sizes(made: Package) -> str:
    return f"{made.tokens:,} tokens of {made.raw_tokens:,} ({made.ratio:.2f} to 1)"


def _tell(found: Package) -> None:
    say(f"{found.name}  {found.scope}  {found.version}")
    if found.description:
        say(found.description)
    say(f"{_sizes(found)}, {_standing(found.freshness)}, in {_counted(found.accesses, 'answer')}")
    for source in found.sources:
        gone = f", {len(source['superseded'])} superseded" if source.get("superseded") else ""
        say(f"  {source['ref']}: {_counted(len(source['facts']), 'fact')}{gone}")
    for each in found.depends:
        say(f"  builds on {each['package']} {each['version'][:_SHORT]}")
    for left in found.compiled.left_out:
        say(f"  left out: {left['id']}, {left['why']}")
    say()
    for line in found.text.split("\n"):
        say(line)


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'s' * (count != 1)}"


def _standing(about: Freshness) -> str:
    match about.state:
        case "not built":
            return "not built"
        case "imported":
            return f"imported {about.built}"
        case _:
            why = f": {'; '.join(about.changes[:3])}" if about.changes else ""
            return f"built {about.built}, {about.state}{why}"


def _shown(row: Row) -> list[str]:
    ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
    counts = ["" if count is None else f"{count:,}" for count in (row.tokens, row.raw_tokens)]
    version = "" if row.version is None else row.version[:_SHORT]
    return [
        row.name, row.scope, row.freshness.state, version, *counts, ratio, f"{row.accesses:,}", ", ".join(row.depends),
    ]  # fmt: skip

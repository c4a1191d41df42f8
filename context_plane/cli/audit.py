"""`cortex audit`: what was answered, and whether the log still gives the same answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import click

from context_plane.cli.failures import NO
from context_plane.cli.options import json_option, open_existing
from context_plane.cli.output import echo_json, note, progress, say
from context_plane.errors import InputError
from context_plane.instants import format_instant

if TYPE_CHECKING:
    from context_plane.bundles.answers.receipt import Receipt

_SHOWN: Final = 20


@click.group("audit")
def command() -> None:
    """What was answered, and whether the log still gives the same answer."""


@command.command("show")
@click.argument("name", metavar="RECEIPT|TENANT")
@json_option
def show(name: str, as_json: bool) -> None:
    """Print what an answer was made of; of a tenant the ids of its receipts, the oldest first."""
    with open_existing() as plane:
        if "." not in name:
            ids = plane.receipts(name)
            if as_json:
                echo_json(ids)
            else:
                for each in ids:
                    say(each)
            return
        receipt = plane.receipt(name)
    if as_json:
        echo_json(receipt.to_json())
    else:
        _show(receipt)


@command.command("replay")
@click.argument("receipt", metavar="[RECEIPT]", required=False)
@click.option("--all", "everything", is_flag=True, help="Replay all receipts.")
@click.option("--tenant", metavar="T", help="With --all: only those of this tenant.")
@json_option
def replay(receipt: str | None, everything: bool, tenant: str | None, as_json: bool) -> None:
    """Render the text of RECEIPT again from the log, and compare it with what was answered. Nothing is searched again.
    Exit code 1 where it is not the same."""
    if everything == (receipt is not None):
        raise click.UsageError("Give a RECEIPT, or --all.")
    if tenant is not None and not everything:
        raise InputError("a receipt names its tenant", where="--tenant", remedy="leave it out, or add --all")
    if receipt is not None:
        _one(receipt, as_json=as_json)
    else:
        _all(tenant, as_json=as_json)


def _one(receipt: str, *, as_json: bool) -> None:
    with open_existing() as plane:
        found = plane.replay(receipt)
    if as_json:
        echo_json(found.to_dict())
    else:
        click.echo(found.text.encode())
        note(f"{receipt}: {'the same bytes as were answered' if found.equal else found.difference}")
        for each in found.erased:
            note(f"gone: {each['section']}, {each['kind']} {each.get('source', '')} {each.get('id', '')}".rstrip())
    if not found.equal:
        raise click.exceptions.Exit(NO)


def _all(tenant: str | None, *, as_json: bool) -> None:
    count = equal = erased = 0
    different: list[dict[str, Any]] = []
    with open_existing() as plane, progress("replay", "receipts") as report:
        for found in plane.replay_all(tenant):
            count += 1
            equal += found.equal
            erased += bool(found.erased)
            if not found.equal:
                different.append({"receipt": found.receipt.id, "difference": found.difference})
            report(count, None)
    if as_json:
        echo_json({"replayed": count, "equal": equal, "erased": erased, "different": different})
    else:
        say(f"{count:,} receipts replayed, {equal:,} give the same bytes")
        for each in different[:_SHOWN]:
            say(f"{each['receipt']}: {each['difference']}")
        if len(different) > _SHOWN:
            say(f"and {len(different) - _SHOWN:,} more (--json lists them)")
    if different:
        raise click.exceptions.Exit(NO)


def _show(receipt: Receipt) -> None:
    asked = receipt.request
    say(f"{receipt.id}  {format_instant(receipt.time)}")
    say(f"{asked.entity}, at most {asked.max_tokens:,} tokens" + (f", for: {asked.goal}" if asked.goal else ""))
    say(f"log number {receipt.number:,}, as of {format_instant(receipt.as_of)}, {receipt.tokens:,} tokens")
    say(f"sha256 {receipt.sha256}")
    for item in receipt.items:
        named = " ".join(str(item[key]) for key in ("source", "id", "name", "topic", "package") if item.get(key))
        say(f"{item['section']}  {item['kind']} {named}  {item['tokens']:,} tokens")

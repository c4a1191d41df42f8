"""`cortex context`: one entity's bundle."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import click

from context_plane.cli.options import cut_options, json_option, open_existing, tenant_argument
from context_plane.cli.output import say

if TYPE_CHECKING:
    from context_plane.bundles.bundle import Bundle

_FIRST: Final = ("time", "type")  # of the items of a list, what is looked for first


@click.command("context")
@tenant_argument
@click.argument("entity", metavar="ENTITY")
@click.option("--spec", metavar="NAME", help="Context spec; by default the only one for the entity's type.")
@cut_options
@click.option(
    "--format",
    "form",
    type=click.Choice(["json", "text"]),
    help="json: the whole bundle. text: what goes into a prompt. Both are exact bytes.",
)
@json_option
def command(
    tenant: str, entity: str, spec: str | None, as_of: int | None, known_at: int | None, form: str | None, as_json: bool
) -> None:
    """Print the context of ENTITY, such as customer/c-42."""
    if as_json and form == "text":
        raise click.UsageError("--json and --format text exclude each other.")
    with open_existing() as plane:
        bundle = plane.bundle(tenant, entity, spec, as_of=as_of, known_at=known_at)
    if as_json or form == "json":
        click.echo(bundle.json)
    elif form == "text":
        click.echo(bundle.text.encode())
    else:
        _show(bundle)


def _show(bundle: Bundle) -> None:
    say(f"{bundle.entity}  {bundle.spec}  as of {bundle.as_of}")
    say(f"{bundle.tokens} tokens, {bundle.events.count} events, {bundle.version}")
    say()
    width = max(map(len, bundle.fields), default=0)
    for name, value in bundle.fields.items():
        items = value if isinstance(value, list) and value else [value]
        for index, item in enumerate(items):
            say(f"{'' if index else name:<{width}}  {_written(item)}")
    if bundle.summary is not None:
        say()
        say(bundle.summary)


def _written(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, dict):
        names = sorted(value, key=lambda name: (name not in _FIRST, name))
        return "  ".join(_written(value[name]) for name in names)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)

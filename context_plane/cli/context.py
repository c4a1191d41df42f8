"""`cortex context`: one entity's bundle, or context for a goal under a budget, with its receipt."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import click

from context_plane.cli.options import cut_options, json_option, open_existing, tenant_argument
from context_plane.cli.output import echo_json, say
from context_plane.cli.texts import read
from context_plane.errors import InputError

if TYPE_CHECKING:
    from context_plane.bundles.answers.answer import Context
    from context_plane.bundles.bundle import Bundle

_FIRST: Final = ("time", "type")  # of the items of a list, what is looked for first
FORMATS: Final = ("json", "text", "ctx", "openai", "anthropic")


@click.command("context")
@tenant_argument
@click.argument("entity", metavar="ENTITY")
@click.argument("goal", metavar="[GOAL]", required=False)
@click.option("--spec", metavar="NAME", help="Context spec; by default the only one for the entity's type.")
@click.option("--max-tokens", type=int, metavar="N", help="The budget; with it, or with a GOAL, context is assembled.")
@click.option("--instructions", metavar="FILE", help="Trusted text that stands first; - for stdin.")
@click.option("--state", metavar="JSON", help="What a process knows of itself.")
@click.option("--knowledge", multiple=True, metavar="TOPIC", help="A topic that must be there; may be several.")
@click.option("--package", "packages", multiple=True, metavar="NAME", help="A package that must be there.")
@cut_options
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    help="json: all of it. text, ctx: what goes into a prompt, exact bytes. openai, anthropic: as messages.",
)
@json_option
def command(
    tenant: str,
    entity: str,
    goal: str | None,
    spec: str | None,
    max_tokens: int | None,
    instructions: str | None,
    state: str | None,
    knowledge: tuple[str, ...],
    packages: tuple[str, ...],
    as_of: int | None,
    known_at: int | None,
    form: str | None,
    as_json: bool,
) -> None:
    """Print the context of ENTITY, such as customer/c-42.

    Without GOAL and budget that is its bundle: the fields of a spec. With either it is assembled of fields, memory,
    events, links and knowledge, the best for the GOAL, in at most N tokens (2,000 by default), and a receipt is kept:
    cortex audit replay RECEIPT gives the same bytes again.
    """
    if as_json and form not in (None, "json"):
        raise click.UsageError(f"--json and --format {form} exclude each other.")
    assembled = [goal, max_tokens, instructions, state, *knowledge, *packages]
    with open_existing() as plane:
        if all(each is None for each in assembled) and form not in ("openai", "anthropic"):
            _bundle(plane.bundle(tenant, entity, spec, as_of=as_of, known_at=known_at), form, as_json=as_json)
            return
        context = plane.context(
            tenant, entity, goal, spec=spec, instructions=None if instructions is None else read(instructions),
            state=_parsed(state), knowledge=knowledge, packages=packages, as_of=as_of, known_at=known_at,
            **({} if max_tokens is None else {"max_tokens": max_tokens}),
        )  # fmt: skip
    _context(context, "json" if as_json else form)


def _context(context: Context, form: str | None) -> None:
    match form:
        case "json":
            echo_json(context.to_dict())
        case "openai":
            echo_json(context.to_openai())
        case "anthropic":
            echo_json(context.to_anthropic())
        case "text" | "ctx":
            click.echo(context.text.encode())
        case _:
            _show_context(context)


def _show_context(context: Context) -> None:
    for line in context.text.split("\n"):
        say(line)
    report = context.budget
    say()
    say(f"{report.tokens:,} of {report.budget:,} tokens, receipt {context.receipt}")
    for name, section in report.to_dict()["sections"].items():
        out = section["left_out"]
        left = f", {len(out)} left out ({out[0]['why']})" if out else ""
        say(f"{name}: {len(section['included'])} in, {section['tokens']:,} tokens{left}")


def _parsed(state: str | None) -> Any:
    if state is None:
        return None
    try:
        return json.loads(state)
    except ValueError as error:
        raise InputError(f"it is no JSON: {error}", where="--state", remedy="give one JSON value") from error


def _bundle(bundle: Bundle, form: str | None, *, as_json: bool) -> None:
    if as_json or form == "json":
        click.echo(bundle.json)
    elif form in ("text", "ctx"):
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

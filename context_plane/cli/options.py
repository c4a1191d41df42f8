"""Options and arguments that several commands share, checked as the command line is read, and the plane they name."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from context_plane.errors import InputError, NotFound

if TYPE_CHECKING:
    from context_plane.plane import ContextPlane

Function = TypeVar("Function", bound=Callable[..., Any])


def _tenant(_: click.Context, parameter: click.Parameter, value: str) -> str:
    from context_plane.store.keys import check_tenant

    try:
        return check_tenant(value)
    except InputError as error:
        raise _at(error, parameter) from error


def _cut(_: click.Context, parameter: click.Parameter, value: str | None) -> int | None:
    from context_plane.instants import parse_cut

    try:
        return parse_cut(value)
    except InputError as error:
        raise _at(error, parameter) from error


def _at(error: InputError, parameter: click.Parameter) -> InputError:
    """The error with the place on the command line."""
    return InputError(error.what, where=parameter.get_error_hint(None).strip("'"), remedy=error.remedy)


tenant_argument = click.argument("tenant", metavar="TENANT", callback=_tenant)
tenant_option = click.option("--tenant", required=True, metavar="T", callback=_tenant, help="Whose events they are.")
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for scripts.")


def cut_options(function: Function) -> Function:
    """`--as-of` and `--known-at`, which every read has."""
    function = click.option("--known-at", type=int, metavar="N", help="As it was known at log number N.")(function)
    return click.option(
        "--as-of", metavar="TIME", callback=_cut, help="As of a time with offset, or of the end of a day (2026-03-01)."
    )(function)


def open_plane() -> ContextPlane:
    """The plane of the environment, for writing."""
    from context_plane.plane import ContextPlane

    return ContextPlane.open()


def open_existing() -> ContextPlane:
    """The plane of the environment, for reading: a store that was never written to is not made by looking at it. An
    execution that was killed before anything of it was sealed is in the state alone."""
    plane = open_plane()
    store, state = plane.settings.store, plane.settings.home / "state"
    if "://" not in store and not plane.settings.state and not os.path.isdir(store) and not state.is_dir():
        raise NotFound(
            "there is no store here yet",
            where=store,
            remedy="ingest events first (cortex ingest PATH --tenant T), or set CONTEXT_PLANE_HOME",
        )
    return plane

"""Progress: who is told how far a fold has come.

In a run that is the run's log; a command that executes a run in its own process listens instead, and draws a bar.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from time import monotonic
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import dagster as dg

    from context_plane.parts.timeline import Progress

Listener = Callable[[str, str, int, int], None]
"""Takes asset, tenant, and how many of how many parts are built."""

_EVERY: Final = 5.0  # seconds between two lines in a run's log
_listener: ContextVar[Listener | None] = ContextVar("listener", default=None)


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Sends the progress of all folds in this context to a listener."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


def report_to(context: dg.AssetExecutionContext, tenant: str) -> Progress:
    """What a fold calls for each part it has built."""
    asset = context.asset_key.to_user_string()
    listener = _listener.get()
    if listener is not None:
        return lambda done, total: listener(asset, tenant, done, total)
    spoken = monotonic()

    def log(done: int, total: int) -> None:
        nonlocal spoken
        if monotonic() - spoken >= _EVERY:
            spoken = monotonic()
            context.log.info("%s: %d of %d parts", tenant, done, total)

    return log

"""Failures: the plane's errors as Dagster shows them, and which of them are worth another attempt.

Folds are deterministic: what failed would fail again. Only a store that could not be reached is asked once more.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import dagster as dg

from context_plane.errors import ContextPlaneError, Unavailable

RETRIES: Final = 3
_WAIT: Final = 10.0


@contextmanager
def explained(retry_number: int = 0) -> Iterator[None]:
    """Turns a `ContextPlaneError` into a failure with its place and remedy; asks for a retry where that may help."""
    try:
        yield
    except Unavailable as error:
        raise dg.RetryRequested(max_retries=RETRIES, seconds_to_wait=_WAIT * 2**retry_number) from error
    except ContextPlaneError as error:
        raise failure(error) from error


def failure(error: ContextPlaneError) -> dg.Failure:
    """The error as Dagster's failure, not to be tried again."""
    parts = {"where": error.where, "remedy": error.remedy}
    return dg.Failure(
        description=str(error),
        metadata={name: dg.MetadataValue.text(text) for name, text in parts.items() if text},
        allow_retries=False,
    )

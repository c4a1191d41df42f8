"""Rewriters: plugins that say a text in fewer words of their own, such as by asking a model.

None comes with the plane and none is asked unless it is named; what it returns is lossy and labelled so. One is
declared by an installed package under the entry point group ``context_plane.rewriters``: a function without arguments
that returns a `Rewriter`.
"""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Final, Protocol

from context_plane.errors import ContextPlaneError, InputError, NotFound, Unavailable

GROUP: Final = "context_plane.rewriters"


class Rewriter(Protocol):
    """Says texts in fewer words."""

    @property
    def id(self) -> str:
        """Name and version of what rewrites."""

    def rewrite(self, text: str) -> str:
        """The text, shorter. It need not give the same twice: whoever keeps it keeps the result."""


def names() -> list[str]:
    """The rewriters that are installed, sorted."""
    return sorted({point.name for point in entry_points(group=GROUP)})


def open_rewriter(name: str | None) -> Rewriter:
    """The rewriter of a name. Raises `NotFound` for one that is not installed or fails to open."""
    known = ", ".join(names()) or "none: install a package that declares one"
    if name is None:
        raise InputError("no rewriter is named", where="rewriter", remedy=f"installed are {known}")
    for point in entry_points(group=GROUP, name=name):
        try:
            made: Rewriter = point.load()()
        except ContextPlaneError:
            raise
        except Exception as error:
            what = f"the plugin {point.value!r} fails: {error!r}"
            raise NotFound(what, where=f"rewriter {name!r}", remedy="install it again, or name another") from error
        return made
    raise NotFound(f"there is no rewriter {name[:80]!r}", where="rewriter", remedy=f"installed are {known}")


def rewritten(text: str, name: str | None) -> str:
    """What the rewriter of a name makes of a text. Raises `Unavailable` where it fails, `InputError` for no text."""
    rewriter = open_rewriter(name)
    try:
        found = rewriter.rewrite(text)
    except ContextPlaneError:
        raise
    except Exception as error:
        what = f"it fails: {error!r}"
        raise Unavailable(what, where=f"rewriter {name!r}", remedy="try again, or use another mode") from error
    if not isinstance(found, str) or not found.strip():
        what = f"it returned {'nothing' if isinstance(found, str) else type(found).__name__}"
        raise InputError(what, where=f"rewriter {name!r}", remedy="a rewriter returns a text; use another mode")
    return found

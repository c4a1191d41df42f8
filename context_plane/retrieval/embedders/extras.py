"""Extras: models of optional libraries, from a folder or by their name on a hub.

A folder is never asked for on a network, not even one that does not exist. Foreign errors are translated here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from context_plane.errors import ContextPlaneError, NotFound

if TYPE_CHECKING:
    from context_plane.retrieval.embedders import Choice


def folder(choice: Choice) -> Path | None:
    """The folder that a name means; `None` where it is a name on a hub.

    Raises `InputError` for no model, and `NotFound` for what reads like a folder and is none.
    """
    if choice.model is None or choice.url is not None:
        remedy = f"write {choice.provider}:FOLDER, or {choice.provider}:NAME to have it downloaded"
        raise choice.error(f"{choice.provider} needs a model and no URL", remedy)
    path = Path(choice.model).expanduser()
    if path.is_dir():
        return path.absolute()
    if path.is_absolute() or choice.model.startswith((".", "~")) or len(path.parts) > 2:
        raise NotFound(
            f"there is no folder {choice.model}", where=f"embedder {choice.name!r}", remedy="check the folder"
        )
    return None


def content(path: Path) -> str:
    """What tells a folder's model from others of its name: the start of a SHA-256 over its files, but not its prose."""
    total = hashlib.sha256()
    for file in sorted(path.rglob("*")):
        name = file.relative_to(path)
        if file.is_file() and file.suffix != ".md" and not any(part.startswith(".") for part in name.parts):
            with open(file, "rb") as opened:
                total.update(name.as_posix().encode("utf-8", "replace") + b"\0")
                total.update(hashlib.file_digest(opened, "sha256").digest())
    return total.hexdigest()[:12]


def revision(name: str) -> str:
    """``@`` and the start of the commit of a hub's model that was just loaded; empty where the cache does not tell."""
    from huggingface_hub import try_to_load_from_cache

    for repository in (name, f"sentence-transformers/{name}"):  # the second is what a name without an owner means
        for file in ("modules.json", "config.json"):
            found = try_to_load_from_cache(repository, file) if repository.count("/") < 2 else None
            if isinstance(found, str):
                return f"@{Path(found).parent.name[:12]}"
    return ""


@contextmanager
def translated(choice: Choice) -> Iterator[None]:
    """A library's errors while it loads a model as `NotFound`: each raises what its own libraries raise."""
    where = f"embedder {choice.name!r}"
    try:
        yield
    except ContextPlaneError:
        raise
    except ModuleNotFoundError as error:
        what, remedy = f"{choice.provider} is not installed", f"pip install 'context-plane[{choice.provider}]'"
        raise NotFound(f"{what}: {error}", where=where, remedy=remedy) from error
    except Exception as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        remedy = "check the folder or name; without a network, give the folder of a model that is there"
        raise NotFound(f"the model does not load: {lines[0][:300]}", where=where, remedy=remedy) from error

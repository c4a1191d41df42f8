"""The home's Python files: ``processes/*.py``, loaded as modules of their own, and again when they changed.

Here belong loading and saying what is wrong with a file that does not load, by file and line. Loading a file runs it:
whether somebody else could have written it is `trust`'s to say.
"""

from __future__ import annotations

import hashlib
import importlib.util
import sys
import threading
from contextlib import redirect_stdout
from dataclasses import dataclass
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType
from typing import Final

from context_plane.errors import ContextPlaneError, InputError, NotFound
from context_plane.processes.registry import trust
from context_plane.processes.registry.decorators import declared_in, forget
from context_plane.processes.registry.handler import Action, Gate

_lock: Final = threading.RLock()
_loaded: Final[dict[Path, LoadedFile]] = {}


@dataclass(frozen=True, eq=False)
class LoadedFile:
    """What a file declares, or why it does not load. The same object as long as the file is the same."""

    state: tuple[int, ...]
    """Of the file as it was loaded: another state is another file."""
    declared: tuple[Action | Gate, ...] = ()
    problem: ContextPlaneError | None = None


def load_folder(folder: Path) -> list[LoadedFile]:
    """The files of a folder, sorted by name; those that begin with ``_`` or ``.`` are left out. Only what changed since
    it was last asked for is loaded again."""
    paths = sorted(path for path in folder.glob("*.py") if path.name[0] not in "_." and path.is_file())
    with _lock:
        for gone in [path for path in _loaded if path.parent == folder and path not in paths]:
            _drop(gone)
        return [_current(path) for path in paths]


def _current(path: Path) -> LoadedFile:
    try:
        state = _state(path)
    except OSError:
        state = ()
    known = _loaded.get(path)
    if known is None or known.state != state or not state:
        _drop(path)
        known = _loaded[path] = _load(path, state)
    return known


def _state(path: Path) -> tuple[int, ...]:
    """Of the file, and of who may write into the folders above it."""
    found = path.stat()
    above = [number for folder in _above(path) for number in trust.state_of(folder)]
    return (found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino, *above)


def _above(path: Path) -> tuple[Path, Path]:
    """The folder of processes, and the home."""
    return path.parent, path.parent.parent


def _load(path: Path, state: tuple[int, ...]) -> LoadedFile:
    problem = trust.problem_of(path, _above(path))
    if problem is not None:
        return LoadedFile(state, problem=problem)
    try:
        _execute(path)
    except ContextPlaneError as problem:
        _drop(path)
        return LoadedFile(state, problem=problem)
    return LoadedFile(state, tuple(declared_in(_module_name(path))))


def _execute(path: Path) -> None:
    """Runs a file as a module. Raises `InputError` with file and line for whatever it raises."""
    name = _module_name(path)
    spec = importlib.util.spec_from_file_location(name, path, loader=_Fresh(name, str(path)))
    if spec is None or spec.loader is None:
        raise NotFound(
            "Python does not take it for a module", where=str(path), remedy="give it a name that ends in .py"
        )
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pickle look a class's module up
    try:
        with redirect_stdout(sys.stderr):  # stdout is the answer of whatever command loads it
            spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        what = error.what if isinstance(error, ContextPlaneError) else _said(error)
        remedy = getattr(error, "remedy", "") or "correct the file; the other files are loaded"
        raise InputError(f"it does not load: {what}", where=_place(error, path), remedy=remedy) from error


def _said(error: BaseException) -> str:
    if isinstance(error, SyntaxError):
        return f"SyntaxError: {error.msg}"
    return f"{type(error).__name__}: {error}".rstrip(": ")[:500]


def _place(error: BaseException, path: Path) -> str:
    """File and line: of a syntax error where it is, else the last line of the file that was running."""
    line = error.lineno if isinstance(error, SyntaxError) and error.filename == str(path) else None
    trace = error.__traceback__
    while trace is not None and not isinstance(error, SyntaxError):
        if trace.tb_frame.f_code.co_filename == str(path):
            line = trace.tb_lineno
        trace = trace.tb_next
    return f"{path}:{line}" if line else str(path)


def _drop(path: Path) -> None:
    _loaded.pop(path, None)
    forget(_module_name(path))
    sys.modules.pop(_module_name(path), None)


def _module_name(path: Path) -> str:
    """A name that no other module has, whatever the files of other homes are called."""
    return f"context_plane_home_{hashlib.sha256(str(path).encode()).hexdigest()[:12]}_{path.stem}"


class _Fresh(SourceFileLoader):
    """Compiles each time: cached bytecode is known by second and size, and an edit may change neither."""

    def get_code(self, fullname: str) -> CodeType:  # noqa: ARG002 - the name is the base class's
        """The code of the source as it is now."""
        return self.source_to_code(self.get_data(self.path), self.path)

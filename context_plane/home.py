"""The home's folders of YAML: context specs, read again when they change, and source mappings by name."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from context_plane.errors import NotFound

if TYPE_CHECKING:
    from context_plane.bundles.spec import ContextSpec
    from context_plane.config import Settings

Stamp = tuple[str, int, int]


class Home:
    """What a home declares."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._held: tuple[tuple[Stamp, ...], dict[str, ContextSpec]] | None = None

    def specs(self) -> dict[str, ContextSpec]:
        """The context specs by name; empty without a folder of them. Raises `InputError` for one that does not parse.

        Asked for at every read, so a file that did not change costs a stat and nothing more.
        """
        held = self._held
        if held is not None and held[0] == _stamps([path for path, *_ in held[0]]):
            return held[1]
        stamps = _folder(self._settings.contexts)
        specs: dict[str, ContextSpec] = {}
        if len(stamps) > 1:
            from context_plane.bundles.spec import load_specs

            specs = load_specs(self._settings.contexts)
        self._held = (stamps, specs)
        return specs

    def mapping(self, source: str) -> Path:
        """The file of a source mapping, by its name under `sources/` or by its path. Raises `NotFound`."""
        given = Path(source)
        if given.suffix in (".yaml", ".yml"):
            return given
        folder = self._settings.sources
        path = folder / f"{source}.yaml"
        if not path.exists():
            known = ", ".join(sorted(file.stem for file in folder.glob("*.yaml"))) or "none"
            what = f"there is no source mapping {source!r}"
            raise NotFound(what, where=str(folder), remedy=f"known are: {known}")
        return path


def _folder(folder: Path) -> tuple[Stamp, ...]:
    """Stamps of a folder, whose own tells of files added and removed, and of the YAML files in it."""
    try:
        files = sorted(str(file) for file in folder.iterdir() if file.suffix in (".yaml", ".yml"))
    except (FileNotFoundError, NotADirectoryError):
        files = []
    return _stamps([str(folder), *files])


def _stamps(paths: list[str]) -> tuple[Stamp, ...]:
    """Path, time and size of files."""
    found = []
    for path in paths:
        try:
            stat = os.stat(path)
        except OSError:
            found.append((path, 0, -1))
        else:
            found.append((path, stat.st_mtime_ns, stat.st_size))
    return tuple(found)

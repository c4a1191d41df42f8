"""The home's folders of YAML: context specs, read again when they change, and what `sources/` holds, by name."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from context_plane.errors import ContextPlaneError, InputError, NotFound

if TYPE_CHECKING:
    from context_plane.bundles.packages.folder import Packages
    from context_plane.bundles.spec import ContextSpec
    from context_plane.config import Settings
    from context_plane.memory.links.declared import Declared as Links
    from context_plane.memory.links.declared import Linking
    from context_plane.retrieval.text.documents import Declared, Indexing

Stamp = tuple[str, int, int]


class Home:
    """What a home declares."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stamps: tuple[Stamp, ...] | None = None
        self._specs: dict[str, ContextSpec] = {}
        self._broken: dict[str, InputError] = {}
        self._indexing: tuple[tuple[Stamp, ...], Indexing] | None = None
        self._linking: tuple[tuple[Stamp, ...], Linking] | None = None
        self._packages: tuple[tuple[Stamp, ...], Packages] | None = None

    def specs(self) -> dict[str, ContextSpec]:
        """The context specs by name, without those that do not parse; empty without a folder of them.

        Asked for at every read, so a file that did not change costs a stat and nothing more.
        """
        if self._stamps is not None and self._stamps == _stamps([path for path, *_ in self._stamps]):
            return self._specs
        stamps = _folder(self._settings.contexts)
        specs: dict[str, ContextSpec] = {}
        broken: dict[str, InputError] = {}
        if len(stamps) > 1:
            from context_plane.bundles.folder import read_specs

            found = read_specs(self._settings.contexts)
            specs, broken = dict(found.good), {each.file.stem: each.error for each in found.broken}
        self._specs, self._broken, self._stamps = specs, broken, stamps
        return specs

    def missing(self, name: str | None, what: str) -> ContextPlaneError:
        """The error for a spec that is not among `specs`: why its file is none, where there is one, else `what`."""
        if name in self._broken:
            return self._broken[name]
        if name is None and self._broken:
            return next(iter(self._broken.values()))
        broken = f"; broken are: {', '.join(self._broken)}" if self._broken else ""
        remedy = f"known are: {', '.join(self._specs) or 'none'}{broken}"
        return NotFound(what, where=str(self._settings.contexts), remedy=remedy)

    def indexing(self) -> Indexing:
        """How events are indexed: the language, and what the files in `sources/` declare under `index`.

        They are read when they changed. Raises `InputError` for one that does not read, and for two that declare
        different things of one source: guessing would index its events wrongly.
        """
        from context_plane.retrieval.text.documents import Indexing

        stamps = _folder(self._settings.sources)
        if self._indexing is None or self._indexing[0] != stamps:
            found = _declared([path for path, *_ in stamps[1:]])
            self._indexing = stamps, Indexing(self._settings.analyzer, found)
        return self._indexing[1]

    def linking(self) -> Linking:
        """How links are found in events: what the files in `sources/` declare of links, references and texts.

        They are read when they changed. Raises `InputError` for one that does not read, and for two that declare
        different things of one source.
        """
        from context_plane.memory.links.declared import Linking

        stamps = _folder(self._settings.sources)
        if self._linking is None or self._linking[0] != stamps:
            found = _linked([path for path, *_ in stamps[1:]])
            self._linking = stamps, Linking(self._settings.link_extractor, found)
        return self._linking[1]

    @property
    def declares_links(self) -> bool:
        """Whether the home says how links are found; one that does not goes on with what is published."""
        return self._settings.sources.is_dir() or self._settings.link_extractor != "rules"

    def packages(self) -> Packages:
        """What the files in `packages/` declare, and those that declare nothing; read again when they changed."""
        stamps = _folder(self._settings.packages)
        if self._packages is None or self._packages[0] != stamps:
            from context_plane.bundles.packages.folder import read_packages

            self._packages = stamps, read_packages(self._settings.packages)
        return self._packages[1]

    def mapping(self, source: str) -> Path:
        """The file of a mapping or declaration, by its name under `sources/` or by its path. Raises `NotFound`."""
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


def _declared(paths: list[str]) -> dict[str, Declared]:
    """What the files in `sources/` declare, by CloudEvents source."""
    from context_plane.log.declaration import load_source
    from context_plane.retrieval.text.documents import Declared

    found: dict[str, Declared] = {}
    said: dict[str, str] = {}
    for path in paths:
        loaded = load_source(path)
        index = loaded.file.index
        if index is None:
            continue
        near = index.neighbours
        declared = Declared(index.text, tuple(index.with_), near.before, near.after, near.within)
        if found.setdefault(loaded.source, declared) != declared:
            what = f"{said[loaded.source]} declares something else of the source {loaded.source!r}"
            raise loaded.document.error(what, "declare the same in both, or in one alone", "index")
        said.setdefault(loaded.source, path)
    return found


def _linked(paths: list[str]) -> dict[str, Links]:
    """Which columns hold links, which texts are read for them, how things are referred to, by CloudEvents source."""
    from context_plane.log.declaration import load_source
    from context_plane.memory.links.declared import TEXT, Declared

    found: dict[str, Links] = {}
    for path in paths:
        loaded = load_source(path)
        file = loaded.file
        if not (file.links or file.references or file.texts):
            continue
        written = [each.model_dump(exclude_none=True) for each in file.references]
        try:
            declared = Declared.of(file.links, written, file.texts or (TEXT,))
        except InputError as error:
            raise loaded.document.error(f"{error.where}: {error.what}", error.remedy, "references") from error
        if found.setdefault(loaded.source, declared) != declared:
            what = f"another file declares other links of the source {loaded.source!r}"
            raise loaded.document.error(what, "declare the same in both, or in one alone", "links")
    return found


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

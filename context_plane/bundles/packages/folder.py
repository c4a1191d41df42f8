"""The folder of packages, read file by file, so that one that does not read takes nothing else with it.

Here belongs what only several files together can get wrong: two of one name, and packages that build on each other in
a circle.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from context_plane import yamls
from context_plane.bundles.packages.declaration import Declaration
from context_plane.bundles.packages.reading import declaration_of
from context_plane.errors import InputError
from context_plane.yamls import Document


@dataclass(frozen=True)
class Broken:
    """A file in `packages/` that declares no package that can be compiled."""

    file: Path
    error: InputError
    """What is wrong, in which line and key, and the remedy."""
    name: str = ""
    """The package's name, where the file says one."""


@dataclass(frozen=True)
class Packages:
    """What the folder `packages/` holds."""

    good: Mapping[str, Declaration] = field(default_factory=dict)
    """By name, sorted."""
    broken: tuple[Broken, ...] = ()


def read_packages(folder: Path) -> Packages:
    """All packages of a folder, and the files that are none; nothing of either where there is no such folder."""
    found: dict[str, tuple[Declaration, Document, Path]] = {}
    broken: list[Broken] = []
    for file in sorted([*folder.glob("*.yaml"), *folder.glob("*.yml")]):
        document: Document | None = None
        try:
            document = yamls.load(file)
            declaration = declaration_of(document)
            if declaration.name in found:
                first = found[declaration.name][2].name
                what = f"package {declaration.name} is there twice, first in {first}"
                raise document.error(what, "rename one of them", ("package",))
        except InputError as error:
            broken.append(Broken(file, error, "" if document is None else str(document.data.get("package", ""))))
        else:
            found[declaration.name] = declaration, document, file
    circles = dict(_circles({name: each[0] for name, each in found.items()}))
    for name, path in circles.items():
        declaration, document, file = found[name]
        at = declaration.packages.index(path[1])
        what = f"packages build on each other in a circle: {' → '.join(path)}"
        circle = document.error(what, "take one of them out of packages", ("packages", at))
        broken.append(Broken(file, circle, name))
    good = {name: found[name][0] for name in sorted(found.keys() - circles.keys())}
    return Packages(good, tuple(broken))


def _circles(packages: Mapping[str, Declaration]) -> Iterator[tuple[str, list[str]]]:
    """Each package that builds on itself by way of others, with the shortest way."""
    for name in sorted(packages):
        came: dict[str, str] = {}
        todo = [name]
        while todo and name not in came:
            level, todo = todo, []
            for each in level:
                for on in packages[each].packages if each in packages else ():
                    if on not in came:
                        came[on] = each
                        todo.append(on)
        if name in came:
            path = [name, came[name]]
            while path[-1] != name:
                path.append(came[path[-1]])
            yield name, path[::-1]

"""Folders of knowledge: which files of one are topics, and what keeps a file from being one.

Here belong reading and refusing. A file that is no topic never hinders the others; it is told by name, and what was
learned from it before stays.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Final

from context_plane.errors import InputError, NotFound
from context_plane.knowledge.names import SUFFIXES, form_of, name_of, slashed
from context_plane.knowledge.outline import Form

MAX_BYTES: Final = 8 << 20
_KNOWN: Final = ", ".join(SUFFIXES)


@dataclass(frozen=True)
class Document:
    """A file that is a topic."""

    topic: str
    file: str
    """Path below the folder."""
    form: Form
    body: bytes
    text: str


@dataclass(frozen=True)
class Refused:
    """A file that should be a topic and is not one."""

    path: str
    """Below the folder."""
    what: str
    remedy: str

    @property
    def reason(self) -> str:
        """Why, and what to do."""
        return f"{self.what}: {self.remedy}" if self.remedy else self.what

    def to_json(self) -> dict[str, str]:
        """As ``cortex knowledge sync --json`` prints it."""
        return {"path": self.path, "reason": self.reason}


@dataclass
class Scan:
    """One look at a folder, or at a single file of one."""

    root: Path
    files: dict[str, PurePosixPath] = field(default_factory=dict)
    """By topic, sorted; read when they are needed."""
    refused: list[Refused] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    """Files of kinds that are no topics."""
    whole: bool = True
    """Whether it is a whole folder: only then a topic without a file is gone."""
    _kept: set[str] = field(default_factory=set)
    _unread: list[str] = field(default_factory=list)

    def documents(self) -> Iterator[Document]:
        """Reads the files, one at a time; those that do not read are refused."""
        for topic, file in self.files.items():
            try:
                yield _read(self.root, topic, file)
            except InputError as error:
                self.refuse(file, error, topic)

    def refuse(self, file: PurePosixPath, error: InputError, topic: str | None = None) -> None:
        """Takes down why a file is none of the topics."""
        self.refused.append(Refused(str(file), error.what, error.remedy))
        if topic is not None:
            self._kept.add(topic)

    def has(self, topic: str) -> bool:
        """Whether there may be a file of a topic: what was refused, or could not be looked at, is not gone."""
        return topic in self.files or topic in self._kept or any(topic.startswith(each) for each in self._unread)

    def unread(self, folder: PurePosixPath, error: OSError) -> None:
        """Takes down a folder that could not be looked into."""
        self._unread.append(f"{folder}/")
        self.refuse(folder, InputError(f"the folder is not readable: {error.strerror}", remedy="check its permissions"))


def scan(place: Path, home: Path) -> Scan:
    """The files of a folder; or the one file that `place` is, named as below `home` where it lies there.

    Raises `NotFound` where there is nothing, `InputError` for a file that is no topic or a folder that does not read.
    """
    if not place.exists():
        what = "there is no folder of knowledge" if place == home else "there is no such file or folder"
        raise NotFound(what, where=str(place), remedy=f"make it, with files in it ({_KNOWN}), or name another")
    if place.is_dir():
        return _scan_folder(place)
    path = Path(os.path.abspath(place))
    found = Scan(home if path.is_relative_to(home) else path.parent, whole=False)
    file = PurePosixPath(path.relative_to(found.root))
    if form_of(file) is None:
        what = f"a file {f'with the suffix {file.suffix}' if file.suffix else 'without a suffix'} is no topic"
        raise InputError(what, where=str(place), remedy=f"give it one of {_KNOWN}, if it is text")
    found.files[name_of(file)] = file
    return found


def _scan_folder(root: Path) -> Scan:
    found = Scan(root)
    named: dict[str, list[tuple[str, PurePosixPath]]] = {}
    for file in sorted(_walk(found, PurePosixPath())):
        if form_of(file) is None:
            found.left_out.append(str(file))
            continue
        try:
            name = name_of(file)
        except InputError as error:
            found.refuse(file, error)
        else:
            named.setdefault(slashed(name), []).append((name, file))
    for same in named.values():
        if len(same) == 1:
            found.files[same[0][0]] = same[0][1]
        for name, file in same if len(same) > 1 else ():
            others = ", ".join(str(other) for _, other in same if other != file)
            found.refuse(file, InputError(f"it gives the same topic as {others}", remedy="rename one of them"), name)
    return found


def _walk(found: Scan, below: PurePosixPath) -> Iterator[PurePosixPath]:
    """Every file that is not hidden."""
    try:
        entries = sorted(os.scandir(found.root / below), key=lambda entry: entry.name)
    except OSError as error:
        if not below.parts:
            what = f"the folder is not readable: {error.strerror}"
            raise InputError(what, where=str(found.root), remedy="check its permissions") from error
        found.unread(below, error)
        return
    for entry in entries:
        file = below / entry.name
        if entry.name.startswith(".") or entry.name.endswith("~"):
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(found, file)
        elif entry.is_symlink() and os.path.isdir(entry.path):
            found._unread.append(f"{file}/")  # noqa: SLF001 - of this file
            found.refuse(file, InputError("it is a link to a folder", remedy="put the folder itself there"))
        else:
            yield file


def _read(root: Path, topic: str, file: PurePosixPath) -> Document:
    """The document that a file is. Raises `InputError`."""
    form = form_of(file)
    assert form is not None
    try:
        body = _bytes(root, file)
    except (OSError, RuntimeError) as error:  # which of the two a ring of links is, depends on Python's version
        what = f"it is not readable: {getattr(error, 'strerror', None) or error}"
        raise InputError(what, remedy="check it and its permissions") from error
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        line = body.count(b"\n", 0, error.start) + 1
        raise InputError(f"line {line} is not UTF-8", remedy="save the file as UTF-8") from error
    if (at := text.find("\0")) >= 0:
        line = text.count("\n", 0, at) + 1
        raise InputError(f"line {line} holds a NUL character", remedy="strip it, or save the file as UTF-8 text")
    if not text.removeprefix("\ufeff").strip():
        raise InputError("it is empty", remedy="write something into it, or delete it")
    return Document(topic, str(file), form, body, text)


def _bytes(root: Path, file: PurePosixPath) -> bytes:
    path = (root / file).resolve(strict=True)
    if (root / file).is_symlink() and not path.is_relative_to(root.resolve()):
        raise InputError("it is a link to a file outside of the folder", remedy="put the file itself there")
    # Not followed once more, in case that it was put there just now, and a pipe is not waited for.
    with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as opened:
        if not stat.S_ISREG(os.fstat(opened.fileno()).st_mode):
            raise InputError("it is no file", remedy="put a file there")
        body = opened.read(MAX_BYTES + 1)
    if len(body) > MAX_BYTES:
        raise InputError(f"it has more than {MAX_BYTES >> 20} MiB", remedy="split it into several topics")
    return body

"""Building: the events of a YAML parser to plain values, and beside them their marks.

Here belongs what is refused of YAML. Values are built from events with a stack of our own: the composers of both
libraries recur with the depth of a file, which ends in a crash. A thousand steps are some eight thousand events, so
that what is done for each of them counts.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import Any, Final, NamedTuple

from context_plane.processes.language.findings import Findings, shown
from context_plane.processes.language.marks import REFUSED, Document, Marks
from context_plane.processes.language.syntax import parser, tell
from context_plane.yamls import MAX_DEPTH, MAX_NODES, plain_scalar

_SKIP: Final = object()
"""The key of a value that is not wanted."""
_TEXT: Final = frozenset("abcdeghijklmopqrsuvwxyzABCDEGHIJKLMOPQRSUVWXYZ_$/")
"""What a scalar may begin with that can be nothing but text."""


_SURROGATE: Final = re.compile("[\ud800-\udfff]")


class Stopped(NamedTuple):
    """A document that could not be read to its end."""

    start: int
    at: int
    final: bool
    """Whether the rest of the file cannot be read either."""


class _Limit(Exception):
    """The file has more than we read."""


class Builder:
    """Builds the documents of one text."""

    def __init__(self, text: str, findings: Findings) -> None:
        self.documents: list[Document] = []
        self._text = text
        self._findings = findings
        self._nodes = 0
        self._ended = 0
        self._clear()

    def _clear(self) -> None:
        self._stack: list[tuple[Any, Any, Any]] = []
        self._into: Any = None
        self._marks: Any = None
        self._key: Any = None
        self._root: Any = None
        self._spot: Any = None
        self._whole = True
        self._muted = -1

    def build(self, start: int) -> Stopped | None:
        """Reads the documents from a place in the text on; where it stopped, if not at the end."""
        import yaml

        self._ended = max(start, self._ended)
        self._clear()
        try:
            self._take_all(parser(self._text, start))
        except yaml.YAMLError as error:
            opened = None if self._marks is None else self._marks.at
            return Stopped(self._ended, tell(error, self._text, opened, self._findings), self._findings.full)
        except _Limit:
            return Stopped(self._ended, len(self._text), True)
        return None

    def _take_all(self, events: Any) -> None:
        takes = _takes()
        get = events.get_event
        while (event := get()) is not None:
            take = takes[type(event)]
            if take is None:
                return
            take(self, event)

    def begin(self, _event: Any) -> None:
        """A document begins, or the whole."""
        self._clear()

    def end(self, event: Any) -> None:
        """A document ends. One without a value is none: files may begin or end with ``---``."""
        ended = event.end_mark.index
        if self._root is not None or not self._whole:
            document = Document(self._root, self._spot, self._text, self._ended, ended, self._whole)
            self.documents.append(document)
        self._ended = ended

    def scalar(self, event: Any) -> None:
        """A single value, or a key."""
        value = event.value
        # All but a few are texts that need no second look.
        if event.tag is not None or (not value.isascii() if event.style else value[:1] not in _TEXT):
            value = self._value(event)
        self._nodes += 1
        if self._nodes > MAX_NODES:
            self._too_many(event)
        into = self._into
        if type(into) is dict:
            key = self._key
            if key is None:
                if type(value) is not str or value in into or value == "<<":
                    value = self._odd_key(value, event)
                else:
                    self._marks.keys[value] = event.start_mark
                self._key = value
                return
            self._key = None
            if key is not _SKIP:
                into[key] = value
                self._marks.values[key] = event.start_mark
        elif into is not None:
            into.append(value)
            self._marks.values.append(event.start_mark)
        else:
            self._root, self._spot = value, event.start_mark

    def mapping(self, event: Any) -> None:
        """A mapping begins."""
        self._open(event, {}, Marks(event.start_mark, {}, {}))

    def sequence(self, event: Any) -> None:
        """A list begins."""
        self._open(event, [], Marks(event.start_mark, None, []))

    def close(self, _event: Any) -> None:
        """A mapping or list ends."""
        self._into, self._marks, self._key = self._stack.pop()
        if len(self._stack) == self._muted:
            self._muted = -1

    def alias(self, event: Any) -> None:
        """A value that stands elsewhere: refused, because it is how YAML bombs work."""
        if self._key is not _SKIP:  # else that of a merge key, which was told
            what = f"the alias *{shown(event.anchor)[1:-1]}"
            self._refuse("yaml-alias", event, what, "write the value out: aliases are not supported")
        self._put(REFUSED, event.start_mark)

    def _open(self, event: Any, value: Any, marks: Marks) -> None:
        is_key = type(self._into) is dict and self._key is None
        wanted = self._key is not _SKIP and not is_key
        if event.tag is not None:
            value_, wanted = self._refuse("yaml-tag", event, f"the tag {shown(event.tag)}", "leave it out"), False
            self._put(value_, event.start_mark)
        elif is_key:
            self._refuse("yaml-key-not-text", event, "a key is a list or a mapping", "write a text")
            self._key = _SKIP
        else:
            self._put(value, marks)
        if not wanted and self._muted < 0:
            self._muted = len(self._stack)
        self._push(event, value, marks)

    def _push(self, event: Any, value: Any, marks: Marks) -> None:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            self._too_many(event)
        if len(self._stack) >= MAX_DEPTH:
            self._findings.add(
                "yaml-too-deep", event.start_mark, f"values are nested deeper than {MAX_DEPTH}", "flatten the file"
            )
            raise _Limit
        self._stack.append((self._into, self._marks, self._key))
        self._into, self._marks, self._key = value, marks, None

    def _put(self, value: Any, spot: Any) -> None:
        """Puts a value where it belongs."""
        into = self._into
        if into is None:
            self._root, self._spot = value, spot
        elif type(into) is list:
            into.append(value)
            self._marks.values.append(spot)
        elif self._key is None:
            self._key = _SKIP
        else:
            if self._key is not _SKIP:
                into[self._key] = value
                self._marks.values[self._key] = spot
            self._key = None

    def _value(self, event: Any) -> Any:
        if event.tag is not None:
            return self._refuse("yaml-tag", event, f"the tag {shown(event.tag)}", "leave it out; quote what is text")
        if event.style:
            if _SURROGATE.search(event.value) is None:  # libyaml refuses its escape, the parser in Python does not
                return event.value
            return self._refuse("yaml-character", event, "half of a surrogate pair", "write the character itself")
        try:
            return plain_scalar(event.value)
        except OverflowError:
            remedy = "write a smaller number, or quote it if it is text"
            return self._refuse("yaml-number", event, f"the number {shown(event.value)[1:-1]} is too large", remedy)

    def _odd_key(self, value: Any, event: Any) -> Any:
        """What stands for a key that is refused."""
        if value is REFUSED:
            return _SKIP
        if type(value) is not str:
            self._refuse("yaml-key-not-text", event, f"the key {event.value or 'null'} is not text", "put it in quotes")
        elif value == "<<" and not event.style:
            self._refuse("yaml-merge-key", event, "a merge key", "write the keys out: merging is not supported")
        elif value in self._into:
            first = self._marks.keys[value].line + 1
            self._refuse("yaml-duplicate-key", event, f"the key {shown(value)} is in line {first} already", "keep one")
        else:
            self._marks.keys[value] = event.start_mark
            return value
        return _SKIP

    def _refuse(self, code: str, event: Any, what: str, remedy: str) -> Any:
        self._whole = False
        if self._muted >= 0:
            return REFUSED
        self._findings.add(code, event.start_mark, what, remedy)
        if self._findings.full:
            raise _Limit
        return REFUSED

    def _too_many(self, event: Any) -> None:
        self._findings.add(
            "yaml-too-many", event.start_mark, f"the file has more than {MAX_NODES:,} values", "divide it into several"
        )
        raise _Limit


Take = Callable[[Builder, Any], None]


@cache
def _takes() -> dict[type, Take | None]:
    """What is done with each kind of event; `None` ends."""
    import yaml

    return {
        yaml.ScalarEvent: Builder.scalar, yaml.MappingStartEvent: Builder.mapping, yaml.MappingEndEvent: Builder.close,
        yaml.SequenceStartEvent: Builder.sequence, yaml.SequenceEndEvent: Builder.close, yaml.AliasEvent: Builder.alias,
        yaml.DocumentStartEvent: Builder.begin, yaml.DocumentEndEvent: Builder.end,
        yaml.StreamStartEvent: Builder.begin, yaml.StreamEndEvent: None,
    }  # fmt: skip

"""Secrets: found in what handlers give back and taken out before it is recorded.

Two things are secret: the values of environment variables that hold keys, as they are and as URLs, JSON and base64
spell them, and whatever has the form of a well-known credential. This is a net under handlers that print what they
should not, and no licence to print: a secret that was encrypted or split passes through it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from functools import cache, lru_cache
from typing import Any, Final

from context_plane.processes.registry.credentials import FORMS, Form
from context_plane.web.spellings import spellings

TOKENS: Final = "CONTEXT_PLANE_HTTP_"
"""What the name of a variable begins with whose value HTTP actions may send as a token."""

_SECRET_NAME: Final = re.compile(
    r"KEY|TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|CREDENTIAL|PRIVATE|_PWD|_PAT$", re.IGNORECASE
)
_HARMLESS_NAME: Final = re.compile(
    r"(?:_FILE|_PATH|_DIR|_FOLDER|_NAME|_ENV|_ID)$|^GOOGLE_APPLICATION_CREDENTIALS$|^CORTEX_KEY$", re.IGNORECASE
)
"""Names that say where a secret is, or which, and not what."""
_keys: Final[set[str]] = set()
"""Variables that were said to hold keys."""
_VARIABLE: Final = re.compile(rf"{TOKENS}[A-Z0-9_]+")
"""What the input `token` of HTTP actions is: the name of a variable, and not what it holds."""
_SHORTEST: Final = 8
_PART: Final = 4
"""Characters of a secret that can be told from chance."""
_MARK: Final = "[redacted: "
_PASSES: Final = 4
"""Where one secret was taken out, what stood beside it may turn out to be another."""


_SECRET_FIELDS: Final = frozenset(
    "password passwd passphrase secret apikey xapikey accesskey accesstoken refreshtoken idtoken sessiontoken apitoken "
    "clientsecret privatekey authorization proxyauthorization secretkey secretaccesskey authtoken xauthtoken token "
    "cookie setcookie".split()
)
"""Fields of objects whose text is secret whatever it looks like, without ``-`` and ``_``."""


def mark_secret(name: str) -> None:
    """Says that a variable of the environment holds a key, whatever its name: ``key_env`` of a model can be any."""
    _keys.add(name)


def shortened(text: str, most: int) -> str:
    """The beginning of a text that holds no secret of the environment, and no part of one: what is cut first is not
    found any more."""
    return _redacted(text)[:most]


def without_parts(text: str, *, start: bool = False, end: bool = False) -> str:
    """What was cut out of something longer, without secrets, and without what may be a part of one of the environment's
    at its edges."""
    text = _redacted(text)
    known = [each for form in _ours().known for each in form.hints]
    if end:
        text = text[: len(text) - max((_shared(text, each) for each in known), default=0)]
    if start:
        text = text[max((_shared(text[::-1], each[::-1]) for each in known), default=0) :]
    return text


def _redacted(text: str) -> str:
    return str(_ours()(text))


def _shared(text: str, secret: str) -> int:
    """How many characters at the end of a text are the beginning of a secret, if they are enough to tell."""
    most = min(len(text), len(secret) - 1)
    return next((size for size in range(most, _PART - 1, -1) if text.endswith(secret[:size])), 0)


class Redactor:
    """Takes secrets out of JSON values. Safe for threads.

    The environment is looked at each time: keys are read when they are used, so one that is set later is secret as
    well, and one that was replaced stays secret, because answers to requests with it may still come.
    """

    @classmethod
    def of_environment(cls) -> Redactor:
        """That of the environment, as it is whenever something is redacted."""
        return cls(os.environ)

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._seen: tuple[object, ...] = ()
        self._named: dict[str, str] = {}
        self._matcher = _Matcher(())

    @property
    def known(self) -> tuple[Form, ...]:
        """The secrets of the environment, in each of their spellings."""
        return self._current().known

    def _current(self) -> _Matcher:
        environ = {name: value for name in list(self._environ) if (value := self._environ.get(name)) is not None}
        seen = (environ, len(_keys))
        if seen != self._seen:
            named = self._named | _named(environ)
            forms = {each: Form(name, (each,), re.escape(each)) for v, name in named.items() for each in spellings(v)}
            # The longer first: one that begins with another is that one and not the other.
            ordered = sorted(forms, key=lambda spelling: (-len(spelling), spelling))
            self._named, self._matcher, self._seen = named, _Matcher(tuple(forms[each] for each in ordered)), seen
        return self._matcher

    def __call__(self, value: Any) -> Any:
        """The value without its secrets."""
        return self.redact(value)[0]

    def redact(self, value: Any) -> tuple[Any, int]:
        """The value with ``[redacted: NAME]`` in the place of each secret, and how many there were. Names of fields are
        looked at like texts; two that are the same afterwards are numbered."""
        return self._current().redact(value)


class _Matcher:
    """Finds the secrets that are known by now, and the well-known ones."""

    def __init__(self, known: tuple[Form, ...]) -> None:
        self.known = known
        self._forms = (*known, *FORMS)
        self._matching: Final = lru_cache(maxsize=64)(self._compiled)

    def redact(self, value: Any) -> tuple[Any, int]:
        """See `Redactor.redact`."""
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, (list, tuple)):
            found = [self.redact(each) for each in value]
            return [each for each, _ in found], sum(count for _, count in found)
        return self._mapping(value) if isinstance(value, Mapping) else (value, 0)

    def _mapping(self, value: Mapping[str, Any]) -> tuple[dict[str, Any], int]:
        out: dict[str, Any] = {}
        total = 0
        for key, each in value.items():
            name, in_name = self.redact(key)
            number = 1
            while name in out:
                number += 1
                name = f"{self.redact(key)[0]} {number}"
            out[name], in_value = self._field(key, each)
            total += in_name + in_value
        return out, total

    def _field(self, key: Any, value: Any) -> tuple[Any, int]:
        if not isinstance(key, str) or re.sub(r"[-_ ]", "", key).lower() not in _SECRET_FIELDS:
            return self.redact(value)
        if isinstance(value, (list, tuple)):
            found = [self._field(key, each) for each in value]
            return [each for each, _ in found], sum(count for _, count in found)
        harmless = not isinstance(value, str) or not value or value.startswith(_MARK) or _VARIABLE.fullmatch(value)
        return self.redact(value) if harmless else (f"{_MARK}{key}]", 1)

    def _text(self, text: str) -> tuple[str, int]:
        total = 0
        for _ in range(_PASSES):
            near = tuple(at for at, form in enumerate(self._forms) if any(hint in text for hint in form.hints))
            if not near:
                break
            text, count = self._matching(near).subn(lambda match: f"{_MARK}{self._forms[_number(match)].name}]", text)
            if not count:
                break
            total += count
        return text, total

    def _compiled(self, forms: tuple[int, ...]) -> re.Pattern[str]:
        return re.compile("|".join(f"(?P<f{at}>{self._forms[at].pattern})" for at in forms))


def _number(match: re.Match[str]) -> int:
    return int((match.lastgroup or "f0")[1:])


def _named(environ: Mapping[str, str]) -> dict[str, str]:
    """Secret values of the environment, and the names that they go by."""
    found: dict[str, str] = {}
    for name, value in sorted(environ.items()):
        secret = value.strip()
        if len(secret) >= _SHORTEST and secret not in _MARK and _holds_secret(name):
            found.setdefault(secret, name)
    return found


def _holds_secret(name: str) -> bool:
    told = name in _keys or name.startswith(TOKENS)
    return told or bool(_SECRET_NAME.search(name) and not _HARMLESS_NAME.search(name))


@cache
def _ours() -> Redactor:
    return Redactor.of_environment()

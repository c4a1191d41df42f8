"""Secrets: found in what handlers give back and taken out before it is recorded.

Two things are secret: the values of environment variables whose names say so, and whatever has the form of a well-known
credential. This is a net under handlers that print what they should not, and no licence to print: a secret that was
encoded, cut or split passes through it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, NamedTuple

_SECRET_NAME: Final = re.compile(
    r"KEY|TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|CREDENTIAL|PRIVATE|_PWD|_PAT$", re.IGNORECASE
)
_HARMLESS_NAME: Final = re.compile(
    r"(?:_FILE|_PATH|_DIR|_FOLDER|_NAME|_ENV|_ID)$|^GOOGLE_APPLICATION_CREDENTIALS$|^CORTEX_KEY$", re.IGNORECASE
)
"""Names that say where a secret is, or which, and not what."""
_SHORTEST: Final = 8
_MARK: Final = "[redacted: "
_PASSES: Final = 4
"""Where one secret was taken out, what stood beside it may turn out to be another."""


class Form(NamedTuple):
    """What a kind of credential looks like."""

    name: str
    hints: tuple[str, ...]
    """Texts without any of these hold none: looking for them is a hundred times faster than matching."""
    pattern: str


_FORMS: Final = (
    Form(
        "private key",
        ("PRIVATE KEY-----",),
        r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----(?:[^-]|-(?!----END ))*"
        r"(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY-----)?",
    ),
    Form("AWS access key", ("AKIA", "ASIA", "ABIA", "ACCA"), r"\bA(?:KI|SI|BI|CC)A[A-Z2-7]{16}\b"),
    Form("GitHub token", ("ghp_", "gho_", "ghu_", "ghs_", "ghr_"), r"\bgh[pousr]_[A-Za-z0-9]{36,}"),
    Form("GitHub token", ("github_pat_",), r"\bgithub_pat_[A-Za-z0-9_]{22,}"),
    Form("GitLab token", ("glpat-",), r"\bglpat-[A-Za-z0-9_-]{20,}"),
    Form("API key", ("sk-",), r"\bsk-(?=[A-Za-z_-]{0,60}[0-9])[A-Za-z0-9_-]{20,}"),
    Form("Slack token", ("xox",), r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}"),
    Form("Google API key", ("AIza",), r"\bAIza[A-Za-z0-9_-]{35}"),
    Form("Stripe key", ("k_live_", "k_test_"), r"\b[rs]k_(?:live|test)_[A-Za-z0-9]{16,}"),
    Form("Hugging Face token", ("hf_",), r"\bhf_[A-Za-z]{30,}\b"),
    Form("npm token", ("npm_",), r"\bnpm_[A-Za-z0-9]{36}\b"),
    Form("PyPI token", ("pypi-",), r"\bpypi-AgEI[A-Za-z0-9_-]{50,}"),
    Form("JWT", ("eyJ",), r"\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}"),
    Form(
        "credentials",
        ("earer ",),
        r"(?<=[Bb]earer )(?=[A-Za-z._~+/-]{0,60}[0-9=])[A-Za-z0-9._~+/-]{16,}=*",
    ),
    Form("credentials", ("asic ",), r"(?<=[Bb]asic )(?=[A-Za-z+/]{0,60}[0-9=])[A-Za-z0-9+/]{12,}={0,2}"),
    Form("name and password", ("://",), r"(?<=://)[^\s/:@?#\"']{1,256}:[^\s/@\"']{1,256}(?=@)"),
)
_SECRET_FIELDS: Final = frozenset(
    "password passwd passphrase secret apikey accesskey accesstoken refreshtoken clientsecret privatekey authorization "
    "secretkey secretaccesskey authtoken setcookie".split()
)
"""Fields of objects whose text is secret whatever it looks like, without ``-`` and ``_``."""


class Redactor:
    """Takes secrets out of JSON values. Safe for threads."""

    @classmethod
    def of_environment(cls) -> Redactor:
        """That of the environment as it is now."""
        return cls(os.environ)

    def __init__(self, environ: Mapping[str, str]) -> None:
        named = _named(environ)
        # The longer first: one that begins with another is that one and not the other.
        known = sorted(named, key=lambda value: (-len(value), value))
        self._forms = (*(Form(named[value], (value,), re.escape(value)) for value in known), *_FORMS)
        self._matching: Final = lru_cache(maxsize=64)(self._compiled)

    def __call__(self, value: Any) -> Any:
        """The value without its secrets."""
        return self.redact(value)[0]

    def redact(self, value: Any) -> tuple[Any, int]:
        """The value with ``[redacted: NAME]`` in the place of each secret, and how many there were. Names of fields are
        looked at like texts; two that are the same afterwards are numbered."""
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
        secret = isinstance(key, str) and re.sub(r"[-_ ]", "", key).lower() in _SECRET_FIELDS
        if secret and isinstance(value, str) and value and not value.startswith(_MARK):
            return f"{_MARK}{key}]", 1
        return self.redact(value)

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
        if len(secret) < _SHORTEST or secret in _MARK or not _SECRET_NAME.search(name) or _HARMLESS_NAME.search(name):
            continue
        found.setdefault(secret, name)
    return found

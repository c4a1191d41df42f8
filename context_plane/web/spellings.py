"""Spellings: how a secret looks where others repeat it, so that it can be left out of what they say."""

from __future__ import annotations

import base64
import html
import json
import re
from urllib.parse import quote, quote_plus

_SHORTEST = 8
"""Characters of a base64 spelling that are worth looking for: of a short secret, fewer could be anything."""


def spellings(secret: str) -> tuple[str, ...]:
    """A secret as it is, and as URLs, JSON, HTML and base64 write it; the longest first."""
    found = {secret}
    for quoted in (quote(secret, safe=""), quote(secret), quote_plus(secret)):
        found |= {quoted, re.sub("%[0-9A-F]{2}", lambda match: match[0].lower(), quoted)}
    for escaped in (json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]):
        found |= {escaped, escaped.replace("/", "\\/")}
    found.add(html.escape(secret))
    found |= _in_base64(secret.encode("utf-8", "surrogatepass"))
    return tuple(sorted(found, key=lambda each: (-len(each), each)))


def hidden(text: str, secret: str | None, mark: str = "[its key]") -> str:
    """A text without a secret, however it is written there."""
    for each in spellings(secret) if secret else ():
        text = text.replace(each, mark)
    return text


def _in_base64(raw: bytes) -> set[str]:
    """What base64 makes of it wherever it stands in something longer: what it shares with its neighbours is cut off."""
    found = set()
    for before in range(3):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            start, end = -(-8 * before // 6), (8 * (before + len(raw))) // 6
            found.add(encode(b"\0" * before + raw).decode()[start:end])
    return {each for each in found if len(each) >= _SHORTEST}

"""What the error replies of an object store mean to a user of the plane.

Here belongs the translation of obstore's exceptions, and nothing else. Their text is not passed on: it quotes the
server's reply, which may hold access key ids and signed strings.
"""

from __future__ import annotations

import re
from typing import Final

from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError

from context_plane.errors import ContextPlaneError, Denied, NotFound, Unavailable

FOREIGN: Final = (BaseError, FileNotFoundError, ValueError)
"""What obstore raises."""

_STATUS: Final = re.compile(r"status code: (\d{3})")
_CODE: Final = re.compile(r"<Code>(\w{1,64})</Code>")
_REFUSALS: Final = {"400", "401", "403", "404", "405", "411", "501"}
_RIGHTS: Final = "check the AWS variables (keys, region, AWS_ENDPOINT_URL) and what the bucket's policy allows"
_UNREACHED: Final = "check AWS_ENDPOINT_URL, then try again"
_BUCKET: Final = "create the bucket, or correct CONTEXT_PLANE_STORE"


def translated(error: Exception, where: str, *, writing: bool = False) -> ContextPlaneError:
    """The error with place and remedy; `writing` because a write cannot miss its object."""
    text = str(error).partition("Debug source")[0]
    code = _found(_CODE, text)
    reply = " ".join(filter(None, (_found(_STATUS, text), code)))
    if code == "NoSuchBucket" or (writing and isinstance(error, FileNotFoundError)):
        return Denied("the bucket does not exist", where=where, remedy=_BUCKET)
    if isinstance(error, FileNotFoundError):
        return NotFound("no such object", where=where)
    if isinstance(error, PermissionDeniedError | UnauthenticatedError) or reply[:3] in _REFUSALS:
        return Denied(f"the object store refuses ({reply or type(error).__name__})", where=where, remedy=_RIGHTS)
    if reply:
        return Unavailable(f"the object store answers {reply}", where=where, remedy="try again")
    return Unavailable("the object store cannot be reached", where=where, remedy=_UNREACHED)


def _found(pattern: re.Pattern[str], text: str) -> str:
    match = pattern.search(text)
    return match[1] if match else ""

"""The prose half of CTX: text documents with fewer tokens, and the check of what is left of them.

Here belongs what callers use; `docs/spec/ctx-text.md` specifies the format.
"""

from context_plane.ctx.prose.check import Difference, Level, Report, check
from context_plane.ctx.prose.decode import decode
from context_plane.ctx.prose.encode import encode, rewritten
from context_plane.ctx.prose.header import Mode

__all__ = ["Difference", "Level", "Mode", "Report", "check", "decode", "encode", "rewritten"]

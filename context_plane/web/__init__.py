"""Web: what asks servers over HTTP has in common, above all that it ends: in time, in size, and when it is cancelled.

`server` posts JSON to servers that somebody configured, `connection` is one request with an end, `addresses` says what
an address leads to, `spellings` how a secret may be written. The lowest layer: nothing of the plane but errors is used.
"""

from context_plane.web.server import Server, is_address, is_busy, key_in

__all__ = ["Server", "is_address", "is_busy", "key_in"]

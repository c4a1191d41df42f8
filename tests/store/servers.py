"""An S3 server for tests: moto with every request under one lock, run as a process of its own.

Moto's conditional PUT looks first and writes then; under one lock that is atomic, as it is on a real server. Prints its
port as soon as it listens, and ends when its standard input is closed: so it cannot outlive the tests.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterable
from typing import Any

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

lock = threading.Lock()
application = DomainDispatcherApplication(create_backend_app)


class Silent(WSGIRequestHandler):
    """Logs nothing."""

    protocol_version = "HTTP/1.1"

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Says nothing."""


def locked(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """One request at a time."""
    with lock:
        return list(application(environ, start_response))


if __name__ == "__main__":
    server = make_server("127.0.0.1", 0, locked, threaded=True, request_handler=Silent)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdout.write(f"{server.server_port}\n")
    sys.stdout.flush()
    sys.stdin.read()

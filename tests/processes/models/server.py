"""A server that speaks OpenAI's ``/chat/completions``, with the bad days of a real one."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Reply:
    """An answer other than the right one. `body` ``None`` ends the connection instead; `slowly` sends it itself."""

    status: int = 200
    body: bytes | None = b""
    headers: dict[str, str] = field(default_factory=dict)
    slowly: Callable[[Any], None] | None = None


@dataclass
class Server:
    """What it was asked, and the replies that it gives before it answers rightly."""

    url: str
    text: str = "It failed."
    replies: list[Reply] = field(default_factory=list)
    asked: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)


def completion(text: Any, reason: str = "stop", **usage: Any) -> Reply:
    """A chat completion."""
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": reason}
    body = {"object": "chat.completion", "choices": [choice], **({"usage": usage} if usage else {})}
    return Reply(body=json.dumps(body).encode())


@contextmanager
def serving() -> Iterator[Server]:
    """A server on a free port of this machine."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            """Says nothing."""

        def do_POST(self) -> None:
            state.paths.append(self.path)
            state.headers.append({name.lower(): value for name, value in self.headers.items()})
            state.asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            right = completion(state.text, prompt_tokens=100, completion_tokens=20)
            self.send_reply(state.replies.pop(0) if state.replies else right)

        def send_reply(self, reply: Reply) -> None:
            if reply.slowly is not None:
                try:
                    reply.slowly(self)
                except OSError:
                    return  # whoever asked hung up
            elif reply.body is not None:
                self.send_response(reply.status)
                for name, value in {"Content-Length": str(len(reply.body)), **reply.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                try:
                    self.wfile.write(reply.body)
                except OSError:
                    return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        state = Server(f"http://127.0.0.1:{http.server_port}/v1")
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield state
        finally:
            http.shutdown()
            thread.join()

"""The sealer: a thread that seals a while after there is something to seal.

Here belongs when; what sealing does is `sealing`'s.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Final

from context_plane.processes.engine.sealing import seal

if TYPE_CHECKING:
    from context_plane.processes.engine.journal import Journal
    from context_plane.processes.engine.ports import Ports

_EVERY: Final = 0.4
"""Seconds between a record and its sealing, if nobody asks for it before."""
_IDLE: Final = 10.0
_LONGEST: Final = 30.0
_log: Final = logging.getLogger("context_plane.executions")


class Sealer:
    """Seals in the background, a while after the first record that is not sealed; its thread ends when none came for
    long."""

    def __init__(self, journal: Journal, ports: Ports) -> None:
        self._journal, self._ports = journal, ports
        self._turn = threading.Lock()
        """Held by who seals: two at once would do the same."""
        self._changed = threading.Condition()
        self._news = False
        self._closing = False
        self._thread: threading.Thread | None = None

    def tell(self) -> None:
        """There is something to seal."""
        with self._changed:
            self._news = True
            self._changed.notify_all()
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="seal", daemon=True)
                self._thread.start()

    def now(self) -> int:
        """Seals at once, and drops what has been in the log for long."""
        with self._turn:
            with self._changed:
                self._news = False
            try:
                count = seal(self._journal, self._ports)
            except BaseException:
                with self._changed:
                    self._news = True
                raise
            self._journal.forgetting.look(self._ports.clock())
            return count

    def close(self) -> None:
        """Seals what is left, if anything was told of, and ends. May be used again afterwards."""
        with self._changed:
            thread, self._closing = self._thread, True
            self._changed.notify_all()
        if thread is not None:
            thread.join()
        with self._changed:
            news, self._closing = self._news, False
        if news:
            self.now()

    def _work(self) -> None:
        wait = _EVERY
        while self._due(wait):
            try:
                self.now()
                wait = _EVERY
            except Exception as error:  # noqa: BLE001 - a thread that ended would leave everything unsealed
                # Nothing is lost: the records stay where they are, durable, until the store takes them.
                wait = min(_LONGEST, wait * 2)
                _log.warning("records of executions wait to be sealed: %s", error)

    def _due(self, wait: float) -> bool:
        """Waits for news, and then so many seconds for more of them; `False` where the thread is to end."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._news or self._closing, _IDLE) or self._closing:
                self._thread = None
                return False
            if self._changed.wait_for(lambda: self._closing, wait):
                self._thread = None
                return False
            return True

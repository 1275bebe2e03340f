"""How fast one sender may send."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

_MINUTE = 60.0
# More senders than a node ever has; beyond it those are forgotten that have been quiet.
_MANY = 1000


class Pace:
    """Spreads the objects of each sender over time, once a minute's worth came in a burst.

    The generic cell rate algorithm: of each sender one time is kept, at which all that it sent
    would have come at the permitted pace.
    """

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        """Allow so many objects a minute to each sender."""
        self._interval = _MINUTE / per_minute
        self._clock = clock
        self._due: dict[str, float] = {}
        self._lock = threading.Lock()

    def delay(self, sender: str, longest: float) -> float | None:
        """How long to wait before an object is taken.

        Args:
            sender: whose object it is.
            longest: longest wait in seconds that makes sense.

        Returns:
            Seconds, 0 or more; None where it would be longer than that, and then it did not count.
        """
        with self._lock:
            at = self._clock()
            if len(self._due) > _MANY:
                self._due = {name: due for name, due in self._due.items() if due > at}
            due = max(self._due.get(sender, at), at) + self._interval
            wait = max(0.0, due - at - _MINUTE)
            if wait > longest:
                return None
            self._due[sender] = due
            return wait

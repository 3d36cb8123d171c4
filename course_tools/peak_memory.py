"""The memory that processes take together, sampled while they run."""

import contextlib
import math
import threading
from collections.abc import Collection

import psutil

__all__ = ["PeakMemory"]


class PeakMemory(threading.Thread):
    """Samples a process and its children, all but those in `without`.

    bytes: the peak of their resident memory; what several processes share counts once, where the
    system says so (Linux). cpu_seconds: what they have computed. Above `limit` bytes they are
    killed, and `exceeded` is True.
    """

    def __init__(
        self,
        pid: int,
        interval: float = 0.05,
        limit: float = math.inf,
        without: Collection[psutil.Process] = (),
    ):
        super().__init__(daemon=True)
        self.process, self.interval, self.limit = psutil.Process(pid), interval, limit
        self.without, self.bytes, self.cpu_seconds, self.exceeded = without, 0, 0.0, False
        self.stopped = threading.Event()

    def run(self) -> None:
        while True:
            with contextlib.suppress(psutil.Error):  # a process that has just ended
                self.look()
            if self.stopped.wait(self.interval):
                return

    def look(self) -> int:
        """The bytes now."""
        everybody = [self.process, *self.process.children(recursive=True)]
        family = [process for process in everybody if process not in self.without]
        shared = psutil.LINUX and family != [self.process]
        now, spent = 0, 0.0
        for process in family:
            with contextlib.suppress(psutil.Error):
                now += process.memory_full_info().pss if shared else process.memory_info().rss
                spent += sum(process.cpu_times()[:4])  # user, system, and those of ended children
        self.bytes, self.cpu_seconds = max(self.bytes, now), max(self.cpu_seconds, spent)
        if now > self.limit:
            self.exceeded = True
            for process in family:
                process.kill()
        return now

"""One core and little memory, as Binder gives them (`course_tools.run_notebooks --like-binder`).

On Linux the kernel is pinned to one core, and where this user may make a memory control group
(root, or a session of systemd) the kernel's processes live in one: then memory counts as it does on
Binder, page cache and the shortest peak included. Everywhere the processes are also sampled, and
killed above the limit.
"""

import contextlib
import os
import pathlib
import re
import subprocess
import sys
from collections.abc import Iterator

__all__ = ["BINDER", "BINDER_MB", "SERVER_MB", "SmallMachine", "small_machine"]

BINDER_MB = 2000
SERVER_MB = 150  # an idle JupyterLab server took 135 MB (docs/binder.md)
BINDER = {"OMP_NUM_THREADS": "1", "CPU_LIMIT": "1", "COURSE_WIDGETS": "1"}  # of a kernel there
CONTROL_GROUPS = pathlib.Path("/sys/fs/cgroup")
# Version 2; version 1, and its swap.
LIMITS = ["memory.max", "memory.limit_in_bytes", "memory.memsw.limit_in_bytes"]
COUNTS = ["memory.events", "memory.oom_control"]  # hold a line "oom_kill N"


class SmallMachine:
    """One core and `megabytes` of memory, for processes started with `**machine.popen`.

    group: the folder of their control group, or None where only sampling keeps the limit.
    """

    def __init__(self, megabytes: int, group: pathlib.Path | None = None):
        self.megabytes, self.group = megabytes, group
        self.core = max(os.sched_getaffinity(0)) if hasattr(os, "sched_setaffinity") else None
        self.popen = {"preexec_fn": self.enter} if self.core is not None else {}

    def enter(self) -> None:
        """Move the calling process, and what it starts, onto the core and into the group."""
        os.sched_setaffinity(0, {self.core})
        if self.group:
            (self.group / "cgroup.procs").write_text(str(os.getpid()))

    def kills(self) -> int:
        """How many processes of the group the system has killed because memory was short."""
        files = [self.group / name for name in COUNTS] if self.group else []
        text = "".join(file.read_text() for file in files if file.is_file())
        return sum(map(int, re.findall(r"(?m)^oom_kill (\d+)", text)))

    def __str__(self) -> str:
        thread = "one thread (this system pins no process to a core)"
        core = thread if self.core is None else "one core"
        by = "a control group and sampling" if self.group else "sampling"
        return f"{core}, {self.megabytes} MB, kept by {by}"


@contextlib.contextmanager
def small_machine(megabytes: int = BINDER_MB - SERVER_MB) -> Iterator[SmallMachine]:
    """A `SmallMachine`; its control group, where one can be made, is removed at the end."""
    machine = SmallMachine(megabytes)
    for folder in own_groups():
        group = folder / f"course-{os.getpid()}"
        try:
            group.mkdir()
        except OSError:  # not ours to make
            continue
        machine.group = group
        try:
            files = [group / name for name in LIMITS if (group / name).is_file()]
            for file in files:
                file.write_text(str(megabytes * 10**6))
            if (group / "memory.swap.max").is_file():
                (group / "memory.swap.max").write_text("0")
            enter = [sys.executable, "-c", ""]  # may a process enter it?
            subprocess.run(enter, check=True, **machine.popen)
            if files:
                break
        except (OSError, subprocess.SubprocessError):
            pass
        machine.group = None
        group.rmdir()
    try:
        yield machine
    finally:
        if machine.group:
            with contextlib.suppress(OSError):  # a process still there keeps it
                machine.group.rmdir()


def own_groups(table: pathlib.Path = pathlib.Path("/proc/self/cgroup")) -> Iterator[pathlib.Path]:
    """Folders in which a memory control group might be made, near this process's own (Linux)."""
    for line in table.read_text().splitlines() if table.is_file() else []:
        number, controllers, path = line.split(":", 2)
        if "memory" in controllers.split(","):  # version 1: below our own
            yield CONTROL_GROUPS / "memory" / path.lstrip("/")
        elif number == "0":  # version 2: beside our own, for a group with processes has none below
            own = CONTROL_GROUPS / path.lstrip("/")
            yield own if own == CONTROL_GROUPS else own.parent

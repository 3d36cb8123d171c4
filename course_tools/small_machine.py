"""A small machine within this one: one core and little memory, as Binder gives them (`course_tools.run_notebooks --like-binder`).

On Linux the kernel is pinned to one core, and where this user may make a memory control group
(root, or a session of systemd) the kernel's processes live in one: then memory counts as it does on
Binder, page cache and the shortest peak included. Everywhere the processes are also sampled, and
killed above the limit.
"""

import contextlib
import os
import pathlib
import subprocess
import sys
from collections.abc import Iterator

__all__ = ["BINDER", "BINDER_MB", "SERVER_MB", "SmallMachine", "small_machine"]

BINDER_MB = 2000
SERVER_MB = 150  # an idle JupyterLab server took 135 MB (docs/binder.md)
BINDER = {
    "OMP_NUM_THREADS": "1",
    "CPU_LIMIT": "1",
    "COURSE_WIDGETS": "1",
}  # the environment of a kernel there
CONTROL_GROUPS = pathlib.Path("/sys/fs/cgroup")
LIMITS = [
    "memory.max",
    "memory.limit_in_bytes",
    "memory.memsw.limit_in_bytes",
]  # version 2; version 1, and swap
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
        """Move the calling process, and what it starts from now on, onto the core and into the group."""
        os.sched_setaffinity(0, {self.core})
        if self.group:
            (self.group / "cgroup.procs").write_text(str(os.getpid()))

    def kills(self) -> int:
        """How many processes of the group the system has killed because memory was short."""
        lines = [
            line.split()
            for name in COUNTS
            if self.group and (self.group / name).is_file()
            for line in (self.group / name).read_text().splitlines()
        ]
        return sum(int(count) for word, count in lines if word == "oom_kill")

    def __str__(self) -> str:
        core = (
            "one core"
            if self.core is not None
            else "one thread (this system pins no process to a core)"
        )
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
            subprocess.run(
                [sys.executable, "-c", ""], check=True, **machine.popen
            )  # may a process enter it?
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
    """Folders in which a memory control group beside or below this process's own could be made (Linux)."""
    for line in table.read_text().splitlines() if table.is_file() else []:
        number, controllers, path = line.split(":", 2)
        if "memory" in controllers.split(","):  # version 1: below our own
            yield CONTROL_GROUPS / "memory" / path.lstrip("/")
        elif (
            number == "0"
        ):  # version 2: beside our own, for a group with processes has no groups below
            own = CONTROL_GROUPS / path.lstrip("/")
            yield own if own == CONTROL_GROUPS else own.parent

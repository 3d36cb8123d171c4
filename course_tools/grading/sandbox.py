"""The first program of a process apart on Linux: seals the files, then starts the command and waits for it.

    python sandbox.py CONFIG COMMAND...      inside `unshare` (see isolation.py)

It runs before anything of a student does, as process 1 of a name space of its own, and needs
nothing but the standard library. CONFIG is JSON: "files" says whether to seal; "hide" are folders
shown empty, but for those of "keep" in them; everything is read-only but "open" and private /tmp,
/var/tmp and /dev/shm. When the command ends, the kernel ends with this process all that it has
started.
"""

import contextlib
import ctypes
import fcntl
import json
import os
import select
import socket
import struct
import sys

__all__ = []

BIND, RECURSIVE = 4096, 16384  # of mount(2)
SET_ATTRIBUTES, HERE, BELOW, READ_ONLY = (
    442,
    -100,
    0x8000,
    1,
)  # of mount_setattr(2), Linux 5.12 and newer
DROP_BOUND, NO_NEW_PRIVILEGES = 24, 38  # of prctl(2)
PRIVATE = ["/tmp", "/var/tmp", "/dev/shm"]
DEVICES = ["null", "zero", "full", "random", "urandom"]

libc = ctypes.CDLL(None, use_errno=True)


def must(status: int, what: str) -> None:
    """OSError after a system call that failed."""
    if status != 0:
        raise OSError(ctypes.get_errno(), f"{what}: {os.strerror(ctypes.get_errno())}")


def mount(source: str, target: str, kind: str | None, flags: int = 0, data: str = "") -> None:
    """mount(2)."""
    encode = [
        os.fsencode(text) if text is not None else None for text in (source, target, kind, data)
    ]
    must(libc.mount(*encode[:3], ctypes.c_ulong(flags), encode[3]), f"mount {target}")


def writable(place: str, yes: bool, below: bool = False) -> None:
    """Make one mount, or all below it, writable or read-only."""
    change = struct.pack("QQQQ", 0 if yes else READ_ONLY, READ_ONLY if yes else 0, 0, 0)
    where = BELOW if below else 0
    must(
        libc.syscall(SET_ATTRIBUTES, HERE, os.fsencode(place), where, change, len(change)),
        f"remount {place}",
    )


def inside(path: str, folder: str) -> bool:
    """Whether a path is a folder or lies in it."""
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def hide(folder: str, keep: list[str]) -> None:
    """Show a folder empty, but for what is kept of it."""
    kept = [path for path in keep if inside(path, folder) and os.path.exists(path)]
    if folder in kept or not os.path.isdir(folder):
        return
    kept = [
        path for path in kept if not any(path != other and inside(path, other) for other in kept)
    ]
    handles = [(path, os.path.isdir(path), os.open(path, os.O_PATH)) for path in kept]
    mount("tmpfs", folder, "tmpfs", 0, "size=256m,mode=1777")
    for path, is_folder, handle in handles:
        os.makedirs(path if is_folder else os.path.dirname(path), exist_ok=True)
        if not is_folder:
            os.close(os.open(path, os.O_CREAT))
        mount(f"/proc/self/fd/{handle}", path, None, BIND | RECURSIVE)
        os.close(handle)


def seal(config: dict) -> None:
    """The files as the submission is to see them."""
    with contextlib.suppress(
        OSError
    ):  # not allowed in some containers: processes outside are then seen, not reached
        mount("proc", "/proc", "proc")
    graphics = [f"/dev/{name}" for name in os.listdir("/dev") if name.startswith("nvidia")]
    hide("/dev", [f"/dev/{name}" for name in DEVICES] + graphics)
    os.makedirs("/dev/shm", exist_ok=True)
    for folder in sorted({*config["hide"], *PRIVATE}, key=len):
        hide(folder, config["keep"] + [config["open"]])
    mount(config["open"], config["open"], None, BIND | RECURSIVE)
    writable("/", False, below=True)
    for place in [config["open"], *filter(os.path.ismount, PRIVATE)]:
        writable(place, True)


def loopback() -> None:
    """Switch on this machine's own address, which some programs need to talk to themselves."""
    with (
        contextlib.suppress(OSError),
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket,
    ):
        fcntl.ioctl(any_socket, 0x8914, struct.pack("16sh22x", b"lo", 1))


def give_up_privileges() -> None:
    """Nothing that is started from here can mount, or become more than it is."""
    for capability in range(64):
        libc.prctl(DROP_BOUND, capability, 0, 0, 0)
    must(libc.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0), "prctl")


def main(config: dict, command: list[str]) -> int:
    """Seal, start, wait; the exit status of the command (128 + signal when one ended it)."""
    if config["files"] and (
        os.getpid() != 1 or os.readlink("/proc/self/ns/mnt") == config["mounts outside"]
    ):
        raise SystemExit(
            "sandbox.py seals files for all who share its mounts: "
            "start it inside `unshare --mount --pid --fork`."
        )
    loopback()
    if config["files"]:
        seal(config)
    child = os.fork()
    if child == 0:
        give_up_privileges()
        os.chdir(config["open"])
        os.execv(command[0], command)
    listener = select.poll()
    listener.register(
        1, 0
    )  # an event comes when nobody reads the answers any more: the grading was killed
    while True:
        ended, status = os.waitpid(-1, os.WNOHANG)
        if ended == child:
            return os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status)
        if ended == 0 and listener.poll(300):
            return 1


if __name__ == "__main__":
    os._exit(main(json.loads(sys.argv[1]), sys.argv[2:]))

"""A process apart that runs one submission, with limits; bubblewrap seals files and network."""

import contextlib
import json
import os
import queue
import secrets
import site
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import matplotlib
import psutil

from course_tools.run_notebooks import ENVIRONMENT
from course_utils.files import ROOT

__all__ = ["GivenUp", "SandboxedProcess", "Stopped", "home"]

RUNNER = Path(__file__).resolve().parent / "runner.py"
LONGEST = 100_000  # bytes of an answer
PROCESSES = 200
PASSED_ON = (  # of the environment; the rest, which may hold passwords, is not
    "PATH LANG LC_ALL LC_CTYPE TZ PYTHONPATH OMP_NUM_THREADS LD_LIBRARY_PATH DYLD_LIBRARY_PATH "
    "SYSTEMROOT WINDIR COMSPEC PATHEXT PROGRAMFILES"
).split()
HOMES = ["HOME", "USERPROFILE", "APPDATA", "LOCALAPPDATA", "MPLCONFIGDIR"]


class Stopped(Exception):
    """The process is gone; says why."""


class GivenUp(Stopped):
    """Nothing more is to be run: no time is left, or the teacher interrupted."""


def home() -> list[Path]:
    """The teacher's home folder, if there is one (an account of a container may have none)."""
    with contextlib.suppress(RuntimeError):
        return [Path.home()]
    return []


def needed() -> set[Path]:
    """Folders that the runner reads: the course, Python and its packages, also behind links."""
    places = [sys.prefix, sys.base_prefix, Path(sys.executable).resolve().parents[1], *sys.path[1:]]
    folders = [Path(place) for place in places if Path(place).is_dir()]
    ways = {way for folder in folders for way in (folder.absolute(), folder.resolve())}
    return ways - {Path.cwd(), Path("/"), *home()} | {ROOT}


def sealed(scratch: Path, hidden: list[Path]) -> list[str]:
    """Options of bubblewrap: no network; all files read-only but scratch; hidden folders empty.

    /tmp, /var/tmp and /dev/shm lie in scratch, too, so that files in them take no memory.
    """
    temporary = {Path("/tmp").resolve(), Path("/var/tmp").resolve(), Path("/dev/shm")}
    kept = needed()
    hidden = [*hidden, *home(), Path("/run"), Path("/media"), Path("/mnt")]
    empty = {path.resolve() for path in hidden if path.is_dir()}
    empty -= temporary | kept | {Path("/")}
    options = ["--unshare-all", "--die-with-parent", "--cap-drop", "ALL"]
    options += ["--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev"]
    for device in Path("/dev").glob("nvidia*"):
        options += ["--dev-bind", device, device]
    for folder in sorted(empty | temporary, key=lambda path: len(path.parts)):
        options += ["--tmpfs"] if folder in empty else ["--bind", scratch / "tmp"]
        inside = {path for path in kept if folder in path.parents}
        outermost = [path for path in inside if not inside & set(path.parents)]
        options += [folder, *(word for path in outermost for word in ("--ro-bind", path, path))]
    options += ["--bind", scratch, scratch, "--chdir", scratch]
    options += [word for path in [*empty, "/dev"] for word in ("--remount-ro", path)]
    return list(map(str, options))


def environment(scratch: Path) -> dict[str, str]:
    """The environment of a submission: what programs need, its home and caches in `scratch`."""
    home, temporary = scratch / "home", scratch / "tmp"
    home.mkdir()
    temporary.mkdir()
    for file in Path(matplotlib.get_cachedir()).glob("fontlist*.json"):  # else made anew each time
        (home / file.name).write_bytes(file.read_bytes())
    passed_on = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    return {
        **ENVIRONMENT,
        **passed_on,
        **dict.fromkeys(HOMES, str(home)),
        **dict.fromkeys(["TMPDIR", "TMP", "TEMP"], str(temporary)),
        "COURSE_GRADING": str(scratch),  # marks all that the submission starts
        "PYTHONUSERBASE": site.getuserbase(),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUTF8": "1",  # the same wherever it is graded
        "PYTHONBREAKPOINT": "0",
        "PIP_NO_INDEX": "1",  # nothing is installed, with a network or without
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    }


@dataclass
class SandboxedProcess:
    """A runner in a process of its own, to be used in `with`; `work` is the folder that it runs in.

    bubblewrap is the path of that program, "" for limits only; it shows hidden folders empty.
    seconds count from the start, megabytes are those of all its processes. At the end the process
    and all that it started are killed, and its folder is deleted.
    """

    bubblewrap: str
    hidden: list[Path]
    seconds: float
    megabytes: int
    stop: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> "SandboxedProcess":
        self.end = time.monotonic() + self.seconds
        self.answers, self.nonce = queue.Queue(), ""
        self.scratch = tempfile.TemporaryDirectory(prefix="grading-", ignore_cleanup_errors=True)
        self.work = Path(self.scratch.name).resolve()
        command = [sys.executable, str(RUNNER)]
        if self.bubblewrap:
            command = [self.bubblewrap, *sealed(self.work, self.hidden), "--", *command]
        self.complaints = tempfile.TemporaryFile()  # the runner closes its stderr at its start
        streams = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": self.complaints}
        self.process = subprocess.Popen(
            command, cwd=self.work, env=environment(self.work), start_new_session=True, **streams
        )
        threading.Thread(target=self.listen, daemon=True).start()
        return self

    def __exit__(self, *_) -> None:
        for process in self.family():  # with the first of bubblewrap, the kernel ends all others
            with contextlib.suppress(psutil.Error):
                process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(10)
        for process in psutil.process_iter():  # those that have turned away from the family
            with contextlib.suppress(psutil.Error, OSError):
                if process.environ().get("COURSE_GRADING") == str(self.work):
                    process.kill()
        for stream in (self.process.stdin, self.process.stdout, self.complaints):
            with contextlib.suppress(OSError):
                stream.close()
        with contextlib.suppress(OSError, RecursionError):
            self.scratch.cleanup()

    def listen(self) -> None:
        """Keep answers that know the question's number; the rest is noise of the student's code."""
        with contextlib.suppress(OSError, ValueError):
            while line := self.process.stdout.readline(LONGEST):
                if self.nonce and self.nonce.encode() in line:
                    with contextlib.suppress(ValueError):
                        self.answers.put(json.loads(line))

    def ask(self, kind: str, **words: object) -> dict:
        """The runner's answer to a request. Stopped when a limit is reached or it has ended."""
        self.nonce = secrets.token_hex(16)
        request = json.dumps({"nonce": self.nonce, "kind": kind, "words": words})
        with contextlib.suppress(OSError):
            self.process.stdin.write(request.encode() + b"\n")
            self.process.stdin.flush()
        while True:
            ended = self.process.poll() is not None
            with contextlib.suppress(queue.Empty):
                answer = self.answers.get(timeout=0.1)
                self.watch()  # what a cell leaves running counts as well
                return answer
            if ended:
                self.complaints.seek(0)
                lines = self.complaints.read().decode(errors="replace").splitlines()
                raise Stopped(": ".join(["the Python process ended", *lines[-1:]]))
            if self.stop.is_set():
                raise GivenUp("interrupted")
            if time.monotonic() > self.end:
                raise GivenUp("the time limit was reached")
            self.watch()

    def family(self) -> list[psutil.Process]:
        """The process and all that it has started."""
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(self.process.pid)
            return [process, *process.children(recursive=True)]
        return []

    def watch(self) -> None:
        """Stopped when there are too many processes, or they hold too much memory."""
        family, most = self.family(), self.megabytes * 10**6
        if len(family) > PROCESSES:
            raise Stopped(f"more than {PROCESSES} processes were started")
        if sum(memory(process) for process in family) > most:
            if sum(memory(process, shared=False) for process in family) > most:
                raise Stopped("the memory limit was reached")


def memory(process: psutil.Process, shared: bool = True) -> int:
    """Bytes in memory; not shared: less what other processes hold as well (Linux; slower)."""
    with contextlib.suppress(psutil.Error):
        if psutil.LINUX and not shared:
            with contextlib.suppress(psutil.AccessDenied):
                return process.memory_full_info().pss
        return process.memory_info().rss
    return 0

"""A process apart, with limits: what the system allows, from sealed files to a mere time limit.

`best_isolation` tries the kinds in order and measures what they keep out; `SandboxedProcess` is one
such process.
"""

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
from dataclasses import dataclass
from pathlib import Path

import matplotlib
import psutil

from course_tools.run_notebooks import ENVIRONMENT
from course_utils.files import ROOT

__all__ = ["SandboxedProcess", "Isolation", "Stopped", "best_isolation"]

HERE = Path(__file__).resolve().parent
LONGEST = 100_000  # bytes of an answer
PROCESSES = 200
PASSED_ON = [  # of the environment; the rest, which may hold passwords, is not
    "PATH",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "TZ",
    "LD_LIBRARY_PATH",
    "DYLD_LIBRARY_PATH",
    "PYTHONPATH",
    "OMP_NUM_THREADS",
    "VIRTUAL_ENV",
    "CONDA_PREFIX",
    "SYSTEMROOT",
    "WINDIR",
    "COMSPEC",
    "PATHEXT",
    "PROGRAMFILES",
    "NUMBER_OF_PROCESSORS",
]
HOMES = [  # variables that say where programs keep their own
    "HOME",
    "USERPROFILE",
    "APPDATA",
    "LOCALAPPDATA",
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "IPYTHONDIR",
    "MPLCONFIGDIR",
    "JUPYTER_CONFIG_DIR",
    "JUPYTER_DATA_DIR",
    "JUPYTER_RUNTIME_DIR",
]
NOWHERE = dict.fromkeys(
    ["http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"], "http://127.0.0.1:9"
)


class Stopped(Exception):
    """The process is gone; `final` when there is no time left, or nobody wants more."""

    def __init__(self, reason: str, final: bool = False):
        super().__init__(reason)
        self.final = final


@dataclass(frozen=True)
class Isolation:
    """A kind of isolation: the words before a command, whether files are sealed, and what to tell the teacher."""

    said: str
    before: tuple[str, ...] = ()
    files: bool = False

    def command(self, scratch: Path, hidden: list[Path]) -> list[str]:
        """The command line of the runner; hidden folders are seen empty where files are sealed."""
        runner = [sys.executable, str(HERE / "runner.py")]
        if not self.before:
            return runner
        hide = [
            path
            for path in [*hidden, Path.home(), Path("/run"), Path("/media"), Path("/mnt")]
            if path.is_dir() and path != Path(path.anchor)
        ]
        config = {
            "files": self.files,
            "open": str(scratch),
            "keep": needed(),
            "hide": [str(path.resolve()) for path in hide],
            "mounts outside": os.readlink("/proc/self/ns/mnt"),
        }
        return [
            *self.before,
            "--",
            sys.executable,
            "-I",
            "-S",
            str(HERE / "sandbox.py"),
            json.dumps(config),
            *runner,
        ]


APART = ("--mount", "--net", "--ipc", "--pid", "--fork", "--kill-child")
SEALED = (
    "no network; all files read-only but a scratch copy, which is deleted; other submissions, the solutions "
    "and the home folder hidden; limits on seconds, memory and processes"
)
KINDS = [
    Isolation(SEALED, ("unshare", "--user", "--map-root-user", *APART), files=True),
    Isolation(SEALED, ("unshare", *APART), files=True),
    Isolation(
        "no network; limits on seconds, memory and processes. FILES ARE NOT PROTECTED: a submission can change "
        "what you can change. Grade notebooks of people whom you do not know on a machine of its own",
        ("unshare", "--user", "--map-root-user", "--net"),
    ),
    Isolation(
        "limits on seconds, memory and processes only. NETWORK AND FILES ARE NOT PROTECTED here: a submission "
        "can do what you can do. Grade notebooks of people whom you do not know on Linux or on a machine of its own"
    ),
]


def best_isolation(folder: Path, kinds: list[Isolation] = KINDS) -> Isolation:
    """The first kind that works here and keeps what it promises. RuntimeError when none does."""
    problem = ""
    for kind in kinds:
        if kind.before and sys.platform != "linux":
            continue
        try:
            outside = [str(ROOT), str(folder.resolve()), str(Path.home())] if kind.files else []
            with SandboxedProcess(kind, [folder], seconds=60, megabytes=1000) as apart:
                seen = apart.ask("probe", outside=outside)
        except (Stopped, OSError) as error:
            problem = str(error)
            continue
        if not seen["missing"] and not seen["written"]:
            return kind
        problem = f"cannot import {', '.join(seen['missing'])}"
    raise RuntimeError(
        f"No submission can be run here: {problem}. Does `python -m course_tools.run_notebooks` work?"
    )


def needed() -> list[str]:
    """Folders that a process of this Python reads: the course, Python and its packages, also behind links."""
    base = Path(sys.executable).resolve().parent.parent
    packages = [Path(place) for place in sys.path[1:] if Path(place).is_dir()]
    folders = [ROOT, Path(sys.prefix), Path(sys.base_prefix), base, *packages]
    ways = {way for path in folders for way in (path.absolute(), path.resolve())}
    return sorted(
        str(way)
        for way in ways
        if way == ROOT or way not in (Path.cwd(), Path.home(), Path(way.anchor))
    )


def environment(scratch: Path) -> dict[str, str]:
    """The environment of a submission: what programs need, its home and caches in the scratch folder."""
    home, temporary = scratch / "home", scratch / "tmp"
    for folder in (home, temporary):
        folder.mkdir()
    for file in Path(matplotlib.get_cachedir()).glob("fontlist*.json"):  # else made anew each time
        (home / file.name).write_bytes(file.read_bytes())
    return {
        **{name: os.environ[name] for name in PASSED_ON if name in os.environ},
        **{
            name: value
            for name, value in ENVIRONMENT.items()
            if name not in PASSED_ON or name not in os.environ
        },
        **NOWHERE,
        **dict.fromkeys(HOMES, str(home)),
        **dict.fromkeys(["TMPDIR", "TMP", "TEMP"], str(temporary)),
        "PYTHONUSERBASE": site.getuserbase(),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONIOENCODING": "utf-8",
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    }


class SandboxedProcess:
    """A runner in a process of its own, to be used in `with`; `work` is the folder that it runs in.

    hidden are folders that it must not see; seconds count from the start, megabytes are those of
    all its processes. At the end the process and all that it started are killed, and the scratch
    folder goes.
    """

    def __init__(
        self,
        isolation: Isolation,
        hidden: list[Path],
        seconds: float,
        megabytes: int,
        stop: threading.Event | None = None,
    ):
        self.isolation, self.hidden, self.seconds, self.megabytes = (
            isolation,
            hidden,
            seconds,
            megabytes,
        )
        self.stop = stop or threading.Event()
        self.answers, self.nonce = queue.Queue(), ""

    def __enter__(self) -> "SandboxedProcess":
        self.begin = time.monotonic()
        self.scratch = tempfile.TemporaryDirectory(prefix="grading-", ignore_cleanup_errors=True)
        self.work = Path(self.scratch.name).resolve()
        self.mark = secrets.token_hex(16)
        command = self.isolation.command(self.work, self.hidden)
        self.process = subprocess.Popen(
            command,
            cwd=self.work,
            env=environment(self.work) | {"COURSE_GRADING": self.mark},
            start_new_session=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        threading.Thread(target=self.listen, daemon=True).start()
        return self

    def __exit__(self, *_) -> None:
        self.kill()
        for stream in (self.process.stdin, self.process.stdout):
            with contextlib.suppress(OSError):
                stream.close()
        with contextlib.suppress(OSError, RecursionError):
            self.scratch.cleanup()

    def listen(self) -> None:
        """Keep the answers that know the number of the question; the rest is noise of the student's code."""
        with contextlib.suppress(OSError, ValueError):
            while line := self.process.stdout.readline(LONGEST):
                if self.nonce and self.nonce.encode() in line:
                    with contextlib.suppress(ValueError):
                        answer = json.loads(line)
                        if answer.pop("nonce") == self.nonce:
                            self.answers.put(answer)

    def ask(self, kind: str, **words: object) -> dict:
        """The answer of the runner to one request. Stopped when a limit is reached or the process has ended."""
        self.nonce = secrets.token_hex(16)
        with contextlib.suppress(OSError):
            self.process.stdin.write(
                json.dumps({"nonce": self.nonce, "kind": kind, "words": words}).encode() + b"\n"
            )
            self.process.stdin.flush()
        while True:
            ended = self.process.poll() is not None
            with contextlib.suppress(queue.Empty):
                return self.answers.get(timeout=0.1)
            if ended:
                raise Stopped("the Python process ended")
            if self.stop.is_set():
                raise Stopped("interrupted", final=True)
            if self.left() <= 0:
                raise Stopped("the time limit was reached", final=True)
            self.watch()

    def left(self) -> float:
        """Seconds that are left."""
        return self.seconds - (time.monotonic() - self.begin)

    def family(self) -> list[psutil.Process]:
        """The process and all that it has started."""
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(self.process.pid)
            return [process, *process.children(recursive=True)]
        return []

    def watch(self) -> None:
        """Stopped when there are too many processes, or they hold too much memory (what they share counts once)."""
        family, most = self.family(), self.megabytes * 10**6
        if len(family) > PROCESSES:
            raise Stopped(f"more than {PROCESSES} processes were started")
        if sum(memory(process, shared=True) for process in family) > most:
            if len(family) == 1 or sum(memory(process, shared=False) for process in family) > most:
                raise Stopped("the memory limit was reached")

    def kill(self) -> None:
        """End the process and all that it has started, also what has turned away from its family."""
        family = self.family()
        with contextlib.suppress(OSError):
            self.process.kill()  # under `unshare --kill-child` the system ends all the others with it
        for process in family:
            with contextlib.suppress(psutil.Error):
                process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(10)
        if "--pid" not in self.isolation.before:
            for process in psutil.process_iter():
                with contextlib.suppress(psutil.Error, OSError):
                    if process.environ().get("COURSE_GRADING") == self.mark:
                        process.kill()


def memory(process: psutil.Process, shared: bool) -> int:
    """Resident bytes of a process; without what it shares with others where the system says so (Linux)."""
    with contextlib.suppress(psutil.Error):
        if psutil.LINUX and not shared:
            with contextlib.suppress(psutil.AccessDenied):
                return process.memory_full_info().pss
        return process.memory_info().rss
    return 0

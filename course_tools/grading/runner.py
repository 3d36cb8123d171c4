"""The program that runs the cells of one submission and, between them, the official checks.

    python runner.py      started by sandbox.py; requests on stdin, answers on stdout, one a line

Before any cell runs, stdout and stdin are taken away from the student's code, the course and its
checks are imported, and what a check calls is noted down, so that it can be put back for as long as
a check runs.
"""

import contextlib
import ctypes
import importlib.util
import io
import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

__all__ = []

ROOT = Path(__file__).resolve().parent.parent.parent
KEPT = (  # what checks and references call; all modules of course_utils as well
    "builtins contextlib copy functools math random statistics warnings numpy numpy.linalg "
    "numpy.random scipy.optimize scipy.stats torch torch.autograd torch.distributions torch.fft "
    "torch.linalg torch.nn torch.nn.functional torch.nn.init torch.nn.utils torch.optim "
    "torch.overrides torch.random"
).split()
MESSAGE = 600  # characters
NOTES = 5  # of a cell; a loop could make thousands
DEPTH = sys.getrecursionlimit()


class Nowhere(io.TextIOBase):
    """A stream for what nobody reads: it needs no file, and no encoding stops it."""

    encoding = "utf-8"

    def write(self, text: str) -> int:
        return len(text)


class OutOfTime(BaseException):
    """Raised in a cell or check by the alarm; no `except Exception` of a student catches it."""


def said(error: BaseException) -> str:
    """Type and text of an exception, shortened (the text is the student's: anything can happen)."""
    try:
        text = str(error)[:MESSAGE]
    except BaseException:
        text = ""
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


@contextlib.contextmanager
def alarm(seconds: float) -> Iterator[None]:
    """OutOfTime after so many seconds, and each second from then on (not on Windows)."""
    if not hasattr(signal, "setitimer"):
        yield
        return

    def ring(*_):
        raise OutOfTime(f"took longer than {seconds:.0f} seconds: does a loop never end?")

    signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds, 1)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def limit(seconds: float, megabytes: int) -> None:
    """Limits of the system, a second net under those of sandbox.py (not on Windows)."""
    try:
        import resource
    except ImportError:
        return
    limits = {"RLIMIT_FSIZE": 10**9, "RLIMIT_CPU": int(seconds + 60) * (os.cpu_count() or 1)}
    if sys.platform == "linux":
        # an allocation far beyond the limit fails at once, and the cell with it
        limits["RLIMIT_DATA"] = 2 * megabytes * 10**6
        system = ctypes.CDLL(None)
        system.prctl(38, 1, 0, 0, 0)  # PR_SET_NO_NEW_PRIVS: the teacher's sudo is not for it
        system.prctl(1, signal.SIGKILL, 0, 0, 0)  # PR_SET_PDEATHSIG: it ends with the grading
    for name, value in limits.items():
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(getattr(resource, name), (value, value))


def recover() -> None:
    """What any code needs, where a cell before has closed, lowered or deleted it."""
    sys.setrecursionlimit(max(sys.getrecursionlimit(), DEPTH))
    for name in ("stdout", "stderr"):
        if getattr(getattr(sys, name, None), "closed", True):
            setattr(sys, name, Nowhere())
    try:
        os.getcwd()
    except OSError:
        os.chdir(ROOT)


def fixed(value: object) -> bool:
    """Whether a module has it for good: functions, classes and constants such as math.pi."""
    return callable(value) or isinstance(value, float)


class Runner:
    """One submission: a shell like a notebook's, and checks that the shell does not see."""

    def __init__(self, lesson: str, seconds: float, megabytes: int):
        limit(seconds, megabytes)
        import torch
        from traitlets.config import Config

        from course_tools.grading.shell import Shell

        self.checks = importlib.import_module(f"course_utils.exercises.notebook_{lesson}")
        for name in [name for name in sys.modules if name.startswith("course_utils.exercises")]:
            del sys.modules[name]  # the notebook imports checks of its own
        config = Config()
        config.HistoryManager.enabled = False
        self.shell = Shell.instance(config=config)
        self.shell._tee = lambda channel: contextlib.nullcontext()  # IPython 9 keeps all output
        owners = [importlib.import_module(name) for name in KEPT]
        owners += [torch.Tensor, torch.Tensor.__mro__[1]]
        owners += [
            module for name, module in sys.modules.items() if name.startswith("course_utils")
        ]
        self.kept = [
            (owner, {name: was for name, was in vars(owner).items() if fixed(was)})
            for owner in owners
        ]
        os.chdir("work")
        sys.path.insert(0, "")

    @contextlib.contextmanager
    def as_imported(self) -> Iterator[None]:
        """torch and the course as before the first cell, whatever cells have put in their place."""
        with contextlib.ExitStack() as undo:
            for owner, names in self.kept:
                now = dict(vars(owner))
                for name, was in names.items():
                    if name not in now:
                        undo.callback(delattr, owner, name)
                    elif now[name] is not was:
                        undo.callback(setattr, owner, name, now[name])
                    if now.get(name) is not was:
                        setattr(owner, name, was)
                if isinstance(owner, type):  # a name added to a class hides an inherited one
                    for name in now.keys() - names.keys():
                        if callable(now[name]):
                            undo.callback(setattr, owner, name, now[name])
                            delattr(owner, name)
            undo.enter_context(contextlib.redirect_stdout(Nowhere()))
            undo.enter_context(contextlib.redirect_stderr(Nowhere()))
            undo.enter_context(self.shell.builtin_trap)  # get_ipython() everywhere, as in a cell
            yield

    def cell(self, source: str, seconds: float) -> dict:
        """Run a cell; {"error": words, "notes": [words]}, the error "" where there is none."""
        self.shell.notes.clear()
        try:
            with alarm(seconds):
                result = self.shell.run_cell(source, store_history=True)
            error = result.error_before_exec or result.error_in_exec
        except BaseException as caught:
            error = caught
        notes = [str(note)[:MESSAGE] for note in dict.fromkeys(self.shell.notes)]
        return {"error": "" if error is None else said(error), "notes": notes[:NOTES]}

    def check(self, name: str, seconds: float) -> dict:
        """The official check of what the notebook calls `name`: {"status": ..., "message": ...}."""
        if name not in self.shell.user_ns:
            return {"status": "not defined", "message": f"`{name}` is not defined."}
        try:
            with alarm(seconds), self.as_imported():
                result = getattr(self.checks, name)(self.shell.user_ns[name])
            return {"status": str(result.status), "message": str(result.message)[:MESSAGE]}
        except OutOfTime as error:
            return {"status": "failed", "message": f"your answer {error}"}
        except BaseException as error:
            return {"status": "failed", "message": f"your answer raised {said(error)}"}


def probe(outside: list[str]) -> dict:
    """What is wrong with a process apart: it can write to these folders, or cannot import."""
    Path("probe").write_text("The scratch folder is writable.", encoding="utf-8")
    for name in ("torch", "IPython", "course_utils.exercises"):
        if importlib.util.find_spec(name) is None:
            return {"problem": f"it cannot import {name}"}
    for folder in outside:
        with contextlib.suppress(OSError):
            file = Path(folder, f".grading-{os.getpid()}")
            file.touch()
            file.unlink()
            return {"problem": f"it can write to {folder}"}
    return {"problem": ""}


def main() -> None:
    """Answer requests until there are none."""
    requests, answers = os.fdopen(os.dup(0), "rb"), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nothing, stream)
    sys.path[0] = str(ROOT)
    runner = None
    for line in requests:
        request = json.loads(line)
        nonce, kind, words = request["nonce"], request["kind"], request["words"]
        if kind == "probe":
            answer = probe(**words)
        elif kind == "start":
            runner, answer = Runner(**words), {}
        else:
            recover()
            answer = getattr(runner, kind)(**words)
        os.write(answers, b"\n" + json.dumps({"nonce": nonce, **answer}).encode() + b"\n")


if __name__ == "__main__":
    main()

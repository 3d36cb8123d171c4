"""The program that runs the cells of one submission and, between them, the official checks.

    python runner.py      started by sandbox.py; requests on stdin, answers on stdout, one a line

Before any cell runs, stdout and stdin are taken away from the student's code, the course and its
checks are imported, and what a check calls is noted down, so that it can be put back for as long as
a check runs.
"""

import contextlib
import ctypes
import importlib.util
import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

__all__ = []

ROOT = Path(__file__).resolve().parent.parent.parent
KEPT = (
    "builtins math random numpy torch torch.fft torch.linalg torch.nn torch.nn.functional".split()
)
MESSAGE = 600  # characters


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
        # PR_SET_NO_NEW_PRIVS: where the teacher may use sudo, a submission may not
        ctypes.CDLL(None).prctl(38, 1, 0, 0, 0)
    for name, value in limits.items():
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(getattr(resource, name), (value, value))


class Runner:
    """One submission: a shell like a notebook's, and checks that the shell does not see."""

    def __init__(self, lesson: str, seconds: float, megabytes: int):
        limit(seconds, megabytes)
        import torch
        from IPython.core.interactiveshell import InteractiveShell
        from traitlets.config import Config

        self.checks = importlib.import_module(f"course_utils.exercises.notebook_{lesson}")
        for name in [name for name in sys.modules if name.startswith("course_utils.exercises")]:
            del sys.modules[name]  # the notebook imports checks of its own
        config = Config()
        config.HistoryManager.enabled = False
        self.shell = InteractiveShell.instance(config=config)
        self.shell.ask_exit = lambda: None
        self.shell._tee = lambda channel: contextlib.nullcontext()  # IPython 9 keeps all output
        owners = [importlib.import_module(name) for name in KEPT]
        owners += [torch.Tensor, torch.Tensor.__mro__[1]]
        owners += [
            module for name, module in sys.modules.items() if name.startswith("course_utils")
        ]
        self.kept = [
            (owner, {name: was for name, was in vars(owner).items() if callable(was)})
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
            nothing = undo.enter_context(open(os.devnull, "w", encoding="utf-8"))
            undo.enter_context(contextlib.redirect_stdout(nothing))
            yield

    def cell(self, source: str, seconds: float) -> dict:
        """Run a cell; {"error": words} or {}."""
        try:
            with alarm(seconds):
                result = self.shell.run_cell(source, store_history=True)
            error = result.error_before_exec or result.error_in_exec
        except BaseException as caught:
            error = caught
        return {} if error is None else {"error": said(error)}

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
            answer = getattr(runner, kind)(**words)
        os.write(answers, b"\n" + json.dumps({"nonce": nonce, **answer}).encode() + b"\n")


if __name__ == "__main__":
    main()

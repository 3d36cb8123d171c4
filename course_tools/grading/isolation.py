"""Which isolation is in force on this machine: bubblewrap where it works, else limits only."""

import shutil
import sys
from pathlib import Path

from course_tools.grading.sandbox import SandboxedProcess, Stopped, home
from course_utils.files import ROOT

__all__ = ["best_isolation"]

SEALED = (
    "no network; all files read-only but a scratch copy, which is deleted; other submissions, "
    "the solutions and the home folder hidden; limits on seconds, memory and processes"
)
LIMITS_ONLY = (
    "limits on seconds, memory and processes only. NETWORK AND FILES ARE NOT PROTECTED: "
    "a submission can read, change and send away what you can. {reason} Grade notebooks of people "
    "whom you do not know on Linux with bubblewrap, or on a machine of its own"
)


def best_isolation(folder: Path) -> tuple[str, str]:
    """The path of bubblewrap, "" where it does not work; and what is in force, for the teacher.

    `folder` holds the submissions. A trial process shows whether files are kept from it.
    Raises RuntimeError when no process can be run at all.
    """
    bubblewrap = shutil.which("bwrap")
    if sys.platform != "linux":
        reason = "bubblewrap, which protects them, runs on Linux only."
    elif not bubblewrap:
        reason = "bubblewrap is not installed (try `sudo apt install bubblewrap`)."
    elif problem := trial(bubblewrap, folder):
        reason = f"bubblewrap does not work here ({problem}); docs/grading.md says more."
    else:
        return bubblewrap, SEALED
    if problem := trial("", folder):
        raise RuntimeError(f"No submission can be run here: {problem}. Is the course installed?")
    return "", LIMITS_ONLY.format(reason=reason)


def trial(bubblewrap: str, folder: Path) -> str:
    """What is wrong with a process apart on this machine, "" when nothing is."""
    outside = [str(place) for place in (ROOT, folder.resolve(), *home())] if bubblewrap else []
    try:
        with SandboxedProcess(bubblewrap, [folder], seconds=60, megabytes=1000) as apart:
            return apart.ask("probe", outside=outside)["problem"]
    except (Stopped, OSError) as error:
        return str(error)

"""Prove that everything in the repository runs (`make test`; Windows: python tests/run_all.py).

One run of pytest: units, contracts, lessons and solutions, each once, two at a time with one thread
each. `--all` (`make test-all`) adds the notebooks with two threads, every lesson in a browser, a
class of submissions, and axe-core on the pages of the website. The network is cut off where the
system allows it (Linux), and made hard to reach elsewhere. Other arguments go on to pytest.
"""

import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from environment import lab_extensions, readers_prefix  # noqa: E402

from course_tools.run_notebooks import ENVIRONMENT  # noqa: E402

# A busy machine may take five times the longest cell: nothing fails for its seconds before that.
NBVAL = ["--nbval-lax", "--nbval-current-env", "--nbval-cell-timeout=1200"]
NBVAL += ["--nbval-kernel-startup-timeout=300"]
# In the order of nbval_numbers.py: the longest notebooks first.
PAIR = ["-n", "2", "--dist", "loadscope", "--durations=15"]
# What a run is called, its arguments, its threads.
EVERYTHING = (
    "everything once, two at a time with 1 thread",
    ["tests", "notebooks", *NBVAL, *PAIR],
    "1",
)
BROWSER = "every lesson in a browser, every page, every submission"
LONG = [
    ("notebooks, 2 threads", ["notebooks", *NBVAL], "2"),
    (BROWSER, ["tests", "-m", "every_lesson or every_submission"], "2"),
]
CUT_OFF = ["unshare", "-rn", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
PROXIES = ["http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"]
NOWHERE = dict.fromkeys(PROXIES, "http://127.0.0.1:9")
NOWHERE |= dict.fromkeys(["no_proxy", "NO_PROXY"], "localhost,127.0.0.1,::1")


def cut_off() -> list[str]:
    """The words before a command that take the network from it, [] where we may not."""
    try:
        probe = subprocess.run([*CUT_OFF, "true"], capture_output=True)
    except OSError:
        return []
    return [] if probe.returncode else CUT_OFF


def main(extra: list[str]) -> int:
    """All runs, then which passed; 1 when one failed or changed the reader's JupyterLab."""
    runs = [EVERYTHING, *LONG] if "--all" in extra else [EVERYTHING]
    extra = [word for word in extra if word != "--all"]
    prefix, before = cut_off(), lab_extensions(readers_prefix())
    network = "cut off" if prefix else "not cut off here, only its proxies lead nowhere"
    print(f"Network: {network}.", flush=True)
    failed = {}
    for name, arguments, threads in runs:
        print(f"\n{name}:", flush=True)
        command = [*prefix, sys.executable, "-m", "pytest", *arguments, *extra]
        environment = os.environ | ENVIRONMENT | NOWHERE | {"OMP_NUM_THREADS": threads}
        failed[name] = bool(subprocess.run(command, cwd=ROOT, env=environment).returncode)
    for name, it_failed in failed.items():
        print(f"{'FAILED' if it_failed else 'passed'}: {name}")
    changed = sorted(lab_extensions(readers_prefix()) ^ before)
    if changed:
        print(f"The tests changed the reader's JupyterLab: {', '.join(changed)}")
    return int(bool(changed) or any(failed.values()))


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

"""Prove that everything in the repository runs (`make test`; Windows: python tests/run_all.py).

One run of pytest: units, contracts, lessons and solutions, each once, two at a time with one thread
each. `--all` (`make test-all`) adds the notebooks with two threads, every lesson in a browser, a
class of submissions, and axe-core on the pages of the website. The network is cut off where the
system allows it (Linux), and made hard to reach elsewhere. Other arguments go on to pytest.
"""

import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from environment import lab_extensions, readers_prefix  # noqa: E402

from course_tools.run_notebooks import ENVIRONMENT  # noqa: E402

# A busy machine may take five times the longest cell: nothing fails for its seconds before that.
NBVAL = [
    "--nbval-lax",
    "--nbval-current-env",
    "--nbval-cell-timeout=1200",
    "--nbval-kernel-startup-timeout=300",
]
# In the order of nbval_numbers.py: the longest notebooks first.
PAIR = ["-n", "2", "--dist", "loadscope"]
EVERYTHING = (
    "everything once, two at a time with 1 thread",
    ["tests", "notebooks", *NBVAL, *PAIR, "--durations=15"],
    "1",
)
LONG = [
    ("notebooks, 2 threads", ["notebooks", *NBVAL], "2"),
    (
        "every lesson in a browser, every page, every submission",
        ["tests", "-m", "every_lesson or every_submission"],
        "2",
    ),
]
CUT_OFF = ["unshare", "-rn", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
NO_PROXY = "localhost,127.0.0.1,::1"
NOWHERE = dict.fromkeys(
    ["http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"], "http://127.0.0.1:9"
)


def cut_off() -> list[str]:
    """The words before a command that take the network from it, [] where we may not."""
    try:
        probe = subprocess.run([*CUT_OFF, "true"], capture_output=True)
    except OSError:
        return []
    return [] if probe.returncode else CUT_OFF


def pytest(arguments: list[str], threads: str, prefix: list[str]) -> tuple[int, str]:
    """Run pytest, showing what it says; its exit status and closing line."""
    environment = (
        os.environ
        | ENVIRONMENT
        | NOWHERE
        | {
            "no_proxy": NO_PROXY,
            "NO_PROXY": NO_PROXY,
            "PYTHONUNBUFFERED": "1",
            "OMP_NUM_THREADS": threads,
        }
    )
    color = ["--color=yes"] if sys.stdout.isatty() else []
    command = [*prefix, sys.executable, "-m", "pytest", *color, *arguments]
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE)
    said = b""
    while part := os.read(process.stdout.fileno(), 4096):
        said += part
        sys.stdout.buffer.write(part)
        sys.stdout.buffer.flush()
    lines = [
        line
        for line in said.decode("utf-8", "replace").splitlines()
        if re.search(r" in [\d.]+s", line)
    ]
    return process.wait(), lines[-1] if lines else "pytest ended early"


def main(extra: list[str]) -> int:
    """All runs, then their closing lines; 1 when one failed or changed the reader's JupyterLab."""
    runs = [EVERYTHING, *LONG] if "--all" in extra else [EVERYTHING]
    extra = [word for word in extra if word != "--all"]
    prefix, before = cut_off(), lab_extensions(readers_prefix())
    print(
        f"Network: {'cut off' if prefix else 'not cut off here, only its proxies lead nowhere'}.",
        flush=True,
    )
    results = []
    for name, arguments, threads in runs:
        print(f"\n{name}:", flush=True)
        results.append((name, *pytest([*arguments, *extra], threads, prefix)))
    for name, _, closing in results:
        print(f"\n{name}:\n{closing}")
    changed = sorted(lab_extensions(readers_prefix()) ^ before)
    if changed:
        print(f"\nThe tests changed the reader's JupyterLab: {', '.join(changed)}")
    return max([bool(changed), *(min(status, 1) for _, status, _ in results)])


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

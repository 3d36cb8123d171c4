"""Install the course from a pack, without a network:  python install.py [FOLDER]

Standard library only, any Python 3: `make pack` puts this file beside the wheels it installs.
Checks that Python and system are those the pack was made for and that every file is whole, makes
the environment .venv in the folder of the course, and says how to start. With FOLDER the course is
first copied there, so that one pack, even on a medium that cannot be written to, serves many
machines.
"""

import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

__all__ = ["Refused", "damaged", "enough_space", "install", "machine", "unsuitable"]

STAMPS = ["course-installed", "tests/extra-installed"]  # what the Makefile looks for in .venv


class Refused(Exception):
    """The pack cannot be installed; says why and what to do."""


def machine():
    """What wheels depend on: implementation and version of Python, operating system, processor."""
    python = "%s %d.%d" % (platform.python_implementation(), *sys.version_info[:2])
    return {"python": python, "system": platform.system(), "machine": platform.machine()}


def unsuitable(pack, here):
    """Why the wheels of a pack do not fit the machine `here`, as sentences; [] when they do."""
    found = []
    for key, what in [
        ("python", "Python"),
        ("system", "the operating system"),
        ("machine", "the processor"),
    ]:
        if pack[key] != here[key]:
            found.append(
                "The pack was made for %s, but %s here is %s." % (pack[key], what, here[key])
            )
    if not found and pack["system"] == "Linux" and pack["glibc"]:
        name, version = platform.libc_ver()
        have = [int(number) for number in re.findall(r"\d+", version)[:2]]
        if name != "glibc" or have < pack["glibc"]:
            wanted = ".".join(map(str, pack["glibc"]))
            found.append(
                "The pack needs glibc %s or newer, but here is %s %s."
                % (wanted, name or "another C library", version)
            )
    return found


def damaged(folder, files):
    """The files of a pack, {path: SHA-256}, that are missing or not as they were, as sentences."""
    found = []
    for name, expected in files.items():
        sha = hashlib.sha256()
        try:
            with (folder / name).open("rb") as file:
                for block in iter(lambda: file.read(1 << 20), b""):
                    sha.update(block)
        except FileNotFoundError:
            found.append(name + " is missing")
        except OSError as error:
            found.append("%s cannot be read (%s)" % (name, error.strerror))
        else:
            if sha.hexdigest() != expected:
                found.append(name + " is damaged")
    return found


def copied(course, target):
    """Copy the course to `target`; one that is there already stays as it is. Raises Refused for a folder of others."""
    if (target / "pyproject.toml").is_file() and (target / "course_utils").is_dir():
        print("%s is the course already: its files stay, only .venv is made anew." % target)
    elif target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise Refused("%s is not empty. Name a folder that does not exist yet." % target)
    else:
        if target.is_dir():
            target.rmdir()
        shutil.copytree(str(course), str(target))


def enough_space(folder, needed, what, elsewhere):
    """Raise Refused, with advice for a larger disk, unless the disk of `folder` has `needed` bytes free."""
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(str(folder)).free
    if free < needed:
        raise Refused(
            "%s takes %.1f GB on the disk that holds %s, and %.1f GB are free. Free some, or %s."
            % (what, needed / 1e9, folder, free / 1e9, elsewhere)
        )


def run(*command):
    """Run a program; raise Refused with what it said where it fails."""
    settings = {key: value for key, value in os.environ.items() if not key.startswith("PIP_")}
    result = subprocess.run(
        [str(word) for word in command],
        env=settings,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        universal_newlines=True,
    )
    if result.returncode:
        raise Refused("This failed: %s\n%s" % (" ".join(map(str, command)), result.stdout))


def install(pack, wheels, course):
    """Make the environment .venv in the folder `course` from the folder `wheels`; the path of its Python."""
    home = course / ".venv"
    run(sys.executable, "-m", "venv", "--clear", "--without-pip", home)
    python = home / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    offline = [
        "install",
        "-q",
        "--disable-pip-version-check",
        "--no-cache-dir",
        "--no-index",
        "--find-links",
        wheels,
    ]
    run(python, next(wheels.glob("pip-*.whl")) / "pip", *offline, "pip")  # pip out of its own wheel
    run(python, "-m", "pip", *offline, "-e", str(course))
    run(
        python, course / "tests/environment.py", pack["extra"].strip("[]"), *offline[3:]
    )  # beside it, as make test does
    news = "@jupyterlab/apputils-extension:announcements"  # it would ask the network
    if list(python.parent.glob("jupyter-labextension*")):
        run(python, "-m", "jupyter", "labextension", "disable", "--level=sys_prefix", news)
    late = max(
        (course / "pyproject.toml").stat().st_mtime + 1, (home / "pyvenv.cfg").stat().st_mtime
    )
    for stamp in STAMPS:
        (home / stamp).touch()
        os.utime(str(home / stamp), (late, late))
    return python


def main(arguments):
    """The command line; returns the exit status."""
    if len(arguments) > 1 or any(word.startswith("-") for word in arguments):
        print(__doc__)
        return 0 if arguments in (["-h"], ["--help"]) else 2
    here = Path(os.path.abspath(__file__)).parent
    course = Path(os.path.abspath(arguments[0])) if arguments else here / "course"
    try:
        pack = json.loads((here / "pack.json").read_text(encoding="utf-8"))
        reasons = unsuitable(pack, machine())
        if reasons:
            raise Refused(
                "%s\nRun install.py with that Python on such a machine, or make a pack on a machine like "
                "this one (make pack, PYTHON=... names the Python)." % "\n".join(reasons)
            )
        elsewhere = "name a folder on another disk: python install.py FOLDER"
        enough_space(course, pack["installed_bytes"], "The course", elsewhere)
        print("Checking %d files." % len(pack["files"]), flush=True)
        broken = damaged(here, pack["files"])
        if broken:
            raise Refused(
                "The pack is not whole: %s. Unpack it again, or copy it again."
                % "; ".join(broken[:5])
            )
        if arguments:
            copied(here / "course", course)
        print("Installing into %s (some minutes)." % course, flush=True)
        python = install(pack, here / "wheels", course)
    except (Refused, OSError) as error:
        print("Not installed. %s" % error, file=sys.stderr)
        return 1
    print(
        "Installed. To start:\n\n    cd %s\n    %s"
        % (
            course,
            "make lab"
            if shutil.which("make")
            else "%s -m jupyterlab --ServerApp.root_dir=. notebooks/00_start_here.ipynb"
            % python.relative_to(course),
        )
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

"""Install the course from a pack, without a network.

Standard library only: `make pack` puts this file beside the wheels it installs. It checks that
Python and system are those the pack was made for and that every file is whole, makes the
environment .venv in the folder of the course, and says how to start. With FOLDER the course is
first copied there, so that one pack, even on a medium that cannot be written to, serves many
machines.
"""

import argparse
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

__all__ = ["damaged", "install", "machine"]

STAMPS = ["course-installed", "tests/extra-installed"]  # what the Makefile looks for in .venv


def machine():
    """What wheels depend on, such as "CPython 3.11 on Linux x86_64"."""
    version = ".".join(platform.python_version_tuple()[:2])
    python = f"{platform.python_implementation()} {version}"
    return f"{python} on {platform.system()} {platform.machine()}"


def damaged(folder, files):
    """The files of a pack, {path: SHA-256}, that are missing or not as they were."""
    found = []
    for name, expected in files.items():
        sha = hashlib.sha256()
        try:
            with (folder / name).open("rb") as file:
                for block in iter(lambda: file.read(1 << 20), b""):
                    sha.update(block)
            whole = sha.hexdigest() == expected
        except OSError:
            whole = False
        if not whole:
            found.append(name)
    return found


def refuse(reason):
    """End the program with a reason."""
    raise SystemExit(f"Not installed. {reason}")


def check(here, course):
    """End the program unless the pack in the folder `here` can be installed into `course`."""
    pack = json.loads((here / "pack.json").read_text(encoding="utf-8"))
    if pack["machine"] != machine():
        refuse(
            f"The pack was made for {pack['machine']}, but this is {machine()}.\nRun install.py "
            "with that Python on such a machine, or make a pack on a machine like this one "
            "(make pack; PYTHON=... names the Python)."
        )
    disk = next(folder for folder in [course, *course.parents] if folder.exists())
    needed, free = (
        1.2 * pack["installed_bytes"],
        shutil.disk_usage(str(disk)).free,
    )  # and .pyc files
    if free < needed:
        refuse(
            f"The course takes {needed / 1e9:.1f} GB on the disk that holds {course}, and "
            f"{free / 1e9:.1f} GB are free. Free some, or name a folder on another disk: "
            "python install.py FOLDER"
        )
    print(f"Checking {len(pack['files'])} files.", flush=True)
    if broken := damaged(here, pack["files"]):
        refuse(f"Missing or damaged: {', '.join(broken[:5])}. Unpack or copy the pack again.")


def copy(course, target):
    """Copy the course to `target`; if it is there already, it stays as it is."""
    if (target / "course_utils").is_dir():
        print(f"{target} is the course already: its files stay, only .venv is made anew.")
    elif target.exists() and (not target.is_dir() or any(target.iterdir())):
        refuse(f"{target} is not empty. Name a folder that does not exist yet.")
    else:
        pack = json.loads((course.parent / "pack.json").read_text(encoding="utf-8"))
        for name in pack["files"]:  # and not what somebody has put beside them
            if name.startswith("course/"):
                file = target / name[len("course/") :]
                file.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(course.parent / name, file)


def run(*command):
    """Run a program without the user's settings of pip; end with what it said where it fails."""
    settings = {key: value for key, value in os.environ.items() if not key.startswith("PIP_")}
    words = [str(word) for word in command]
    output = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    result = subprocess.run(words, env=settings, **output)
    if result.returncode:
        said = result.stdout.decode("utf-8", errors="replace")
        refuse(
            f"This failed: {' '.join(words)}\n{said}\n"
            "If a package is not found, this system is older than the one where the pack was made."
        )


def install(wheels, course):
    """Make the environment .venv in the folder `course` from the folder `wheels`; its Python."""
    home = course / ".venv"
    run(sys.executable, "-m", "venv", "--clear", "--without-pip", home)
    python = home / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    offline = ["--no-cache-dir", "--no-index", "--find-links", wheels]
    quiet = ["install", "-q", "--disable-pip-version-check", *offline]
    run(python, next(wheels.glob("pip-*.whl")) / "pip", *quiet, "pip")  # pip out of its own wheel
    run(python, "-m", "pip", *quiet, "-e", course)
    run(python, course / "tests/environment.py", "test", *offline)  # beside it, as make test does
    news = "@jupyterlab/apputils-extension:announcements"  # it would ask the network
    if list(python.parent.glob("jupyter-labextension*")):
        run(python, "-m", "jupyter", "labextension", "disable", "--level=sys_prefix", news)
    (course / "pyproject.toml").touch()  # older than the stamps, whatever the clocks say
    for stamp in STAMPS:
        (home / stamp).touch()
    return python


def main():
    """Check the pack beside this file, copy the course if that is wanted, and install it."""
    formatter = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=formatter)
    parser.add_argument("folder", nargs="?", type=Path, help="where to copy the course first")
    folder = parser.parse_args().folder
    here = Path(__file__).absolute().parent
    course = folder.absolute() if folder else here / "course"
    check(here, course)
    if folder:
        copy(here / "course", course)
    print(f"Installing into {course} (some minutes).", flush=True)
    python = install(here / "wheels", course)
    jupyter = f"{python.relative_to(course)} -m jupyterlab --ServerApp.root_dir=."
    start = "make lab" if shutil.which("make") else f"{jupyter} notebooks/00_start_here.ipynb"
    print(f"Installed. To start:\n\n    cd {course}\n    {start}")


if __name__ == "__main__":
    if hasattr(sys.stdout, "reconfigure"):  # a folder may have letters that the terminal has not
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        main()
    except OSError as problem:
        refuse(problem)

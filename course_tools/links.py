"""Everything that depends on where the repository lives: badges, set-up cells, addresses.

    python -m course_tools.links                          check
    python -m course_tools.links --repository OWNER/NAME  rewrite, after a move or a rename
    python -m course_tools.links --hub https://hub.example.org  nbgitpuller links for a JupyterHub

Address and version stand in pyproject.toml; the rest follows from them.
"""

import argparse
import json
import pathlib
import re
import urllib.parse

from course_tools.course_files import course_files
from course_tools.lessons import lessons, notebooks
from course_tools.project_file import reference, repository
from course_tools.setup_cell import setup_cell
from course_utils.files import ROOT, write_text

__all__ = ["address", "badges", "hub_link", "outdated", "rewrite"]

BRANCH = reference()  # or the tag of a release
BADGES = re.compile(r"\[!\[Open in Colab\][^\n|]*\[!\[Open in Binder\]\([^)]*\)\]\([^)]*\)")
NOTEBOOK = re.compile(r"\b(notebooks/[\w/]+\.ipynb)")


def address(root: pathlib.Path = ROOT) -> str:
    """Where the repository is cloned from."""
    return f"https://github.com/{repository(root)}"


def badges(repository: str, path: str, branch: str = BRANCH) -> str:
    """Markdown that opens `path` ("notebooks/01_x.ipynb") of OWNER/NAME in Colab and Binder."""
    colab = "https://colab.research.google.com"
    binder = "https://mybinder.org"
    target = "lab%2Ftree%2F" + path.replace("/", "%2F")
    return (
        f"[![Open in Colab]({colab}/assets/colab-badge.svg)]"
        f"({colab}/github/{repository}/blob/{branch}/{path}) "
        f"[![Open in Binder]({binder}/badge_logo.svg)]"
        f"({binder}/v2/gh/{repository}/{branch}?urlpath={target})"
    )


def hub_link(hub: str, repository: str, path: str, branch: str = BRANCH) -> str:
    """The nbgitpuller link that updates OWNER/NAME in a home on a JupyterHub and opens `path`.

    hub: the address at which students log in. Raises ValueError for what is none.
    """
    parts = urllib.parse.urlsplit(hub)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError(
            f"--hub {hub!r}: expected the address of a JupyterHub, such as https://hub.example.org."
        )
    options = {
        "repo": f"https://github.com/{repository}",
        "branch": branch,
        "urlpath": f"lab/tree/{repository.split('/')[1]}/{path}",  # of a clone called NAME
        "depth": 1,  # without the history
    }
    query = urllib.parse.urlencode(options, quote_via=urllib.parse.quote)
    return f"{hub.rstrip('/')}/hub/user-redirect/git-pull?{query}"


def rewrite(new: str, root: pathlib.Path = ROOT) -> list[str]:
    """Move everything to the repository `new` (OWNER/NAME); return the files that changed.

    Raises ValueError when `new` is not of the form OWNER/NAME, and like `course_files`.
    """
    if not re.fullmatch(r"[A-Za-z0-9](?:[A-Za-z0-9-]*)/[\w.-]+", new) or new.endswith(".git"):
        raise ValueError(f"--repository {new!r}: expected OWNER/NAME, such as jane/sparse-course.")
    changes = updated(new, root)
    for file, text in changes.items():
        write_text(file, text)
    return [file.relative_to(root).as_posix() for file in changes]


def outdated(root: pathlib.Path = ROOT) -> list[str]:
    """The files whose badges, set-up cell or address are not those of pyproject.toml.

    Raises ValueError like `rewrite`.
    """
    return [file.relative_to(root).as_posix() for file in updated(repository(root), root)]


def updated(new: str, root: pathlib.Path) -> dict[pathlib.Path, str]:
    """The files that must change to live at `new`, with their new text."""
    branch, anywhere = reference(root), addresses(repository(root))
    lessons_and_solutions, changes = notebooks(root), {}
    others = [file for name in course_files(root) if (file := root / name).suffix != ".ipynb"]
    for file in others + lessons_and_solutions:
        try:
            before = file.read_bytes().decode("utf-8")
        except UnicodeDecodeError:
            continue  # a picture, weights
        after = anywhere.sub(lambda match: f"{match[1]}{new.replace('/', match[2])}", before)
        if file.suffix == ".ipynb":
            after = notebook_updated(after, new, branch, file.relative_to(root).as_posix())
        else:
            after = "".join(line_updated(line, new, branch) for line in after.splitlines(True))
        if after != before:
            changes[file] = after
    return changes


def addresses(repository: str) -> re.Pattern:
    """Finds OWNER/NAME behind the hosts that serve it, in a quoted link (%2F) too.

    Its groups: the host, and what stands between OWNER and NAME.
    """
    hosts = r"(?:github(?:usercontent)?\.com|google\.com/github|mybinder\.org/v2/gh)"
    owner, name = map(re.escape, repository.split("/"))
    return re.compile(rf"({hosts}(?:[:/]|%2F)){owner}(/|%2F){name}(?=\.git\b|(?![\w-]|\.\w))")


def line_updated(line: str, new: str, branch: str) -> str:
    """A line of README: its badges open the notebook that the line links to."""
    path = NOTEBOOK.search(line)
    return BADGES.sub(lambda _: badges(new, path[1], branch), line) if path else line


def notebook_updated(text: str, new: str, branch: str, path: str) -> str:
    """The JSON text of a notebook with its own badges and set-up cell, else unchanged."""
    notebook = json.loads(text)
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            wanted = BADGES.sub(lambda _: badges(new, path, branch), source)
        elif "setup" in cell["metadata"].get("tags", []):
            wanted = setup_cell(f"https://github.com/{new}", branch)
        else:
            continue
        if wanted != source:
            cell["source"] = wanted.splitlines(keepends=True)
    formatted = json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"
    return formatted if json.loads(text) != notebook else text


def hub_table(hub: str, branch: str, root: pathlib.Path = ROOT) -> str:
    """A Markdown table of all lessons with their links (see `hub_link`)."""
    rows = ["| lesson |", "|---|"]
    for file in lessons(root):
        link = hub_link(hub, repository(root), f"notebooks/{file.name}", branch)
        rows.append(f"| [{file.stem}]({link}) |")
    return "\n".join(rows)


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m course_tools.links", description=__doc__.split("\n")[0]
    )
    task = parser.add_mutually_exclusive_group()
    task.add_argument(
        "--repository", metavar="OWNER/NAME", help="rewrite everything to this repository"
    )
    task.add_argument(
        "--hub", metavar="ADDRESS", help="print links that open the lessons on this JupyterHub"
    )
    parser.add_argument("--branch", default=BRANCH, help="of those links; default: %(default)s")
    options = parser.parse_args(arguments)
    try:
        if options.hub:
            print(hub_table(options.hub, options.branch))
            return 0
        if options.repository:
            changed = rewrite(options.repository)
            print("\n".join(f"rewritten: {name}" for name in changed) or "Nothing to change.")
            if BRANCH != "main":
                print(f"The notebooks fetch the tag {BRANCH}; it must be there: git push --tags")
            return 0
    except ValueError as error:
        parser.error(str(error))
    stale = outdated()
    print(
        "\n".join(f"outdated: {name}" for name in stale)
        or f"All links lead to {repository()}, {BRANCH}."
    )
    if stale:
        print(f"To mend: python -m course_tools.links --repository {repository()}")
    return 1 if stale else 0


if __name__ == "__main__":
    raise SystemExit(main())

"""A shell as a notebook has it, for a place without windows, terminal and anybody who types."""

import getpass
import subprocess
import sys

from IPython.core import page
from IPython.core.interactiveshell import InteractiveShell
from matplotlib import pyplot

__all__ = ["Shell"]

INLINE = "module://matplotlib_inline.backend_inline"
SHOWN = 60  # characters of a line in a note


class Shell(InteractiveShell):
    """Runs cells; a magic or a shell line that cannot work here is skipped, and `notes` say so.

    Figures are drawn inline whatever backend is asked for. Questions get an empty line.
    """

    def __init__(self, **settings):
        self.notes: list[str] = []
        super().__init__(**settings)
        self.ask_exit = lambda: None  # quit() ends no submission
        self.set_hook("show_in_pager", page.as_hook(page.display_page), 90)
        getpass.getpass = self.no_answer
        switch = pyplot.switch_backend
        pyplot.switch_backend = lambda name: switch("agg" if str(name).lower() == "agg" else INLINE)

    def init_user_ns(self) -> None:
        """The names of a new notebook, also after %reset."""
        super().init_user_ns()
        self.user_ns["input"] = self.no_answer

    def no_answer(self, prompt: object = "", stream: object = None) -> str:
        """What input() and getpass() return where nobody answers."""
        self.notes.append("input() got an empty line")
        return ""

    def skipped(self, line: str, reason: object) -> None:
        """Note a line that could not work."""
        line, reason = line.strip().split("\n")[0][:SHOWN], str(reason).strip().split("\n")[-1]
        self.notes.append(f"skipped {line} ({reason[:SHOWN]})")

    def enable_gui(self, gui: str | None = None) -> None:
        """There is no event loop of a window to start."""

    def system(self, cmd: str) -> None:
        """Run a shell line, without a pseudo-terminal."""
        command = self.var_expand(cmd, depth=1)
        status = self.user_ns["_exit_code"] = subprocess.call(command, shell=True)
        if status:
            self.skipped("!" + cmd.replace(sys.executable, "python"), f"exit status {status}")

    def run_line_magic(self, magic_name: str, line: str, _stack_depth: int = 1) -> object:
        """A line magic, None where it fails."""
        try:
            return super().run_line_magic(magic_name, line, _stack_depth + 1)
        except Exception as error:
            self.skipped(f"%{magic_name} {line}", error)
            return None

    def run_cell_magic(self, magic_name: str, line: str, cell: str) -> object:
        """A cell magic; of one that is unknown here, the cell below it."""
        if self.find_cell_magic(magic_name) is not None:
            return super().run_cell_magic(magic_name, line, cell)
        self.skipped(f"%%{magic_name} {line}", "unknown here: the rest of its cell was run")
        self.run_cell(cell).raise_error()
        return None

"""A pytest plugin beside nbval: numbers within tolerances, claims (tests/compared.py says how).

nbval runs the cells; here is what it does not know. Loaded by the conftest.py of the root.
"""

import ast
import inspect

import compared
import pytest
from nbval.plugin import IPyNbCell, IPyNbFile

from course_tools.run_notebooks import COST

# Read once: the file may be edited while notebooks run.
CHECK_CLAIMS = inspect.getsource(compared.check_claims)


def pytest_configure(config):
    """xdist keeps our order (pytest_collection_modifyitems), where it would change it."""
    config.option.loadscopereorder = False


@pytest.hookimpl(wrapper=True)
def pytest_collect_file(file_path, parent):
    """nbval's collectors, replaced by ours."""
    return [
        ComparedNotebook.from_parent(parent, path=found.path) if type(found) is IPyNbFile else found
        for found in (yield)
    ]


def pytest_collection_modifyitems(items):
    """Notebooks first, the longest before the others: two at a time then end together."""
    items.sort(key=lambda item: -item.parent.seconds() if isinstance(item, ComparedCell) else 1)


class ComparedNotebook(IPyNbFile):
    """nbval's collector of a notebook."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.skip_compare += ("stderr",)  # progress and warnings

    def collect(self):
        """A test for each code cell. Raises CollectError for metadata that cannot be followed."""
        cells = [
            ComparedCell.from_parent(
                self, name=cell.name, cell_num=cell.cell_num, cell=cell.cell, options=cell.options
            )
            for cell in super().collect()
        ]
        problems, number = [], 0
        for cell in self.nb.cells:
            code = cell.cell_type == "code"
            where = f"code cell {number}" if code else f"the text before code cell {number}"
            problems += [
                f"{self.path.name}, {where} (counted from 0): {p}"
                for p in compared.metadata_problems(cell)
            ]
            number += code
        if problems:
            raise self.CollectError("\n".join(problems))
        return cells

    def seconds(self) -> int:
        """What the notebook costs, by its header."""
        found = COST.search(self.nb.cells[0].source) if self.nb.cells else None
        return int(found[3]) if found else 10


class ComparedCell(IPyNbCell):
    """nbval's test of a cell."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.output_timeout = 120  # for the last output after the cell has ended, on a busy machine

    def runtest(self):
        """Run and compare, then evaluate the claims."""
        super().runtest()
        claims = self.cell.metadata.get("claims", [])
        if claims and (problems := self.broken_claims(claims)):
            self.raise_cell_error("A claim of the metadata does not hold", "\n".join(problems))

    def compare_outputs(self, test, ref, skip_compare=None):
        """nbval's comparison key by key, with our comparison of texts; True if they agree."""
        rules = self.cell.metadata.get("compare", {})
        stored, found = (self.by_key(outputs) for outputs in (ref, test))
        problems = []
        for key in stored | found:
            before, after = stored.get(key, []), found.get(key, [])
            if len(before) != len(after):
                problems.append(f"{len(after)} outputs of type {key} instead of {len(before)}")
            for expected, new in zip(before, after):
                if isinstance(expected, str) and isinstance(new, str):
                    problems += compared.differences(expected, new, rules)
                elif expected != new:
                    problems.append(f"{key}: expected {expected!r}, found {new!r}")
        self.comparison_traceback = [
            f"{self.parent.path.name}, code cell {self.cell_num} (counted from 0):",
            *problems,
        ]
        return not problems

    def by_key(self, outputs) -> dict[str, list]:
        """Contents by stream name or MIME type, without what nbval skips."""
        kept = {}
        for output in outputs:
            stream = output.output_type == "stream"
            contents = {output.name: output.text} if stream else output.get("data", {})
            for key, content in contents.items():
                if key not in self.parent.skip_compare:
                    kept.setdefault(key, []).append(content)
        return kept

    def broken_claims(self, claims: list[str]) -> list[str]:
        """What check_claims says of the claims in the notebook's kernel."""
        lines = [
            (line, [str(number.value) for number in compared.numbers_of(line)])
            for text in compared.output_texts(self.test_outputs)
            for line in text.splitlines()
        ]
        program = f"{CHECK_CLAIMS}\nproblems = check_claims({claims!r}, names, {lines!r})"
        asked = f"(lambda scope: exec({program!r}, scope) or scope['problems'])"
        timeout = self.config.option.nbval_cell_timeout
        try:
            reply = self.parent.kernel.kc.execute_interactive(
                "",
                user_expressions={"problems": f"{asked}({{'names': globals()}})"},
                silent=True,
                timeout=timeout,
                output_hook=lambda message: None,
            )
        except TimeoutError:
            self.parent.timed_out = True
            return [f"the claims were not evaluated within {timeout:.0f} seconds: {claims}"]
        answer = reply["content"]["user_expressions"]["problems"]
        if answer["status"] == "error":
            return [f"the claims could not be evaluated: {answer['ename']}: {answer['evalue']}"]
        return ast.literal_eval(answer["data"]["text/plain"])

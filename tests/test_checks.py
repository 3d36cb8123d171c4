"""What all checks share: outcomes, the learner's global state, recorded calls, named mistakes."""

import importlib
import io
import math
import pathlib
import random
import sys
import warnings

import numpy as np
import pytest
import torch

from course_utils.exercises.core import (
    Mistake,
    Result,
    attempt,
    exercise,
    expect,
    expect_answer,
    expect_close,
    expect_without,
)

ROOT = pathlib.Path(__file__).resolve().parent.parent


def doubling(*cases, mistakes=None, reference=lambda x: 2 * x):
    """A check whose answer doubles a tensor, tried on these cases."""

    @exercise("99.5", "Twice", 1, 5, mistakes=mistakes)
    def twice(answer):
        for case in cases:
            expect_answer(answer, reference, case)

    return twice


SMALL, LARGE = torch.tensor([0.0, 0.5]), torch.tensor([3.0, 2.0, 4.0])
SQUARES = {"that is the square.": lambda x: x**2}


def test_a_mistake_is_named_only_if_it_explains_all_cases():
    check = doubling(torch.tensor([0.0, 2.0]), LARGE, mistakes=SQUARES)
    assert check(lambda x: x**2).message == "that is the square."
    only_small = doubling(torch.tensor([0.0, 3.0]), LARGE, mistakes=SQUARES)
    message = only_small(lambda x: x**2 if len(x) == 2 else x).message
    assert "square" not in message and "differs from the reference by up to 3" in message


def test_a_mistake_that_a_right_case_contradicts_is_not_named():
    check = doubling(torch.tensor([0.0, 3.0]), LARGE, mistakes=SQUARES)
    assert "square" not in check(lambda x: x**2 if len(x) == 2 else 2 * x).message


def test_a_difference_without_a_name_says_what_is_true_of_it():
    check = doubling(LARGE, SMALL, torch.rand(4, 3))
    for answer, words in [
        (lambda x: -2 * x, "the negative of the right result"),
        (lambda x: 6 * x, "3 times the right result"),
        (lambda x: 2 * x + 1, "differs by 1 everywhere"),
        (lambda x: torch.cat([2 * x[:1], x[1:]]), "1 of 3 entries are right; entry 1 is not"),
        (lambda x: x * x if x.ndim > 1 else 2 * x, "2 of 3 comparisons agree"),
        (lambda x: torch.cat([2 * x[:1], 9 + x[1:]]), "at [1] it is 11 instead of 4"),
    ]:
        torch.manual_seed(0)
        assert words in check(answer).message
    square = torch.rand(2, 3)
    assert "the transpose of" in doubling(square)(lambda x: 2 * x.T).message


def test_the_first_call_and_the_second_must_agree():
    calls = []

    def drifting(x):
        calls.append(x)
        return 2 * x + (len(calls) % 2 == 0)

    assert "second call" in doubling(LARGE)(drifting).message


def test_the_learner_s_global_state_changes_nothing_and_stays():
    def needs_a_fresh_state(x):
        w = torch.ones(3, requires_grad=True)
        (w * x).sum().backward()
        assert torch.zeros(1).dtype == torch.float32
        warnings.warn("told", stacklevel=1)
        np.divide(1.0, np.array([0.0]))
        return 2 * x

    check = doubling(LARGE)
    assert check(needs_a_fresh_state).status == "passed"
    torch.set_grad_enabled(False)
    torch.set_default_dtype(torch.float64)
    torch.set_default_device("meta")
    torch.use_deterministic_algorithms(True)
    torch.set_float32_matmul_precision("medium")
    old = np.seterr(all="raise")
    try:
        with warnings.catch_warnings(), torch.inference_mode(), torch.device("meta"):
            warnings.simplefilter("error")
            result = check(needs_a_fresh_state)
            assert torch.is_inference_mode_enabled()
        found = torch.is_grad_enabled(), torch.get_default_dtype(), torch.get_default_device().type
        precision = torch.get_float32_matmul_precision()
        deterministic, numpy = torch.are_deterministic_algorithms_enabled(), np.geterr()["divide"]
    finally:
        torch.set_grad_enabled(True)
        torch.set_default_dtype(torch.float32)
        torch.set_default_device(None)
        torch.use_deterministic_algorithms(False)
        torch.set_float32_matmul_precision("highest")
        np.seterr(**old)
    assert result.status == "passed", result.message
    assert precision == "medium"
    assert (*found, deterministic, numpy) == (False, torch.float64, "meta", True, "raise")


def test_a_check_gives_the_same_result_whatever_the_seeds():
    def lucky(x):
        return 2 * x + torch.rand(()).round() + np.random.rand() + random.random()

    check, messages = doubling(LARGE), set()
    for seed in range(4):
        torch.manual_seed(seed)
        np.random.seed(seed)
        random.seed(seed)
        messages.add(check(lucky).message)
        assert (random.Random(seed).random(), np.random.RandomState(seed).rand()) == (
            random.random(),
            np.random.rand(),
        )
    assert len(messages) == 1


def test_an_answer_that_changes_global_state_is_told_so_and_undone():
    def switch(x):
        torch.set_grad_enabled(False)
        return 2 * x

    assert "changes torch's grad mode" in doubling(LARGE)(switch).message
    assert torch.is_grad_enabled()

    def widen(x):
        torch.set_default_dtype(torch.float64)
        return 2 * x

    assert "default dtype" in doubling(LARGE)(widen).message
    assert torch.get_default_dtype() == torch.float32


def by_backward(x):
    x = x.clone().requires_grad_()
    x.square().sum().backward()
    return x.grad


def by_grad(x):
    x = x.clone().requires_grad_()
    return torch.autograd.grad(x.square().sum(), x)[0]


@pytest.mark.parametrize(
    "answer",
    [
        by_backward,
        by_grad,
        torch.func.grad(lambda x: x.square().sum()),
        torch.func.jacrev(lambda x: x.square().sum()),
        lambda x: torch.autograd.functional.jacobian(lambda x: x.square().sum(), x),
        lambda x: torch.func.jvp(lambda x: x.square(), (x,), (torch.ones_like(x),))[1],
    ],
)
def test_an_answer_by_autograd_is_recognised_however_it_is_called(answer):
    with pytest.raises(Mistake, match="without autograd: derive it by hand"):
        expect_without(answer, LARGE, advice="derive it by hand")
    expect_without(lambda x: 2 * x, LARGE, advice="derive it by hand")


def test_forbidden_functions_count_as_methods_too():
    for answer in (lambda x: torch.topk(x, 2).values, lambda x: x.topk(2).values):
        with pytest.raises(Mistake, match="without topk: sort"):
            expect_without(answer, LARGE, names=("topk",), advice="sort")
    with pytest.raises(Mistake, match="without softplus"):
        expect_without(torch.nn.functional.softplus, LARGE, names=("soft*",), advice="use exp")


def test_an_exit_in_an_answer_is_a_failure_and_ctrl_c_is_not():
    assert "SystemExit" in doubling(LARGE)(lambda x: sys.exit("bye")).message

    def interrupted(x):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        doubling(LARGE)(interrupted)


def test_where_the_mark_cannot_be_printed_a_word_stands(monkeypatch):
    for encoding in ("cp1252", "ascii"):
        output = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
        monkeypatch.setattr(sys, "stdout", output)
        doubling(LARGE)(lambda x: 2 * x)
        doubling(LARGE)(lambda x: "é李")
        doubling(LARGE)(...)
        output.flush()
        text = output.buffer.getvalue().decode(encoding)
        monkeypatch.undo()
        assert "[passed] Exercise 99.5" in text and "[open]" in text and "[failed]" in text


def test_a_later_demand_does_not_hide_the_named_mistake():
    @exercise("99.6", "Twice, with a demand", 1, 5, mistakes=SQUARES)
    def twice(answer):
        expect_answer(answer, lambda x: 2 * x, LARGE)
        expect(answer(LARGE).max() < 9, "a number is too large.")

    assert twice(lambda x: x**2).message == "that is the square."
    assert twice(lambda x: 2 * x).status == "passed"


def test_an_ellipsis_counts_as_not_attempted():
    @exercise("99.1", "A number", 1, 5)
    def number(answer):
        expect_close(answer, torch.tensor(2.0), {"that is half of it.": lambda: 1.0})

    assert number(...).status == "not attempted"
    assert number(2).status == "passed"
    assert number(1.0).message == "that is half of it."
    assert "NaN" in number(float("nan")).message
    assert "is a list" in number([2.0]).message


def test_a_check_does_not_disturb_the_random_numbers_of_the_notebook():
    @exercise("99.2", "Random", 1, 5)
    def draws(answer):
        torch.rand(10)

    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    draws(lambda: None)
    assert torch.equal(torch.rand(3), expected)


def test_an_answer_that_changes_its_input_is_told_so():
    for change, given in [
        (lambda z: z.mul_(2), torch.ones(3)),
        (lambda z: z.unsqueeze_(0), torch.ones(3)),
        (lambda tensors: tensors[1][0].zero_(), [torch.ones(3), (torch.ones(2), 3.0)]),
        (lambda given: given["x"].append(3) or 1, {"x": [1, 2]}),
        (lambda array: array.sort() or 1, np.array([2.0, 1.0])),
        (lambda names: names.add("b") or 1, {"a"}),
        (lambda w: w.requires_grad_().sum().backward() or 1, torch.ones(3)),
    ]:
        before = str(given)
        with pytest.raises(Mistake, match="changed its input"):
            attempt(change, given)
        assert str(given) == before
    assert attempt(len, [torch.tensor([1.0, math.nan]), math.nan]) == 2  # NaN is no change


def test_a_fault_of_the_check_is_not_blamed_on_the_answer(tmp_path, monkeypatch):
    """The check's own code fails; the learner's code fails; torch fails with the answer."""
    module = tmp_path / "checks.py"
    module.write_text(
        "from course_utils.exercises.core import exercise\n\n\n"
        '@exercise("99.3", "Faulty", 1, 5)\ndef faulty(answer):\n    [][0]\n\n\n'
        '@exercise("99.4", "Sound", 1, 5)\ndef sound(answer):\n    answer()\n'
    )
    monkeypatch.syspath_prepend(tmp_path)
    checks = importlib.import_module("checks")
    monkeypatch.setattr(
        "course_utils.exercises.core.COURSE", (str(tmp_path), str(ROOT / "course_utils"))
    )
    assert "the check could not use your answer (IndexError" in checks.faulty(1).message
    assert "fault of the check: please report it" in checks.faulty(1).message
    assert "the check could not use your answer (TypeError" in checks.sound(3).message

    def learner():
        return 1 / 0

    assert checks.sound(learner).message == "your answer raised ZeroDivisionError: division by zero"


def test_a_result_is_for_graders_and_shows_nothing_twice():
    result = Result("01.1", "title", "passed", "correct.", 1, 10)
    assert result._ipython_display_() is None
    assert str(result) == "✓ Exercise 01.1 (title): correct."

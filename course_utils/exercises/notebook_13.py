"""Checks of notebook 13: measuring, accumulating, the rate of a large batch, the average's start."""

import statistics

import torch

from course_utils.exercises.core import attempt, exercise, expect, expect_close

__all__ = ["accumulated_gradient", "corrected_average", "images_per_second", "rate_at"]


class Machine:
    """A clock that moves only while steps are made; each step takes the next of the given seconds."""

    def __init__(self, seconds: list[float]) -> None:
        self.seconds, self.now, self.steps = seconds, 100.0, 0

    def step(self) -> None:
        self.now += self.seconds[min(self.steps, len(self.seconds) - 1)]
        self.steps += 1

    def clock(self) -> float:
        return self.now


@exercise("13.1", "Measured rightly", 1, 6)
def images_per_second(answer: object) -> None:
    """A step to call, a clock, the images of a step, two counts of calls -> images per second, by the median."""
    for images, warm_up, runs in [(32, 3, 5), (10, 0, 1), (7, 1, 7)]:
        seconds = [4.0] * warm_up + [0.5 + 0.01 * (3 * i % runs) for i in range(runs)]
        seconds[-1] += 2.0 if runs > 1 else 0.0  # somebody else used the machine
        machine, timed = Machine(seconds), seconds[warm_up:]
        rate = attempt(answer, machine.step, machine.clock, images, warm_up, runs)
        expect(
            machine.steps == warm_up + runs,
            f"step() was called {machine.steps} times; expected {warm_up} to warm up "
            f"and {runs} that count.",
        )
        wrong = {
            "the mean is spoiled by one slow run: take the median.": images * runs / sum(timed),
            "the warm-up must not count.": images / statistics.median(seconds),
            "the shortest run is what the machine can do when left alone; the median was asked.": images
            / min(timed),
            "that is seconds for a picture; divide the other way round.": statistics.median(timed)
            / images,
            "these are steps per second; times the pictures of a step.": 1
            / statistics.median(timed),
        }
        expect_close(
            rate,
            torch.tensor(images / statistics.median(timed)),
            {text: torch.tensor(value) for text, value in wrong.items()},
            "the rate",
        )


@exercise("13.2", "A large batch in small pieces", 2, 8)
def accumulated_gradient(answer: object) -> None:
    """Rows (N, d), goals (N,), weights (d,), most rows of a piece -> gradient (d,) of the whole mean."""
    for n, d, size in [(10, 3, 4), (8, 2, 4), (5, 4, 9), (1, 1, 1)]:
        x, y, w = torch.randn(n, d), torch.randn(n), torch.randn(d)
        pieces = [2 * a.T @ (a @ w - b) / len(a) for a, b in zip(x.split(size), y.split(size))]
        whole = 2 * x.T @ (x @ w - y) / n
        result = attempt(answer, x, y, w, size)
        expect_close(
            result,
            whole,
            {
                "the gradients of the pieces are added, not averaged: each piece counts for its share of the batch.": sum(
                    pieces
                ),
                "the last piece is smaller and counts for less: weight each piece by its rows over all rows.": sum(
                    pieces
                )
                / len(pieces),
                "only the last piece is left: add up.": pieces[-1],
                "that is the gradient of the sum, not of the mean.": n * whole,
            },
            "the gradient",
        )


@exercise("13.3", "The rate of a larger batch", 1, 6)
def rate_at(answer: object) -> None:
    """A step from 0, the rate at 32 images, the batch, the steps of warm-up -> the learning rate."""
    for step, base, batch, warm_up in [
        (0, 0.1, 256, 5),
        (2, 0.1, 256, 5),
        (4, 0.2, 64, 5),
        (9, 0.1, 128, 5),
        (0, 0.1, 96, 0),
    ]:
        full = base * batch / 32
        expected = full * min(1.0, (step + 1) / warm_up) if warm_up else full
        ramp = (step + 1) / warm_up if warm_up else 1.0
        expect_close(
            attempt(answer, step, base, batch, warm_up),
            torch.tensor(expected),
            {
                "the warm-up begins with a step that does nothing: step 0 has a warm_up-th.": torch.tensor(
                    full * min(1.0, step / max(1, warm_up))
                ),
                "the rate goes on rising after the warm-up.": torch.tensor(full * ramp),
                "the rate does not scale with the batch.": torch.tensor(expected * 32 / batch),
                "that is the root, as is often done for Adam; here the rate scales with the batch.": torch.tensor(
                    expected * (32 / batch) ** 0.5
                ),
                "there is no warm-up.": torch.tensor(full),
            },
            f"the rate of step {step}",
        )


@exercise("13.4", "An average without the past it has not got", 2, 8)
def corrected_average(answer: object) -> None:
    """Values (T,), decay -> their bias-corrected moving average (T,)."""
    for length, decay in [(6, 0.9), (1, 0.99), (20, 0.5), (4, 0.0)]:
        values = 3 + torch.randn(length)
        plain, mean = [], 0.0
        for value in values.tolist():
            mean = decay * mean + (1 - decay) * value
            plain.append(mean)
        plain, t = torch.tensor(plain), torch.arange(length)
        running, means = values[0].item(), []
        for value in values.tolist():
            running = decay * running + (1 - decay) * value
            means.append(running)
        swapped = torch.stack(
            [
                sum(
                    (decay * (1 - decay) ** (i - k) * values[k] for k in range(i + 1)),
                    torch.tensor(0.0),
                )
                for i in range(length)
            ]
        )
        expect_close(
            attempt(answer, values, decay),
            plain / (1 - decay ** (t + 1)),
            {
                "it still starts too small: divide by the sum of the weights.": plain,
                "t counts the values that went in: 1 after the first.": plain
                / (1 - decay**t).clamp_min(1e-12),
                "it starts at the first value, which then weighs too much.": torch.tensor(means),
                "decay and 1 - decay are swapped.": swapped / (1 - (1 - decay) ** (t + 1)),
            },
            "the average",
        )

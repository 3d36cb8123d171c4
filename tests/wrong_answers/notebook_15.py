"""Wrong answers that no mistake of a check covers: check -> [(answer, words of the message)]."""

import torch

from course_utils.exercises.mistakes.step_plans import plan
from course_utils.exercises.mistakes.twin_splits import Split, drawn


def drawing(draw):
    return lambda *given: Split()(*given, draw=draw)


def globally_seeded(count, seed):
    torch.manual_seed(seed)
    return torch.randperm(count).tolist()


def single_images(pixels, share, seed):
    return torch.rand(len(pixels), generator=torch.Generator().manual_seed(seed)) < share


def each_group_by_chance(pixels, share, seed):
    names = Split().names(pixels)
    groups = sorted(set(names))
    chance = torch.rand(len(groups), generator=torch.Generator().manual_seed(seed))
    return torch.tensor([bool(chance[groups.index(each)] < share) for each in names])


def images_and_their_twins(pixels, share, seed):
    names = Split().names(pixels)
    held = {names[i] for i in drawn(len(pixels), seed)[: round(share * len(pixels))]}
    return torch.tensor([each in held for each in names])


def own_draws(differences, places, level=0.95):
    means = differences[torch.randint(len(differences), places.shape)].mean(dim=1)
    return torch.quantile(means, torch.tensor([(1 - level) / 2, (1 + level) / 2]))


def sorting(measured, budget, seeds, warm_up=3):
    for steps in measured.values():
        steps.sort()
    return plan()(measured, budget, seeds, 0)


WRONG = {
    "bootstrap_interval": [(own_draws, "the places that are given")],
    "hold_out": [
        (single_images, "equal one"),
        (each_group_by_chance, "depends on the seed"),
        (images_and_their_twins, "depends on the seed"),
        (lambda pixels, share, seed: Split()(pixels, 1.4 * share, seed), "round(share * groups)"),
        (lambda *given: Split()(*given).nonzero()[:, 0], "bool tensor"),
        (lambda pixels, *given: Split()(pixels[: len(pixels) // 2], *given), "of shape"),
        (drawing(lambda count, seed: drawn(count, 0)), "every seed"),
        (
            drawing(lambda count, seed: torch.randperm(count).tolist()),
            "the same seed gives another",
        ),
        (
            drawing(lambda count, seed: torch.arange(count).roll(seed % 3).tolist()),
            "never held out",
        ),
        (drawing(globally_seeded), "manual_seed"),
    ],
    "plan_steps": [
        (sorting, "changed its input"),
        (lambda *given: list(plan()(*given).values()), "dictionary"),
    ],
}

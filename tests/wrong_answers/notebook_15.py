"""Wrong answers that no mistake of a check covers: check -> [(answer, words of the message)]."""

import torch

from course_utils.exercises.notebook_15 import name, plan


def seeded(count, seed):
    return torch.randperm(count, generator=torch.Generator().manual_seed(seed))


def held(pixels, share, seed, naming=name, draw=seeded):
    """The right answer, or one with another way to name the groups or to draw them."""
    named = [naming(image) for image in pixels]
    groups = sorted(set(named))
    chosen = {groups[i] for i in draw(len(groups), seed)[: round(share * len(groups))]}
    return torch.tensor([one in chosen for one in named])


def exact(image):
    return image.numpy().tobytes()


def upside_down(image):
    return min(exact(image), exact(image.flip(1).contiguous()))


def drawn(draw):
    return lambda *given: held(*given, draw=draw)


def globally_seeded(count, seed):
    torch.manual_seed(seed)
    return torch.randperm(count)


def single_images(pixels, share, seed):
    return torch.rand(len(pixels), generator=torch.Generator().manual_seed(seed)) < share


def sorting(measured, budget, seeds, warm_up=3):
    for steps in measured.values():
        steps.sort()
    return plan()(measured, budget, seeds, 0)


WRONG = {
    "hold_out": [
        (single_images, "equal one"),
        (lambda *given: held(*given, naming=exact), "mirror image"),
        (lambda *given: held(*given, naming=upside_down), "mirror image"),
        (lambda *given: ~held(*given), "marks the others"),
        (lambda pixels, share, seed: held(pixels, 1.4 * share, seed), "round(share * groups)"),
        (lambda *given: held(*given).nonzero()[:, 0], "bool tensor"),
        (lambda pixels, *given: held(pixels[: len(pixels) // 2], *given), "of shape"),
        (drawn(lambda count, seed: seeded(count, 0)), "every seed"),
        (drawn(lambda count, seed: torch.randperm(count)), "the same seed gives another"),
        (drawn(lambda count, seed: torch.arange(count).roll(seed % 3)), "never held out"),
        (drawn(globally_seeded), "manual_seed"),
    ],
    "plan_steps": [
        (sorting, "changed its input"),
        (lambda *given: list(plan()(*given).values()), "dictionary"),
    ],
}

"""The comparison of notebook 12: a plain GAN and models joined with a code, at equal seconds.

    python -m course_utils.experiments.comparison 12_comparison
    python -m course_utils.experiments.comparison 12_few_images

train every model with every seed (half an hour each on two cores) and write
data/recorded/NAME.json, row by row: an interrupted call, made again, goes on behind the last row.
Every model trains for as many steps as took BUDGET seconds on two idle cores.
"""

import argparse
import datetime
import json
from collections.abc import Callable

import torch
from torch import Tensor

from course_utils.arguments import check_choice
from course_utils.autoencoders import L1, NoSparsity, TopK, share_alive
from course_utils.autoencoders.sparsity import Sparsity
from course_utils.data import ImageSet, load
from course_utils.files import bring_back, write_text
from course_utils.gans import Generator, from_gan_range
from course_utils.gpu_cell import RECORDED
from course_utils.metrics import fashion_evaluator, psnr
from course_utils.session import seed_everything
from course_utils.sparse_gans import CodeGenerator, CodePrior, DictionaryGenerator, training

__all__ = ["BUDGET", "MODELS", "RUNS", "nearest", "recorded_rows", "row", "run", "train_model"]

BUDGET = 40.0
# Numbers of a code, its sparsity, Gaussians of its prior. With this L1 penalty 20 numbers are
# active after the short training, 68 after the long one.
CODES: dict[str, tuple[int, Callable[[], Sparsity], int]] = {
    "dense": (64, NoSparsity, 50),
    "L1": (128, lambda: L1(1e-4), 30),
    "TopK": (128, lambda: TopK(32), 30),
}
# Milliseconds of a step of 64 images on two idle cores; seconds to fit a prior to 10,000 codes
MILLISECONDS = {
    "autoencoder": 12.0,
    "game": 18.0,
    "anchored game": 25.0,
    "dictionary game": 24.0,
    "code game": 20.0,
}
PRIOR_SECONDS, PRIOR_CODES = 5.0, 10_000
SHARE = {"prior": 1.0, "code GAN": 0.5, "joined": 0.2}  # of the time for the autoencoder
# Learning rate with the reconstruction term, which allows a larger one than the default
RATE = 8e-3


def train_model(
    name: str, images: ImageSet
) -> tuple[Generator | DictionaryGenerator | CodeGenerator, dict[str, float]]:
    """A generator of MODELS trained within the budget, and facts about it."""
    check_choice("model", name, tuple(MODELS))
    kind, _, stage = name.partition(", ")
    if kind == "GAN":
        plain = training.train_gan_steps(Generator(), images, steps_in(BUDGET, "game"))
        return plain.generator_ema, {}
    if kind == "dictionary":
        steps = steps_in(BUDGET, "dictionary game")
        dictionary = training.train_gan_steps(DictionaryGenerator(), images, steps).generator_ema
        codes = dictionary.codes(torch.randn(1000, dictionary.noise))
        return dictionary, {"alive": share_alive(codes.amax(dim=(2, 3)))}
    units, sparsity, components = CODES[kind]
    left = BUDGET - (0 if stage == "code GAN" else PRIOR_SECONDS)
    rest = (1 - SHARE[stage]) * left
    steps = steps_in(left - rest, "autoencoder")
    autoencoder = training.train_autoencoder(images, units, sparsity(), steps)
    codes = training.encode(autoencoder, images.images())
    facts = {"alive": share_alive(codes), "active": (codes != 0).sum(dim=1).double().mean().item()}
    if stage == "code GAN":
        prior = training.train_code_gan(codes, sparsity(), steps_in(rest, "code game"))
    else:
        some = codes[torch.randperm(len(codes))[:PRIOR_CODES]]
        prior = CodePrior.fit(some, max(1, min(components, len(some) // (2 * units))))
    generator = CodeGenerator(prior, autoencoder.decoder, autoencoder.sparsity)
    if stage == "joined":
        steps = steps_in(rest, "anchored game")
        anchor = training.reconstruction_anchor(generator, autoencoder)
        gan = training.train_gan_steps(
            generator, images, steps, lr=RATE, reconstruction_term=anchor
        )
        generator = gan.generator_ema
    x = load("fashion_mnist", "test").images()
    code = training.encode(autoencoder, x)
    with torch.no_grad():
        x_hat = torch.cat([generator.decoder(part) for part in code.split(1000)])
    return generator, facts | {"psnr": psnr(x_hat, x).mean().item()}


def steps_in(seconds: float, work: str) -> int:
    """How many steps of `work` fit into so many seconds of two idle cores."""
    return int(1000 * seconds / MILLISECONDS[work])


MODELS = (
    "GAN",
    "dictionary",
    *(f"{code}, {stage}" for code in CODES for stage in ("prior", "joined")),
    "TopK, code GAN",
)
# model, seed, number of training images (None: all)
RUNS: dict[str, list[tuple[str, int, int | None]]] = {
    "12_comparison": [(model, seed, None) for seed in range(3) for model in MODELS],
    "12_few_images": [
        (model, seed, count)
        for seed in range(2)
        for count in (500, 2000)
        for model in ("GAN", "dense, joined", "TopK, joined")
    ],
}


def nearest(images: Tensor, others: Tensor) -> Tensor:
    """Euclidean distance of each of images (N, ...) to the nearest of others (M, ...): (N,)."""
    parts, others = images.flatten(1).split(250), others.flatten(1)
    return torch.cat([torch.cdist(part, others).amin(dim=1) for part in parts])


def row(model: str, seed: int, count: int | None) -> dict:
    """Train and judge one model: what stands in one row of the record."""
    seed_everything(seed)
    images = load("fashion_mnist") if count is None else load("fashion_mnist").subset(count, seed)
    generator, facts = train_model(model, images)
    z = torch.randn(5000, generator.noise, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        drawn = torch.cat([from_gan_range(generator.eval()(part)) for part in z.split(500)])
    judge, test = fashion_evaluator(), load("fashion_mnist", "test").images()
    scores = judge(drawn)
    near = {}
    for name, look in (("pixels", lambda x: x), ("features", judge.network)):
        seen, new, unseen = look(images.images()), look(drawn), look(test)
        near[name] = nearest(new, seen).mean().item() / nearest(unseen, seen).mean().item()
    return {
        "model": model,
        "seed": seed,
        "images": len(images),
        "frechet": round(scores.frechet, 2),
        **{name: round(getattr(scores, name), 3) for name in ("precision", "recall", "coverage")},
        **{f"nearest in {name}": round(value, 3) for name, value in near.items()},
        **{name: round(value, 3) for name, value in facts.items()},
    }


def recorded_rows(name: str) -> dict:
    """The record of a run of RUNS: "rows", device, date, torch, "budget" in seconds per model."""
    check_choice("comparison", name, tuple(RUNS))
    file = RECORDED / f"{name}.json"
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"{file} cannot be read ({error}). {bring_back(file)}") from error


def run(name: str) -> None:
    """Make the rows of RUNS[name] that are not there yet."""
    file = RECORDED / f"{name}.json"
    rows = json.loads(file.read_text(encoding="utf-8"))["rows"] if file.is_file() else []
    done = {(r["model"], r["seed"], r["images"]) for r in rows}
    everything = len(load("fashion_mnist"))
    for model, seed, count in RUNS[name]:
        if (model, seed, count or everything) in done:
            continue
        rows.append(row(model, seed, count))
        print(rows[-1], flush=True)
        RECORDED.mkdir(parents=True, exist_ok=True)
        date = datetime.date.today().isoformat()
        facts = {"device": "CPU", "torch": torch.__version__, "date": date, "budget": BUDGET}
        write_text(file, json.dumps(facts | {"rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=RUNS)
    run(parser.parse_args().name)

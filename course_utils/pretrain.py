"""The shipped weights: load them, or train them again.

    python -m course_utils.pretrain NAME [--device cuda]

trains the model NAME of `course_utils.recipes` again, writes data/pretrained/NAME.safetensors
and its entry in data/pretrained/manifest.json (command, seed, data, device, metrics, SHA-256).
An interrupted call, made again, goes on behind the last finished epoch.
"""
import argparse
import datetime
import json
import time

import torch
from torch import nn

from course_utils import checkpoints
from course_utils.arguments import known
from course_utils.files import PRETRAINED, sha256, write_text
from course_utils.recipes import RECIPES
from course_utils.session import seed_everything

__all__ = ["pretrain", "pretrained"]


def pretrained(name: str) -> nn.Module:
    """The shipped model `name`, on the CPU, in evaluation mode.

    Raises ValueError for an unknown name, CheckpointError when the file is missing,
    damaged or of another model: it names the file and the commands that bring it back.
    """
    known("model", name, tuple(RECIPES))
    file = PRETRAINED / f"{name}.safetensors"
    mend = f"git checkout -- data/pretrained (or train it again: python -m course_utils.pretrain {name})"
    model = RECIPES[name].model()
    weights = checkpoints.load_weights(file, mend)
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        raise checkpoints.CheckpointError(f"{file} belongs to another model than {name!r}. Run: {mend}") from error
    return model.eval()


def pretrain(name: str, seed: int = 0, device: str = "cpu") -> dict:
    """Train, write weights (half precision) and manifest; return the manifest entry."""
    known("model", name, tuple(RECIPES))
    recipe, state = RECIPES[name], PRETRAINED / f"{name}.state"
    seed_everything(seed)
    begin = time.perf_counter()
    model, metrics = recipe.train(state, torch.device(device))
    seconds = round(time.perf_counter() - begin)
    file = PRETRAINED / f"{name}.safetensors"
    halves = {key: value.half() if value.is_floating_point() else value for key, value in model.state_dict().items()}
    checkpoints.save_weights(halves, file)
    state.unlink(missing_ok=True)
    entry = {
        "file": file.name, "command": f"python -m course_utils.pretrain {name}", "seed": seed,
        "data": recipe.data, "device": device,
        "torch": torch.__version__, "date": datetime.date.today().isoformat(), "seconds": seconds,
        "metrics": metrics, "sha256": sha256(file),
    }
    manifest = PRETRAINED / "manifest.json"
    entries = json.loads(manifest.read_text(encoding="utf-8")) if manifest.is_file() else {}
    write_text(manifest, json.dumps(entries | {name: entry}, indent=1) + "\n")
    if recipe.draw:
        recipe.draw(pretrained(name))
    return entry


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=RECIPES)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cpu", help="cpu, cuda or mps")
    arguments = parser.parse_args()
    print(json.dumps(pretrain(arguments.name, arguments.seed, arguments.device), indent=1))

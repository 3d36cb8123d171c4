"""Train the shipped models again.

    python -m course_utils.pretrain NAME [--accelerator cuda] [--devices 4] [--nodes 2]

trains the model NAME of `course_utils.recipes` again, writes data/pretrained/NAME.safetensors
and its entry in data/pretrained/manifest.json (command, seed, settings, data, device, metrics,
SHA-256). An interrupted call, made again, goes on behind the last finished epoch (gallery and
dictionary_gan, some minutes each, start again).

The batch of the recipe is divided among the processes, one per device (on a CPU a device is a
process). Also under torchrun, which then says how many:

    torchrun --nproc-per-node 2 -m course_utils.pretrain NAME
"""

import argparse
import dataclasses
import datetime
import json
import sys
import time

import torch

from course_utils import checkpoints
from course_utils.arguments import check_choice
from course_utils.checkpoints import Checkpoint
from course_utils.distributed import ProcessError, processes
from course_utils.files import PRETRAINED, sha256, write_text
from course_utils.pretrained import pretrained
from course_utils.recipes import RECIPES
from course_utils.session import seed_everything

__all__ = ["pretrain"]


def pretrain(
    name: str, seed: int = 0, accelerator: str = "cpu", devices: int = 1, nodes: int = 1
) -> dict:
    """Train, write weights (half precision) and manifest; return the manifest entry.

    With several processes (`course_utils.distributed.processes`) the first writes, and the others
    return {}. Raises CheckpointError when an interrupted run was made with other settings,
    ProcessError when another process fails.
    """
    check_choice("model", name, tuple(RECIPES))
    recipe = RECIPES[name]
    settings = dataclasses.asdict(recipe.settings)
    state = PRETRAINED / f"{name}.state"
    checkpoint = Checkpoint(state, {"recipe": name, "seed": seed} | settings)
    with processes(accelerator, devices, nodes) as fabric:
        seed_everything(seed)
        begin = time.perf_counter()
        model, metrics = recipe.train(recipe.settings, checkpoint, fabric.device)
        seconds = round(time.perf_counter() - begin)
        if fabric.global_rank > 0:
            return {}
        file = PRETRAINED / f"{name}.safetensors"
        weights = model.state_dict()  # counters stay as they are
        half = {name: w.half() if w.is_floating_point() else w for name, w in weights.items()}
        checkpoints.save_weights(half, file)
        state.unlink(missing_ok=True)
        entry = {
            "file": file.name,
            "command": f"python -m course_utils.pretrain {name}",
            "seed": seed,
            "settings": settings,
            "data": recipe.data,
            "device": accelerator,
            "processes": fabric.world_size,
            "torch": torch.__version__,
            "date": datetime.date.today().isoformat(),
            "seconds": seconds,
            "metrics": metrics,
            "sha256": sha256(file),
        }
        manifest = PRETRAINED / "manifest.json"
        entries = json.loads(manifest.read_text(encoding="utf-8")) if manifest.is_file() else {}
        write_text(manifest, json.dumps(entries | {name: entry}, indent=1) + "\n")
        if recipe.draw:
            recipe.draw(pretrained(name))
        return entry


def main(arguments: list[str] | None = None) -> None:
    """The command line."""
    command = "python -m course_utils.pretrain"
    parser = argparse.ArgumentParser(prog=command, description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=RECIPES)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--accelerator", default="cpu", help="cpu, cuda or mps")
    parser.add_argument("--devices", type=int, default=1, help="on each host, a process for each")
    parser.add_argument("--nodes", type=int, default=1, help="hosts")
    try:
        entry = pretrain(**vars(parser.parse_args(arguments)))
    except ProcessError as error:  # the process that failed shows its own error
        sys.exit(str(error))
    if entry:
        print(json.dumps(entry, indent=1))


if __name__ == "__main__":
    main()

"""Shipped weights: as the manifest says, and what they draw."""

import dataclasses
import json
import math
import types

import pytest
import torch

from course_utils import pretrain
from course_utils import pretrained as pretrained_module
from course_utils.checkpoints import CheckpointError, save_weights
from course_utils.data import load
from course_utils.files import PRETRAINED, sha256
from course_utils.gans import from_gan_range
from course_utils.pretrained import pretrained
from course_utils.recipes import (
    RECIPES,
    Recipe,
    classifier,
    colour,
    denoiser,
    dictionary_gan,
    fashion_gan,
    gallery,
    generator_features,
)
from course_utils.training import fit


@dataclasses.dataclass(frozen=True)
class Settings:
    epochs: int = 3


MANIFEST = json.loads((PRETRAINED / "manifest.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", MANIFEST)
def test_a_shipped_file_is_small_has_a_recipe_and_the_checksum_of_the_manifest(name):
    entry = MANIFEST[name]
    file = PRETRAINED / entry["file"]
    assert name in RECIPES and sha256(file) == entry["sha256"] and file.stat().st_size < 3_000_000
    assert {"command", "seed", "data", "device", "torch", "date", "seconds", "metrics"} <= set(
        entry
    )


def test_every_shipped_file_is_in_the_manifest():
    files = {file.name for file in PRETRAINED.glob("*.safetensors")}
    assert files == {entry["file"] for entry in MANIFEST.values()}


def test_the_gallery_draws_different_pictures_from_sparse_codes():
    model = pretrained("gallery")
    z = torch.randn(200, model.noise, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        codes, drawn = model.codes(z), from_gan_range(model(z))
    assert ((codes != 0).sum(dim=1) <= 32).all() and codes.shape == (200, 128)
    assert drawn.shape == (200, 1, 28, 28) and 0 <= drawn.min() and drawn.max() <= 1
    real = load("fashion_mnist", "test").images()
    assert (drawn.mean() - real.mean()).abs() < 0.05
    assert drawn.flatten(1).std(dim=0).mean() > 0.7 * real.flatten(1).std(dim=0).mean()


@pytest.mark.parametrize("name", RECIPES)
def test_a_shipped_model_is_loaded_by_name_in_evaluation_mode(name):
    model = pretrained(name)
    assert not model.training
    assert all(value.isfinite().all() for value in model.state_dict().values())


def test_weights_that_cannot_be_used_name_the_file_and_the_commands(tmp_path, monkeypatch):
    monkeypatch.setattr(pretrained_module, "PRETRAINED", tmp_path)
    file = tmp_path / "gallery.safetensors"
    whole = (PRETRAINED / "gallery.safetensors").read_bytes()
    for make, fault in (
        (lambda: None, "is not there"),
        (lambda: file.write_bytes(whole[:-1000]), "is damaged"),
        (lambda: save_weights({"other": torch.zeros(3)}, file), "belongs to another model"),
    ):
        make()
        commands = "Run: git checkout .*python -m course_utils.pretrain gallery"
        with pytest.raises(CheckpointError, match=f"gallery.safetensors {fault}.*{commands}"):
            pretrained("gallery")


def test_an_unknown_model_is_refused_with_the_list_of_the_known_ones():
    with pytest.raises(ValueError, match="The model 'galery' is unknown; choose one of .*gallery"):
        pretrained("galery")


def test_a_model_is_trained_again_resumes_and_is_recorded(tmp_path, monkeypatch):
    """The command with a small model: interrupted in the second epoch, called again."""
    images, epochs = torch.rand(8, 1, 4, 4, generator=torch.Generator().manual_seed(0)), []

    def train(settings, checkpoint, device):
        model = torch.nn.Linear(4, 4)

        def batches(epoch):
            epochs.append(epoch)
            if len(epochs) == 2:
                raise KeyboardInterrupt
            return images.split(4)

        loss, adam = lambda m, x: (m(x) - x).square().mean(), torch.optim.Adam(model.parameters())
        history = fit(model, batches, loss, adam, 3, checkpoint=checkpoint, progress=False)
        return model, {"loss": history[-1]["loss"]}

    for module in (pretrain, pretrained_module):
        monkeypatch.setattr(module, "PRETRAINED", tmp_path)
    monkeypatch.setitem(RECIPES, "small", Recipe(train, Settings(), "eight random images"))
    monkeypatch.setitem(pretrained_module.ARCHITECTURES, "small", lambda: torch.nn.Linear(4, 4))
    with pytest.raises(KeyboardInterrupt):
        pretrain.pretrain("small")
    assert not (tmp_path / "small.safetensors").exists()
    entry = pretrain.pretrain("small", seed=0)
    assert epochs == [0, 1, 1, 2]  # the first epoch was not trained again
    assert [f.name for f in sorted(tmp_path.iterdir())] == ["manifest.json", "small.safetensors"]
    assert json.loads((tmp_path / "manifest.json").read_text(encoding="utf-8")) == {"small": entry}
    assert entry["sha256"] == sha256(tmp_path / "small.safetensors")
    assert pretrained("small").weight.dtype == torch.float32


SMALL = {
    "classifier": {"epochs": 1, "batch": 50},
    "colour": {"epochs": 1, "batch": 50},
    "denoiser": {"epochs": 1, "steps": 2, "batch": 2},
    "dictionary_gan": {"steps": 2},
    "fashion_gan": {"epochs": 1, "batch": 50},
    "gallery": {"steps": 2, "game_steps": 2},
    "generator_features": {"epochs": 1, "images": 50},
    "super_resolution": {"epochs": 1, "steps": 2, "batch": 2},
}


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_runs_from_its_settings_to_its_metrics(name, tmp_path, monkeypatch):
    """On few images and with few steps; scores of generated images are measured elsewhere."""

    def few(data, split="train"):
        return load(data, split, stand_in=True).subset(10_000 if name == "gallery" else 200)

    for module in (classifier, colour, denoiser, dictionary_gan, fashion_gan, gallery):
        monkeypatch.setattr(module, "load", few)
    for module in (dictionary_gan, fashion_gan, gallery):
        monkeypatch.setattr(module, "fashion_scores", lambda images: {"images": len(images)})
    scores = types.SimpleNamespace(frechet=1.0)
    monkeypatch.setattr(generator_features, "fashion_evaluator", lambda: lambda images: scores)
    recipe, device = RECIPES[name], torch.device("cpu")
    settings = dataclasses.replace(recipe.settings, **SMALL[name])
    model, metrics = recipe.train(settings, tmp_path / "state", device)
    assert metrics and all(math.isfinite(value) for value in metrics.values())
    pretrained_module.ARCHITECTURES[name]().load_state_dict(model.state_dict())

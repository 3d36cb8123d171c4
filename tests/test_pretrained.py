"""Shipped weights: as the manifest says, and what they draw."""
import json

import pytest
import torch

from course_utils import pretrain
from course_utils.checkpoints import CheckpointError, save_weights
from course_utils.data import load
from course_utils.files import PRETRAINED, sha256
from course_utils.pretrain import pretrained
from course_utils.recipes import RECIPES

MANIFEST = json.loads((PRETRAINED / "manifest.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", MANIFEST)
def test_a_shipped_file_is_small_has_a_recipe_and_the_checksum_of_the_manifest(name):
    file = PRETRAINED / MANIFEST[name]["file"]
    assert name in RECIPES
    assert sha256(file) == MANIFEST[name]["sha256"]
    assert file.stat().st_size < 3_000_000
    assert {"command", "seed", "data", "device", "torch", "date", "seconds", "metrics"} <= set(MANIFEST[name])


def test_every_shipped_file_is_in_the_manifest():
    assert {f.name for f in PRETRAINED.glob("*.safetensors")} == {entry["file"] for entry in MANIFEST.values()}


def test_the_gallery_draws_different_pictures_from_sparse_codes():
    model = pretrained("gallery")
    codes = model.codes(200, torch.Generator().manual_seed(0))
    assert ((codes != 0).sum(dim=1) <= model.k).all()
    with torch.no_grad():
        drawn = model(codes)
    assert drawn.shape == (200, 1, 28, 28) and 0 <= drawn.min() and drawn.max() <= 1
    real = load("fashion_mnist", "test").images()
    assert (drawn.mean() - real.mean()).abs() < 0.05
    assert drawn.flatten(1).std(dim=0).mean() > 0.7 * real.flatten(1).std(dim=0).mean()
    assert torch.equal(codes, model.codes(200, torch.Generator().manual_seed(0)))


def test_missing_or_foreign_weights_name_the_command_that_mends_them(tmp_path, monkeypatch):
    monkeypatch.setattr(pretrain, "PRETRAINED", tmp_path)
    with pytest.raises(CheckpointError, match="not there. Run: git checkout"):
        pretrained("gallery")
    save_weights({"other": torch.zeros(3)}, tmp_path / "gallery.safetensors")
    with pytest.raises(CheckpointError, match="another model. Run: git checkout"):
        pretrained("gallery")

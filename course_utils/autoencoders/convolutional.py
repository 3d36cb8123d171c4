"""Linear autoencoder; convolutional encoder and decoder for sides that are multiples of 4.

Built in notebook 04; the code of a sparse autoencoder lies between the two (notebook 05).
"""

from torch import Tensor, nn

from course_utils.arguments import check_input, check_int, check_size
from course_utils.layers import Layers, check_like, check_rows, check_sizes

__all__ = ["ConvDecoder", "ConvEncoder", "LinearAutoencoder"]


class LinearAutoencoder(nn.Module):
    """x (N, n) -> code (N, code) -> x_hat (N, n), both maps linear with a bias.

    Trained with the squared error it spans the principal components (Baldi and Hornik
    1989; notebook 04). Raises ValueError unless 1 <= code <= n.
    """

    def __init__(self, n: int, code: int) -> None:
        super().__init__()
        check_int("code", code, at_least=1, at_most=check_int("n", n, at_least=1))
        self.encoder, self.decoder = nn.Linear(n, code), nn.Linear(code, n)

    def encode(self, x: Tensor) -> Tensor:
        return self.encoder(check_rows(x, self, self.encoder.in_features))

    def forward(self, x: Tensor) -> Tensor:
        return self.decoder(self.encode(x))


class ConvEncoder(Layers):
    """Images (N, channels, size, size) to `code` numbers each: (N, code).

    Two convolutions halve the sides, one dense layer makes the code. Raises ValueError
    for a size that is not a multiple of 4, and for images of another shape.
    """

    def __init__(self, code: int, width: int = 32, channels: int = 1, size: int = 28) -> None:
        check_sizes(code=code, width=width, channels=channels)
        self.shape = (channels, *(2 * [check_size(size)]))
        super().__init__(
            nn.Conv2d(channels, width, 4, stride=2, padding=1),  # 28x28 -> 14x14
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, 2 * width, 4, stride=2, padding=1),  # 14x14 -> 7x7
            nn.BatchNorm2d(2 * width),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(2 * width * (size // 4) ** 2, code),
        )

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(check_like(check_input(x, *self.shape), self))


class ConvDecoder(Layers):
    """Codes (N, code) to images (N, channels, size, size) in [0, 1]. Errors as ConvEncoder."""

    def __init__(self, code: int, width: int = 32, channels: int = 1, size: int = 28) -> None:
        check_sizes(code=code, width=width, channels=channels)
        self.code, side = code, check_size(size) // 4
        super().__init__(
            nn.Linear(code, 2 * width * side**2),
            nn.Unflatten(1, (2 * width, side, side)),
            nn.BatchNorm2d(2 * width),
            nn.ReLU(),
            nn.ConvTranspose2d(2 * width, width, 4, stride=2, padding=1),  # 7x7 -> 14x14
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.ConvTranspose2d(width, channels, 4, stride=2, padding=1),  # 14x14 -> 28x28
            nn.Sigmoid(),
        )

    def forward(self, code: Tensor) -> Tensor:
        return super().forward(check_rows(code, self, self.code, "code"))

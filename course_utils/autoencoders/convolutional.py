"""Linear autoencoder; a convolutional encoder and its mirror image, for images whose sides are multiples of 4.

Built in notebook 04; the code of a sparse autoencoder lies between the two (notebook 05).
"""
from torch import Tensor, nn

from course_utils.arguments import whole_number

__all__ = ["ConvDecoder", "ConvEncoder", "LinearAutoencoder", "check_input"]


class LinearAutoencoder(nn.Module):
    """x (N, n) -> code (N, code) -> x_hat (N, n), both maps linear with a bias.

    Trained with the squared error it spans the principal components (Baldi and Hornik
    1989; notebook 04). Raises ValueError unless 1 <= code <= n.
    """

    def __init__(self, n: int, code: int) -> None:
        super().__init__()
        whole_number("code", code, at_least=1, at_most=whole_number("n", n, at_least=1))
        self.encoder, self.decoder = nn.Linear(n, code), nn.Linear(code, n)

    def encode(self, x: Tensor) -> Tensor:
        return self.encoder(x)

    def forward(self, x: Tensor) -> Tensor:
        return self.decoder(self.encode(x))


class ConvEncoder(nn.Sequential):
    """Images (N, channels, size, size) to `code` numbers each: (N, code).

    Two convolutions halve the sides, one dense layer makes the code. Raises ValueError
    for a size that is not a multiple of 4, and for images of another shape.
    """

    def __init__(self, code: int, width: int = 32, channels: int = 1, size: int = 28) -> None:
        self.shape = (channels, *(2 * [check_size(size)]))
        super().__init__(
            nn.Conv2d(channels, width, 4, stride=2, padding=1),  # 28x28 -> 14x14
            nn.BatchNorm2d(width), nn.ReLU(),
            nn.Conv2d(width, 2 * width, 4, stride=2, padding=1),  # 14x14 -> 7x7
            nn.BatchNorm2d(2 * width), nn.ReLU(),
            nn.Flatten(),
            nn.Linear(2 * width * (size // 4) ** 2, code),
        )

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(check_input(x, *self.shape))


class ConvDecoder(nn.Sequential):
    """Codes (N, code) to images (N, channels, size, size) in [0, 1]."""

    def __init__(self, code: int, width: int = 32, channels: int = 1, size: int = 28) -> None:
        side = check_size(size) // 4
        super().__init__(
            nn.Linear(code, 2 * width * side**2),
            nn.Unflatten(1, (2 * width, side, side)),
            nn.BatchNorm2d(2 * width), nn.ReLU(),
            nn.ConvTranspose2d(2 * width, width, 4, stride=2, padding=1),  # 7x7 -> 14x14
            nn.BatchNorm2d(width), nn.ReLU(),
            nn.ConvTranspose2d(width, channels, 4, stride=2, padding=1),  # 14x14 -> 28x28
            nn.Sigmoid(),
        )


def check_size(size: int) -> int:
    """The side of an image that two strides of 2 divide; ValueError otherwise."""
    if whole_number("size", size, at_least=4) % 4:
        below = size - size % 4
        raise ValueError(f"size is {size}; expected a multiple of 4, since two strides of 2 halve it twice: "
                         f"crop the images to {below} or pad them to {below + 4}.")
    return size


def check_input(x: Tensor, channels: int, height: int, width: int) -> Tensor:
    """Return x if it is (N, channels, height, width); ValueError says what differs and what to do."""
    expected = f"expected (N, {channels}, {height}, {width})"
    if x.ndim != 4:
        raise ValueError(f"x has shape {tuple(x.shape)}; {expected}: add missing axes, as in x[None].")
    if x.shape[1] != channels:
        raise ValueError(f"x has {x.shape[1]} channels; {expected}: make the model with channels={x.shape[1]}, "
                         "or convert the images.")
    if x.shape[2:] != (height, width):
        raise ValueError(f"x has images of {x.shape[2]} x {x.shape[3]}; {expected}: make the model with another size, "
                         "or crop, pad or resize the images.")
    return x

"""Code priors, code and dictionary generators, and their training with a reconstruction term."""

import types

import pytest
import torch
from torch.nn import functional as F

from course_utils.autoencoders import ConvDecoder, TopK
from course_utils.data import load
from course_utils.experiments import comparison
from course_utils.gans import Discriminator, Gan, PointDiscriminator, PointGenerator
from course_utils.sparse_gans import (
    CodeGenerator,
    CodePrior,
    DictionaryGenerator,
    encode,
    reconstruction_anchor,
    train_autoencoder,
    train_code_gan,
    train_gan_steps,
)


def two_clusters(n=4000):
    """Codes (n, 3): a quarter around (6, 0, 0), narrow; the rest around (-2, 0, 0), wide."""
    g = torch.Generator().manual_seed(0)
    codes = torch.randn(n, 3, generator=g) * torch.tensor([0.5, 3.0, 1.0])
    codes[:, 0] -= 2
    codes[: n // 4] = 0.1 * torch.randn(n // 4, 3, generator=g) + torch.tensor([6.0, 0, 0])
    return codes


def test_prior_draws_what_it_was_fitted_to():
    codes = two_clusters()
    prior = CodePrior.fit(codes, 2)
    drawn = prior(torch.randn(20_000, prior.noise, generator=torch.Generator().manual_seed(1)))
    far, far_drawn = codes[:, 0] > 3, drawn[:, 0] > 3
    assert far_drawn.float().mean() == pytest.approx(0.25, abs=0.02)
    for a, b, atol in (
        (drawn[far_drawn], codes[far], 0.01),
        (drawn[~far_drawn], codes[~far], 0.15),
    ):
        torch.testing.assert_close(torch.cov(a.T), torch.cov(b.T), atol=atol, rtol=0.1)
    torch.testing.assert_close(drawn.mean(dim=0), codes.mean(dim=0), atol=0.15, rtol=0)


def test_prior_unfitted_is_normal_and_extreme_noise_is_safe():
    prior = CodePrior(5, 2)
    z = torch.tensor([[-40.0, 1.0, 2.0], [40.0, 1.0, 2.0]])
    assert torch.equal(prior(z), z[:, 1:])


@pytest.mark.parametrize(
    "codes, components, message",
    [
        (torch.zeros(100, 9), 50, "100 codes are too few for 50 .* need 500: fit at most 10"),
        (torch.zeros(5, 9), 1, "5 codes are too few .*: give more codes, or shorter"),
        (torch.zeros(5, 9, 2), 1, "codes has shape"),
        (torch.full((100, 2), float("nan")), 1, "NaN"),
    ],
)
def test_prior_refuses(codes, components, message):
    with pytest.raises(ValueError, match=message):
        CodePrior.fit(codes, components)


def test_prior_refuses_noise_of_another_size():
    with pytest.raises(ValueError, match=r"expected \(N, 4\)"):
        CodePrior(2, 3)(torch.zeros(5, 3))


def test_code_generator_goes_through_sparse_codes():
    generator = CodeGenerator(CodePrior(3, 20), ConvDecoder(20, width=4), TopK(5)).eval()
    z = torch.randn(7, generator.noise)
    codes, images = generator.codes(z), generator(z)
    assert codes.shape == (7, 20) and ((codes != 0).sum(dim=1) <= 5).all()
    assert images.shape == (7, 1, 28, 28) and images.min() >= -1 and images.max() <= 1
    assert torch.equal(images, 2 * generator.decoder(codes) - 1)
    generator = CodeGenerator(PointGenerator(8, dimensions=20), generator.decoder)
    assert generator(torch.randn(2, 8)).shape == (2, 1, 28, 28)


def test_code_generator_refuses_codes_that_do_not_fit_and_leaves_the_decoder_in_its_mode():
    decoder = ConvDecoder(20, width=4)
    with pytest.raises(ValueError, match="codes of 24 numbers, which the decoder does not take"):
        CodeGenerator(CodePrior(3, 24), decoder)
    assert decoder.training


def test_dictionary_generator_lays_down_its_atoms():
    generator = DictionaryGenerator(noise=6, atoms=16, k=1, width=8, patch=12).eval()
    z = torch.randn(3, 6)
    code, images = generator.codes(z), generator(z)
    assert code.shape == (3, 16, 7, 7) and images.shape == (3, 1, 28, 28)
    torch.testing.assert_close(generator.D.flatten(1).norm(dim=1), torch.ones(16))
    _, atom, row, column = code[:1].nonzero()[0]
    canvas, top, left = torch.zeros(40, 40), 4 * row, 4 * column
    laid = generator.D[atom, 0] * code[0, atom, row, column]
    canvas[top : top + 12, left : left + 12] = laid
    torch.testing.assert_close(images[0, 0], (canvas[4:32, 4:32] + generator.bias).tanh())


def test_game_moves_the_decoder_and_not_the_prior():
    torch.manual_seed(0)
    prior = CodePrior.fit(two_clusters(), 2)
    gan = Gan(CodeGenerator(prior, ConvDecoder(3, width=4)), Discriminator(width=4))
    before = {name: value.clone() for name, value in gan.generator.state_dict().items()}
    gan.step(2 * torch.rand(8, 1, 28, 28) - 1)
    after = gan.generator.state_dict()
    moved = [name for name in after if not torch.equal(after[name], before[name])]
    assert {name.split(".")[0] for name in moved} == {"decoder"}


def test_anchor_holds_the_generator():
    """With a heavy price on the distance from a given picture the generator draws that picture."""

    def played(anchor):
        torch.manual_seed(0)
        players = PointGenerator(2, 16), PointDiscriminator(16)
        gan = Gan(*players, lr=1e-2, reconstruction_term=anchor)
        for _ in range(150):
            gan.step(torch.randn(32, 2).clamp(-1, 1))
        return gan.generator(torch.randn(200, 2)).detach()

    price = lambda fake, real: 1000 * F.mse_loss(fake, torch.full_like(fake, 0.5))
    assert (played(price) - 0.5).abs().mean() < 0.05 < (played(None) - 0.5).abs().mean()


def test_step_feeds_the_generator_with_what_is_given():
    gan, z, seen = Gan(PointGenerator(), PointDiscriminator()), torch.randn(8, 2), []
    gan.generator.register_forward_pre_hook(lambda module, inputs: seen.extend(inputs))
    gan.step(torch.rand(8, 2), z)
    assert seen[0] is z


def test_batches_go_on_through_the_epochs_and_stop():
    images = load("fashion_mnist").subset(200)
    drawn = list(images.stream(64, 7))
    assert [len(x) for x in drawn] == [64] * 7
    assert not torch.equal(drawn[0], drawn[3])  # another order in the next epoch
    assert list(images.stream(64, 0)) == []


def test_the_joined_model_from_autoencoder_to_game():
    """A few steps of each stage: the decoder learns, and the encoder is as it was."""
    torch.manual_seed(0)
    images = load("fashion_mnist").subset(500)
    autoencoder = train_autoencoder(images, 8, TopK(3), 40)
    assert not autoencoder.training
    codes = encode(autoencoder, images.images())
    assert codes.shape == (500, 8) and ((codes != 0).sum(dim=1) <= 3).all()
    generator = CodeGenerator(CodePrior.fit(codes, 2), autoencoder.decoder, autoencoder.sparsity)
    anchor, x = reconstruction_anchor(generator, autoencoder), images.images()[:64]
    before = anchor(None, 2 * x - 1).item()
    assert before == pytest.approx(100 * F.mse_loss(autoencoder(x), x).item(), rel=1e-4)
    gan = train_gan_steps(generator, images, 15, reconstruction_term=anchor)
    assert anchor(None, 2 * x - 1).item() < before
    assert torch.equal(encode(autoencoder, images.images()), codes)
    assert gan.generator_ema(torch.randn(2, generator.noise)).shape == (2, 1, 28, 28)


def test_a_game_of_codes_gives_sparse_codes_of_their_size():
    def drawn(scale):
        torch.manual_seed(0)
        codes = TopK(3)(torch.randn(600, 10))
        return train_code_gan(scale * codes, TopK(3), 10)(torch.randn(400, 64))

    once = drawn(1.0)
    assert ((once != 0).sum(dim=1) <= 3).all() and (once != 0).any()
    torch.testing.assert_close(drawn(64.0), 64 * once, rtol=1e-3, atol=1e-3)


def test_the_comparison_knows_its_models():
    assert {model for model, _, _ in comparison.RUNS["12_few_images"]} <= set(comparison.MODELS)
    with pytest.raises(ValueError, match="The model 'GAM' is unknown"):
        comparison.train_model("GAM", load("fashion_mnist"))


def test_the_comparison_is_recorded_row_by_row_and_resumes(tmp_path, monkeypatch):
    class Judge:
        network = staticmethod(lambda images: images.mean(dim=(2, 3)))

        def __call__(self, images):
            return types.SimpleNamespace(frechet=1.0, precision=0.5, recall=0.5, coverage=0.5)

    few = lambda name, split="train": load(name, split).subset(300)
    changes = {"BUDGET": 0.1, "PRIOR_SECONDS": 0.02, "RECORDED": tmp_path}
    for name, value in (changes | {"load": few, "fashion_evaluator": Judge}).items():
        monkeypatch.setattr(comparison, name, value)
    runs = [(model, 0, 200) for model in ("GAN", "dictionary", "TopK, joined", "TopK, code GAN")]
    monkeypatch.setitem(comparison.RUNS, "12_few_images", runs[:2])
    comparison.run("12_few_images")
    first = comparison.recorded_rows("12_few_images")["rows"]
    monkeypatch.setitem(comparison.RUNS, "12_few_images", runs)
    comparison.run("12_few_images")
    rows = comparison.recorded_rows("12_few_images")["rows"]
    assert (
        rows[:2] == first and [(row["model"], row["seed"], row["images"]) for row in rows] == runs
    )
    assert rows[2]["active"] == 32 and all(row["nearest in pixels"] > 0 for row in rows)
    (tmp_path / "12_few_images.json").write_text("{")
    with pytest.raises(ValueError, match="cannot be read .*git checkout"):
        comparison.recorded_rows("12_few_images")


def test_the_nearest_picture_is_found_in_parts():
    images, others = torch.rand(300, 1, 2, 2), torch.rand(50, 1, 2, 2)
    expected = (images[:, None] - others).flatten(2).norm(dim=2).amin(dim=1)
    torch.testing.assert_close(comparison.nearest(images, others), expected, atol=1e-4, rtol=0)

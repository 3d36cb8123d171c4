"""LISTA: untrained it is ISTA, trained it predicts codes better, with fewer steps."""

import pytest
import torch

from course_utils.autoencoders import Lista
from course_utils.sparse_coding import ista, lasso, normalise_atoms

GENERATOR = torch.Generator().manual_seed(0)
D = normalise_atoms(torch.randn(12, 20, generator=GENERATOR))
AMOUNTS = torch.randn(600, 20, generator=GENERATOR)
X = (AMOUNTS * (torch.rand(600, 20, generator=GENERATOR) < 0.15)) @ D.T


def test_an_untrained_lista_is_as_many_steps_of_ista():
    network = Lista(D, 0.1, 5)
    torch.testing.assert_close(network(X), ista(X, D, 0.1, 5))
    for steps, code in enumerate(network.steps(X), 1):
        torch.testing.assert_close(code, ista(X, D, 0.1, steps))


def test_the_matrices_of_the_layers_are_their_own_and_all_of_them_learn():
    network = Lista(D, 0.1, 3)
    shapes = [tuple(weight.shape) for weight in (network.W, network.S, network.theta)]
    assert shapes == [(3, 20, 12), (2, 20, 20), (3, 20)]
    network(X).square().sum().backward()
    assert all((p.grad.flatten(1).abs().sum(dim=1) > 0).all() for p in network.parameters())


def test_trained_three_layers_are_nearer_to_the_lasso_code_than_nine_steps_of_ista():
    lam = 0.1
    wanted, network = lasso(X, D, lam), Lista(D, lam, 3)
    optimizer = torch.optim.Adam(network.parameters(), lr=5e-3)
    for _ in range(300):
        optimizer.zero_grad()
        (network(X[:500]) - wanted[:500]).square().sum(dim=1).mean().backward()
        optimizer.step()
    with torch.no_grad():
        trained = (network(X[500:]) - wanted[500:]).norm()
    assert trained < (ista(X[500:], D, lam, 9) - wanted[500:]).norm()


def test_a_trained_threshold_below_zero_acts_like_its_absolute_value():
    network = Lista(D, 0.1, 2)
    before = network(X)
    with torch.no_grad():
        network.theta.neg_()
    torch.testing.assert_close(network(X), before)


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda: Lista(D, 0.1, 0), "layers is 0"),
        (lambda: Lista(D, 0, 2), "lam is 0"),
        (lambda: Lista(2 * D, 0.1, 2), "D = normalise_atoms"),
    ],
)
def test_what_is_no_lista_is_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()

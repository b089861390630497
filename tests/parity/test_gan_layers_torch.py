"""The layers of GANs against PyTorch's: transposed convolution and spectral normalisation, values and gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fergen.nn import spectral_norm
from fergen.nn.conv_transpose import ConvTranspose, plain, subpixel

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.parity


def tensor(x):
    return torch.tensor(np.asarray(x), requires_grad=True)


@pytest.mark.parametrize("form", [plain, subpixel])
@pytest.mark.parametrize(("h", "w"), [(6, 6), (3, 5)])
def test_transposed_convolution(form, h, w):
    """ConvTranspose2d(k=4, s=2, p=1) with its kernel turned by 180 degrees, and both gradients."""
    rng = np.random.default_rng(0)
    x, kernel, bias = (rng.normal(size=s).astype(np.float32) for s in ((2, h, w, 3), (4, 4, 3, 5), (5,)))
    g = rng.normal(size=(2, 2 * h, 2 * w, 5)).astype(np.float32)
    layer = torch.nn.ConvTranspose2d(3, 5, 4, stride=2, padding=1)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor(kernel[::-1, ::-1].transpose(2, 3, 0, 1).copy()))
        layer.bias.copy_(torch.tensor(bias))
    theirs_in = tensor(x.transpose(0, 3, 1, 2))
    theirs = layer(theirs_in)
    theirs.backward(torch.tensor(g.transpose(0, 3, 1, 2)))

    ours, pull = jax.vjp(lambda x, k: form(x, k) + bias, jnp.asarray(x), jnp.asarray(kernel))
    dx, dk = pull(jnp.asarray(g))
    np.testing.assert_allclose(ours, theirs.detach().numpy().transpose(0, 2, 3, 1), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(dx, theirs_in.grad.numpy().transpose(0, 2, 3, 1), rtol=1e-4, atol=1e-4)
    turned = layer.weight.grad.numpy().transpose(2, 3, 0, 1)[::-1, ::-1]
    np.testing.assert_allclose(dk, turned, rtol=1e-3, atol=1e-3)
    variables = {"params": {"kernel": jnp.asarray(kernel), "bias": jnp.asarray(bias)}}
    np.testing.assert_allclose(ConvTranspose(5).apply(variables, x), ours, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", ["conv", "dense"])
def test_spectral_norm_step_by_step(kind):
    """The same vectors, singular value, result and gradient in each of three training steps and in evaluation."""
    rng = np.random.default_rng(0)
    axes = (3, 2, 0, 1) if kind == "conv" else (1, 0)
    if kind == "conv":
        kernel = rng.normal(size=(3, 3, 4, 6)).astype(np.float32)
        layer = torch.nn.Conv2d(4, 6, 3)
    else:
        kernel = rng.normal(size=(10, 3)).astype(np.float32)
        layer = torch.nn.Linear(10, 3)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor(kernel.transpose(axes).copy()))
    layer = torch.nn.utils.parametrizations.spectral_norm(layer)
    norm = layer.parametrizations.weight[0]
    vectors = {"kernel": jnp.asarray(norm._u.numpy())}
    params = {"kernel": jnp.asarray(kernel)}
    c = rng.normal(size=kernel.transpose(axes).shape).astype(np.float32)

    def ours(params, vectors, iterations):
        normalised, vectors = spectral_norm.normalise(params, vectors, iterations=iterations)
        turned = normalised["kernel"].transpose(axes)
        return jnp.sum(turned * c), (turned, vectors)

    gradient = jax.value_and_grad(ours, has_aux=True)
    for training in (True, True, True, False):
        layer.train(training)
        layer.zero_grad()
        theirs = layer.weight
        (theirs * torch.tensor(c)).sum().backward()
        (_, (normalised, vectors)), grads = gradient(params, vectors, int(training))
        np.testing.assert_allclose(vectors["kernel"], norm._u.numpy(), rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(normalised, theirs.detach().numpy(), rtol=1e-4, atol=1e-5)
        expected = layer.parametrizations.weight.original.grad.numpy()
        np.testing.assert_allclose(grads["kernel"].transpose(axes), expected, rtol=1e-3, atol=1e-4)

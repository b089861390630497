"""The GAN that begins as a decoder: what its generator makes of latents, and a critic that sees feature maps."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fergen.core.errors import BadInput
from fergen.models import cvae, vae_gan
from fergen.models.gan_critic import CONDITIONINGS

IMAGE, CLASSES = (16, 24, 1), 5
LABELS = jnp.array([0, 3, 4])
KEY = jax.random.key(0, impl="rbg")  # compiles several times faster than the default generator
OPTIONS = {"latent": 6, "widths": (4, 8), "depths": (1, 1), "prior": 8, "width": 4, "widest": 8}
SHAPES = {"early": (8, 12, 3), "late": (2, 3, 5)}


def built(conditioning="projection", **options):
    return vae_gan.build(num_classes=CLASSES, image=IMAGE, conditioning=conditioning, **{**OPTIONS, **options})


@pytest.fixture(scope="module")
def made():
    """(generator, its variables moved away from their start, latents)."""
    generator = built().generator
    latents = jax.random.normal(KEY, (3, generator.entries))
    variables = jax.jit(generator.init)(KEY, latents, LABELS)
    moved = jax.tree.map(lambda x: x + 0.1 * jax.random.normal(jax.random.fold_in(KEY, x.size), x.shape), variables)
    return generator, moved, latents


def test_an_image_is_the_decoded_latent_of_the_prior_and_grain(made):
    generator, variables, latents = made
    images = generator.apply(variables, latents, LABELS)
    assert (images.shape, images.dtype) == ((3, *IMAGE), jnp.float32)
    networks = cvae.build(
        num_classes=CLASSES, image=IMAGE, **{name: OPTIONS[name] for name in ("latent", "widths", "depths", "prior")}
    )
    params = variables["params"]

    def velocity(x, time):
        return networks.prior.apply({"params": params["prior"]}, x, time, LABELS)

    z = cvae.transport(velocity, latents[:, :6])
    assert np.abs(z - latents[:, :6]).max() > 0.01
    plain = networks.decoder.apply({"params": params["decoder"]}, z, LABELS)
    still = generator.apply(variables, latents.at[:, 6:].set(0), LABELS)
    np.testing.assert_allclose(still, plain, atol=1e-5)
    np.testing.assert_allclose(generator.apply(variables, z, LABELS, method="decode"), plain, atol=1e-5)
    # The grain is linear in its entries.
    twice = generator.apply(variables, latents.at[:, 6:].multiply(2), LABELS)
    assert np.abs(images - plain).max() > 1e-3
    np.testing.assert_allclose(twice - plain, 2 * (images - plain), atol=1e-4)


def test_an_entry_of_the_grain_moves_its_own_surroundings(made):
    """Entry (9, 14) of 16x24 pixels: within the 3x3 convolution over 2x2 pixels, rows 6-11 and columns 12-17."""
    generator, variables, latents = made
    other = generator.apply(variables, latents.at[:, 6 + 9 * 24 + 14].add(1), LABELS)
    rows, columns = np.nonzero(np.abs(other - generator.apply(variables, latents, LABELS)).max((0, 3)) > 1e-6)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (6, 11, 12, 17)


def test_the_game_leaves_the_prior_alone(made):
    generator, variables, latents = made
    grads = jax.grad(lambda v: jnp.square(generator.apply(v, latents, LABELS)).sum())(variables)["params"]
    assert all(np.all(np.asarray(g) == 0) for g in jax.tree.leaves(grads["prior"]))
    assert all(np.abs(g).max() > 0 for part in ("decoder", "grain", "conv") for g in jax.tree.leaves(grads[part]))


@pytest.mark.parametrize("conditioning", CONDITIONINGS)
def test_a_critic_judges_by_its_maps_too_each_image_alone(conditioning):
    critic = built(conditioning).critic
    images = jax.random.uniform(KEY, (3, *IMAGE), minval=-1.0)
    maps = {name: jax.random.normal(KEY, (3, *shape)) for name, shape in SHAPES.items()}
    params = jax.jit(critic.init)(KEY, images, LABELS, maps)["params"]
    # Without maps the critic is as it was.
    assert {"early_in", "late_in", "early_features"} <= set(params)
    assert not {"early_in", "late_in"} & set(jax.eval_shape(critic.init, KEY, images, LABELS)["params"])
    spread = jnp.array([0.3, 0.2, 0.1])
    judge = jax.jit(lambda x, m: critic.apply({"params": params}, x, LABELS, m, spread=spread))
    once = judge(images, maps)
    assert once.spread.shape == (3,)
    for name in SHAPES:
        moved = judge(images, {**maps, name: maps[name].at[1].add(1.0)}).logits - once.logits
        assert np.abs(moved[1]) > 1e-4
        np.testing.assert_allclose(moved[jnp.array([0, 2])], 0, atol=1e-5)
    # Unless it measures the spread, which is that of each input in turn: the pixels', then the maps' by name.
    measured = critic.apply({"params": params}, images, jnp.zeros(3, jnp.int32), maps).spread
    same = {name: jnp.repeat(x[:1], 3, axis=0) for name, x in maps.items()}
    found = critic.apply({"params": params}, images, jnp.zeros(3, jnp.int32), {**maps, "late": same["late"]}).spread
    np.testing.assert_allclose(found[:2], measured[:2], rtol=1e-5)
    assert found[2] < 0.2 * measured[2]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"conditioning": "both"}, "model vae_gan: conditioning=both: expected one of none, concat"),
        ({"prior": 0}, "model vae_gan: prior=0: expected 1 or more"),
        ({"widest": 0}, "model vae_gan: widest=0: expected 1 or more"),
        ({"widths": (4, 8, 16, 32), "depths": (1,) * 4}, "16x24 do not divide by 16"),
        ({"depths": (1,)}, "expected as many widths as depths"),
    ],
)
def test_options_are_checked(options, words):
    with pytest.raises(BadInput, match=words):
        built(**options)

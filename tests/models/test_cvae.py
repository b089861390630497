"""The CVAE's networks: shapes, types, what each output depends on, and a prior that begins as the standard normal."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fergen.core.errors import BadInput
from fergen.core.keys import named
from fergen.core.tree import count, leaf_names
from fergen.models import cvae

GOLDEN = Path(__file__).parent / "golden" / "cvae.txt"
SMALL = {"num_classes": 3, "image": (16, 24, 1), "latent": 5, "widths": (8, 12), "depths": (1, 2), "prior": 16}


def inputs(image, latent, n=1):
    images, latents = jnp.zeros((n, *image)), jnp.zeros((n, latent))
    labels, time = jnp.zeros(n, jnp.int32), jnp.zeros(n)
    return {"encoder": (images, labels), "decoder": (latents, labels), "prior": (latents, time, labels)}


def shapes(networks, image, latent):
    every = inputs(image, latent)
    return {
        name: jax.eval_shape(net.init_with_output, jax.random.key(0), *every[name])
        for name, net in networks._asdict().items()
    }


@pytest.mark.parametrize(
    ("image", "options"),
    [((48, 48, 1), {}), ((128, 128, 3), {"widths": (8, 8, 8, 8), "depths": (1, 0, 1, 1), "latent": 32})],
)
def test_shapes_and_types(image, options):
    """In half precision, parameters, moments, images and the whole prior stay in single precision."""
    found = shapes(cvae.build(num_classes=7, image=image, dtype=jnp.bfloat16, **options), image, 32)
    latent = options.get("latent", 128)
    assert [x.shape for x in found["encoder"][0]] == [(1, latent)] * 2
    assert found["decoder"][0].shape == (1, *image)
    assert found["prior"][0].shape == (1, 32)
    assert {leaf.dtype for leaf in jax.tree.leaves(found)} == {jnp.dtype("float32")}
    assert all(set(variables) == {"params"} for _, variables in found.values())


def listing():
    made = shapes(cvae.build(num_classes=7, image=(48, 48, 1)), (48, 48, 1), 128)
    leaves = leaf_names({name: variables["params"] for name, (_, variables) in made.items()})
    return "".join(f"{name} {list(leaf.shape)}\n" for name, leaf in sorted(leaves.items()))


def test_leaves():
    """Weights that are handed on keep their names; `python tests/models/test_cvae.py` writes the list anew."""
    assert listing() == GOLDEN.read_text()


def test_counts():
    """Of the default at 48x48, layer by layer."""
    made = shapes(cvae.build(num_classes=7, image=(48, 48, 1)), (48, 48, 1), 128)

    def conv(i, o, k=3):
        return k * k * i * o + o

    def dense(i, o):
        return i * o + o

    modulated = {c: dense(128, 2 * c) for c in (32, 64, 128)}
    blocks = sum(modulated[c] + conv(c, c) for c in (32, 64, 128))
    encoder = 7 * 128 + conv(4, 32) + conv(4 * 32, 64, 1) + conv(4 * 64, 128, 1) + blocks
    assert count(made["encoder"][1]) == encoder + modulated[128] + 2 * dense(6 * 6 * 128, 128)
    decoder = 7 * 128 + dense(128, 128) + dense(128, 6 * 6 * 128) + blocks + sum(modulated.values())
    assert count(made["decoder"][1]) == decoder + conv(128, 4 * 64) + conv(64, 4 * 32) + conv(32, 4)
    prior = 8 * 128 + dense(32, 128) + 2 * dense(128, 512) + 3 * (dense(128, 1024) + dense(512, 512))
    assert count(made["prior"][1]) == prior - dense(128, 512) + dense(512, 128)


def test_a_neck_is_what_latents_are_read_from_and_written_to():
    whole, narrow = (
        {
            name: count(tree)
            for name, (_, tree) in shapes(
                cvae.build(num_classes=7, image=(48, 48, 1), neck=neck), (48, 48, 1), 128
            ).items()
        }
        for neck in (0, 8)
    )
    less = 6 * 6 * (128 - 8) * 128
    assert whole["encoder"] - narrow["encoder"] == 2 * less - (128 * 8 + 8)
    assert whole["decoder"] - narrow["decoder"] == less + 6 * 6 * (128 - 8) - (8 * 128 + 128)
    assert whole["prior"] == narrow["prior"]


@pytest.fixture(scope="module")
def small():
    """Networks with every parameter drawn, so that no layer is at its zero start; and their functions."""
    networks = cvae.build(**SMALL)
    rng, every = np.random.default_rng(0), inputs(SMALL["image"], SMALL["latent"])

    def drawn(leaf):
        fan = np.prod(leaf.shape[:-1]) if len(leaf.shape) > 1 else 10
        return (rng.normal(size=leaf.shape) / np.sqrt(fan)).astype(np.float32)

    def applied(name, net):
        variables = jax.tree.map(drawn, jax.eval_shape(net.init, jax.random.key(0), *every[name]))
        return jax.jit(lambda *args: net.apply(variables, *args))

    return {name: applied(name, net) for name, net in networks._asdict().items()}


def test_each_output_depends_on_all_its_inputs_and_on_no_other_row(small):
    rng = np.random.default_rng(1)
    images = rng.uniform(-1, 1, (3, *SMALL["image"])).astype(np.float32)
    latents = rng.normal(size=(3, SMALL["latent"])).astype(np.float32)
    labels, time = np.array([0, 1, 2], np.int32), np.array([0.1, 0.5, 0.9], np.float32)
    for name, given in {
        "encoder": (images, labels),
        "decoder": (latents, labels),
        "prior": (latents, time, labels),
    }.items():
        base = jax.tree.leaves(small[name](*given))
        for position, changed in enumerate(given):
            other = list(given)
            other[position] = np.roll(changed, 1, axis=0)
            other[position][0] = changed[0]
            for a, b in zip(base, jax.tree.leaves(small[name](*other))):
                np.testing.assert_allclose(a[0], b[0], rtol=1e-4, atol=1e-5, err_msg=name)
                assert np.abs(a[1:] - b[1:]).max() > 1e-2, (name, position)


def test_pixels_go_into_channels_and_back():
    x = np.arange(2 * 4 * 6 * 3, dtype=np.float32).reshape(2, 4, 6, 3)
    folded = cvae.into_channels(x)
    assert folded.shape == (2, 2, 3, 12)
    np.testing.assert_array_equal(folded[0, 0, 0], x[0, :2, :2].ravel())
    np.testing.assert_array_equal(cvae.into_pixels(folded), x)


def test_an_untrained_prior_is_the_standard_normal():
    net = cvae.build(**SMALL).prior
    noise, labels = jax.random.normal(jax.random.key(1), (4, SMALL["latent"])), jnp.arange(4) % 3
    variables = net.init(named(jax.random.key(0), "prior"), noise, jnp.zeros(4), labels)
    np.testing.assert_array_equal(cvae.transport(lambda x, t: net.apply(variables, x, t, labels), noise, 2), noise)
    assert cvae.build(**{**SMALL, "prior": 0}).prior is None


def test_the_way_back_ends_where_the_way_began(small):
    """What the integration errs by shrinks with its steps."""
    rng = np.random.default_rng(2)
    noise, labels = rng.normal(size=(3, SMALL["latent"])).astype(np.float32), np.array([0, 1, 3], np.int32)

    def velocity(x, time):
        return small["prior"](x, time, labels)

    errors = []
    for steps in (16, 64):
        latents = cvae.transport(velocity, noise, steps)
        assert np.abs(latents - noise).max() > 0.1
        errors.append(np.abs(cvae.transport(velocity, latents, steps, back=True) - noise).max())
    assert errors[0] < 0.1
    assert errors[1] < 0.5 * errors[0]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"widths": (8,)}, "as many widths as depths"),
        ({"widths": (), "depths": ()}, "as many widths as depths"),
        ({"image": (18, 24, 1)}, "18x24"),
        ({"latent": 0}, "latent of 1 or more"),
        ({"prior": -1}, "prior and neck of 0 or more"),
        ({"neck": -1}, "prior and neck of 0 or more"),
    ],
)
def test_options_are_checked(options, words):
    with pytest.raises(BadInput, match=words):
        cvae.build(**{**SMALL, **options})


if __name__ == "__main__":
    GOLDEN.write_text(listing())

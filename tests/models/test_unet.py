"""What the U-Net promises: shapes, its beginning, what it listens to, half precision, and the sizes of the configs."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fergen.core import config as configs
from fergen.core.errors import BadInput
from fergen.core.tree import count, leaf_names, nest
from fergen.models import unet

TINY = {"widths": (8, 16), "depths": (1, 1), "attention": (1,), "head": 8, "embedding": 16, "patch": 2}


def inputs(module, n, *, shapes=False):
    rng = np.random.default_rng(0)
    found = (
        rng.normal(size=(n, *module.image)).astype(np.float32),
        rng.uniform(size=n).astype(np.float32),
        np.arange(n, dtype=np.int32) % module.num_classes,
        rng.normal(size=(n, module.augmentations)).astype(np.float32),
    )
    return tuple(jax.ShapeDtypeStruct(x.shape, x.dtype) for x in found) if shapes else found


def shapes_of(module):
    return jax.eval_shape(module.init, jax.random.key(0), *inputs(module, 1, shapes=True))


def drawn(module):
    """Draw all variables with numpy: as trained, nothing is zero."""
    rng = np.random.default_rng(1)

    def leaf(name, shape):
        if name.endswith("/scale"):
            return rng.uniform(0.8, 1.2, shape).astype(np.float32)
        fan = np.prod(shape[:-1]) if len(shape) > 1 else 100
        return (rng.normal(size=shape) / np.sqrt(fan)).astype(np.float32)

    return nest({name: leaf(name, value.shape) for name, value in leaf_names(shapes_of(module)).items()})


@pytest.mark.parametrize(
    ("image", "options"),
    [
        ((48, 48, 1), {}),
        ((48, 48, 1), {"patch": 2, "widths": (16, 24, 32), "depths": (1, 1, 2), "attention": (2,), "head": 16}),
        ((128, 128, 3), {"patch": 2, "augmentations": 5, "dropout": 0.1}),
        ((96, 64, 3), {"patch": 4, "widths": (8,), "depths": (1,), "attention": (), "embedding": 8}),
    ],
)
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_shapes_and_types(image, options, dtype):
    module = unet.build(num_classes=7, image=image, dtype=dtype, **options)
    variables = shapes_of(module)
    assert set(variables) == {"params"}
    assert {leaf.dtype for leaf in jax.tree.leaves(variables)} == {jnp.dtype("float32")}
    found = jax.eval_shape(module.apply, variables, *inputs(module, 3, shapes=True))
    assert (found.shape, found.dtype) == ((3, *image), jnp.float32)


def test_resolutions_of_the_full_size():
    """48, 24, 12 and 6 pixels, with attention at the last two: read off the kernels and products of the traced call."""
    module = unet.build(num_classes=7, image=(48, 48, 1))
    jaxpr = jax.make_jaxpr(module.apply)(shapes_of(module), *inputs(module, 1, shapes=True))
    text = str(jaxpr)
    for side, width in ((48, 64), (24, 128), (12, 192), (6, 256)):
        assert f"f32[1,{side},{side},{width}]" in text
    for tokens in (144, 36):
        assert f"{tokens},{tokens}]" in text
    assert "576,576]" not in text


@pytest.mark.parametrize(
    ("name", "least", "most"),
    [("fer2013_flow", 8e6, 20e6), ("fer2013_flow_small", 1e6, 3e6), ("procedural_flow", 1e6, 3e6)],
)
def test_sizes_of_the_configs(name, least, most):
    options = dict(configs.load(name).model)
    assert options.pop("name") == "unet"
    assert least <= count(shapes_of(unet.build(num_classes=7, image=(48, 48, 1), **options))) <= most


def test_begins_at_zero_and_learns_from_there():
    module = unet.build(num_classes=3, image=(8, 8, 1), augmentations=2, **TINY)
    given = inputs(module, 2)
    variables = jax.jit(module.init)(jax.random.key(0, impl="rbg"), *given)
    np.testing.assert_array_equal(jax.jit(module.apply)(variables, *given), 0)
    gradient = jax.jit(jax.grad(lambda v: jnp.square(module.apply(v, *given) - 1).mean()))(variables)
    assert np.abs(gradient["params"]["out"]["kernel"]).max() > 1e-4


def test_what_it_listens_to():
    module = unet.build(num_classes=3, image=(8, 8, 1), augmentations=2, **TINY)
    variables, apply = drawn(module), jax.jit(module.apply)
    x, time, labels, augmentation = inputs(module, 4)
    found = apply(variables, x, time, labels, augmentation)
    changed = {
        "image": (-x, time, labels, augmentation),
        "time": (x, time + 0.01, labels, augmentation),
        "label": (x, time, (labels + 1) % 3, augmentation),
        "no label": (x, time, np.full_like(labels, 3), augmentation),
        "augmentation": (x, time, labels, 0 * augmentation),
    }
    for what, given in changed.items():
        assert (np.abs(apply(variables, *given) - found).max((1, 2, 3)) > 1e-3).all(), what
    # Each image for itself.
    others = (np.concatenate([x[:1], 1 - x[1:]]), time, labels, augmentation)
    np.testing.assert_allclose(apply(variables, *others)[0], found[0], rtol=1e-4, atol=1e-5)
    # Every pixel counts for every other: attention sees the whole map.
    far = x.copy()
    far[:, 0, 0] += 5
    assert (np.abs(apply(variables, far, time, labels, augmentation) - found)[:, -1, -1] > 1e-5).all()


def test_no_augmentation_is_no_bias():
    """Zero labels leave the result alone, whatever the layer that reads them has learned."""
    module = unet.build(num_classes=3, image=(8, 8, 1), augmentations=2, **TINY)
    variables, apply = drawn(module), jax.jit(module.apply)
    x, time, labels, augmentation = inputs(module, 2)
    other = jax.tree.map(np.array, variables)
    assert set(other["params"]["augmentation"]) == {"kernel"}
    other["params"]["augmentation"]["kernel"] += 1
    zero = np.zeros_like(augmentation)
    np.testing.assert_array_equal(apply(variables, x, time, labels, zero), apply(other, x, time, labels, zero))
    assert (
        np.abs(apply(variables, x, time, labels, augmentation) - apply(other, x, time, labels, augmentation)).max()
        > 0.01
    )


def test_half_precision_is_close():
    variables = drawn(unet.build(num_classes=3, image=(16, 16, 1), **TINY))
    found = []
    for dtype in (jnp.float32, jnp.bfloat16):
        module = unet.build(num_classes=3, image=(16, 16, 1), dtype=dtype, **TINY)
        found.append(np.asarray(jax.jit(module.apply)(variables, *inputs(module, 4))))
    single, half = found
    assert 0 < np.abs(single - half).mean() < 0.03 * single.std()


def test_dropout_needs_training():
    module = unet.build(num_classes=3, image=(8, 8, 1), dropout=0.5, **TINY)
    variables, given = drawn(module), inputs(module, 2)
    train = jax.jit(lambda key: module.apply(variables, *given, train=True, rngs={"dropout": key}))
    first, second = (train(jax.random.key(i, impl="rbg")) for i in (0, 1))
    assert np.abs(first - second).max() > 1e-3
    apply = jax.jit(module.apply)
    np.testing.assert_array_equal(apply(variables, *given), apply(variables, *given))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"widths": (8,), "depths": (1, 1)}, "expected a depth of 1 or more for each width"),
        ({"depths": (1, 0)}, "expected a depth of 1 or more for each width"),
        ({"widths": (8, 12)}, r"expected widths that divide by 8, found \(8, 12\)"),
        ({"attention": (2,)}, r"expected attention at levels from 0 to 1, found \(2,\)"),
        ({"head": 5}, "expected heads of a width that divides 16, found 5"),
        ({"dropout": 1.0}, r"dropout in \[0, 1\), found 2, 16 and 1.0"),
        ({"patch": 3}, "need sides that divide by 6, found 8x8"),
    ],
)
def test_options_are_checked(options, said):
    with pytest.raises(BadInput, match=said):
        unet.build(num_classes=3, image=(8, 8, 1), **{**TINY, **options})

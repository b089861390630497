"""Affine resampling against numpy indexing, scipy and closed forms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage

from fergen.augment import geometry
from fergen.augment.geometry import PADDINGS, affine_matrix, random_mirror
from fergen.core.errors import BadInput

resample = jax.jit(geometry.resample, static_argnames=("size", "padding", "fill"))
random_affine = jax.jit(
    geometry.random_affine,
    static_argnames=("flip", "rotate", "scale", "crop", "crop_padding", "probability", "padding", "fill"),
)

B, H, W, C = 3, 9, 12, 2


def images(seed: int = 0, shape: tuple = (B, H, W, C)) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype(np.float32)


def matrix(b: int = B, **changes) -> jax.Array:
    neutral = {
        "mirrored": jnp.zeros(b, bool),
        "angle": jnp.zeros(b),
        "scale_x": jnp.ones(b),
        "scale_y": jnp.ones(b),
        "shear": jnp.zeros(b),
        "shift_x": jnp.zeros(b),
        "shift_y": jnp.zeros(b),
    }
    return affine_matrix(**(neutral | {name: jnp.full(b, value) for name, value in changes.items()}))


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("shape", [(B, H, W, C), (2, 8, 8, 1), (1, 1, 5, 3)])
def test_neutral_parameters_return_the_same_bits(padding, shape):
    x = images(shape=shape)
    out = resample(x, matrix(shape[0]), padding=padding)
    np.testing.assert_array_equal(out, x)


@pytest.mark.parametrize("padding", PADDINGS)
def test_mirror_is_exact(padding):
    x = images()
    out = resample(x, matrix(mirrored=True), padding=padding)
    np.testing.assert_array_equal(out, x[:, :, ::-1])


def test_whole_pixel_shift_moves_right_and_down():
    x = images()
    out = np.asarray(resample(x, matrix(shift_x=3.0, shift_y=2.0), padding="constant", fill=-0.5))
    np.testing.assert_array_equal(out[:, 2:, 3:], x[:, :-2, :-3])
    assert (out[:, :2] == -0.5).all()
    assert (out[:, :, :3] == -0.5).all()


@pytest.mark.parametrize(("padding", "numpy_mode"), [("edge", "edge"), ("reflect", "reflect")])
def test_padding_agrees_with_numpy(padding, numpy_mode):
    x = images()
    wide = np.pad(x, ((0, 0), (2, 2), (3, 3), (0, 0)), mode=numpy_mode)
    out = resample(x, matrix(), size=(H + 4, W + 6), padding=padding)
    np.testing.assert_array_equal(out, wide)


def test_quarter_turn_is_anticlockwise():
    x = images(shape=(2, 8, 8, 1))
    out = resample(x, matrix(2, angle=np.float32(np.pi / 2)))
    np.testing.assert_allclose(out, np.rot90(x, axes=(1, 2)), atol=1e-5)


@pytest.mark.parametrize(
    ("padding", "mode"), [("constant", "grid-constant"), ("edge", "nearest"), ("reflect", "mirror")]
)
def test_general_map_agrees_with_scipy(padding, mode):
    x = images()
    rng = np.random.default_rng(1)
    m = np.concatenate([np.eye(2) + rng.normal(0, 0.3, (B, 2, 2)), rng.normal(0, 3, (B, 2, 1))], -1).astype(np.float32)
    out = np.asarray(resample(x, m, padding=padding, fill=-1.0))
    centre = np.array([(H - 1) / 2, (W - 1) / 2])
    for i in range(B):
        swapped = m[i, ::-1, 1::-1]  # scipy indexes (y, x)
        offset = centre + m[i, ::-1, 2] - swapped @ centre
        for c in range(C):
            want = ndimage.affine_transform(
                x[i, :, :, c].astype(np.float64), swapped, offset, order=1, mode=mode, cval=-1.0
            )
            np.testing.assert_allclose(out[i, :, :, c], want, atol=2e-5)


def test_matrix_inverts_the_chain_of_moves():
    angle, sx, sy, k, tx, ty = 0.3, 1.2, 0.8, 0.25, 2.0, -1.0
    m = np.asarray(matrix(1, mirrored=True, angle=angle, scale_x=sx, scale_y=sy, shear=k, shift_x=tx, shift_y=ty))[0]
    mirror, shear, zoom = np.diag([-1.0, 1.0]), np.array([[1, k], [0, 1]]), np.diag([sx, sy])
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    forward = turn @ zoom @ shear @ mirror
    np.testing.assert_allclose(m[:, :2], np.linalg.inv(forward), atol=1e-6)
    np.testing.assert_allclose(m[:, :2] @ [tx, ty] + m[:, 2], [0, 0], atol=1e-6)


def test_random_crop_takes_whole_pixel_windows_and_reaches_every_place():
    x = images(shape=(256, 8, 8, 1))
    out = np.asarray(random_affine(jax.random.key(0), x, crop=6, crop_padding=1, padding="constant", fill=0.0))
    wide = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(wide[..., 0], (6, 6), axis=(1, 2))
    found = (windows == out[:, None, None, :, :, 0]).all((-1, -2))
    assert found.any((1, 2)).all()
    assert (found.sum(0) > 0).all()


def test_draws_differ_between_images_and_stay_in_their_limits():
    # The coordinates themselves as pictures: the output says where each pixel came from.
    b, n = 512, 33
    ys, xs = np.meshgrid(np.arange(n) - 16.0, np.arange(n) - 16.0, indexing="ij")
    x = np.broadcast_to(np.stack([xs, ys], -1), (b, n, n, 2)).astype(np.float32)
    out = np.asarray(random_affine(jax.random.key(1), x, rotate=20.0, probability=0.5))[:, 16, 18]  # 2 right of centre
    angle = np.rad2deg(np.arctan2(out[:, 1], out[:, 0]))
    assert 0.4 < (angle == 0).mean() < 0.6
    turned = angle[angle != 0]
    assert np.abs(turned).max() <= 20.001
    assert abs(turned.std() - 20 / np.sqrt(3)) < 1.0
    zoomed = 2 / np.asarray(random_affine(jax.random.key(2), x, scale=(0.8, 1.25)))[:, 16, 18, 0]
    assert zoomed.min() >= 0.799
    assert zoomed.max() <= 1.251
    assert abs(np.log(zoomed).mean()) < 0.03
    flipped = np.asarray(random_affine(jax.random.key(3), x, flip=0.25))[:, 16, 18, 0]
    assert set(flipped) == {-2.0, 2.0}
    assert abs((flipped < 0).mean() - 0.25) < 0.06


def test_bad_crop_and_padding_are_named():
    with pytest.raises(BadInput, match=r"augment.crop: expected at most 10 .* found 11"):
        random_affine(jax.random.key(0), images(shape=(1, 8, 8, 1)), crop=11, crop_padding=1)
    with pytest.raises(BadInput, match="augment.padding: expected one of constant, edge, reflect"):
        resample(images(), matrix(), padding="wrap")


def test_mirroring():
    images = jnp.arange(2000 * 6.0).reshape(2000, 1, 3, 2)
    assert random_mirror(jax.random.key(0), images, 0.0) is images
    flipped = np.asarray(random_mirror(jax.random.key(0), images, 0.3))
    as_is, turned = ((flipped == x).all((1, 2, 3)) for x in (images, images[:, :, ::-1]))
    assert (as_is ^ turned).all()
    assert abs(turned.mean() - 0.3) < 0.04  # four standard errors

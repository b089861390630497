"""The parts of ADA's pipeline against closed forms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fergen.augment import ada_colour, ada_corruption, ada_geometry
from fergen.augment.ada_settings import Settings, read

S = read({"preset": "bgcfnc"})
move = jax.jit(ada_geometry.move, static_argnames=("settings", "margins"))
recolour = jax.jit(ada_colour.recolour, static_argnames="settings")
filter_bands = jax.jit(ada_corruption.filter_bands)


def images(b: int = 2, h: int = 16, w: int = 16, c: int = 1) -> np.ndarray:
    return np.random.default_rng(1).uniform(-1, 1, (b, h, w, c)).astype(np.float32)


def numbers(b: int = 2, **values) -> dict[str, jax.Array]:
    """Give all images the same parameters."""
    return {name: jnp.tile(jnp.atleast_1d(jnp.float32(value)), (b, 1)) for name, value in values.items()}


def smooth(n: int = 48) -> np.ndarray:
    """Two bumps well inside of the frame: what a resampling should move without loss."""
    y, x = np.mgrid[:n, :n] - (n - 1) / 2
    return sum(a * np.exp(-((x - u) ** 2 + (y - v) ** 2) / 18) for a, u, v in ((1, 5, -3), (-0.7, -6, 4)))


@pytest.mark.parametrize("shape", [(2, 16, 16, 1), (2, 13, 17, 3)])
def test_whole_shifts_mirror_at_the_border(shape):
    x = images(*shape)
    out = move(x, numbers(xint=(3.0, -2.0)), S)
    wide = np.pad(x, ((0, 0), (4, 4), (4, 4), (0, 0)), mode="reflect")
    np.testing.assert_allclose(out, wide[:, 6 : 6 + shape[1], 1 : 1 + shape[2]], atol=2e-6)


@pytest.mark.parametrize("size", [(48, 48), (45, 48)])
def test_quarter_turns_and_mirror_images(size):
    # The centre of 45 by 48 pixels falls on a pixel one way and between two the other.
    x = np.tile(smooth(48)[None, : size[0], :, None], (2, 1, 1, 1)).astype(np.float32)
    once = np.asarray(move(x, numbers(rotate90=1.0), S))
    if size == (48, 48):
        np.testing.assert_allclose(once, np.rot90(x, axes=(1, 2)), atol=0.02)
    assert np.abs(once - x).max() > 0.3
    np.testing.assert_allclose(move(once, numbers(rotate90=1.0), S), x[:, ::-1, ::-1], atol=0.03)
    np.testing.assert_allclose(move(once, numbers(rotate90=3.0), S), x, atol=0.03)
    np.testing.assert_allclose(move(x, numbers(xflip=1.0), S), x[:, :, ::-1], atol=0.02)


def test_maps_of_whole_pixels_are_exact():
    def maps(**values):
        return np.asarray(ada_geometry.inverse(numbers(1, **values), S, (12, 16)))[0]

    np.testing.assert_array_equal(maps(xflip=1.0), [[-1, 0, 0], [0, 1, 0]])
    np.testing.assert_array_equal(maps(rotate90=1.0), [[0, -1, 0], [1, 0, 0]])
    np.testing.assert_array_equal(maps(rotate90=2.0), [[-1, 0, 0], [0, -1, 0]])
    np.testing.assert_array_equal(maps(rotate90=3.0), [[0, 1, 0], [-1, 0, 0]])
    np.testing.assert_array_equal(maps(xflip=1.0, xint=(2.0, -1.0)), [[-1, 0, 2], [0, 1, 1]])


def test_the_filters_give_back_what_they_were_given():
    x = images(2, 20, 15, 3)
    for margins in ((19, 14, 19, 14), (14, 19, 14, 19)):
        np.testing.assert_allclose(move(x, numbers(scale=0.0), S, margins=margins), x, atol=3e-6)
    taps = np.array(ada_geometry.SYM6)
    np.testing.assert_allclose(taps.sum(), np.sqrt(2), atol=1e-12)
    # Orthogonal to itself when shifted by pairs; six vanishing moments of the high-pass filter.
    np.testing.assert_allclose([(taps[2 * n :] * taps[: 12 - 2 * n]).sum() for n in range(6)], np.eye(6)[0], atol=1e-11)
    k = np.arange(12.0)
    np.testing.assert_allclose([(taps * (-1) ** k * (k / 12) ** n).sum() for n in range(6)], 0, atol=1e-11)


def test_general_maps_move_a_smooth_picture_to_where_they_say():
    n = 48
    settings = Settings(scale=1, rotate=1, aniso=1, xfrac=1)
    given = numbers(1, scale=0.6, rotate_before=0.5, aniso=-0.8, rotate_after=-1.1, xfrac=(0.5, -0.4))
    out = np.asarray(move(smooth(n)[None, :, :, None].astype(np.float32), given, settings))[0, :, :, 0]

    def rotation(angle):
        return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])

    # Enlarged by 2^0.12, turned, stretched by 2^-0.16 across and 2^0.16 down, turned, and shifted by 0.125 (0.5, -0.4)
    # of the sides; a positive angle turns anti-clockwise as seen.
    forward = 2**0.12 * rotation(1.1) @ np.diag([2**-0.16, 2**0.16]) @ rotation(-0.5)
    offset = 0.125 * n * np.array([0.5, -0.4])
    y, x = np.mgrid[:n, :n] - (n - 1) / 2
    places = np.linalg.inv(forward) @ (np.stack([x.ravel(), y.ravel()]) - offset[:, None])
    want = sum(
        a * np.exp(-((places[0] - u) ** 2 + (places[1] - v) ** 2) / 18) for a, u, v in ((1, 5, -3), (-0.7, -6, 4))
    ).reshape(n, n)
    assert np.abs(want - smooth(n)).max() > 0.5
    np.testing.assert_allclose(out, want, atol=0.02)


@pytest.mark.parametrize(("h", "w", "c"), [(48, 48, 1), (33, 20, 3), (8, 8, 1)])
def test_any_size_of_image(h, w, c):
    x = images(2, h, w, c)
    out = move(x, numbers(scale=-1.0, rotate_before=0.4), S)
    assert out.shape == x.shape
    assert np.isfinite(out).all()
    # A mirrored border leaves nothing dark: the mean power of the noise stays within its sampling error and smoothing.
    assert 0.2 < (np.asarray(out) ** 2).mean() / (x**2).mean() < 1.2


def test_colours_in_closed_form():
    x = images(c=3)
    luma = x.mean(-1, keepdims=True)
    np.testing.assert_allclose(recolour(x, numbers(brightness=1.5), S), x + 0.3, atol=1e-6)
    np.testing.assert_allclose(recolour(x, numbers(contrast=-2.0), S), x / 2, atol=1e-6)
    np.testing.assert_allclose(recolour(x, numbers(brightness=1.0, contrast=2.0), S), (x + 0.2) * 2, atol=1e-6)
    np.testing.assert_allclose(recolour(x, numbers(lumaflip=1.0), S), x - 2 * luma, atol=1e-6)
    np.testing.assert_allclose(recolour(x, numbers(saturation=1.0), S), luma + 2 * (x - luma), atol=1e-6)
    # A third of a turn of the hue hands red to green, green to blue and blue to red.
    np.testing.assert_allclose(recolour(x, numbers(hue=2 * np.pi / 3), S), np.roll(x, 1, -1), atol=1e-6)
    np.testing.assert_array_equal(recolour(x, numbers(brightness=0.0, hue=0.0, saturation=0.0), S), x)


def test_gray_changes_as_three_equal_channels_do():
    x = images()
    given = numbers(brightness=0.7, contrast=-0.9, lumaflip=1.0)
    colour = recolour(np.repeat(x, 3, -1), given | numbers(hue=1.0, saturation=2.0), S)
    np.testing.assert_allclose(np.repeat(recolour(x, given, S), 3, -1), colour, atol=1e-6)


def test_bands_add_up_to_the_identity_and_pass_their_octave():
    bank = ada_corruption.bands()
    np.testing.assert_allclose(bank.sum(0), np.eye(43)[21], atol=1e-12)
    np.testing.assert_allclose(bank, bank[:, ::-1], atol=1e-12)
    power = np.abs(np.fft.rfft(bank, 512)) ** 2
    edges = [0, 32, 64, 128, 257]  # of 256 for half the sampling rate
    for band in range(4):
        inside = power[band, edges[band] : edges[band + 1]].sum()
        assert inside > 0.75 * power[band].sum()


@pytest.mark.parametrize("size", [48, 16])
def test_filter_amplifies_a_constant_as_its_lowest_band(size):
    x = np.full((3, size, size, 1), 0.5, np.float32)
    gains = np.array([[1, 0, 0, 0], [0, 0, 0, 2], [0, 0, 0, 0]], np.float32)
    out = np.asarray(filter_bands(x, gains))
    # Divided by the root of the expected power: 10 of 13 parts four times as strong, or 1 of 13 sixteen times.
    np.testing.assert_allclose(out[0], 0.5 * (2 / np.sqrt((10 * 4 + 3) / 13)) ** 2, rtol=1e-5)
    np.testing.assert_allclose(out[1], 0.5 / ((12 + 16) / 13), rtol=1e-5)
    np.testing.assert_array_equal(out[2], x[2])


def test_cutout_covers_half_of_each_side():
    x = images(3, 20, 24, 3)
    places = np.array([[1, 0.5, 0.5], [1, 0.0, 1.0], [0, 0, 0]], np.float32)
    out = np.asarray(ada_corruption.cut_out(jnp.asarray(x), jnp.asarray(places), 0.5))
    hole = (out == 0).all(-1)
    assert hole.sum((1, 2)).tolist() == [10 * 12, 5 * 6, 0]
    assert hole[0, 5:15, 6:18].all()
    assert hole[1, 15:, :6].all()
    np.testing.assert_array_equal(out[~hole], x[~hole])

"""Faces cut out: against closed forms, another library's fit, and what a plain warp would do."""

import os

import cv2
import numpy as np
import pytest
from PIL import Image

from fergen.core.errors import BadInput
from fergen.data import align, dataset, images
from fergen.data.detect import Face, detector
from fergen.data.prepare import prepare

EDGES = Face((10.0, 20.0, 30.0, 30.0), 1.0)


def turned(angle: float, side: float, corner: tuple[float, float]) -> np.ndarray:
    """A frame: a square of a side, turned by degrees, whose first corner lies somewhere."""
    a = np.deg2rad(angle)
    axes = side * np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])
    return np.column_stack([axes, corner])


def centres(where: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Where the centres of a crop's pixels lie in its picture, (x, y), each [h, w]."""
    rows, columns = np.mgrid[: size[0], : size[1]] + 0.5
    return tuple(np.einsum("ij,jhw->ihw", where, np.stack([columns / size[1], rows / size[0], np.ones(size)])))


@pytest.mark.parametrize(
    ("angle", "side", "corner"),
    [(0, 48, (30, 20)), (0, 200.5, (30.3, 20.7)), (25, 150, (120, 40)), (-160, 33, (150, 180)), (90, 230, (260, 40))],
)
@pytest.mark.parametrize("size", [(48, 48), (32, 40)])
def test_a_ramp_stays_the_same_ramp(angle, side, corner, size):
    y, x = np.mgrid[:300, :320] + 0.5
    picture = np.rint(0.3 * x + 0.4 * y).astype(np.uint8)[..., None]
    where = turned(angle, side, corner)
    at_x, at_y = centres(where, size)
    edge = 3 * max(1, side / min(size))  # what the filters see beyond
    inside = (at_x > edge) & (at_x < 320 - edge) & (at_y > edge) & (at_y < 300 - edge)
    assert inside.mean() > 0.4
    wanted = 0.3 * at_x + 0.4 * at_y
    found = align.warp(picture, where, size=size)[..., 0]
    assert np.abs(found - wanted)[inside].max() < 1.5  # rounded three times


def test_waves_finer_than_the_crop_vanish_and_coarser_ones_stay():
    y, x = np.mgrid[:512, :512] + 0.5
    where = turned(20, 384, (150, 20))
    fine = np.rint(127.5 + 100 * np.sin(2 * np.pi * x / 5)).astype(np.uint8)[..., None]
    assert align.warp(fine, where, size=(48, 48)).std() < 3
    matrix = where @ np.array([[1 / 48, 0, 0.5 / 48], [0, 1 / 48, 0.5 / 48], [0, 0, 1]])
    plain = cv2.warpAffine(fine, matrix, (48, 48), flags=cv2.INTER_AREA | cv2.WARP_INVERSE_MAP)
    assert plain.std() > 30  # what OpenCV makes of it, whatever it is asked for
    coarse = np.rint(127.5 + 100 * np.sin(2 * np.pi * (x + y) / 128)).astype(np.uint8)[..., None]
    at_x, at_y = centres(where, (48, 48))
    wanted = 127.5 + 100 * np.sin(2 * np.pi * (at_x + at_y) / 128)
    assert np.abs(align.warp(coarse, where, size=(48, 48))[..., 0] - wanted).max() < 8


def test_a_crop_of_its_own_size_is_the_picture_itself():
    picture = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
    face = Face((11.0, 7.0, 48.0, 48.0), 1.0)
    np.testing.assert_array_equal(align.crop(picture, face, channels=3), picture[7:55, 11:59])


def test_an_upright_box_is_cut_as_prepared_images_are():
    picture = np.random.default_rng(0).integers(0, 256, (192, 192, 1), np.uint8)
    found = align.crop(picture, Face((0.0, 0.0, 192.0, 192.0), 1.0))
    np.testing.assert_array_equal(found, images.converted(picture, size=(48, 48), channels=1))


def test_gray_is_luma_and_gray_in_colour_is_gray():
    picture = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    face = Face((0.0, 0.0, 64.0, 64.0), 1.0)
    gray = align.crop(picture, face, size=(64, 64))
    assert np.abs(gray[..., 0].astype(int) - np.asarray(Image.fromarray(picture).convert("L"))).max() <= 1
    colour = align.crop(gray, face, size=(64, 64), channels=3)
    assert colour.shape == (64, 64, 3)
    assert (colour == gray).all()


def test_what_lies_off_the_picture_repeats_its_edge():
    picture = np.zeros((40, 40, 1), np.uint8)
    picture[:, 0] = 200
    found = align.crop(picture, Face((-20.0, 0.0, 40.0, 40.0), 1.0), size=(40, 40))
    assert (found[:, :18] == 200).all()
    assert (found[:, 23:] == 0).all()
    far = align.crop(picture, Face((-900.0, 0.0, 40.0, 40.0), 1.0), size=(40, 40))
    assert (far == 200).all()


def test_a_margin_widens_on_each_side_and_cuts_off_below_zero():
    np.testing.assert_allclose(align.frame(EDGES, margin=0.5), [[60, 0, -5], [0, 60, 5]])
    np.testing.assert_allclose(align.frame(EDGES, margin=-0.25), [[15, 0, 17.5], [0, 15, 27.5]])


def test_points_decide_and_points_that_coincide_leave_it_to_the_box():
    points = (align.TEMPLATE * 80 + (5, 9)).astype(np.float32)
    np.testing.assert_allclose(align.frame(Face(EDGES.box, 1.0, points)), [[80, 0, 5], [0, 80, 9]], atol=1e-3)
    same = np.full((5, 2), 7, np.float32)
    np.testing.assert_allclose(align.frame(Face(EDGES.box, 1.0, same)), align.frame(EDGES))
    assert align.similarity(align.TEMPLATE, np.full((5, 2), np.nan)) is None


def test_points_come_to_lie_where_the_template_has_them():
    where = turned(33, 150, (150, 60))
    points = np.concatenate([align.TEMPLATE, np.ones((5, 1))], axis=1) @ where.T
    for i, (x, y) in enumerate(points):
        picture = np.zeros((320, 320, 1), np.uint8)
        cv2.circle(picture, (round(16 * (x - 0.5)), round(16 * (y - 0.5))), 16 * 4, 255, -1, shift=4)
        seen = align.crop(picture, Face((0, 0, 1, 1), 1.0, points.astype(np.float32)), size=(96, 96))[..., 0]
        rows, columns = np.mgrid[:96, :96] + 0.5
        spot = np.array([(seen * columns).sum(), (seen * rows).sum()]) / seen.sum()
        np.testing.assert_allclose(spot, align.TEMPLATE[i] * 96, atol=0.2)


def test_the_fit_is_that_of_another_library():
    from skimage.transform import SimilarityTransform

    rng = np.random.default_rng(0)
    for _ in range(20):
        source, target = rng.normal(size=(5, 2)), rng.normal(size=(5, 2))
        target += source @ np.array([[0.8, 0.6], [-0.6, 0.8]]) * 3
        if hasattr(SimilarityTransform, "from_estimate"):
            theirs = SimilarityTransform.from_estimate(source, target).params[:2]
        else:
            other = SimilarityTransform()
            assert other.estimate(source, target)
            theirs = other.params[:2]
        np.testing.assert_allclose(align.similarity(source, target), theirs, atol=1e-9)


def test_the_fit_never_mirrors():
    mirrored = align.TEMPLATE * (-1, 1)
    found = align.similarity(align.TEMPLATE, mirrored)
    assert found is None or np.linalg.det(found[:, :2]) > 0


def test_mean_points_are_those_of_the_faces_seen():
    looked = []

    def find(image):
        looked.append(image.shape)
        points = (0.25 + align.TEMPLATE + (0.02 if len(looked) % 2 else -0.02)) / 1.5 * image.shape[0]
        return [Face((0, 0, 1, 1), 1.0, points)] if len(looked) < 5 else []

    mean, spread, n = align.mean_points(np.zeros((6, 48, 48, 1), np.uint8), find, quiet=True)
    assert n == 4
    assert looked[0] == (288, 288, 1)
    np.testing.assert_allclose(mean, align.TEMPLATE, atol=1e-3)
    np.testing.assert_allclose(spread, 0.02, atol=1e-6)
    with pytest.raises(BadInput, match="found none"):
        align.mean_points(np.zeros((1, 48, 48, 1), np.uint8), lambda image: [], quiet=True)


@pytest.mark.slow
@pytest.mark.skipif("FERGEN_FER2013" not in os.environ, reason="FERGEN_FER2013 names no CSV")
def test_the_template_is_where_fer2013_has_its_points(tmp_path):
    done = prepare("fer2013", os.environ["FERGEN_FER2013"], root=tmp_path, quiet=True)
    train = dataset.load(done.folder, "train").images
    mean, spread, n = align.mean_points(train[::80], detector("mtcnn", smallest=96), quiet=True)
    assert n > 0.8 * len(train[::80])
    # Of some 300 faces: three standard errors.
    assert (np.abs(mean - align.TEMPLATE) < 3 * spread / np.sqrt(n)).all()

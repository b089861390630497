"""Crops that are off by a known amount, scenes whose faces lie where they say, and what is made of them."""

import json
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from PIL import Image

from fergen import main
from fergen.data import align
from fergen.data.detect import Face, detector
from fergen.evals import robustness, scenes
from tests.evals.handmade import SEVEN, make_restored, make_split
from tests.evals.test_eval import write_set


@pytest.fixture(scope="module")
def people():
    """Two people, cropped as the detector's points say, three times each."""
    from skimage import data

    hopper = np.asarray(Image.open(Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg"))
    find = detector("mtcnn")
    crops = [align.crop(picture, find(picture)[0]) for picture in (data.astronaut(), hopper)]
    return make_split([0, 1] * 3, classes=("happy", "neutral"), images=np.stack(crops * 3))


@pytest.fixture
def knows_them(people):
    """A classifier that tells the two by their pixels."""
    restored = make_restored((48, 48, 1), classes=("happy", "neutral"))
    pixels = people.images[:2].reshape(2, -1).astype(np.float32)
    contrast = (pixels - pixels.mean(1, keepdims=True)) / pixels.std(1, keepdims=True)
    restored.variables = {"kernel": contrast.T}
    return restored


def dot(x, y, side=48):
    image = np.zeros((side, side, 1), np.uint8)
    image[y - 1 : y + 2, x - 1 : x + 2] = 200
    return image


def spots(images):
    rows, columns = np.mgrid[: images.shape[1], : images.shape[2]]
    weights = images[..., 0].astype(float)
    sums = weights.sum((1, 2))
    return np.stack([(weights * columns).sum((1, 2)), (weights * rows).sum((1, 2))], axis=1) / sums[:, None]


@pytest.mark.parametrize("side", [48, 96])
def test_a_crop_is_off_by_what_is_asked_for(side):
    k = side // 48
    images = np.stack([dot(30 * k, 24 * k, side)] * 20)
    start, middle = np.array([30 * k, 24 * k]), (side - 1) / 2
    moved = spots(robustness.perturbed(images, "shift", 6)) - start
    np.testing.assert_allclose(np.hypot(*moved.T), 6 * k, atol=0.15)
    assert np.ptp(moved, axis=0).min() > 6 * k  # in all directions
    half = spots(robustness.perturbed(images, "shift", 3)) - start
    np.testing.assert_allclose(half, moved / 2, atol=0.15)  # the same image in the same
    grown = spots(robustness.perturbed(images, "scale", 1.4)) - middle
    np.testing.assert_allclose(grown, np.broadcast_to(1.4 * (start - middle), (20, 2)), atol=0.15)
    turned = (spots(robustness.perturbed(images, "rotation", 30)) - middle) @ np.array([1, 1j])
    angles = np.rad2deg(np.angle(turned / ((start - middle) @ np.array([1, 1j]))))
    np.testing.assert_allclose(np.abs(angles), 30, atol=1)
    assert {-1, 1} == set(np.sign(angles))


def test_a_border_is_black_and_the_rest_is_shrunk():
    image = np.full((1, 48, 48, 1), 200, np.uint8)
    framed = robustness.perturbed(image, "border", 10)[0, ..., 0]
    edge = 48 * 10 / 68
    assert framed[: int(edge) - 1].max() <= 4
    assert framed[int(edge) + 2 : -int(edge) - 2, int(edge) + 2 : -int(edge) - 2].min() >= 196
    assert framed.astype(float).mean() == pytest.approx(200 * (48 / 68) ** 2, rel=0.02)


@pytest.mark.parametrize(("curve", "x"), [("shift", 0), ("scale", 1.0), ("rotation", 0), ("border", 0)])
def test_nothing_off_is_the_image_itself(curve, x):
    images = np.random.default_rng(0).integers(0, 256, (3, 48, 48, 3), np.uint8)
    np.testing.assert_array_equal(robustness.perturbed(images, curve, x), images)


@pytest.mark.parametrize(("side", "angle"), [(96, 0), (96, 30), (192, 0)])
def test_a_face_lies_in_its_scene_where_the_frame_says(people, side, angle):
    made = list(scenes.scenes(people.images, side=side, angle=angle))
    for scene, image in zip(made, people.images):
        assert scene.image.shape == (240, 320, 1)
        corners = scene.frame @ np.array([[0, 1, 0, 1], [0, 0, 1, 1], [1, 1, 1, 1]])
        assert corners.min() >= -1e-6
        assert (corners.max(1) <= (320 + 1e-6, 240 + 1e-6)).all()
        np.testing.assert_allclose(np.linalg.norm(scene.frame[:, :2], axis=0), side)
        again = align.warp(scene.image, scene.frame, size=(48, 48))[2:-2, 2:-2].astype(float)
        assert np.abs(again - image[2:-2, 2:-2]).mean() < 6
    alone = next(scenes.scenes(people.images[:1], side=side, angle=angle))
    np.testing.assert_array_equal(alone.image, made[0].image)
    others = next(scenes.scenes(people.images[:1], side=side, angle=angle, seed=1))
    assert (others.frame != made[0].frame).any()


def test_faces_found_in_scenes_are_known_as_before(people, knows_them):
    measured = robustness.evaluate(knows_them, people, {"mtcnn": detector("mtcnn"), "blind": lambda image: []}, batch=6)
    assert measured.n == 6
    for curve, whole in (("shift", 0), ("scale", 1.0), ("rotation", 0), ("border", 0)):
        (point,) = (p for p in measured.curves[curve]["crop"] if p[0] == whole)
        assert point[1] == 1
        assert point[2] < 1 == point[3]
    placed = {series: {p[0]: p for p in points} for series, points in measured.curves["placed"].items()}
    assert list(placed) == ["mtcnn", "blind", "mtcnn, boxes alone"]
    assert placed["mtcnn"][96][1] == placed["mtcnn"][96][4] == 1
    assert {p[1] for p in placed["blind"].values()} == {p[4] for p in placed["blind"].values()} == {0}
    turned = measured.curves["turned"]["mtcnn"]
    assert [p[0] for p in turned] == [0, 15, 30]
    assert turned[0][1:] == placed["mtcnn"][96][1:]
    scores = measured.scores()
    assert scores["placed/mtcnn/96"] == 1
    assert scores["placed/blind/96.found"] == 0
    assert scores["shift/crop/0.low"] < 1
    shown = robustness.table(measured)
    assert "shift, px of 48" in shown
    assert "faces found" in shown


def test_a_face_found_elsewhere_is_a_mistake(people, knows_them):
    def wrong(image):
        return [Face((-200.0, -200.0, 500.0, 30.0), 1.0)]

    measured = robustness.evaluate(knows_them, people, {"wrong": wrong}, batch=6)
    assert {p[1] for points in measured.curves["placed"].values() for p in points} == {0}


def test_eval_writes_figures_and_curves(tmp_path, monkeypatch, capsys):
    restored = make_restored((8, 8, 1))
    folder = write_set(tmp_path / "handmade", {"public": 8}, restored)
    monkeypatch.setattr("fergen.train.restore.restore", lambda reference: restored)
    arguments = ["eval", "--weights", "x", "--robustness", "--data", str(folder), "--out", str(tmp_path / "out")]
    assert main.main([*arguments, "--detector"]) == 0
    assert "accuracy in percent, n = 8" in capsys.readouterr().out
    written = json.loads((tmp_path / "out/robustness.json").read_text())
    assert written["n"] == 8
    assert written["split"] == "public"
    assert written["weights_hash"] == restored.hash
    assert not any(key.startswith("placed") for key in written)
    with Image.open(tmp_path / "out/robustness.png") as picture:
        assert picture.format == "PNG"
        assert min(picture.size) > 500
    assert main.main([*arguments, "--detector", "haar"]) == 0
    written = json.loads((tmp_path / "out/robustness.json").read_text())
    assert "placed/haar/96.found" in written
    monkeypatch.setitem(restored.spec, "classes", SEVEN[:3])
    assert main.main(arguments) == 2


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--detector", "haar"], "--detector goes with --robustness"),
        (["--robustness", "--tta=flip"], "leave out --tta"),
        (["--robustness", "--detector", "nobody"], "expected one of haar, mtcnn, yunet"),
        (["--robustness", "--split", "nowhere"], "no split 'nowhere'"),
    ],
)
def test_what_does_not_go_together_is_one_line(more, said, tmp_path, monkeypatch, capsys):
    restored = make_restored((8, 8, 1))
    folder = write_set(tmp_path / "handmade", {"public": 5}, restored)
    monkeypatch.setattr("fergen.train.restore.restore", lambda reference: restored)
    assert main.main(["eval", "--weights", "x", "--data", str(folder), "--out", str(tmp_path / "out"), *more]) == 2
    shown = capsys.readouterr()
    assert said in shown.err
    assert shown.err.count("\n") == 1
    assert not (tmp_path / "out").exists()

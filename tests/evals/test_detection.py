"""How detectors are scored: hits, false boxes, and the command that measures them."""

import json

import numpy as np
import pytest
from PIL import Image

from fergen import main
from fergen.data.detect import Face
from fergen.evals import detection, scenes
from tests.evals.handmade import make_restored
from tests.evals.test_eval import write_set


def face(*box):
    return Face(box, 1.0)


def test_each_face_counts_once_and_what_is_left_is_false():
    faces = [(0, 0, 100, 100), (200, 0, 50, 50)]
    assert detection.matched([], faces) == (0, 0)
    assert detection.matched([face(5, 5, 100, 100), face(210, 5, 50, 50)], faces) == (2, 0)
    assert detection.matched([face(5, 5, 100, 100), face(0, 0, 90, 90)], faces) == (1, 1)
    assert detection.matched([face(0, 0, 50, 50)], faces) == (0, 1)  # a quarter of it is not the face
    assert detection.matched([face(1, 1, 5, 5)], []) == (0, 1)


def test_a_detector_that_knows_finds_all_and_a_blind_one_nothing():
    images = np.random.default_rng(0).integers(0, 256, (4, 48, 48, 1), np.uint8)
    conditions = [(side, 0) for side in detection.SIDES] + [(detection.TURNED, angle) for angle in detection.ANGLES]
    frames = iter([s.frame for side, a in conditions for s in scenes.scenes(images, side=side, angle=a)])

    def knows(image):
        frame = next(frames)
        side = np.linalg.norm(frame[:, 0])
        x, y = frame @ (0.5, 0.5, 1) - side / 2
        return [face(x, y, side, side), face(-50.0, -50.0, 4.0, 4.0)]

    found = detection.on_scenes(knows, images)
    assert list(found) == ["32 px", "48 px", "96 px", "192 px", "96 px, 15 deg", "96 px, 30 deg", "96 px, 45 deg"]
    assert {(row["n"], row["found"], row["false"]) for row in found.values()} == {(4, 1.0, 1.0)}
    blind = detection.on_scenes(lambda image: [], images)
    assert {(row["found"], row["false"]) for row in blind.values()} == {(0.0, 0.0)}


def test_photographs_that_ship_have_the_faces_they_are_said_to_have():
    pictures = list(detection.shipped())
    assert [p.name for p in pictures][:2] == ["matplotlib/grace_hopper.jpg", "skimage/astronaut.png"]
    truth = iter([p.faces for p in pictures for _ in range(1 + detection.REPEATS)])
    found = detection.on_photographs(lambda image: [face(*box) for box in next(truth)], pictures)
    assert (found["photographs"], found["faces"], found["hits"], found["false"]) == (len(pictures), 3, 3, 0)
    assert found["milliseconds"] >= 0
    for picture in pictures:
        for x, y, w, h in picture.faces:
            assert 0 <= x < x + w <= picture.image.shape[1]
            assert 0 <= y < y + h <= picture.image.shape[0]


def test_bench_measures_detectors_on_photographs_and_faces_of_a_set(tmp_path, capsys):
    from skimage import data

    (tmp_path / "photos/below").mkdir(parents=True)
    Image.fromarray(data.astronaut()).save(tmp_path / "photos/below/a.png")
    Image.fromarray(data.coffee()).save(tmp_path / "photos/b.jpg")
    prepared = write_set(tmp_path / "handmade", {"public": 9}, make_restored((8, 8, 1)))
    arguments = ["bench", "--photos", str(tmp_path / "photos"), "--detector", "haar", "mtcnn"]
    assert main.main([*arguments, "--data", str(prepared), "--n", "2", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["photographs"]["mtcnn"]["each"]["below/a.png"]["found"] == 1
    assert found["photographs"]["haar"]["photographs"] == 2
    assert found["scenes"]["haar"]["96 px"]["n"] == 2
    assert main.main(arguments) == 0
    assert "boxes in photographs" in capsys.readouterr().out
    assert "96 px, 30 deg: found, %" in detection.table(found["photographs"], found["scenes"])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "expected either --config=NAME or --detector"),
        (["--config=procedural_small", "--detector", "haar"], "expected either --config=NAME or --detector"),
        (["--config=procedural_small", "--photos=x"], "go with --detector"),
        (["--detector", "nobody"], "expected one of haar, mtcnn, yunet"),
        (["--detector", "haar", "--photos", "EMPTY"], "expected a folder with photographs"),
        (["--detector", "haar", "--data", "absent"], "no prepared set 'absent'"),
        (["--detector", "haar", "--n", "0"], "expected at least 1"),
    ],
)
def test_what_bench_cannot_do_is_one_line(arguments, said, tmp_path, capsys):
    assert main.main(["bench", *(str(tmp_path) if a == "EMPTY" else a for a in arguments)]) == 2
    shown = capsys.readouterr()
    assert said in shown.err
    assert shown.err.count("\n") == 1

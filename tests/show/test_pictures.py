"""Every picture is written, is a picture, and shows what it was given."""

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from fergen.metrics.calibration import reliability as bins_of
from fergen.show import confusion, curves, mistakes, predictions, reliability, sheets, style

CLASSES = ("happy", "sad", "neutral")
BLUE = tuple(int(style.BLUE[i : i + 2], 16) for i in (1, 3, 5))


def pixels(path):
    with Image.open(path) as image:
        assert image.format == "PNG"
        return np.asarray(image.convert("RGB"))


def count(picture, colour):
    return int((picture == np.array(colour)).all(-1).sum())


def test_grid_places_images_row_by_row(tmp_path):
    shades = np.array([0, 50, 100, 150, 200], np.uint8)
    images = np.broadcast_to(shades[:, None, None, None], (5, 8, 8, 1))
    sheet = pixels(sheets.grid(images, tmp_path / "deep" / "grid.png", columns=2, scale=1))
    for i, shade in enumerate(shades):
        y, x = 24 + (i // 2) * 14 + 4, 24 + (i % 2) * 14 + 4
        assert tuple(sheet[y, x]) == (shade,) * 3
    assert tuple(sheet[24 + 2 * 14 + 4, 24 + 14 + 4]) == (255,) * 3


def test_grid_takes_colour_captions_and_rows(tmp_path):
    images = np.random.default_rng(0).integers(256, size=(2, 3, 6, 9, 3), dtype=np.uint8)
    plain = pixels(sheets.grid(images, tmp_path / "a.png"))
    dressed = sheets.grid(
        images,
        tmp_path / "b.png",
        labels=["one\n12", "two\n7"],
        headings=["x", "y", "z"],
        captions=["caption\nbelow"] * 6,
        apart=1,
        title="title",
    )
    assert (np.array(pixels(dressed).shape) > np.array(plain.shape))[:2].all()


def test_grid_refuses_floats(tmp_path):
    with pytest.raises(ValueError, match="uint8"):
        sheets.grid(np.zeros((2, 4, 4, 1), np.float32), tmp_path / "x.png")
    assert not (tmp_path / "x.png").exists()


def test_by_class_has_a_row_per_class_with_images(tmp_path):
    labels = np.array([0, 0, 2])
    images = np.full((3, 10, 10, 1), 7, np.uint8)
    sheet = pixels(sheets.by_class(images, labels, CLASSES, tmp_path / "s.png", per_class=4))
    assert count(sheet, (7, 7, 7)) == 3 * 96 * 96
    assert sheet.shape[0] == 2 * 24 + 2 * 96 + 6


def test_before_after_shows_both(tmp_path):
    before, after = np.full((2, 10, 10, 1), 7, np.uint8), np.full((2, 3, 10, 10, 1), 90, np.uint8)
    sheet = pixels(sheets.before_after(before, after, tmp_path / "s.png"))
    assert count(sheet, (7, 7, 7)) == 2 * 96 * 96
    assert count(sheet, (90, 90, 90)) == 6 * 96 * 96


def test_confusion_is_darkest_on_a_perfect_diagonal(tmp_path):
    darkest = (28, 63, 99)
    perfect = pixels(confusion.draw(np.diag([5, 9, 2]), CLASSES, tmp_path / "a.png"))
    chance = pixels(confusion.draw(np.full((3, 3), 4), CLASSES, tmp_path / "b.png"))
    assert count(perfect, darkest) > 1000
    assert count(chance, darkest) == 0
    confusion.draw(np.zeros((3, 3), int), CLASSES, tmp_path / "empty.png")  # a split without rows of any class


def test_reliability_shows_the_gap_of_an_overconfident_network(tmp_path):
    rust = (230, 179, 166)
    confidence = np.linspace(0.4, 1, 200)
    correct = np.arange(200) % 2 == 0
    over = pixels(reliability.draw({"as trained": bins_of(confidence, correct)}, tmp_path / "a.png"))
    honest = pixels(
        reliability.draw({"a": bins_of(np.full(50, 1.0), np.ones(50, bool))}, tmp_path / "b.png", title="t")
    )
    # The legend's swatch has the colour too.
    assert count(over, rust) > count(honest, rust) + 2000


def test_series_sorts_names_into_measures_and_splits():
    records = [
        {"step": 1, "train/loss": 2.0, "train/norm/gradient": 1.0},
        {"step": 2, "train/loss": 1.0, "validation/loss": 1.5, "validation/loss.low": 1.2, "note": "text"},
    ]
    found = curves.series(records)
    assert set(found) == {"loss"}
    np.testing.assert_array_equal(found["loss"]["train"][0], [1, 2])
    np.testing.assert_array_equal(found["loss"]["validation"][1], [1.5])


def test_smoothing_keeps_constants_and_skips_gaps():
    np.testing.assert_allclose(curves.smoothed(np.full(9, 3.0), 4), 3)
    np.testing.assert_allclose(curves.smoothed(np.array([1.0, np.nan, 3.0]), 2), [1, 2, 3])


def test_curves_of_a_short_and_a_long_record(tmp_path):
    short = [{"step": 4, "train/loss": 1.0}]
    long = [{"step": s, "train/loss": 1 / s, "validation/accuracy": 0.5} for s in range(1, 300)]
    for i, records in enumerate((short, long)):
        assert count(pixels(curves.draw(records, tmp_path / f"{i}.png")), BLUE) > 10
    with pytest.raises(ValueError, match="metric record"):
        curves.draw([{"step": 1}], tmp_path / "none.png")


def test_most_confident_mistakes_come_first(tmp_path):
    labels = np.array([0, 1, 2, 0])
    probabilities = np.array([[0.9, 0.1, 0], [0.6, 0.4, 0], [0.95, 0.05, 0], [0.2, 0.8, 0]])
    assert mistakes.most_confident(probabilities, labels, 2).tolist() == [2, 3]
    images = np.arange(4, dtype=np.uint8)[:, None, None, None] * np.ones((4, 12, 12, 1), np.uint8) * 60
    sheet = pixels(mistakes.draw(images, probabilities, labels, CLASSES, tmp_path / "m.png", count=2))
    assert count(sheet, (120, 120, 120)) >= 120 * 120
    assert count(sheet, (180, 180, 180)) >= 120 * 120
    assert count(sheet, (60, 60, 60)) < 1000


def test_no_mistakes_no_picture(tmp_path):
    path = tmp_path / "m.png"
    assert mistakes.draw(np.zeros((1, 4, 4, 1), np.uint8), np.eye(3)[:1], np.array([0]), CLASSES, path) is None
    assert not path.exists()


def test_prediction_bars_grow_with_probability(tmp_path):
    image = np.zeros((40, 20, 3), np.uint8)
    sure = pixels(predictions.draw([image], np.array([[1.0, 0, 0]]), CLASSES, tmp_path / "a.png"))
    half = pixels(
        predictions.draw([image], np.array([[0.5, 0.3, 0.2]]), CLASSES, tmp_path / "b.png", sources=["x.jpg"])
    )
    assert count(sure, BLUE) == pytest.approx(2 * count(half, BLUE), rel=0.1)


def test_pictures_leave_pyplot_alone(tmp_path):
    # pyplot keeps global state and picks a display: nothing here may load it.
    code = (
        "import sys, numpy as np; from fergen.show import confusion;"
        f"confusion.draw(np.eye(2), ('a', 'b'), {str(tmp_path / 'c.png')!r});"
        "sys.exit('matplotlib.pyplot' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_lines_bars_and_maps_of_features_are_pictures(tmp_path):
    from PIL import Image

    from fergen.show import bars, embedding, lines

    series = {"cgan": [lines.Point(1, 0.4, 0.02), lines.Point(2, 0.5, word="×2")], "cvae": [lines.Point(1, 0.3)]}
    drawn = [
        lines.draw(series, tmp_path / "lines.png", x="amount", y="accuracy", level={"real": 0.6}, log=True),
        bars.draw(
            ["real", "cgan"], {"fear": [(0.4, 0.01), (float("nan"), float("nan"))]}, tmp_path / "b.png", x="recall"
        ),
        embedding.draw(
            np.random.default_rng(0).normal(size=(30, 2)),
            {"source": np.repeat(["real", "cgan"], 15), "expression": np.repeat(["happy", "sad", "fear"], 10)},
            tmp_path / "map.png",
        ),
    ]
    for path in drawn:
        with Image.open(path) as image:
            assert image.width > 700
            assert len(image.convert("RGB").getcolors(1 << 20)) > 20

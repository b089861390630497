"""What is drawn into a frame: where, how much of it, and nothing off the picture."""

import numpy as np
import pytest

from fergen.data.detect import Face
from fergen.live import overlay
from fergen.live.loop import Expression, Pace, Seen
from fergen.live.source import Frame

CLASSES = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")


def seen(image: np.ndarray, *boxes, name: str = "happy", best: float = 0.88, rate: float = 29.0) -> Seen:
    p = np.full(7, (1 - best) / 6)
    p[3] = best
    faces = [Expression(i, Face(box, 1.0), True, p, p, name) for i, box in enumerate(boxes, 1)]
    return Seen(Frame(0, 0.0, image), faces, rate)


def changed(image: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    return (image != drawn).any(-1)


def of_colour(drawn: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    return (np.abs(drawn.astype(int) - colour) < 12).all(-1)


@pytest.mark.parametrize("size", [(480, 640), (1080, 1920), (240, 320), (721, 405)])
def test_the_picture_keeps_its_size_and_the_frame_stays_as_it_is(size):
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    before = image.copy()
    drawn = overlay.draw(image, seen(image, (0.4 * size[1], 0.4 * size[0], 60.0, 60.0)), CLASSES)
    assert drawn.shape == image.shape
    assert drawn.dtype == np.uint8
    np.testing.assert_array_equal(image, before)
    assert 0.02 < changed(image, drawn).mean() < 0.6


def test_a_frame_without_faces_shows_the_rate_and_the_remark_alone():
    image = np.full((480, 640, 3), 128, np.uint8)
    rows = changed(image, overlay.draw(image, seen(image), CLASSES)).any(1).nonzero()[0]
    assert rows.min() == 8
    assert not ((rows > 30) & (rows < 450)).any()
    other = changed(overlay.draw(image, seen(image), CLASSES), overlay.draw(image, seen(image, rate=31.0), CLASSES))
    assert other.any()
    assert not other[30:].any()


def test_the_inside_of_the_box_is_left_free():
    image = np.full((480, 640, 3), 128, np.uint8)
    drawn = overlay.draw(image, seen(image, (250.0, 180.0, 120.0, 120.0)), CLASSES)
    np.testing.assert_array_equal(drawn[195:285, 265:355], image[195:285, 265:355])
    assert of_colour(drawn, overlay.ACCENT)[240, 246:254].any()  # its left edge


def test_a_face_at_the_upper_edge_has_its_name_below():
    image = np.full((480, 640, 3), 128, np.uint8)
    drawn = overlay.draw(image, seen(image, (250.0, 6.0, 90.0, 90.0)), CLASSES)
    np.testing.assert_array_equal(drawn[18:84, 262:328], image[18:84, 262:328])
    assert of_colour(drawn, overlay.ACCENT)[102:126, 250:330].any()


def test_bars_are_as_long_as_probabilities():
    image = np.full((1080, 1920, 3), 128, np.uint8)
    lengths = []
    for best in (0.3, 0.6, 0.9):
        drawn = overlay.draw(image, seen(image, (600.0, 400.0, 200.0, 200.0), best=best), CLASSES)
        panel = of_colour(drawn, overlay.ACCENT)[:, 830:]  # right of the box
        lengths.append(panel.sum(1).max())
    whole = round(64 * 1080 / 480)
    np.testing.assert_allclose(lengths, [0.3 * whole, 0.6 * whole, 0.9 * whole], atol=2)


def test_an_uncertain_face_is_drawn_quietly():
    image = np.full((480, 640, 3), 128, np.uint8)
    box = (250.0, 180.0, 120.0, 120.0)
    assert of_colour(overlay.draw(image, seen(image, box), CLASSES), overlay.ACCENT).sum() > 500
    quiet = overlay.draw(image, seen(image, box, name="uncertain", best=0.3), CLASSES)
    assert of_colour(quiet, overlay.ACCENT).sum() == 0


@pytest.mark.parametrize(
    "box", [(-30.0, -40.0, 90.0, 90.0), (600.0, 440.0, 100.0, 100.0), (0.0, 0.0, 640.0, 480.0), (310.0, 5.0, 4.0, 4.0)]
)
def test_faces_at_the_edge_or_of_odd_sizes_are_drawn(box):
    image = np.full((480, 640, 3), 128, np.uint8)
    assert changed(image, overlay.draw(image, seen(image, box), CLASSES)).any()


def test_panels_keep_clear_of_other_faces_and_a_crowd_has_none():
    image = np.full((480, 640, 3), 128, np.uint8)
    two = overlay.draw(image, seen(image, (200.0, 180.0, 110.0, 110.0), (330.0, 180.0, 110.0, 110.0)), CLASSES)
    for x in (215, 345):
        np.testing.assert_array_equal(two[195:275, x : x + 80], image[195:275, x : x + 80])
    crowd = [(20.0 + 120 * i, 200.0, 80.0, 80.0) for i in range(5)]
    drawn = changed(image, overlay.draw(image, seen(image, *crowd), CLASSES))
    assert not drawn[300:440].any()


def test_the_pace_counts_frames_of_the_last_two_seconds():
    pace = Pace()
    assert pace.tick(0.0) == 0
    assert [pace.tick(i / 25) for i in range(1, 100)][-1] == pytest.approx(25)
    # Steps of 10 and 70 ms alternate: 25 frames a second again, whichever came last.
    pace, now = Pace(), 0.0
    for i in range(100):
        now += 0.01 if i % 2 else 0.07
        rate = pace.tick(now)
    assert rate == pytest.approx(25, rel=0.05)

"""Faces followed through real pictures that move as a known matrix says."""

import cv2
import numpy as np
import pytest

from fergen.data.detect import Face, detector
from fergen.live.tracking import PATIENCE, Tracker, follow, overlap, scaled
from tests.live import clips


def gray(matrix: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(clips.picture(matrix), cv2.COLOR_RGB2GRAY)


def middle(face: Face) -> np.ndarray:
    x, y, w, h = face.box
    return np.array([x + w / 2, y + h / 2])


@pytest.mark.parametrize("step", [(3.0, 1.0), (-2.3, 1.7), (12.0, -5.0)])
def test_a_known_shift_is_followed_within_two_pixels(step):
    tracker = Tracker()
    for i in range(16):
        matrix = clips.shifted(i, *step) + [[0, 0, 60], [0, 0, 60]]
        truth = clips.head(matrix)
        tracks = tracker.update(gray(matrix), i / 30, [truth] if i == 0 else None)
        assert [(track.id, track.detected) for track in tracks] == [(1, i == 0)]
        assert np.abs(middle(tracks[0].face) - middle(truth)).max() < 2
        np.testing.assert_allclose(tracks[0].face.box[2:], truth.box[2:], rtol=0.02)


def test_zoom_and_turn_are_followed_with_the_five_points():
    points = np.float32([[190, 110], [235, 112], [212, 135], [195, 155], [230, 156]])
    face, before = Face(clips.HEAD, 1.0, points), None
    for i in range(12):
        turn = cv2.getRotationMatrix2D((220, 130), 0.8 * i, 1.02**i).astype(np.float32)
        now = gray(turn)
        if before is not None:
            face = follow(before, now, face)
            assert face is not None
        before = now
    expected = points @ turn[:, :2].T + turn[:, 2]
    assert np.abs(face.points - expected).max() < 2
    assert face.box[2] == pytest.approx(clips.HEAD[2] * 1.02**11, rel=0.03)
    assert np.abs(middle(face) - turn @ (*middle(Face(clips.HEAD, 1.0)), 1)).max() < 2


def test_flat_pictures_and_cuts_lose_the_face():
    face, there = Face(clips.HEAD, 1.0), gray(clips.shifted(0, 0, 0))
    assert follow(np.full((480, 640), 90, np.uint8), np.full((480, 640), 90, np.uint8), face) is None
    noise = np.random.default_rng(0).integers(0, 256, (480, 640), np.uint8)
    assert follow(there, noise, face) is None
    assert follow(there, there, Face((700.0, 500.0, 50.0, 50.0), 1.0)) is None


def test_a_lost_face_is_hidden_and_keeps_its_number_when_found_again():
    tracker, picture = Tracker(), gray(np.float32([[1, 0, 0], [0, 1, 0]]))
    face = Face(clips.HEAD, 1.0)
    for time in (0.0, 0.1):
        assert [track.id for track in tracker.update(picture, time, [face])] == [1]
    noise = np.random.default_rng(0).integers(0, 256, picture.shape, np.uint8)
    assert tracker.update(noise, 0.2) == []
    assert tracker.update(noise, 0.3, []) == []
    assert [track.id for track in tracker.update(picture, 0.4, [face])] == [1]
    assert tracker.update(noise, 0.5) == []
    assert tracker.update(noise, 0.5 + PATIENCE, []) == []
    assert [track.id for track in tracker.update(picture, 0.6 + PATIENCE, [face])] == [2]


def test_a_face_found_once_goes_at_the_next_detection_without_it():
    tracker, picture = Tracker(), gray(np.float32([[1, 0, 0], [0, 1, 0]]))
    tracker.update(picture, 0.0, [Face(clips.HEAD, 1.0), Face((130.0, 335.0, 70.0, 70.0), 1.0)])
    assert tracker.unsure
    assert [track.id for track in tracker.update(picture, 0.03)] == [1, 2]
    assert [track.id for track in tracker.update(picture, 0.07, [Face(clips.HEAD, 1.0)])] == [1]
    assert not tracker.unsure
    # One confirmed outlives missed detections for PATIENCE.
    assert [track.id for track in tracker.update(picture, 0.07 + 0.9 * PATIENCE, [])] == [1]
    assert tracker.update(picture, 0.07 + 1.1 * PATIENCE, []) == []


def test_one_face_is_not_two():
    tracker, picture = Tracker(), gray(np.float32([[1, 0, 0], [0, 1, 0]]))
    x, y, w, h = clips.HEAD
    nearly = Face((x + 9.0, y - 6.0, w + 10.0, h + 10.0), 0.5)
    tracker.update(picture, 0.0, [Face(clips.HEAD, 1.0)])
    assert [track.id for track in tracker.update(picture, 0.1, [Face(clips.HEAD, 1.0), nearly])] == [1]


def test_a_face_keeps_its_number_over_a_clip_of_real_detections():
    find, tracker, ids = detector(), Tracker(), []
    for i in range(75):
        matrix = clips.moved(i)
        found = find(clips.picture(matrix)) if i % 15 == 0 else None
        tracks = tracker.update(gray(matrix), i / 30, found)
        there = [track for track in tracks if overlap(track.face, clips.head(matrix)) > 0.3]
        assert len(there) == 1
        ids.append(there[0].id)
    assert set(ids) == {ids[0]}


def test_two_faces_that_pass_keep_their_numbers():
    """The astronaut above moves right, her mirror image below moves left."""
    head = clips.picture(np.float32([[1, 0, -130], [0, 1, -10]]), (225, 190))
    find, tracker, seen = detector(), Tracker(), []
    for i in range(60):
        canvas = np.full((480, 640, 3), 120, np.uint8)
        right, left = 20 + 6 * i, 430 - 6 * i
        canvas[10:235, right : right + 190] = head
        canvas[245:470, left : left + 190] = head[:, ::-1]
        found = find(canvas) if i % 12 == 0 else None
        tracks = tracker.update(cv2.cvtColor(canvas, cv2.COLOR_RGB2GRAY), i / 30, found)
        upper = [t.id for t in tracks if abs(middle(t.face) - (right + 94, 115)).max() < 40]
        lower = [t.id for t in tracks if abs(middle(t.face) - (left + 96, 350)).max() < 40]
        seen.append((upper, lower))
    assert len(seen[0][0]) == len(seen[0][1]) == 1
    assert seen[0][0] != seen[0][1]
    assert all(pair == seen[0] for pair in seen)


def test_overlap_and_scale():
    a, b = Face((0, 0, 10, 10), 1.0), Face((5, 0, 10, 10), 1.0)
    assert overlap(a, b) == pytest.approx(1 / 3)
    assert overlap(a, Face((20, 20, 5, 5), 1.0)) == 0
    assert overlap(a, a) == pytest.approx(1)
    doubled = scaled(Face((1, 2, 3, 4), 0.7, np.ones((5, 2), np.float32)), 2)
    assert doubled.box == (2, 4, 6, 8)
    assert doubled.score == 0.7
    np.testing.assert_array_equal(doubled.points, np.full((5, 2), 2, np.float32))

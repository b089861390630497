"""Procedural faces: reproducible by number, distinct, and showing the action units they are labelled with."""

from dataclasses import replace

import numpy as np
import pytest

from fergen.core.errors import BadInput
from fergen.data.procedural import faces
from fergen.data.procedural.action_units import EXCLUSIVE, PROTOTYPES, UNITS
from fergen.data.procedural.canvas import View
from fergen.data.procedural.geometry import shape
from fergen.data.procedural.parameters import Difficulty, Pose, streams
from fergen.data.vocabulary import VOCABULARIES


def plan_of(n=12, vocabulary="seven", seed=5):
    return faces.recipe(np.arange(n), seed=seed, vocabulary=vocabulary, difficulty=Difficulty())


def posed(plan, **angles):
    """The same faces, frontal, centred and without noise, at the default size."""
    zero = np.zeros(len(plan.labels))
    still = {name: angles.get(name, zero) for name in Pose.__dataclass_fields__} | {"scale": zero + 0.95}
    return replace(plan, pose=Pose(**still), photo=replace(plan.photo, noise=zero))


def with_unit(plan, name, strength, sides=(1.0, 1.0)):
    """The same faces with one action unit alone, or none at strength 0."""
    units = np.zeros_like(plan.units)
    units[:, UNITS.index(name)] = strength
    return replace(plan, units=units, sides=np.tile(np.float32(sides), (len(units), 1)))


def test_a_face_is_the_same_in_any_batch():
    index = np.array([7, 123_456_789_012, 0, 55, 8, 1, 300, 2**62])
    together = faces.draw(index, seed=3)
    for at in (0, 1, 4, 7):
        alone = faces.draw(index[at : at + 1], seed=3)
        np.testing.assert_array_equal(alone.images[0], together.images[at])
        np.testing.assert_array_equal(alone.action_units[0], together.action_units[at])
        assert alone.labels[0] == together.labels[at]
    many = faces.draw(np.arange(130), seed=3)  # several groups on threads
    backwards = faces.draw(np.arange(130)[::-1], seed=3)
    np.testing.assert_array_equal(many.images, backwards.images[::-1])
    np.testing.assert_array_equal(many.images[[7, 0, 55]], together.images[[0, 2, 3]])


def test_seed_changes_every_face():
    one, other = faces.draw(np.arange(64), seed=0), faces.draw(np.arange(64), seed=1)
    difference = np.abs(one.images.astype(float) - other.images).mean(axis=(1, 2, 3))
    assert difference.min() > 3


@pytest.mark.parametrize("size", [32, 48, 65, 128, 256])
@pytest.mark.parametrize("channels", [1, 3])
def test_sizes_and_channels(size, channels):
    drawn = faces.draw(np.arange(3), size=size, channels=channels)
    assert drawn.images.shape == (3, size, size, channels)
    assert drawn.images.dtype == np.uint8
    assert drawn.images.std(axis=(1, 2, 3)).min() > 10
    assert drawn.action_units.shape == (3, len(UNITS))
    assert drawn.action_units.dtype == np.float32
    assert drawn.labels.dtype == np.int32
    assert drawn.units == UNITS
    np.testing.assert_array_equal(drawn.labels, faces.draw(np.arange(3)).labels)


def test_gray_is_the_luminance_of_colour_and_small_the_average_of_large():
    plan = posed(plan_of(6))
    gray, colour = faces.render(plan, size=64, channels=1), faces.render(plan, size=64, channels=3)
    luminance = (colour @ faces.LUMINANCE)[..., None]
    assert np.abs(luminance - gray).mean() < 6
    large = faces.render(plan, size=192, channels=1).reshape(6, 64, 3, 64, 3, 1).mean(axis=(2, 4))
    for small, averaged in zip(gray, large, strict=True):
        assert np.corrcoef(small.ravel(), averaged.ravel())[0, 1] > 0.97


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"size": 31}, "size must be 32 to 256"),
        ({"size": 257}, "size must be 32 to 256"),
        ({"channels": 2}, "channels must be 1 or 3"),
        ({"seed": -1}, "seed must be 0 or more"),
        ({"vocabulary": "nine"}, "vocabulary must be one of"),
    ],
)
def test_refuses_what_cannot_be_drawn(options, says):
    with pytest.raises(BadInput, match=says):
        faces.draw(np.arange(2), **options)


def test_refuses_negative_indices():
    with pytest.raises(BadInput, match="0 or more"):
        faces.draw(np.array([3, -1]))


def test_five_thousand_faces_hold_no_twins():
    images = faces.draw(np.arange(5000), seed=11, size=32).images
    assert len(np.unique(images.reshape(5000, -1), axis=0)) == 5000
    # Not merely distinct by their noise: even on a coarse grid no two come near each other.
    coarse = images.reshape(5000, 8, 4, 8, 4).mean(axis=(2, 4)).reshape(5000, 64)[:1500]
    squares = (coarse**2).sum(1)
    distance = squares[:, None] + squares[None] - 2 * coarse @ coarse.T
    distance[np.diag_indices(1500)] = np.inf
    assert np.sqrt(distance.min() / 64) > 2.0


@pytest.mark.parametrize("vocabulary", ["five", "seven", "eight"])
def test_classes_are_balanced(vocabulary):
    labels = plan_of(7000, vocabulary).labels
    share = np.bincount(labels, minlength=len(VOCABULARIES[vocabulary])) / 7000
    assert np.abs(share * len(share) - 1).max() < 0.15


def test_streams_are_uniform_and_uncorrelated():
    table = np.concatenate([draws.table for draws in streams(0, np.arange(2000)).values()], axis=1)
    assert np.abs(table.mean(0) - 0.5).max() < 0.04
    assert np.abs(table.var(0) - 1 / 12).max() < 0.01
    between = np.corrcoef(table.T)[np.triu_indices(table.shape[1], 1)]
    assert np.abs(between).max() < 0.13
    assert len(np.unique(table)) == table.size


@pytest.mark.parametrize("emotion", VOCABULARIES["eight"])
def test_emotions_follow_their_prototypes(emotion):
    plan = plan_of(6000, "eight")
    mean = plan.units[plan.labels == VOCABULARIES["eight"].index(emotion)].mean(axis=0)
    for name, strength in zip(UNITS, mean, strict=True):
        use = PROTOTYPES[emotion].get(name)
        if use and use.share >= 0.85:
            assert strength > 0.45 * use.share * use.strength, name
        if use is None:
            assert strength < 0.1, name
    assert plan.units.min() >= 0
    assert plan.units.max() <= 1


def test_incompatible_units_do_not_act_together():
    plan = plan_of(4000, "eight")
    for winner, loser in EXCLUSIVE:
        strong = plan.units[:, UNITS.index(winner)] > 0.2
        assert strong.any()
        assert plan.units[strong, UNITS.index(loser)].max() == 0


def test_labels_can_be_told_from_the_true_units():
    from sklearn.linear_model import LogisticRegression

    plan = plan_of(6000)
    fitted = LogisticRegression(C=10, max_iter=200).fit(plan.units[:4000], plan.labels[:4000])
    assert fitted.score(plan.units[4000:], plan.labels[4000:]) > 0.96


def test_contempt_alone_is_one_sided():
    plan = plan_of(4000, "eight")
    weaker = plan.sides.min(axis=1)
    contempt = plan.labels == VOCABULARIES["eight"].index("contempt")
    assert weaker[contempt].max() <= 0.2
    assert weaker[~contempt].min() >= 0.8
    left_is_strong = (plan.sides[contempt, 0] == 1).mean()
    assert 0.4 < left_is_strong < 0.6


# Rows of a frontal face (share of the frame's height) outside which a unit must leave every pixel alone.
REGIONS = {
    "AU1": (0.10, 0.52), "AU2": (0.10, 0.52), "AU4": (0.10, 0.62), "AU5": (0.30, 0.62), "AU6": (0.28, 0.98),
    "AU7": (0.30, 0.66), "AU9": (0.10, 0.98), "AU10": (0.44, 1.00), "AU12": (0.50, 0.98), "AU14": (0.55, 0.98),
    "AU15": (0.60, 1.00), "AU16": (0.65, 1.00), "AU17": (0.55, 1.00), "AU20": (0.50, 1.00), "AU23": (0.60, 0.98),
    "AU24": (0.60, 0.98), "AU25": (0.60, 1.00), "AU26": (0.45, 1.00), "AU43": (0.30, 0.62),
}  # fmt: skip


@pytest.mark.parametrize("name", UNITS)
def test_a_unit_changes_its_own_region_only(name):
    plan = posed(plan_of(8))
    rest = faces.render(with_unit(plan, name, 0.0), size=96, channels=1).astype(int)
    acting = faces.render(with_unit(plan, name, 1.0), size=96, channels=1).astype(int)
    rows = np.abs(acting - rest).max(axis=(2, 3))  # [face, row]
    top, bottom = (round(96 * edge) for edge in REGIONS[name])
    assert rows[:, top:bottom].max(axis=1).min() > 8, "the unit must show on every face"
    outside = np.delete(rows, np.s_[top:bottom], axis=1)
    assert outside.size == 0 or outside.max() <= 1


def test_a_one_sided_unit_leaves_the_other_side_alone():
    plan = posed(plan_of(6))
    rest = faces.render(with_unit(plan, "AU2", 0.0), size=96, channels=1).astype(int)
    left = faces.render(with_unit(plan, "AU2", 1.0, sides=(1, 0)), size=96, channels=1).astype(int)
    columns = np.abs(left - rest).max(axis=(1, 3))
    assert columns[:, :40].max(axis=1).min() > 12
    assert columns[:, 60:].max() <= 1


def test_geometry_moves_features_the_way_facs_says():
    plan = plan_of(20)

    def moved(unit, field):
        at = [shape(plan.identity, p.units, p.sides) for p in (with_unit(plan, unit, s) for s in (0.0, 1.0))]
        return getattr(at[1], field) - getattr(at[0], field)

    assert (moved("AU1", "brow_inner_y") < -0.05).all()
    assert (np.abs(moved("AU1", "brow_outer_y")) < 0.03).all()
    assert (moved("AU2", "brow_outer_y") < -0.05).all()
    assert (np.abs(moved("AU2", "brow_inner_y")) < 0.03).all()
    assert (moved("AU4", "brow_inner_y") > 0.05).all()
    assert (moved("AU4", "brow_inner_x") < 0).all()
    assert (moved("AU5", "lid_upper") > 0.02).all()
    assert (moved("AU43", "lid_upper") < 0).all()
    assert (moved("AU12", "corner_y") < -0.05).all()
    assert (moved("AU12", "corner_x") > 0).all()
    assert (moved("AU15", "corner_y") > 0.05).all()
    assert (moved("AU20", "corner_x") > 0.05).all()
    assert (moved("AU24", "lip_upper") < 0).all()
    assert (moved("AU26", "jaw") > 0.1).all()


def test_pixels_find_the_canonical_point_that_projects_to_them():
    rng = np.random.default_rng(0)
    n = 40
    pose = Pose(
        yaw=rng.uniform(-0.4, 0.4, n),
        pitch=rng.uniform(-0.2, 0.2, n),
        roll=rng.uniform(-0.3, 0.3, n),
        shift_x=rng.uniform(-0.1, 0.1, n),
        shift_y=rng.uniform(-0.1, 0.1, n),
        scale=rng.uniform(0.8, 1.0, n),
        gaze_x=np.zeros(n),
        gaze_y=np.zeros(n),
    )
    view = View.of(pose.over_images(), 256)
    x, y = rng.uniform(-0.4, 0.4, n), rng.uniform(-0.4, 0.6, n)
    column, row = np.rint(np.stack(view.project(x, y))).astype(int)
    found_x, found_y = view.x[np.arange(n), row, column], view.y[np.arange(n), row, column]
    assert np.abs(found_x - x).max() < 0.012
    assert np.abs(found_y - y).max() < 0.012


def test_light_from_the_left_brightens_the_left_cheek():
    plan = posed(plan_of(10))
    plan = with_unit(plan, "AU1", 0.0)
    light = np.tile([[-0.8, -0.1, 0.59]], (10, 1))

    def cheeks(toward):
        photo = replace(plan.photo, light=toward, key=np.full(10, 0.6), ambient=np.full(10, 0.6))
        images = faces.render(replace(plan, photo=photo), size=64, channels=1).astype(float)
        return images[:, 36:44, 16:24].mean((1, 2, 3)), images[:, 36:44, 40:48].mean((1, 2, 3))

    left, right = cheeks(light)
    assert (left > right + 8).all()
    left, right = cheeks(light * [-1, 1, 1])
    assert (right > left + 8).all()

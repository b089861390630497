"""Measuring generators whose faults are known: each fault shows in its figure, and a perfect one meets the floor."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fergen.core.errors import BadInput
from fergen.data import layout
from fergen.evals import features, generation, generation_table, neighbours, reference

CLASSES = ("angry", "happy", "sad")
SHAPE = (12, 12, 1)
SIZE = int(np.prod(SHAPE))
SIZES = {"train": (330, 220, 50), "validation": (130, 90, 20), "public": (60, 50, 40)}
PATTERNS = 0.3 * np.random.default_rng(9).normal(size=(3, SIZE)).astype(np.float32)
NOISE = 2.2
PRIOR = [share / 600 for share in SIZES["train"]]


def render(noise, labels):
    """Faces of this world: a pattern per class under noise; [n, SIZE] in [-1, 1]."""
    return 0.15 * (jnp.asarray(PATTERNS)[labels] + NOISE * noise)


def draw(key):
    return jax.random.normal(key, (SIZE,))


def sample(variables, latents, labels):
    """A perfect generator, but for the labels and the variety that its weights take away."""
    labels = jnp.where(variables["deaf"] > 0, 0, labels)
    own = variables["variety"] * latents + (1 - variables["variety"]) * variables["one"]
    return render(own, labels).reshape(-1, *SHAPE)


def generator(deaf=0.0, variety=1.0, **spec):
    weights = {"deaf": np.float32(deaf), "variety": np.float32(variety), "one": np.zeros(SIZE, np.float32)}
    own = {"task": "cgan", "classes": list(CLASSES), "conditional": True, "prior": PRIOR} | spec
    predict = {"draw": draw, "sample": sample}
    return restored("runs/gan", "1" * 64, own, predict, weights)


def restored(name, digest, spec, predict, variables):
    lineage = {"weights": {digest: name}, "data": {}}
    return SimpleNamespace(name=name, hash=digest, spec=spec, predict=predict, variables=variables, lineage=lineage)


def logits(variables, images):
    x = images.reshape(len(images), -1).astype(jnp.float32) / 127.5 - 1
    return x @ variables["kernel"] - variables["bias"]


def judge(name="runs/judge", digest="2" * 64, classes=CLASSES, split="train"):
    """The best classifier of this world: the nearest pattern."""
    order = [CLASSES.index(c) if c in CLASSES else 0 for c in classes]
    kernel = 0.15 * PATTERNS[order].T
    bias = 0.5 * np.square(kernel).sum(0) + np.array([0.0 if c in CLASSES else 1e3 for c in classes])
    spec = {"task": "classifier", "model": {"name": "vgg"}, "classes": list(classes), "data": {"split": split}}
    return restored(name, digest, spec, {"logits": logits}, {"kernel": kernel, "bias": bias.astype(np.float32)})


def embed(variables, images):
    return (images.reshape(len(images), -1).astype(jnp.float32) / 127.5 - 1) @ variables


# The small space sees the patterns.
SMALL = np.concatenate([PATTERNS, np.random.default_rng(1).normal(size=(5, SIZE))]).T.astype(np.float32) / 5
WIDE = np.random.default_rng(2).normal(size=(SIZE, 200)).astype(np.float32) / 12
SPACES = {"small": (embed, SMALL), "wide": (embed, WIDE)}


def write_set(folder, sizes=SIZES, classes=CLASSES):
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True)
    for split, counts in sizes.items():
        label = rng.permutation(np.repeat(np.arange(len(counts)), counts)).astype(np.int32)
        floats = np.asarray(render(rng.normal(size=(len(label), SIZE)).astype(np.float32), label))
        images = np.clip(np.round((floats + 1) * 127.5), 0, 255).astype(np.uint8).reshape(-1, *SHAPE)
        np.save(layout.images_file(folder, split), images)
        np.savez(layout.rows_file(folder, split), label=label, id=np.arange(len(label)), twin=label < 0)
    counts = {split: sum(n) for split, n in sizes.items()}
    layout.write_spec(folder, layout.DatasetSpec(folder.name, classes, SHAPE, counts, (0.0,), (1.0,), "a" * 64))
    return folder


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    return write_set(tmp_path_factory.mktemp("sets") / "world")


@pytest.fixture(scope="module")
def real(prepared):
    return reference.build(prepared, generator().spec, SPACES, n=1000, per_class=60, batch=64)


@pytest.fixture(scope="module")
def perfect(real):
    return generation.run(generator(), judge(), real, guide=judge("runs/guide", "3" * 64), bootstrap=100, batch=128)


def test_a_perfect_generator_meets_the_floor(perfect):
    scores = perfect.scores
    assert scores["control/ratio.low"] < 1 < scores["control/ratio.high"]
    assert 0.6 < scores["judge/real/macro"] < 0.97
    for name in ("small", "wide"):
        assert abs(scores[f"kid/{name}"]) < 4 * scores[f"kid/{name}.sd"]
        assert abs(scores[f"coverage/{name}"] - scores[f"floor/coverage/{name}"]) < 0.08
        assert scores[f"diversity/{name}"] == pytest.approx(1, abs=0.1)
    assert scores["fid/small"] == pytest.approx(scores["floor/fid/small"], rel=0.6)
    assert scores["neighbours/ratio"] == pytest.approx(1, abs=0.05)
    assert scores["agreement"] == 1
    assert scores["guide/macro"] == scores["control/macro"]


def test_numbers_of_faces_stand_beside_the_figures(perfect, real):
    """n is what the held-out faces allow, in their shares; rare classes have what the sides have."""
    scores = perfect.scores
    assert scores["n"] == 240
    assert [scores[f"n/{c}"] for c in CLASSES] == [60, 60, 60]
    assert [scores[f"floor/n/{c}"] for c in CLASSES] == [60, 60, 20]
    assert [scores[f"train/n/{c}"] for c in CLASSES] == [60, 60, 50]
    assert [scores[f"n/fid/{c}"] for c in CLASSES] == [60, 60, 20]
    assert scores["control/n"] == 180
    np.testing.assert_array_equal(real.plan.mixed, [130, 90, 20])
    assert scores["judge/real/n"] == 240 + 150
    assert any("n is 240 rather than 1,000" in note for note in perfect.notes)


def test_frechet_distance_takes_twice_as_many_faces_as_dimensions(perfect):
    scores = perfect.scores
    assert {"fid/small", "floor/fid/small", "fid/small/sad"} <= scores.keys()
    assert not [name for name in scores if "fid/wide" in name]
    assert any("no fid/wide: its 200 dimensions take n of at least 400" in note for note in perfect.notes)
    assert "kid/wide/sad" in scores


def test_a_deaf_generator_has_no_control(real, perfect):
    found = generation.run(generator(deaf=1.0), judge(), real, bootstrap=50, batch=128).scores
    assert found["control/macro"] == pytest.approx(1 / 3, abs=0.05)
    assert found["control/ratio"] < 0.6
    assert found["control/ratio/worst"] < 0.3
    assert found["kid/small/happy"] > perfect.scores["kid/small/happy"] + 3 * found["kid/small/happy.sd"]


def test_a_generator_without_variety_covers_little(real, perfect):
    found = generation.run(generator(variety=0.1), judge(), real, bootstrap=50, batch=128).scores
    assert found["control/macro"] > 0.95
    assert found["coverage/small"] < 0.5 * perfect.scores["coverage/small"]
    assert found["diversity/small"] == pytest.approx(0.01, abs=0.005)
    assert found["fid/small"] > 3 * perfect.scores["fid/small"]
    assert found["neighbours/ratio"] < 0.8


def test_figures_follow_from_the_seed_alone(real, perfect):
    again = generation.run(generator(), judge(), real, guide=judge("runs/guide", "3" * 64), bootstrap=100, batch=50)
    same = [name for name in perfect.scores if not np.isnan(perfect.scores[name])]
    # Another batch size may round a few pixels the other way.
    np.testing.assert_allclose(
        [again.scores[name] for name in same], [perfect.scores[name] for name in same], rtol=0.02, atol=2e-3
    )


def test_arrays_behind_the_pictures(perfect, real):
    arrays = perfect.arrays
    assert arrays["samples"].shape == (3, 10, *SHAPE)
    assert arrays["samples"].dtype == np.uint8
    said = np.asarray(logits(judge().variables, arrays["samples"].reshape(-1, *SHAPE))).argmax(1).reshape(3, 10)
    assert (said == np.arange(3)[:, None]).mean() > 0.6  # a class a row
    np.testing.assert_array_equal(arrays["confusion"].sum(1), 60)
    assert np.diag(arrays["confusion"]).sum() / 180 == pytest.approx(perfect.scores["control/macro"])
    assert arrays["real_confusion"].sum() == 390
    assert arrays["neighbours/faces"].shape == (6, *SHAPE)
    assert arrays["neighbours/nearest"].shape == (6, 5, *SHAPE)
    difference = arrays["neighbours/faces"][:, None].astype(float) - arrays["neighbours/nearest"]
    np.testing.assert_allclose(np.sqrt(np.square(difference).mean((2, 3, 4))), arrays["neighbours/distances"])
    assert (np.diff(arrays["neighbours/distances"]) >= 0).all()
    assert perfect.about["judge"] == "judge"
    assert perfect.about["data_hash"] == "a" * 64


def test_table_shows_control_floor_and_numbers(perfect):
    lines = generation_table.text(perfect.scores, CLASSES).splitlines()
    assert lines[0].split() == ["control,", "%", "faces", "judge", "judge,", "real", "faces", "ratio", "guide"]
    macro = next(line for line in lines if line.startswith("macro"))
    assert f"{100 * perfect.scores['control/macro']:.1f} [" in macro
    kid = next(line for line in lines if line.startswith("kernel distance"))
    assert f"{1000 * perfect.scores['floor/kid/small']:.3f} ± " in kid
    assert any(line.startswith("sad: faces") and line.split()[-2:] == ["60", "20"] for line in lines)
    assert any(line.startswith("sad: Fréchet distance, of 20 a side") for line in lines)
    assert [line.split()[1] for line in lines if line.startswith("features")] == ["small", "wide"]
    assert "nearest training face" in lines[-1]


def test_an_unconditional_generator_has_shares_instead_of_control(prepared):
    net = generator(conditional=False)
    real = reference.build(prepared, net.spec, {"small": SPACES["small"]}, n=100, per_class=60)
    found = generation.run(net, judge(), real, bootstrap=20)
    assert not [name for name in found.scores if name.startswith("control")]
    assert found.scores["shares/angry"] > 0.7  # this one has label 0 alone
    assert sum(found.scores[f"real/shares/{c}"] for c in CLASSES) == pytest.approx(1)
    assert found.scores["n"] == 100
    assert {"fid/small", "coverage/small", "floor/coverage/small"} <= found.scores.keys()
    assert found.arrays["samples"].shape == (3, 10, *SHAPE)


def test_an_unconditional_generator_of_one_class_is_held_against_that_class(prepared):
    net = generator(conditional=False, prior=[0, 1.0, 0])
    real = reference.build(prepared, net.spec, {"small": SPACES["small"]}, n=1000, per_class=60)
    found = generation.run(net, judge(), real, bootstrap=20).scores
    assert found["n"] == 90
    assert found["control/macro"] == found["control/happy"]
    assert found["judge/real/n"] == 90 + 50
    assert found["control/ratio"] == pytest.approx(found["control/ratio/happy"])
    assert "kid/small/happy" in found
    assert "kid/small/angry" not in found


def test_a_judge_of_other_classes(real):
    found = generation.run(generator(), judge(classes=("contempt", "sad", "happy", "angry")), real, bootstrap=20)
    assert found.scores["control/macro"] > 0.6
    with pytest.raises(BadInput, match="judge 'runs/judge': expected .* found none for happy"):
        generation.run(generator(), judge(classes=("angry", "sad")), real)
    with pytest.raises(BadInput, match="guide 'runs/g': expected .* found none for happy"):
        generation.run(generator(), judge(), real, guide=judge("runs/g", "3" * 64, classes=("angry", "sad")))


def test_what_cannot_be_scored_is_refused(prepared, real, tmp_path):
    with pytest.raises(BadInput, match="not independent"):
        generation.run(generator(), judge(digest="1" * 64), real)
    with pytest.raises(BadInput, match="expected a generator, found a classifier"):
        generation.run(judge(), judge(), real)
    with pytest.raises(BadInput, match="judge 'runs/gan': expected a classifier, found a cgan"):
        generation.run(generator(), generator(), real)
    with pytest.raises(BadInput, match="has no split 'test'"):
        generation.run(generator(), judge(), real, splits=["test"])
    with pytest.raises(BadInput, match="did not train on"):
        generation.recall_splits(
            reference.build(write_set(tmp_path / "x", dict(list(SIZES.items())[:2])), generator().spec, {}),
            judge(split="train+validation"),
            None,
        )
    with pytest.raises(BadInput, match="has classes angry, happy, sad, the generator cat, dog"):
        reference.build(prepared, {"classes": ["cat", "dog"], "conditional": True, "prior": [0.5, 0.5]}, {})
    with pytest.raises(BadInput, match="no split train"):
        reference.build(write_set(tmp_path / "y", {"public": (5, 5, 5)}), generator().spec, {})
    with pytest.raises(BadInput, match="per_class: expected a whole number of at least 1"):
        reference.build(prepared, generator().spec, {}, per_class=0)


def test_a_judge_that_learned_from_validation_is_measured_elsewhere(real):
    chosen, _ = generation.recall_splits(real, judge(split="train+validation"), None)
    assert chosen == ["public"]
    chosen, notes = generation.recall_splits(real, judge(split="train+validation"), ["validation"])
    assert chosen == ["validation"]
    assert "trained on it" in notes[0]


def test_a_set_without_held_out_faces_has_no_floor(tmp_path):
    folder = write_set(tmp_path / "bare", {"train": (60, 60, 60), "public": (20, 20, 20)})
    real = reference.build(folder, generator().spec, {"small": SPACES["small"]}, n=90, per_class=20)
    found = generation.run(generator(), judge(), real, bootstrap=20)
    assert not [name for name in found.scores if name.startswith("floor/") and "neighbours" not in name]
    assert "neighbours/ratio" not in found.scores
    assert any("no floor" in note for note in found.notes)
    assert found.scores["n"] == 90


def test_plan_keeps_all_sides_within_their_faces():
    train, held_out = np.array([1000, 40, 0]), np.array([50, 50, 20])
    plan = features.plan(90, 30, train, held_out)
    # Half of the faces are to be of class 1, of which train has 40; of class 2 it has none.
    np.testing.assert_array_equal(plan.mixed, [40, 40, 0])
    np.testing.assert_array_equal(plan.alike, [30, 30, 0])


def test_vectors_kept_are_bounded(monkeypatch):
    monkeypatch.setattr(features, "KEPT", 10)
    plan = features.plan(60, 4, np.array([40, 20]), None)
    gathered = features.Gathered(plan, 2)
    x = np.random.default_rng(0).normal(size=(60, 2))
    labels, rank = np.repeat([0, 1], [40, 20]), np.concatenate([np.arange(40), np.arange(20)])
    for part in np.array_split(np.random.default_rng(1).permutation(60), 7):
        gathered.add(x[part], labels[part], rank[part])
    assert gathered.moments.n == 60
    np.testing.assert_allclose(gathered.moments.mean(), x.mean(0))
    assert len(gathered.mixed()) == 10
    assert len(gathered.of(0)) == len(gathered.of(1)) == 4


def test_copies_are_told_from_new_faces():
    rng = np.random.default_rng(0)
    train, held_out = (rng.integers(256, size=(n, 128, 128, 3), dtype=np.uint8) for n in (30, 20))
    copies, _ = neighbours.evaluate(train[3:9], train, held_out)
    fresh, arrays = neighbours.evaluate(rng.integers(256, size=(6, 128, 128, 3), dtype=np.uint8), train, held_out)
    assert copies["neighbours/distance"] == copies["neighbours/ratio"] == 0
    assert fresh["neighbours/ratio"] == pytest.approx(1, abs=0.02)
    assert arrays["neighbours/nearest"].shape == (6, 5, 128, 128, 3)

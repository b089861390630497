"""The writer of synthetic sets: the asked-for faces, the same whenever it was killed, and refusals before it starts."""

import json
import os
import signal
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import jax
import numpy as np
import pytest
from PIL import Image

from fergen.core.arrays import to_uint8
from fergen.core.errors import BadInput
from fergen.data.sources import synthetic
from fergen.data.vocabulary import VOCABULARIES
from fergen.evals import sampling
from fergen.train import synthesis, synthesis_blocks, synthesis_request
from fergen.train.synthesis import Filter
from fergen.train.targets import stated, targets
from tests.train.conftest import write_set
from tests.train.fake_generator import SEVEN, SIZE, classifier, contents, generator

COUNTS = {"happy": 30, "disgust": 9, "sad": 21}


@pytest.fixture
def blocks(monkeypatch):
    """Small blocks."""
    monkeypatch.setattr(synthesis_blocks, "BLOCK", 16)
    monkeypatch.setattr(synthesis_blocks, "ROUND", 8)


def rows_of(folder):
    files = sorted(folder.glob("rows-*.jsonl"))
    return [json.loads(line) for path in files for line in path.read_text().splitlines()]


def images_of(folder):
    return np.concatenate([np.load(path) for path in sorted(folder.glob("images-*.npy"))])


def faces(net, rows, labels, seed=0):
    """What the generator makes of row numbers, one by one."""
    key = sampling.latent_key(seed)
    z = np.stack([net.predict["draw"](jax.random.fold_in(key, r)) for r in rows])
    return np.asarray(to_uint8(net.predict["sample"](net.variables, z, np.asarray(labels))))


def test_rows_are_the_generators_own_whatever_the_batch(blocks, tmp_path):
    net = generator()
    done = synthesis.write(tmp_path / "a", net, COUNTS, seed=3, batch=5)
    synthesis.write(tmp_path / "b", net, COUNTS, seed=3, batch=256)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    rows = rows_of(tmp_path / "a")
    assert [row["row"] for row in rows] == list(range(60))
    expected = faces(net, range(60), [SEVEN.index(row["label"]) for row in rows], seed=3)
    # A batch of another size may round otherwise.
    assert np.abs(images_of(tmp_path / "a").astype(int) - expected).max() <= 1
    assert done.kept == done.drawn == COUNTS == {c: sum(r["label"] == c for r in rows) for c in COUNTS}
    assert done.fresh == 60
    assert len(list((tmp_path / "a").glob("images-*.npy"))) == 4


def test_png_files_hold_the_same_faces(blocks, tmp_path):
    size = {"height": 8, "width": 6, "channels": 3}
    net = generator(size=size)
    synthesis.write(tmp_path / "a", net, COUNTS)
    synthesis.write(tmp_path / "b", net, COUNTS, form="png")
    assert not list((tmp_path / "b").glob("*.npy"))
    for row, image in zip(rows_of(tmp_path / "a"), images_of(tmp_path / "a"), strict=True):
        with Image.open(tmp_path / "b" / row["label"] / f"{row['row']:07d}.png") as png:
            np.testing.assert_array_equal(np.asarray(png), image)


@pytest.mark.parametrize("form", ["npy", "png"])
@pytest.mark.parametrize("filtered", [False, True])
def test_interrupted_anywhere_and_repeated_gives_the_same_files(blocks, form, filtered, tmp_path, monkeypatch):
    net, keep = generator(), Filter(classifier(), 0.6) if filtered else None
    whole = synthesis.write(tmp_path / "whole", net, COUNTS, form=form, keep=keep)
    write, seen = synthesis_blocks.atomic_write, set()

    def cut(path, content):
        if path.suffix == ".jsonl" and path.name not in seen:  # the faces are written, the block does not count yet
            seen.add(path.name)
            raise KeyboardInterrupt
        return write(path, content)

    monkeypatch.setattr(synthesis_blocks, "atomic_write", cut)
    blocks = len(list((tmp_path / "whole").glob("rows-*")))
    assert blocks >= 4
    for _ in range(blocks):
        with pytest.raises(KeyboardInterrupt):
            synthesis.write(tmp_path / "cut", net, COUNTS, form=form, keep=keep)
    again = synthesis.write(tmp_path / "cut", net, COUNTS, form=form, keep=keep)
    assert contents(tmp_path / "cut") == contents(tmp_path / "whole")
    assert (again.kept, again.drawn) == (whole.kept, whole.drawn)
    assert again.fresh < whole.fresh == 60


KILLED = """
import os, signal, sys
from fergen.evals import sampling
from fergen.train import synthesis, synthesis_blocks
from fergen.core import paths
from tests.train.fake_generator import classifier, generator
synthesis_blocks.BLOCK, synthesis_blocks.ROUND = 16, 8
count, fsync = 0, os.fsync
def killed(number):
    global count
    count += 1
    if count == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)  # the temporary file is written, not yet in its place
    fsync(number)
paths.os.fsync = killed
counts = {"happy": 30, "disgust": 9, "sad": 21}
synthesis.write(sys.argv[1], generator(), counts, keep=synthesis.Filter(classifier(), 0.6))
"""


def test_killed_and_repeated_gives_the_same_files(blocks, tmp_path):
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path / "cut"), "4"],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
        check=False,
    )
    assert done.returncode == -signal.SIGKILL
    left = [p.name for p in (tmp_path / "cut").iterdir() if p.name.startswith(".") and p.suffix == ".npy"]
    assert len(left) == 1, "the second block's images, not yet in their place"
    for name in ("cut", "whole"):
        synthesis.write(tmp_path / name, generator(), COUNTS, keep=Filter(classifier(), 0.6))
    assert contents(tmp_path / "cut") == contents(tmp_path / "whole")


def test_a_finished_folder_is_left_as_it_is(blocks, tmp_path, monkeypatch):
    synthesis.write(tmp_path / "a", generator(), COUNTS)
    before = contents(tmp_path / "a")
    monkeypatch.setattr(synthesis, "take", None)  # nothing is drawn
    done = synthesis.write(tmp_path / "a", generator(), COUNTS)
    assert (done.kept, done.fresh) == (COUNTS, 0)
    assert contents(tmp_path / "a") == before


def test_the_filter_keeps_the_first_that_pass(blocks, tmp_path):
    """Against brute force over the same candidates: which pass, which are kept, and how many were drawn for them."""
    net = generator()
    done = synthesis.write(tmp_path / "a", net, {"fear": 40, "happy": 160}, keep=Filter(classifier(), 0.7))
    rows, images = rows_of(tmp_path / "a"), images_of(tmp_path / "a")
    assert done.kept == {"fear": 40, "happy": 160}
    last = max(row["row"] for row in rows)
    quality = faces(net, range(last + 1), np.zeros(last + 1, int))[:, 0, 1, 0] / 255
    state = synthesis_blocks.State(0, 0, np.zeros(2, int), np.zeros(2, int))
    target, kept, drawn = np.array([40, 160]), {"fear": [], "happy": []}, {"fear": 0, "happy": 0}
    while (state.kept < target).any():
        row = state.row
        for name, n in zip(kept, synthesis_blocks.allot(state, target, True)):
            for r in range(row, row + n):
                if len(kept[name]) < done.kept[name]:
                    drawn[name] += 1
                    if quality[r] >= 0.7:
                        kept[name].append(r)
            row += n
        now = np.array([len(kept["fear"]), len(kept["happy"])])
        state = synthesis_blocks.State(state.blocks + 1, row, np.array(list(drawn.values())), now)
    for name in kept:
        assert [r["row"] for r in rows if r["label"] == name] == kept[name]
    assert done.drawn == drawn
    total = sum(done.drawn.values())
    assert abs(200 / total - 0.3) < 4 * (0.3 * 0.7 / total) ** 0.5, "Phi(z) is uniform: three in ten pass"
    for row, image in zip(rows, images, strict=True):
        assert row["filter"][SEVEN.index(row["label"])] == pytest.approx(image[0, 1, 0] / 255, abs=2e-3)


def test_the_filter_must_agree_even_without_confidence(tmp_path):
    """A filter blind to a class finds another the most probable, so that the class never passes."""
    net = generator()
    synthesis.write(tmp_path / "a", net, {"happy": 50}, keep=Filter(classifier(blind="sad")))
    shown = np.array([row["filter"] for row in rows_of(tmp_path / "a")])
    assert (shown.argmax(1) == SEVEN.index("happy")).all()
    assert shown.max(1).min() < 0.5
    with pytest.raises(BadInput, match=r"drawn as sad 0 passed the filter 'runs/filter' .* one in 300; .*--confidence"):
        synthesis.write(tmp_path / "b", net, {"happy": 5, "sad": 5}, keep=Filter(classifier(blind="sad")), tries=300)
    drawn = synthesis_blocks.replay(tmp_path / "b", ["happy", "sad"], np.array([5, 5]), True).drawn
    assert 300 <= drawn[1] < 300 + synthesis_blocks.BLOCK


def test_a_filter_of_more_classes_is_read_by_name(tmp_path):
    eight = classifier(VOCABULARIES["eight"])
    synthesis.write(tmp_path / "a", generator(), {"sad": 20}, keep=Filter(eight, 0.8))
    assert all(row["filter"][VOCABULARIES["eight"].index("sad")] >= 0.79 for row in rows_of(tmp_path / "a"))


def test_a_filter_that_lacks_a_class_is_refused(tmp_path):
    five = classifier(VOCABULARIES["five"])
    with pytest.raises(BadInput, match="filter 'runs/filter': .* found none for disgust"):
        synthesis.write(tmp_path / "a", generator(), COUNTS, keep=Filter(five))
    with pytest.raises(BadInput, match="judge 'runs/fake@9': expected a classifier, found a fake"):
        synthesis.write(tmp_path / "a", generator(), COUNTS, judge=generator())
    assert not (tmp_path / "a").exists()


def test_a_filter_is_in_the_lineage_and_a_judge_is_not(tmp_path):
    net, judge = generator(), classifier(name="runs/judge")
    synthesis.write(tmp_path / "judged", net, COUNTS, judge=judge)
    synthesis.write(tmp_path / "filtered", net, COUNTS, keep=Filter(classifier(), 0.1))
    judged, filtered = (synthetic.read_about(tmp_path / name) for name in ("judged", "filtered"))
    assert judged["lineage"] == net.lineage
    assert set(filtered["lineage"]["weights"]) == {"a" * 64, "f" * 64}
    assert set(filtered["lineage"]["data"]) == {"d" * 64, "e" * 64}
    assert judged["names"] == {"generator": "fake@9", "judge": "judge"}
    rows = rows_of(tmp_path / "judged")
    assert len(rows) == 60
    assert min(row["judge"][SEVEN.index(row["label"])] for row in rows) < 0.2, "nothing is left out by a judge"


def usage(free):
    return lambda path: namedtuple("Usage", "total used free")(10**12, 0, free)


def test_no_room_is_said_before_it_starts(tmp_path, monkeypatch):
    net = generator()
    monkeypatch.setattr(synthesis_request.shutil, "disk_usage", usage(100_000))
    with pytest.raises(BadInput, match="1,000,000,000,000 faces need 128,000,000,000,000 bytes, .* 100,000 free"):
        synthesis.write(tmp_path / "deep" / "a", net, {"happy": 10**12})
    with pytest.raises(BadInput, match=r"60 faces need 249,\d\d\d bytes"):
        synthesis.write(tmp_path / "b", net, COUNTS, form="png")
    assert not list(tmp_path.iterdir())
    synthesis.write(tmp_path / "a", net, COUNTS)
    monkeypatch.setattr(synthesis_request.shutil, "disk_usage", usage(0))
    assert synthesis.write(tmp_path / "a", net, COUNTS).fresh == 0, "what is there needs no room"


def test_the_bound_on_bytes_holds(blocks, tmp_path, monkeypatch):
    """Noise is the worst case of PNG; a disk of the bytes that the refusal names is enough."""
    size = {"height": 64, "width": 64, "channels": 3}
    for form in ("npy", "png"):
        folder = tmp_path / form
        about = synthesis_request.describe(
            generator(size=size), {"sad": 50}, form=form, keep=Filter(classifier()), judge=None, seed=0
        )
        monkeypatch.setattr(synthesis_request.shutil, "disk_usage", usage(0))
        with pytest.raises(BadInput) as refused:
            synthesis_request.require_room(folder, about, 50)
        noise = list(np.random.default_rng(0).integers(0, 256, (50, 64, 64, 3), np.uint8))
        rows = [{"row": 10**6 + i, "label": "surprise", "filter": [0.123456] * 7} for i in range(50)]
        folder.mkdir()
        (folder / "surprise").mkdir()
        synthesis_blocks.commit(folder, 0, form, rows, noise)
        named = int(str(refused.value).split("need ")[1].split(" bytes")[0].replace(",", ""))
        sizes = [(p.stat().st_size, p.suffix) for p in folder.rglob("*") if p.is_file()]
        taken = sum(-(-size // 4096) * 4096 if suffix == ".png" else size for size, suffix in sizes)
        assert 0.9 * named < taken <= named


def test_another_request_or_another_thing_there_is_refused(tmp_path):
    net = generator()
    synthesis.write(tmp_path / "a", net, COUNTS)
    before = contents(tmp_path / "a")
    for change, said in [
        ({"seed": 1}, "was begun with seed 0, now it is 1"),
        ({"form": "png"}, "begun with form npy, now it is png"),
        ({"keep": Filter(classifier())}, "begun with filter None"),
    ]:
        with pytest.raises(BadInput, match=said):
            synthesis.write(tmp_path / "a", net, COUNTS, **change)
    with pytest.raises(BadInput, match="begun with counts"):
        synthesis.write(tmp_path / "a", net, {"happy": 60})
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("x")
    with pytest.raises(BadInput, match="found something else"):
        synthesis.write(tmp_path / "full", net, COUNTS)
    with pytest.raises(BadInput, match="found a file"):
        synthesis.write(tmp_path / "full" / "thesis.tex", net, COUNTS)
    assert contents(tmp_path / "a") == before


def test_a_damaged_rows_file_is_named(tmp_path):
    synthesis.write(tmp_path / "a", generator(), COUNTS)
    rows = tmp_path / "a" / "rows-00000.jsonl"
    for content in ('{"row": 0, "lab', '{"row": 0, "label": "bored"}\n', "[1]\n"):
        rows.write_text(content)
        with pytest.raises(BadInput, match=r"rows-00000\.jsonl: damaged"):
            synthesis.write(tmp_path / "a", generator(), COUNTS)


def test_targets_are_balanced_or_like_a_set(tmp_path):
    spec = generator().spec
    assert targets(spec, 14) == dict.fromkeys(SEVEN, 2)
    assert targets(spec, 3, classes=["sadness", "Happy"]) == {"sad": 2, "happy": 1}
    write_set(tmp_path / "set", {"train": 100})  # labels 0, 1, ..., 6, 0, ...: 15, 15, 14, ...
    rows = tmp_path / "set" / "train.rows.npz"
    label = np.repeat([3, 4, 1], [70, 20, 10]).astype(np.int32)
    np.savez(rows, label=label, id=np.arange(100), twin=np.zeros(100, bool))
    like = str(tmp_path / "set")
    assert targets(spec, 1000, like=like) == {"disgust": 100, "happy": 700, "sad": 200}
    assert targets(spec, 90, like=like, classes=["happy", "sad"]) == {"happy": 70, "sad": 20}
    eight = generator(classes=VOCABULARIES["eight"]).spec
    assert targets(eight, 10, like=like) == {"happy": 7, "sad": 2, "disgust": 1}
    with pytest.raises(BadInput, match="none of what is asked: fear"):
        targets(spec, 10, like=like, classes=["fear"])


def test_stated_counts_take_synonyms_and_refuse_the_unknown():
    spec = generator().spec
    assert stated(spec, {"happiness": 5, "sad": 2}) == {"happy": 5, "sad": 2}
    with pytest.raises(BadInput, match="unknown emotion 'contempt': this generator has: angry, disgust, .*, neutral"):
        stated(spec, {"contempt": 5})
    with pytest.raises(BadInput, match="unknown emotion 'bored': this generator has: angry"):
        targets(spec, 5, classes=["bored"])
    with pytest.raises(BadInput, match="'sad' is given twice"):
        stated(spec, {"sad": 5, "sadness": 2})
    with pytest.raises(BadInput, match="at least 1 face of sad"):
        stated(spec, {"sad": 0})


def test_unconditional_faces_have_no_label_unless_learned_from_one_class(tmp_path):
    several = generator(conditional=False)
    counts = targets(several.spec, 20)
    assert counts == {synthetic.UNLABELLED: 20}
    synthesis.write(tmp_path / "png", several, counts, form="png", judge=classifier())
    assert len(list((tmp_path / "png" / "unlabelled").glob("*.png"))) == 20
    with pytest.raises(BadInput, match="labelled set needs faces of known emotions, .* unconditional"):
        synthesis.write(tmp_path / "npy", several, counts)
    with pytest.raises(BadInput, match="filter needs"):
        synthesis.write(tmp_path / "npy", several, counts, form="png", keep=Filter(classifier()))
    with pytest.raises(BadInput, match="unknown emotion 'happy': this generator is unconditional"):
        targets(several.spec, 20, classes=["happy"])
    one = generator(conditional=False, prior=[0, 0, 0, 1.0, 0, 0, 0])
    assert targets(one.spec, 20) == targets(one.spec, 20, classes=["happy"]) == {"happy": 20}
    synthesis.write(tmp_path / "npy", one, {"happy": 20})
    assert {row["label"] for row in rows_of(tmp_path / "npy")} == {"happy"}
    with pytest.raises(BadInput, match="unknown emotion 'sad': this generator has: happy"):
        targets(one.spec, 20, classes=["sad"])


def test_the_fakes_image_is_of_the_stated_size():
    net = generator()
    assert faces(net, [0], [3]).shape == (1, *SIZE.values())


def test_a_filter_that_corrects_keeps_what_it_is_sure_of_under_the_label_that_it_sees(blocks, tmp_path):
    taken_for = {"happy": "disgust", "disgust": "sad", "sad": "happy"}
    rotated = tuple(taken_for.get(name, name) for name in SEVEN)
    keep = Filter(classifier(shown=rotated), 0.6, correct=True)
    done = synthesis.write(tmp_path / "a", generator(), COUNTS, keep=keep)
    rows = rows_of(tmp_path / "a")
    assert done.kept == COUNTS
    assert all(rotated[SEVEN.index(row["label"])] == row["seen"] for row in rows)
    assert all(max(row["filter"]) >= 0.6 for row in rows)
    assert sum(done.drawn.values()) > 60, "unsure ones are left out"
    found = synthetic.read(tmp_path / "a")
    assert [found.classes[label] for label in found.label] == [row["seen"] for row in rows]
    np.testing.assert_allclose(found.extras["confidence"], [max(row["filter"]) for row in rows], atol=1e-5)
    assert "labelled anew" in found.notes[1]
    with pytest.raises(BadInput, match="was begun with filter"):
        synthesis.write(tmp_path / "a", generator(), COUNTS, keep=Filter(keep.classifier, 0.6))

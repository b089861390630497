"""Bad files given to prepare and convert: one clear line on standard error, status 2, nothing left behind."""

import io
import os
import pickle
import zipfile

import numpy as np
import pytest

from fergen import main
from tests.contract.world import HEADER, ROW, Case, World, refused, untouched

BULKY = f"3,{ROW},Training,{'0' * 60000}\n"


def empty_class(w: World) -> str:
    faces = w.faces()
    (w.folder / faces / "train" / "fear").mkdir()
    return faces


PREPARE: dict[str, Case] = {
    "unknown source": (lambda w: ["fer2014", "--from", w.fer()], ("fer2014", "fer2013")),
    "missing file": (lambda w: ["fer2013", "--from", "nowhere.csv"], ("nowhere.csv", "no such file")),
    "nothing to read": (lambda w: ["fer2013"], "--from"),
    "missing column": (
        lambda w: ["fer2013", "--from", w.fer(header="emotion,pixels,Use")],
        ("fer2013.csv", "Usage missing"),
    ),
    "empty file": (lambda w: ["fer2013", "--from", w.write("a.csv", "")], "a.csv"),
    "header alone": (lambda w: ["fer2013", "--from", w.write("a.csv", HEADER + "\n")], ("a.csv", "found none")),
    "binary noise": (lambda w: ["fer2013", "--from", w.write("a.csv", os.urandom(5000))], "a.csv"),
    "a short row": (lambda w: ["fer2013", "--from", w.fer("3,1 2 3")], "fer2013.csv row 8 (line 10)"),
    "wrong number of pixels": (
        lambda w: ["fer2013", "--from", w.fer(f"3,{ROW} 7,Training")],
        ("fer2013.csv row 8 (line 10)", "2304", "2305"),
    ),
    "pixels out of range": (
        lambda w: ["fer2013", "--from", w.fer(f"3,{ROW[:-1]}256,Training")],
        ("fer2013.csv row 8 (line 10)", "256"),
    ),
    "label out of range": (
        lambda w: ["fer2013", "--from", w.fer(f"7,{ROW},Training")],
        ("fer2013.csv row 8 (line 10)", "from 0 to 6", "'7'"),
    ),
    "unknown Usage": (
        lambda w: ["fer2013", "--from", w.fer(f"3,{ROW},Practice")],
        ("fer2013.csv row 8 (line 10)", "'Practice'"),
    ),
    "missing votes": (lambda w: ["fer2013", "--from", w.fer(), "--ferplus=no.csv"], "no.csv"),
    "votes of another length": (
        lambda w: ["fer2013", "--from", w.fer(), f"--ferplus={w.write('plus.csv', 'Usage,neutral' + chr(10))}"],
        "plus.csv",
    ),
    "wrong resolution": (lambda w: ["fer2013", "--from", w.faces(50)], ("48x48", "50x50")),
    "images of two sizes": (
        lambda w: ["folder", "--from", w.faces(more=w.png(30))],
        ("30x30", "48x48"),
    ),
    "empty class folder": (lambda w: ["folder", "--from", empty_class(w), "--name=mine"], ("fear", "found none")),
    "empty folder": (lambda w: ["folder", "--from", str(w.folder.joinpath("e").mkdir() or "e")], ("e", "no image")),
    "truncated image": (
        lambda w: ["folder", "--from", w.faces(more=w.png()[:900])],
        "faces/train/sad/9.png",
    ),
    "noise as image": (
        lambda w: ["folder", "--from", w.faces(more=os.urandom(900))],
        "faces/train/sad/9.png",
    ),
    "an unknown class": (
        lambda w: ["fer2013", "--from", w.faces(more=w.png(), of="bored")],
        "'bored'",
    ),
    "zip bomb in a table": (
        lambda w: ["fer2013", "--from", w.zip("a.zip", {"fer2013.csv": f"{HEADER}\n{BULKY * 500}".encode()})],
        ("a.zip", "zip bomb"),
    ),
    "zip bomb in images": (
        lambda w: ["folder", "--from", w.zip("a.zip", {"happy/a.png": bytes(1 << 25), "sad/b.png": w.png()})],
        ("happy/a.png", "zip bomb"),
    ),
    "traversal": (
        lambda w: ["folder", "--from", w.zip("a.zip", {"../happy/a.png": w.png(), "sad/b.png": w.png()})],
        ("a.zip", "../happy/a.png"),
    ),
    "absolute path in a zip": (
        lambda w: ["folder", "--from", w.zip("a.zip", {"/happy/a.png": w.png(), "/sad/b.png": w.png()})],
        ("a.zip", "/happy/a.png"),
    ),
    "noise as a zip": (lambda w: ["folder", "--from", w.write("a.zip", os.urandom(5000))], "a.zip"),
    "truncated zip": (
        lambda w: ["folder", "--from", w.zip("b.zip", {"happy/a.png": w.png()}, cut=900)],
        "b.zip",
    ),
    "no faces to draw": (lambda w: ["procedural", "--count=0"], "count"),
    "faces too small": (lambda w: ["procedural", "--count=20", "--size=8"], "size"),
    "a name that leaves the folder": (lambda w: ["fer2013", "--from", w.fer(), "--name=../x"], "../x"),
    "option of another source": (lambda w: ["fer2013", "--from", w.fer(), "--size=64"], "size"),
    "unknown splits": (lambda w: ["fer2013", "--from", w.fer(), "--splits=mine"], "mine"),
}  # fmt: skip


@pytest.mark.parametrize("case", PREPARE)
def test_prepare(case, world, capsys):
    arguments, said = PREPARE[case]
    argv = ["prepare", *arguments(world), "--quiet"]
    with untouched(world.folder):
        refused(argv, said, capsys)
    assert not any((world.folder / "prepared").glob("*"))


def test_prepare_leaves_an_older_set_whole(world, capsys):
    """A set that cannot be replaced stays as it is."""
    assert main.main(["prepare", "fer2013", "--from", world.fer(), "--quiet"]) == 0
    bad = world.fer(f"3,{ROW},Practice")
    with untouched(world.folder):
        refused(["prepare", "fer2013", "--from", bad, "--quiet"], "'Practice'", capsys)


class Hostile:
    """Unpickled, it would make a file."""

    def __reduce__(self):
        return os.system, ("touch taken",)


def pth(content: object) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("model/data.pkl", pickle.dumps(content, protocol=2))
        archive.writestr("model/version", "3\n")
    return stream.getvalue()


CONVERT: dict[str, Case] = {
    "hostile pickle": (lambda w: [w.write("a.pth", pth({"conv1.weight": Hostile()}))], ("a.pth", "system")),
    "hostile bare pickle": (lambda w: [w.write("a.pth", pickle.dumps(Hostile(), protocol=2))], "a.pth"),
    "missing file": (lambda w: ["nowhere.pth"], ("nowhere.pth", "no such file")),
    "empty file": (lambda w: [w.write("a.pth", "")], "a.pth"),
    "binary noise": (lambda w: [w.write("a.pth", os.urandom(5000))], "a.pth"),
    "noise as safetensors": (lambda w: [w.write("a.safetensors", os.urandom(5000))], "a.safetensors"),
    "noise as npz": (lambda w: [w.write("a.npz", os.urandom(5000))], "a.npz"),
    "no table of weights": (lambda w: [w.write("a.pth", pth([1, 2, 3]))], "a.pth"),
    "of another architecture": (lambda w: [npz(w, {"encoder.0.weight": np.ones((3, 3), np.float32)})], "a.npz"),
    "unknown suffix": (lambda w: [w.write("a.h5", "x")], ("a.h5", ".safetensors")),
    "unknown suffix of the output": (lambda w: [w.write("a.pth", pth({})), "out.pth"], ("out.pth", ".safetensors")),
    "no classes": (lambda w: [w.write("a.pth", pth({})), "--classes=0"], "0 classes"),
}


def npz(w: World, arrays: dict[str, np.ndarray]) -> str:
    np.savez(w.folder / "a.npz", **arrays)
    return "a.npz"


@pytest.mark.parametrize("case", CONVERT)
def test_convert(case, world, capsys):
    arguments, said = CONVERT[case]
    given = arguments(world)
    out = [] if len(given) > 1 and not given[1].startswith("-") else ["out.safetensors"]
    argv = ["convert", "torchvision", given[0], *out, *given[1:], "--model=resnet"]
    with untouched(world.folder):
        refused(argv, said, capsys)

"""`fergen project`: faces in, styles out; what it writes, and what it refuses."""

import json

import jax
import numpy as np
import pytest
from PIL import Image

from fergen.main import main
from fergen.tasks.stylegan2_nets import by_collection, initial
from fergen.train import weights

SPEC = {
    "task": "stylegan2",
    "model": {
        "name": "stylegan2", "z_dim": 6, "w_dim": 8, "mapping_layers": 1, "label_layers": 0, "channel_base": 64,
        "channel_max": 8, "dtype": "float32",
    },
    "classes": ["happy", "sad"],
    "image": {"height": 8, "width": 8, "channels": 1},
    "nets": ["generator", "discriminator"],
    "latent": [6],
    "conditional": True,
    "prior": [0.5, 0.5],
    "sampler": {"truncation": 1.0, "cutoff": 0, "centre": "all", "noise": "const"},
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Weights of a tiny StyleGAN2, and two pictures."""
    place = tmp_path_factory.mktemp("project")
    variables = by_collection(jax.jit(lambda key: initial(SPEC, key))(jax.random.key(0)))
    weights.write(place / "net.safetensors", variables, spec=SPEC, lineage={"weights": {}, "data": {}}, card={})
    rng = np.random.default_rng(0)
    (place / "faces").mkdir()
    for i in range(2):
        Image.fromarray(rng.integers(0, 256, (20, 16), np.uint8)).save(place / "faces" / f"{i}.png")
    return place


def test_faces_are_projected(folder, capsys):
    """A label's mean is the start; the files hold what the line says; the same command ends with the same styles."""
    argv = [
        "project", str(folder / "faces"), f"--weights={folder / 'net.safetensors'}", f"--out={folder / 'out'}",
        "--label=sad", "--space=w+", "--steps=3", "--features=fer2013_small", "--quiet",
    ]  # fmt: skip
    assert main(argv) == 0
    assert "2 faces in" in capsys.readouterr().out
    stored = np.load(folder / "out" / "styles.npz")
    assert stored["ws"].shape == (2, 4, 8)
    assert stored["noise0"].shape == (2, 4, 4, 1)
    about = json.loads((folder / "out" / "projected.json").read_text())
    assert [row["source"] for row in about["faces"]] == ["0.png", "1.png"]
    assert about["label"] == "sad"
    assert all(row["distance"] > 0 for row in about["faces"])
    assert Image.open(folder / "out" / "faces.png").width > 16
    first = stored["ws"].copy()
    assert main(argv) == 0
    np.testing.assert_array_equal(np.load(folder / "out" / "styles.npz")["ws"], first)


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["faces", "--weights=fer2013_small"], "expected a generator, found a classifier"),
        (["faces", "--weights=net.safetensors", "--label=angry"], "unknown emotion 'angry'"),
        (["faces", "--weights=net.safetensors", "--steps=0"], "--steps=0: expected at least 1"),
        (["nowhere.png", "--weights=net.safetensors"], "nowhere.png"),
    ],
)
def test_what_it_refuses(argv, words, folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    assert main(["project", *argv, "--quiet"]) == 2
    assert words in capsys.readouterr().err
    assert not (folder / "projected").exists()

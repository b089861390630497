"""`fergen edit`: faces move towards an expression; what it writes, and what it refuses."""

import json

import numpy as np
import pytest
from PIL import Image

from fergen.main import main
from tests.train.test_projecting import folder  # noqa: F401 (a fixture)


def test_faces_are_edited(folder, capsys):  # noqa: F811
    """From a projection's styles: pictures, the way, and what guide and judge see before and after."""
    styles = folder / "styles.npz"
    rng = np.random.default_rng(0)
    np.savez(styles, ws=np.repeat(rng.normal(size=(2, 1, 8)), 4, axis=1).astype(np.float32))
    argv = [
        "edit", "happiness", f"--weights={folder / 'net.safetensors'}", f"--from={styles}",
        f"--out={folder / 'edited'}",
        "--judge=fer2013_judge", "--features=fer2013_small", "--steps=4", "--rate=0.3", "--quiet",
    ]  # fmt: skip
    assert main(argv) == 0
    said = capsys.readouterr().out
    assert "guide: " in said
    assert "judge: " in said
    about = json.loads((folder / "edited" / "edited.json").read_text())
    for role in ("guide", "judge"):
        assert len(about[f"{role} before"]) == len(about[f"{role} after"]) == 2
    assert sum(about["guide after"]) > sum(about["guide before"])
    assert min(about["moved"]) > 0
    assert min(about["identity"]) >= -1e-5
    assert Image.open(folder / "edited" / "way.gif").n_frames > 1
    assert Image.open(folder / "edited" / "strip.png").width > 16


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["happy", "--weights=fer2013_small"], "expected a generator, found a classifier"),
        (["bored", "--weights=net.safetensors"], "unknown emotion 'bored'"),
        (["happy", "--weights=net.safetensors", "--guide=net.safetensors"], "expected a classifier, found a stylegan2"),
        (["happy", "--weights=net.safetensors", "--judge=fer2013_small"], "is not independent"),
        (["happy", "--weights=net.safetensors", "--from=none.npz"], "expected styles.npz of fergen project"),
        (["happy", "--weights=net.safetensors", "--from=bad.npz"], r"found shape (2, 3, 8)"),
        (["happy", "--weights=net.safetensors", "--label=angry"], "unknown emotion 'angry'"),
        (["happy", "--weights=net.safetensors", "--steps=0"], "--steps=0: expected at least 1"),
        (["happy", "--weights=net.safetensors", "--realism=-1"], "--realism=-1.0: expected at least 0"),
    ],
)
def test_what_it_refuses(argv, words, folder, monkeypatch, capsys):  # noqa: F811
    monkeypatch.chdir(folder)
    np.savez("bad.npz", ws=np.zeros((2, 3, 8)))
    assert main(["edit", *argv, "--quiet"]) == 2
    assert words in capsys.readouterr().err

"""`fergen edit`: faces move towards an expression; what it writes, and what it refuses."""

import json

import jax
import numpy as np
import pytest
from PIL import Image

from fergen.main import main
from fergen.tasks import cvae_nets
from fergen.train import edit_scene, edit_table, editing, faces, weights
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


@pytest.fixture(scope="module")
def cvae(folder):  # noqa: F811
    """A CVAE of the generator's size and classes."""
    spec = {
        "task": "cvae",
        "model": {"name": "cvae", "latent": 4, "widths": [4, 8], "depths": [1, 1], "prior": 8, "dtype": "float32"},
        "classes": ["happy", "sad"], "image": {"height": 8, "width": 8, "channels": 1}, "nets": ["cvae"],
        "latent": [4], "conditional": True, "prior": [0.5, 0.5], "sampler": {"guidance": 1.0, "truncation": 1.0},
    }  # fmt: skip
    variables = jax.jit(lambda key: cvae_nets.initial(spec, key))(jax.random.key(0))
    path = folder / "cvae.safetensors"
    weights.write(path, variables, spec=spec, lineage={"weights": {}, "data": {}}, card={})
    return path


def test_the_hybrid_shows_all_four(folder, cvae, capsys):  # noqa: F811
    """A CVAE's picture pulls the search: four pictures of each face, and what the judge sees on each kind."""
    out = folder / "hybrid"
    argv = [
        "edit", "happy", f"--weights={folder / 'net.safetensors'}", f"--cvae={cvae}", "--guide=fer2013_small",
        "--judge=fer2013_judge", "--features=fer2013_small", "--n=2", "--steps=2",
        "--truncation=0.5", "--label=sad", f"--out={out}", "--quiet",
    ]  # fmt: skip
    assert main(argv) == 0
    assert "judge of hybrid: " in capsys.readouterr().out
    about = json.loads((out / "edited.json").read_text())
    assert {name: len(each) for name, each in about["judge of hybrid"].items()} == dict.fromkeys(editing.HYBRID, 2)
    assert set(about["identity of hybrid"]) == {"CVAE", "StyleGAN2", "hybrid"}
    assert Image.open(out / "hybrid.png").width > 4 * 8
    # Where it ended is a start for another edit.
    again = [*argv[:3], f"--from={out / 'styles.npz'}", "--steps=1", f"--out={folder / 'again'}", "--quiet"]
    again.append("--features=fer2013_small")
    assert main(again) == 0


def test_styles_are_mixed(folder, capsys):  # noqa: F811
    """Rows keep their coarse styles: with all but the last style the row's, faces are nearly the row's own."""
    net = faces.generator(str(folder / "net.safetensors"))
    page = faces.mixture(net, 3, columns=5).astype(int)
    assert page.shape == (3, 6, 8, 8, 1)
    assert np.ptp(page[0, 0]) == 0
    own, top, mixed = page[1:, :1], page[:1, 1:], page[1:, 1:]
    assert np.abs(mixed - own).mean() < np.abs(mixed - top).mean()
    assert np.abs(mixed - own).max() > 0
    out = folder / "mixed.png"
    assert main(["sample", f"--weights={folder / 'net.safetensors'}", "--mix=2", f"--out={out}", "--columns=3"]) == 0
    assert Image.open(out).width > 4 * 8
    assert main(["sample", f"--weights={folder / 'net.safetensors'}", "--mix=4", f"--out={out}"]) == 2
    assert "expected 1 to 3 of the 4 layers' styles" in capsys.readouterr().err


@pytest.mark.parametrize("by", ["gradient", "regression"])
def test_faces_go_along_a_direction(by, folder, monkeypatch):  # noqa: F811
    monkeypatch.setattr(editing, "FITTED", 128)
    monkeypatch.setattr(editing, "GRADIENTS", 16)
    net, out = folder / "net.safetensors", folder / by
    argv = [
        "edit",
        "happy",
        f"--weights={net}",
        f"--by={by}",
        "--n=2",
        "--strength=2",
        "--features=fer2013_small",
        f"--out={out}",
        "--quiet",
    ]
    assert main(argv) == 0
    about = json.loads((out / "edited.json").read_text())
    assert len(about["guide along"]) == len(about["strengths"]) == 12
    assert about["strengths"][-1] == 2
    direction = np.load(out / "directions.npz")["happy"]
    assert np.linalg.norm(direction) == pytest.approx(1, rel=1e-4)


def test_every_expression_and_the_judges_table(folder, cvae, capsys):  # noqa: F811
    """The same faces moved to each expression by one search; a column per kind of faces, a row per expression."""
    out = folder / "all"
    argv = ["edit", "all", f"--weights={folder / 'net.safetensors'}", "--judge=fer2013_judge", "--n=3", "--steps=1"]
    assert main([*argv, "--features=fer2013_small", "--label=sad", f"--cvae={cvae}", f"--out={out}", "--quiet"]) == 0
    said = capsys.readouterr().out
    assert "| judge sees it, % | before | sampled | edited | CVAE | hybrid |" in said
    table = json.loads((out / "control.json").read_text())
    assert {name: len(hits) for name, hits in table["edited"].items()} == {"happy": 3, "sad": 3}
    about = json.loads((out / "edited.json").read_text())
    assert about["wanted"] == ["happy", "sad"]
    # The faces before are the same for both; the judge's probabilities are of different expressions.
    seen = np.array(about["judge before"]).reshape(2, 3)
    assert np.abs(seen[0] - seen[1]).max() > 1e-3
    ws = np.load(out / "styles.npz")["ws"]
    assert np.abs(ws[:3] - ws[3:]).max() > 1e-4
    assert Image.open(out / "strip.png").width > 3 * 8
    assert main(["edit", "all", f"--weights={folder / 'net.safetensors'}", "--quiet"]) == 2
    assert "name an independent --judge" in capsys.readouterr().err


def test_the_table_counts_first_guesses():
    made = edit_table.text({"edited": {"happy": np.array([True, True]), "sad": np.array([True, False])}})
    assert made.splitlines()[2:] == ["| happy | 100 |", "| sad | 50 |", "| all | 75.0 [30.1, 95.4] |"]


def test_truncated_starts_leave_the_search_its_room(folder):  # noqa: F811
    """At a truncation of 0 all faces of a label begin at its mean; styles are white as they are without."""
    options = {
        "guides": ["fer2013_small"], "judge": None, "cvae": None, "start": None, "label": "sad", "n": 2, "space": "w",
        "seed": 0,
    }  # fmt: skip
    net = str(folder / "net.safetensors")
    means, whole = (edit_scene.scene(net, ["happy"], truncation=psi, **options) for psi in (0.0, None))
    np.testing.assert_array_equal(means.start[0], means.start[1])
    assert np.abs(whole.start[0] - whole.start[1]).max() > 1e-3
    np.testing.assert_array_equal(means.white.matrix, whole.white.matrix)


def test_latents_are_edited(folder):  # noqa: F811
    argv = [
        "edit",
        "happy",
        f"--weights={folder / 'net.safetensors'}",
        "--space=z",
        "--n=2",
        "--steps=2",
        "--features=fer2013_small",
    ]
    assert main([*argv, f"--out={folder / 'latents'}", "--quiet"]) == 0
    assert not (folder / "latents" / "styles.npz").exists()
    assert json.loads((folder / "latents" / "edited.json").read_text())["settings"]["space"] == "z"


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["happy", "--weights=net.safetensors", "--space=z", "--from=styles.npz"], "projected faces have styles alone"),
        (["happy", "--weights=net.safetensors", "--space=z", "--by=gradient"], "go with search alone"),
        (["happy", "--weights=net.safetensors", "--cvae=net.safetensors"], "expected a cvae, found a stylegan2"),
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

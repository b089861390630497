"""Exported models without jax: they give what jax gives, and need nothing but three packages."""

import json
import os
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest
from PIL import Image

from fergen import main
from fergen.commands.predict import predict
from fergen.core.errors import BadInput
from fergen.export import flow_sampler, runtime
from fergen.live import classifier as live
from fergen.train.restore import restore

ROOT = Path(__file__).resolve().parents[2]
# Run before fergen: importing anything but the standard library, numpy, onnxruntime, OpenCV and what they need fails.
BLOCKER = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top in BANNED:
            raise ModuleNotFoundError(f"No module named {top!r}", name=top)
BANNED = set('''jax jaxlib flax optax orbax PIL ml_collections jaxtyping tensorflow tensorflow_datasets etils grain
einops array_record safetensors scipy sklearn matplotlib tensorboardX ml_dtypes onnx skimage'''.split())
sys.meta_path.insert(0, Blocked())
from fergen import main
sys.exit(main.main(sys.argv[1:]))
"""


def bare(*argv: str, cwd: Path) -> subprocess.CompletedProcess:
    """Run a verb where only three packages can be imported."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", BLOCKER, *argv]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, env=environment)


@pytest.fixture
def photos(tmp_path, faces):
    folder = tmp_path / "photos"
    folder.mkdir()
    for i, face in enumerate(faces[:4]):
        Image.fromarray(face[..., 0]).save(folder / f"{i}.png")
    Image.fromarray(np.random.default_rng(1).integers(256, size=(99, 70, 3), dtype=np.uint8)).save(folder / "x.jpg")
    rows = "\n".join(" ".join(map(str, face.ravel())) for face in faces[4:6])
    (tmp_path / "faces.csv").write_text(f"pixels\n{rows}\n")
    return folder


def test_predict_needs_three_packages_alone(photos, small):
    table = photos.parent / "faces.csv"
    done = bare("predict", str(photos), str(table), f"--weights={small}", "--out=out.json", cwd=photos.parent)
    assert done.returncode == 0, done.stderr
    found = json.loads((photos.parent / "out.json").read_text())
    expected = predict([photos, table], "fer2013_small")
    assert [row["source"] for row in found] == expected.sources == ["0.png", "1.png", "2.png", "3.png", "x.jpg", 0, 1]
    for row, probabilities in zip(found, expected.probabilities):
        np.testing.assert_allclose([row[name] for name in expected.classes], probabilities, atol=1e-5)
    assert [row["prediction"] for row in found] == expected.predicted


def test_what_needs_more_says_so_in_one_line(photos):
    done = bare("predict", str(photos), cwd=photos)
    assert done.returncode == 2
    assert done.stderr.startswith("fergen: fergen predict needs the package ")
    assert done.stderr.count("\n") == 1
    assert "pip install fergen" in done.stderr


def test_help_needs_three_packages_alone(tmp_path):
    for argv in (["--help"], ["predict", "--help"]):
        done = bare(*argv, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert "usage: fergen" in done.stdout


def test_probabilities_are_calibrated_and_live(small, faces):
    net, found = runtime.load(small), restore("fer2013_small")
    assert isinstance(net, runtime.Classifier)
    logits = np.asarray(jax.jit(found.predict["logits"])(found.variables, faces))
    np.testing.assert_allclose(net.logits(faces, batch=4), logits, atol=1e-4)
    scaled = np.exp(logits / found.card["temperature"])
    np.testing.assert_allclose(net.probabilities(faces), scaled / scaled.sum(1, keepdims=True), atol=1e-5)
    assert (net.classes, net.hash, net.spec) == (tuple(found.spec["classes"]), found.hash, found.spec)
    assert net.lineage == found.lineage
    assert net.card["scores"] == found.card["scores"]
    assert net.probabilities(faces[:0]).shape == (0, 7)
    ours = live.load(str(small))
    assert (ours.classes, ours.size, ours.channels) == (net.classes, (48, 48), 1)
    np.testing.assert_array_equal(ours.probabilities(faces), net.probabilities(faces))


@pytest.mark.parametrize("images", [np.zeros((1, 48, 48, 3), np.uint8), np.zeros((1, 48, 48, 1), np.float32)])
def test_images_of_another_form_are_refused(small, images):
    with pytest.raises(BadInput, match="expected images uint8"):
        runtime.load(small).probabilities(images)


SLOW = ("fer2013_cgan", "procedural_cvae")


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.slow if name in SLOW else ())
        for name in ("procedural_gan", "fer2013_stylegan2_small", *SLOW)
    ],
)
def test_generators_give_jaxs_faces(exported, name):
    found, path = exported(name)
    net = runtime.load(path)
    labels = np.array([3, 0, 6, 3, 1])
    faces = net.sample(labels, seed=4, batch=2)
    assert (faces.dtype, faces.shape) == (np.uint8, (5, 48, 48, 1))
    given = (found.variables, net.draw(5, 4), labels.astype(np.int32))
    expected = np.asarray(jax.jit(found.predict["sample"])(*given))
    np.testing.assert_allclose(faces, (expected + 1) * 127.5, atol=0.51)
    np.testing.assert_array_equal(net.sample(labels, seed=4), faces)
    assert (net.sample(labels, seed=5) != faces).any()
    with pytest.raises(BadInput, match="no option 'guidance'"):
        net.sample(labels, guidance=2.0)
    with pytest.raises(BadInput, match="expected labels from 0 to 6, found 7"):
        net.sample([7])
    with pytest.raises(BadInput, match="expected latents"):
        net.sample([1], latents=np.zeros((2, 3)))


def test_truncation_brings_stylegan2s_faces_together(exported):
    net = runtime.load(exported("fer2013_stylegan2_small")[1])
    spread = [net.sample([1] * 6, truncation=psi).std(0).mean() for psi in (0, 0.5, 1)]
    assert spread[0] < 1e-6 < spread[1] < spread[2]


@pytest.mark.parametrize(
    "sampler",
    [
        ("sampler.name=euler", "sampler.steps=5", "sampler.guidance=1.0"),
        ("sampler.name=heun", "sampler.steps=4", "sampler.guidance=2.5", "sampler.interval=(0.2,0.7)"),
        pytest.param(("sampler.name=heun", "sampler.steps=3", "sampler.shift=2.0"), marks=pytest.mark.slow),
        pytest.param(("sampler.name=heun", "sampler.steps=1"), marks=pytest.mark.slow),
    ],
)
def test_a_flow_is_followed_as_in_jax(exported, sampler):
    found, path = exported("procedural_flow", sampler)
    net = runtime.load(path)
    latents, labels = net.draw(3, 1), np.array([2, 5, 0], np.int32)
    expected = np.asarray(jax.jit(found.predict["sample"])(found.variables, latents, labels))
    ours = flow_sampler.sampled(lambda x, time, y: net(x=x, time=time, labels=y)[0], latents, labels, found.spec)
    np.testing.assert_allclose(ours, expected, atol=5e-4)
    np.testing.assert_allclose(net.sample(labels, seed=1), (expected + 1) * 127.5, atol=0.6)


def test_a_flows_sampler_has_options(exported):
    net = runtime.load(exported("procedural_flow")[1])
    assert (net.sample([1], steps=2) != net.sample([1], steps=4)).any()
    for options, said in (
        ({"truncation": 1}, "sampler option truncation"),
        ({"steps": 0}, "at least 1 step"),
        ({"name": "midpoint"}, "euler or heun"),
    ):
        with pytest.raises(BadInput, match=said):
            net.sample([1], **options)


def test_euler_and_heun_follow_a_known_path():
    """dx/dt = 2 t x from 0 to 1 ends at e x; Heun's error falls four times as the steps double, Euler's twice."""
    spec = {"classes": ["a"], "mean": [0.0], "std": [0.1]}
    noise, end = np.full((1, 1, 1, 1), 1.0, np.float32), 0.1 * np.exp(1)

    def error(name, steps):
        sampler = {"name": name, "steps": steps, "guidance": 1.0, "interval": (0, 1), "shift": 1.0}
        way = lambda x, t, y: 2 * t[:, None, None, None] * x  # noqa: E731 (a function under test)
        return abs(float(flow_sampler.sampled(way, noise, [0], {**spec, "sampler": sampler})[0, 0, 0, 0]) - end)

    assert error("euler", 40) / error("euler", 80) == pytest.approx(2, rel=0.1)
    assert error("heun", 40) / error("heun", 80) == pytest.approx(4, rel=0.3)


def test_a_file_that_is_none_is_refused(tmp_path, small, photos, capsys):
    import onnx

    foreign = onnx.load(str(small))
    del foreign.metadata_props[:]
    onnx.save(foreign, str(tmp_path / "foreign.onnx"))
    odd = onnx.load(str(small))
    next(p for p in odd.metadata_props if p.key == "image").value = "{}"
    onnx.save(odd, str(tmp_path / "odd.onnx"))
    late = onnx.load(str(small))
    late.opset_import[0].version = 999
    onnx.save(late, str(tmp_path / "late.onnx"))
    whole = small.read_bytes()
    (tmp_path / "cut.onnx").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "noise.onnx").write_bytes(os.urandom(5000))
    (tmp_path / "empty.onnx").write_bytes(b"")
    (tmp_path / "folder.onnx").mkdir()
    for name, said in {
        "foreign": "expected a file that fergen export wrote",
        "odd": "damaged ones",
        "late": "expected an ONNX model",
        "cut": "expected an ONNX model",
        "noise": "expected an ONNX model",
        "empty": "expected",
        "folder": "no such file",
        "nowhere": "no such file",
    }.items():
        assert main.main(["predict", str(photos), f"--weights={tmp_path / name}.onnx"]) == 2
        error = capsys.readouterr().err
        assert said in error, error
        assert error.count("\n") == 1


def test_a_generator_is_no_classifier(exported, photos, capsys):
    _, path = exported("procedural_gan")
    assert main.main(["predict", str(photos), f"--weights={path}"]) == 2
    assert "expected an exported classifier, found a gan's sample" in capsys.readouterr().err


@pytest.mark.slow
def test_a_bare_environment(tmp_path, small, photos):
    """pip install --no-deps fergen, and three packages."""
    python = tmp_path / "venv" / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    for packages in (["numpy", "onnxruntime", "opencv-python-headless>=4.10,<5"], ["--no-deps", str(ROOT)]):
        done = subprocess.run([python, "-m", "pip", "install", "-q", *packages], capture_output=True, text=True)
        if done.returncode and "No matching distribution" in done.stderr:
            pytest.skip(f"no package index within reach: {done.stderr.splitlines()[-1]}")
        assert done.returncode == 0, done.stderr
    fergen = tmp_path / "venv" / "bin" / "fergen"
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    run = {"cwd": tmp_path, "capture_output": True, "text": True, "env": environment}
    done = subprocess.run([fergen, "predict", photos, f"--weights={small}"], check=False, **run)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n") == 6
    assert done.stdout.splitlines()[0].startswith("source,angry,")
    for absent in ("jax", "PIL", "ml_collections"):
        assert subprocess.run([python, "-c", f"import {absent}"], check=False, **run).returncode

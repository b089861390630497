"""Weights as a file: exact, hashed, refused when changed; and handed on with a card."""

import json

import jax
import ml_dtypes
import numpy as np
import pytest

from fergen.core import lineage as lineages
from fergen.core.errors import BadInput
from fergen.core.tree import leaf_names
from fergen.tasks import gan_nets
from fergen.train import weights
from fergen.train.card import hand_on
from fergen.train.initial import initialise
from fergen.train.loop import run
from fergen.train.restore import restore
from fergen.train.setup import prepare, run_key

VARIABLES = {
    "params": {"a": {"kernel": np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)}},
    "batch_stats": {"a": {"mean": np.array([0.1, 0.2], np.float32)}},
    "buffers": {"noise_const": np.array([[0.1]], np.float32), "w_avg": np.array([0.3], np.float32)},
}
META = {"spec": {"task": "classifier"}, "lineage": {"weights": {}, "data": {"d": "x"}}, "card": {"n": 3}}


def test_round_trip_is_exact_and_bf16_rounds_parameters_and_constant_noise_alone(tmp_path):
    digest = weights.write(tmp_path / "a.safetensors", VARIABLES, **META)
    found, meta = weights.read(tmp_path / "a.safetensors")
    for name, leaf in leaf_names(VARIABLES).items():
        np.testing.assert_array_equal(leaf_names(found)[name], leaf)
    assert meta == {**META, "hash": digest}
    other = weights.write(tmp_path / "b.safetensors", VARIABLES, **META, bf16=True)
    half, _ = weights.read(tmp_path / "b.safetensors")
    assert other != digest
    kernel = VARIABLES["params"]["a"]["kernel"]
    np.testing.assert_array_equal(half["params"]["a"]["kernel"], kernel.astype(ml_dtypes.bfloat16).astype(np.float32))
    np.testing.assert_array_equal(half["batch_stats"]["a"]["mean"], VARIABLES["batch_stats"]["a"]["mean"])
    assert half["buffers"]["noise_const"].item() == float(ml_dtypes.bfloat16(0.1))
    assert half["buffers"]["w_avg"].item() == np.float32(0.3)


def test_a_file_can_be_read_by_whom_any_other_can(tmp_path):
    weights.write(tmp_path / "a.safetensors", VARIABLES, **META)
    (tmp_path / "other").touch()
    assert (tmp_path / "a.safetensors").stat().st_mode == (tmp_path / "other").stat().st_mode


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda raw: raw[:-5], "damaged"),
        (lambda raw: raw[:-1] + bytes([raw[-1] ^ 1]), "differ from the hash"),
        (lambda raw: b"\x00" * 40, "damaged"),
        (lambda raw: b"", "damaged"),
    ],
)
def test_changed_files_are_refused(tmp_path, damage, message):
    file = tmp_path / "a.safetensors"
    weights.write(file, VARIABLES, **META)
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(BadInput, match=message):
        weights.read(file)


def test_foreign_safetensors_are_told_to_convert(tmp_path):
    from safetensors.numpy import save_file

    save_file({"x": np.zeros(3)}, tmp_path / "x.safetensors")
    with pytest.raises(BadInput, match="fergen convert"):
        weights.read(tmp_path / "x.safetensors")
    with pytest.raises(BadInput, match="no such weights file"):
        restore(tmp_path / "none.safetensors")
    with pytest.raises(BadInput, match="expected a run's workdir"):
        restore(str(tmp_path / "nothing"))


def test_a_run_is_handed_on_and_started_from(tiny, tmp_path):
    run(tiny("epochs=2.0"), tmp_path / "run", quiet=True)
    scores = tmp_path / "scores"
    scores.mkdir()
    flat = {
        "weights_hash": restore(tmp_path / "run").hash,
        "n": 21,
        "temperature": 1.3,
        "threshold": 0.62,
        "accuracy": 0.5,
        "accuracy.low": 0.3,
        "accuracy.high": 0.7,
    }
    (scores / "validation.json").write_text(json.dumps(flat))
    out = tmp_path / "tiny.safetensors"
    hand_on(tmp_path / "run", out, scored=scores)
    ours, theirs = restore(tmp_path / "run"), restore(out)
    assert theirs.hash == ours.hash
    assert theirs.lineage["data"] == ours.lineage["data"]
    assert theirs.lineage["weights"].keys() == ours.lineage["weights"].keys()
    # Rounded, the weights have another hash, and the run's stays in their lineage.
    half = tmp_path / "half.safetensors"
    hand_on(tmp_path / "run", half, bf16=True)
    assert restore(half).hash != ours.hash
    assert {restore(half).hash, ours.hash} <= restore(half).lineage["weights"].keys()
    with pytest.raises(BadInput, match="measured of weights"):
        hand_on(half, tmp_path / "x.safetensors", scored=scores)
    assert (theirs.card["temperature"], theirs.card["threshold"]) == (1.3, 0.62)
    assert theirs.card["scores"]["validation"]["accuracy"] == [0.5, 0.3, 0.7]
    images = np.random.default_rng(0).integers(0, 256, (2, 16, 16, 1), np.uint8)
    predicted = [np.asarray(r.predict["logits"](r.variables, images)) for r in (ours, theirs)]
    np.testing.assert_array_equal(*predicted)

    # The lineage tells where a run began, even after what it began from is gone.
    begun = tiny(f"init_from={out}", "epochs=1.0")
    run(begun, tmp_path / "next", quiet=True)
    assert theirs.hash in restore(tmp_path / "next").lineage["weights"]
    # A file travels: its card names what it began from, not where that lay.
    handed = tmp_path / "handed.safetensors"
    hand_on(tmp_path / "next", handed)
    assert restore(handed).card["config"]["init_from"] == out.name
    assert str(tmp_path).encode() not in handed.read_bytes()

    # Another head keeps its random start; all else is taken.
    this = prepare(tiny(f"init_from={out}", "model.hidden=32"))
    fresh = this.init(run_key(this.config))
    state = initialise(fresh, restore(out))
    taken, given, start = (leaf_names(t) for t in (state.nets["classifier"].params, theirs.variables["params"],
                                                   fresh.nets["classifier"].params))  # fmt: skip
    same = {name for name in taken if name in given and np.array_equal(taken[name], given[name])}
    kept = {name for name in taken if np.array_equal(taken[name], start[name])}
    assert same
    assert any("kernel" in name and taken[name].shape[-1] == 32 for name in kept - same)
    assert jax.tree.leaves(state.nets["classifier"].ema)
    out.unlink()
    assert run(begun, tmp_path / "next", quiet=True)["step"] == 6


def test_a_generator_is_handed_on_without_its_critic(tmp_path):
    spec = {
        "task": "gan",
        "model": {"name": "dcgan", "conditioning": "projection", "latent": 4, "embedding": 4, "width": 4, "widest": 8,
                  "spectral_norm": False, "grain": False, "dtype": "float32"},
        "classes": ["happy", "sad"], "image": {"height": 16, "width": 16, "channels": 1}, "latent": [4],
        "data": {"hash": "d" * 64, "split": "train"}, "nets": ["generator", "critic"], "conditional": True,
        "prior": [0.5, 0.5],
    }  # fmt: skip
    whole, out = tmp_path / "whole.safetensors", tmp_path / "generator.safetensors"
    weights.write(whole, gan_nets.initial(spec, jax.random.key(0)), spec=spec, lineage=lineages.of_data("x", "d" * 64),
                  card={})  # fmt: skip
    ours = restore(whole)
    scores = {"generator_hash": ours.hash, "judge": "judge", "judge_hash": "e" * 64, "data": "x", "data_hash": "d" * 64,
              "features": [], "seed": 0, "n": 70, "control/macro": 5 / 7, "shares/happy": 0.5}  # fmt: skip
    (tmp_path / "scores.json").write_text(json.dumps(scores))
    hand_on(whole, out, scored=tmp_path)
    theirs = restore(out)
    assert all(list(trees) == ["generator"] for trees in theirs.variables.values())
    assert "critic" in ours.predict
    assert "critic" not in theirs.predict
    latents, labels = jax.random.normal(jax.random.key(1), (2, 4)), np.arange(2)
    made = [np.asarray(r.predict["sample"](r.variables, latents, labels)) for r in (ours, theirs)]
    np.testing.assert_array_equal(*made)
    assert theirs.card["scores"] == {"n": 70, "control/macro": 0.7142857}
    assert "deceive" in theirs.card["use"]
    (tmp_path / "scores.json").write_text(json.dumps(scores | {"generator_hash": theirs.hash}))
    with pytest.raises(BadInput, match="measured of weights"):
        hand_on(whole, tmp_path / "x.safetensors", scored=tmp_path)

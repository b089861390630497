"""Plans by libtpu's own compiler, for slices that are not there: one experiment of each task."""

import json
import os
import subprocess
import sys

import pytest

from fergen.commands.plan import WITHOUT_TPU
from fergen.train.chips import CHIPS

pytest.importorskip("libtpu", reason="pip install -e '.[tpu]'")
pytestmark = pytest.mark.slow

# A config, fields that keep it small, and its programs: steps of theirs per step of training.
TASKS = [
    ("procedural_small:smoke", [], {"step (scan of 2)": 1.0}),
    (
        "procedural_cgan:smoke",
        ["maps.reference=", "augment.ada.preset=blit", "model.widths=(8,16,16)", "model.width=8", "model.widest=16"],
        {"start (scan of 2)": 0.5, "game (scan of 2)": 0.5},
    ),
    (
        "procedural_cvae:smoke",
        [
            *("perceptual.reference=", "perceptual.features=0", "perceptual.style=0", "perceptual.moments=0"),
            *("model.widths=(8,16,16)", "model.prior=32"),
        ],
        {"step (scan of 2)": 1.0},
    ),
    ("procedural_flow:smoke", ["model.widths=(32,32,32)"], {"step (scan of 2)": 1.0}),
    (
        "fer2013_stylegan2_small:smoke",
        # Three blocks, of 3, 6 and 12 pixels: of all five the compilation takes minutes.
        ["augment.ada.preset=blit", "model.channel_base=256", "model.channel_max=16", "resolution=12"],
        {"generator": 1.0, "lengths": 0.25, "discriminator": 1.0, "slope": 0.25, "close": 1.0},
    ),
]


def ran(*arguments, tmp_path):
    """Return what `fergen plan` writes, run as users run it."""
    out = tmp_path / "plan.json"
    command = [sys.executable, "-m", "fergen.main", "plan", *arguments, f"--out={out}"]
    # The tests' quick compilation and virtual devices are of CPUs.
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("JAX_", "XLA_"))}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    return json.loads(out.read_text()), done


@pytest.mark.parametrize(("config", "overrides", "programs"), TASKS, ids=[config for config, _, _ in TASKS])
def test_a_task(config, overrides, programs, tmp_path):
    fields = [*overrides, *(f"{field}=2" for field in ("scan", "log_every", "eval_every", "save_every"))]
    options = ["--topology=v5e:2x4", "--no-largest", *(f"--config.{field}" for field in fields)]
    found, done = ran(f"--config={config}", *options, tmp_path=tmp_path)
    assert {name: part["per_step"] for name, part in found["programs"].items()} == programs
    assert found["fits"]
    assert (found["devices"], found["batch_size"], found["per_device_batch"]) == (8, 8, 1)
    # Gradients of all parameters are summed over the slice, one way or another; optimisers keep more than a copy.
    told = sum(total["bytes"] for total in found["step"]["collectives"].values())
    assert found["hbm"]["resident"] > 2 * 4 * found["parameters"]
    for name, part in found["programs"].items():
        # No loop within a step: the forms that the CPU takes have one in each convolution's gradient.
        assert part["loops"] == [], name
        # XLA counts no products with padding, and whatever its own forms of small convolutions add.
        assert part["flops"] > part["products"] / 3, name
    assert told > 4 * found["parameters"] * 0.5
    assert "on v5e:2x4: 8 x TPU v5 lite, batch 8 (1 each)" in done.stdout
    assert "plan: " in done.stderr


def test_a_large_slice_and_its_largest_batch(tmp_path):
    """256 chips; 320 faces fill them once, so that the batch cannot grow."""
    small = ("--config=procedural_small:smoke", "--config.model.widths=(8,16,16)")
    found, _ = ran(*small, "--topology=v5e:16x16", "--per_device_batch=1", tmp_path=tmp_path)
    assert (found["devices"], found["batch_size"]) == (256, 256)
    assert found["largest"]["bound"] == "the set"
    few = ("--topology=v6e:1x1", "--config.data.name=procedural_n100")
    found, _ = ran(*small, *few, tmp_path=tmp_path)
    assert (found["devices"], found["device_kind"]) == (1, "TPU v6 lite")
    # Memory is so far off that the second batch compiled is all of the set's 80.
    assert (found["largest"]["batch_size"], found["largest"]["checked"]) == (80, True)
    assert found["step"]["collectives"] == {}


def test_a_slice_that_libtpu_does_not_know():
    command = [sys.executable, "-m", "fergen.main", "plan", "--config=procedural_small:smoke", "--topology=v5e:3x3"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "--topology=v5e:3x3: libtpu knows no such slice" in done.stderr


REFUSED = """
import re, jax, jax.numpy as jnp
from fergen.core import mesh, target
from fergen.train.chips import CHIPS, described
for chip in CHIPS.values():
    place = described(f"{chip.name}:" + "x".join(["2", "2", "1"][: chip.axes]))
    with target.described(place.devices):
        whole = mesh.replicated(mesh.build())
        large = jax.ShapeDtypeStruct((2**18, 2**18), jnp.float32, sharding=whole)
        try:
            jax.jit(lambda x: jnp.sort(2 * x, axis=1)).lower(large).compile()
        except jax.errors.JaxRuntimeError as error:
            print(chip.name, len(place.devices), re.search(r"available HBM \\(([\\d.]+)G\\)", str(error))[1])
"""


def test_what_a_chip_holds_is_what_the_compiler_takes():
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("JAX_", "XLA_"))} | WITHOUT_TPU
    done = subprocess.run([sys.executable, "-c", REFUSED], capture_output=True, text=True, check=True, env=environment)
    said = [line.split() for line in done.stdout.splitlines()]
    assert said == [[chip.name, str(4 * chip.devices), str(chip.usable / 2**30)] for chip in CHIPS.values()], (
        done.stdout
    )

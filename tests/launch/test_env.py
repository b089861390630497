"""The environment of runs: what each platform gets, and that the user's own word stands."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from launch import env

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("platform", ["cpu", "cuda", "tpu"])
def test_every_platform_compiles_once(platform):
    added = env.environment(platform, given={})
    assert Path(added["JAX_COMPILATION_CACHE_DIR"]).name == f"compiled-{env.machine()}"
    assert ("JAX_DEFAULT_MATMUL_PRECISION" in added) == (platform != "cpu")


@pytest.mark.parametrize("platform", ["cpu", "cuda", "tpu"])
def test_jaxlib_knows_the_flags(platform):
    """XLA ends the process at a flag that it does not know."""
    program = "import jax; print(jax.jit(lambda x: x + 1)(1), jax.config.jax_default_matmul_precision)"
    added = env.environment(platform, given={}) | {"JAX_PLATFORMS": "cpu"}
    given = {name: value for name, value in os.environ.items() if not name.startswith(("JAX_", "XLA_"))}
    done = subprocess.run([sys.executable, "-c", program], env=given | added, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["2", "None" if platform == "cpu" else "high"]


def test_what_the_user_has_set_stands():
    given = {
        "JAX_COMPILATION_CACHE_DIR": "/theirs",
        "JAX_DEFAULT_MATMUL_PRECISION": "float32",
        "XLA_FLAGS": "--xla_gpu_exclude_nondeterministic_ops=false --theirs=1",
    }
    assert env.environment("cuda", given=given) == {
        "XLA_FLAGS": "--xla_gpu_exclude_nondeterministic_ops=false --theirs=1"
        " --xla_gpu_enable_latency_hiding_scheduler=true"
    }
    assert env.environment("cpu", given=given) == {}
    shared = env.environment("cuda", jobs_per_gpu=3, given={})
    assert shared["XLA_CLIENT_MEM_FRACTION"] == "0.30"
    theirs = {"XLA_PYTHON_CLIENT_MEM_FRACTION": "0.5"}
    assert "XLA_CLIENT_MEM_FRACTION" not in env.environment("cuda", jobs_per_gpu=3, given=theirs)


def test_the_platform_is_what_jax_is_told_or_what_devices_there_are():
    assert env.platform_of({"JAX_PLATFORMS": "cpu"}) == "cpu"
    assert env.platform_of({"JAX_PLATFORMS": "cuda,cpu"}) == env.platform_of({"JAX_PLATFORMS": "gpu"}) == "cuda"
    assert env.platform_of({"CUDA_VISIBLE_DEVICES": "3,4"}) == "cuda"
    assert env.gpus({"CUDA_VISIBLE_DEVICES": "3,4"}) == ["3", "4"]
    assert env.gpus({"CUDA_VISIBLE_DEVICES": "-1"}) == env.gpus({"CUDA_VISIBLE_DEVICES": ""}) == []


def test_it_can_be_printed_for_a_shell():
    command = [sys.executable, ROOT / "launch" / "env.py"]
    given = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([*command, "cuda"], capture_output=True, text=True, env=given)
    assert done.returncode == 0, done.stderr
    assert "export JAX_DEFAULT_MATMUL_PRECISION=high\n" in done.stdout
    refused = subprocess.run([*command, "abacus"], capture_output=True, text=True, env=given)
    assert (refused.returncode, refused.stderr) == (1, "expected cpu, cuda, tpu; found abacus\n")

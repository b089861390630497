"""The environment of commands: what each platform gets, and that the user's own word stands."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fergen.core import environment

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("platform", ["cpu", "cuda", "tpu"])
def test_every_platform_compiles_once(platform):
    added = environment.added(platform, given={})
    assert Path(added["JAX_COMPILATION_CACHE_DIR"]).name == f"compiled-{environment.machine()}"
    assert ("JAX_DEFAULT_MATMUL_PRECISION" in added) == (platform != "cpu")


@pytest.mark.parametrize("platform", ["cpu", "cuda", "tpu"])
def test_jaxlib_knows_the_flags(platform):
    """XLA ends the process at a flag that it does not know."""
    program = "import jax; print(jax.jit(lambda x: x + 1)(1), jax.config.jax_default_matmul_precision)"
    added = environment.added(platform, given={}) | {"JAX_PLATFORMS": "cpu"}
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
    assert environment.added("cuda", given=given) == {
        "XLA_FLAGS": "--xla_gpu_exclude_nondeterministic_ops=false --theirs=1"
        f" {environment.EIGEN} --xla_gpu_enable_latency_hiding_scheduler=true"
    }
    flag = "--xla_cpu_experimental_ynn_fusion_type"
    assert environment.added("cpu", given=given | {"XLA_FLAGS": f"{flag}=theirs"}) == {}
    assert f" {flag}=" in environment.added("cpu", given=given)["XLA_FLAGS"]
    shared = environment.added("cuda", jobs_per_gpu=3, given={})
    assert shared["XLA_CLIENT_MEM_FRACTION"] == "0.30"
    theirs = {"XLA_PYTHON_CLIENT_MEM_FRACTION": "0.5"}
    assert "XLA_CLIENT_MEM_FRACTION" not in environment.added("cuda", jobs_per_gpu=3, given=theirs)


def test_a_node_does_not_take_what_another_kind_compiled():
    """A job of a cluster inherits the environment of the command that queued it."""
    name = environment.CACHE
    own = environment.added("cpu", given={})[name]
    assert environment.added("cpu", given={name: f"{own}0"})[name] == own
    assert name not in environment.added("cpu", given={name: "gs://mine/fergen/compiled-1"})


def test_a_user_without_a_home_folder_has_no_cache(monkeypatch):
    def homeless(_):
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", classmethod(homeless))
    assert environment.added("cpu", given={}) == {"XLA_FLAGS": environment.EIGEN}


COMMAND = """
import os, sys
from fergen.main import main
status = main(["eval", "--weights", "none.safetensors"])
import jax
print(status, jax.config.jax_compilation_cache_dir or "", os.environ["XLA_FLAGS"])
print(jax.jit(lambda x: x + 1)(1))
"""


@pytest.mark.parametrize("home", ["folder", "file"])
def test_a_command_sets_it_before_jax_starts_and_needs_no_cache(home, tmp_path):
    """Also where no cache can be written."""
    given = {name: value for name, value in os.environ.items() if not name.startswith(("JAX_", "XLA_", "XDG_"))}
    (tmp_path / "file").write_text("no folder")
    done = subprocess.run(
        [sys.executable, "-c", COMMAND], cwd=ROOT, capture_output=True, text=True,
        env=given | {"XDG_CACHE_HOME": str(tmp_path / home), "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    first, second = done.stdout.splitlines()
    status, cache, flags = first.split(" ")
    assert (status, flags, second) == ("2", environment.EIGEN, "2")
    assert cache == ("" if home == "file" else str(tmp_path / home / "fergen" / f"compiled-{environment.machine()}"))
    assert "Warning" not in done.stderr


def test_the_platform_is_what_jax_is_told_or_what_devices_there_are():
    assert environment.platform_of({"JAX_PLATFORMS": "cpu"}) == "cpu"
    assert environment.platform_of({"JAX_PLATFORMS": "cuda,cpu"}) == "cuda"
    assert environment.platform_of({"JAX_PLATFORMS": "gpu"}) == "cuda"
    assert environment.platform_of({"CUDA_VISIBLE_DEVICES": "3,4"}) == "cuda"
    assert environment.gpus({"CUDA_VISIBLE_DEVICES": "3,4"}) == ["3", "4"]
    assert environment.gpus({"CUDA_VISIBLE_DEVICES": "NoDevFiles"}) == []
    assert environment.gpus({"CUDA_VISIBLE_DEVICES": "-1"}) == environment.gpus({"CUDA_VISIBLE_DEVICES": ""}) == []


def test_it_can_be_printed_for_a_shell():
    command = [sys.executable, "-m", "fergen.core.environment"]
    # A command that another test ran in this process has left its variables.
    given = {name: value for name, value in os.environ.items() if not name.startswith(("JAX_", "XLA_"))}
    given["PYTHONPATH"] = str(ROOT)
    done = subprocess.run([*command, "cuda"], capture_output=True, text=True, env=given)
    assert done.returncode == 0, done.stderr
    assert "export JAX_DEFAULT_MATMUL_PRECISION=high\n" in done.stdout
    refused = subprocess.run([*command, "abacus"], capture_output=True, text=True, env=given)
    assert (refused.returncode, refused.stderr) == (1, "expected cpu, cuda, tpu; found abacus\n")

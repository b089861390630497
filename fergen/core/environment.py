"""What every command finds in its environment on each platform, and where each value comes from.

`fergen` takes it by itself before jax starts. For programs of your own, which import fergen:

  eval "$(python -m fergen.core.environment [cpu|cuda|tpu])"     by default for the platform of this machine

What the user has set stands: a variable that is there is left alone, and XLA_FLAGS gains only flags that it lacks.
"""

import os
import shlex
import sys
import zlib
from collections.abc import Mapping
from pathlib import Path

from fergen.core.paths import cache_root

# docs.jax.dev, "Persistent compilation cache": a resumed run and the next of a sweep start at once. Measured on two
# cores: 1.5 s in place of 10.2 for a small step.
CACHE = "JAX_COMPILATION_CACHE_DIR"
VARIABLES: dict[str, dict[str, str]] = {
    "cpu": {},  # products are float32 in any case
    "cuda": {
        # jax.lax.Precision: HIGH is TF32 where there is one, else float32. It is the default too, which may change.
        "JAX_DEFAULT_MATMUL_PRECISION": "high",
    },
    "tpu": {
        # jax.lax.Precision: the default rounds float32 to bfloat16, a config's float32 would be none. HIGH takes three
        # passes of bfloat16, near float32. Arrays of `precision="bfloat16"` are not affected.
        "JAX_DEFAULT_MATMUL_PRECISION": "high",
    },
}
# jaxlib 0.10 to 0.12 give products, convolutions and reductions to YNNPACK, which divides a convolution by 64 output
# channels, so that up to 64 keep one core busy. Products and convolutions go to Eigen instead; its reductions are
# slower. Measured on two cores: train steps take 70 to 90 % of the time.
EIGEN = "--xla_cpu_experimental_ynn_fusion_type=LIBRARY_FUSION_TYPE_REDUCE"
XLA_FLAGS: dict[str, tuple[str, ...]] = {
    "cpu": (EIGEN,),
    "cuda": (
        # What a study's own process computes, and all where jax was installed without CUDA.
        EIGEN,
        # docs.jax.dev, "GPU performance tips", and NVIDIA's JAX images: collectives overlap with computation.
        "--xla_gpu_enable_latency_hiding_scheduler=true",
        # openxla/xla#12520: no atomic additions, so that a run ends with the same bits every time. Unlike
        # --xla_gpu_deterministic_ops it lets XLA choose kernels by their speed; the compilation cache keeps its choice.
        "--xla_gpu_exclude_nondeterministic_ops=true",
    ),
    "tpu": (),
}
# docs.jax.dev, "GPU memory allocation": a process takes 0.75 of a GPU, or the share that this variable says; two that
# share one need less each. NVIDIA's "Tips for High-Performance LLMs with JAX and XLA" gives JAX 0.9 at most.
MEMORY_SHARE, MEMORY = "XLA_CLIENT_MEM_FRACTION", 0.9


def added(platform: str, *, jobs_per_gpu: int = 1, given: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the variables to add to a process's environment.

    Args:
        platform: cpu, cuda or tpu.
        jobs_per_gpu: processes that share each GPU.
        given: the environment that the user has set.
    """
    wanted = cache() | VARIABLES[platform]
    # What a node of a cluster inherits from the one that queued its job may be compiled for another kind of CPU.
    own = wanted.get(CACHE, "").removesuffix(machine())
    given = {name: value for name, value in given.items() if name != CACHE or not own or not value.startswith(own)}
    # jaxlib refuses both names of the share at once.
    if platform == "cuda" and jobs_per_gpu > 1 and "XLA_PYTHON_CLIENT_MEM_FRACTION" not in given:
        wanted[MEMORY_SHARE] = f"{MEMORY / jobs_per_gpu:.2f}"
    lacking = {name: value for name, value in wanted.items() if name not in given}
    theirs = given.get("XLA_FLAGS", "").split()
    named = {flag.partition("=")[0] for flag in theirs}
    ours = [flag for flag in XLA_FLAGS[platform] if flag.partition("=")[0] not in named]
    return lacking | ({"XLA_FLAGS": " ".join([*theirs, *ours])} if ours else {})


def cache() -> dict[str, str]:
    """Return the variable of the cache of compiled programs; none where there is no folder that can be written."""
    try:
        folder = cache_root() / f"compiled-{machine()}"
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError):  # of a user without a home folder
        return {}
    return {CACHE: str(folder)} if os.access(folder, os.W_OK) else {}


def platform_of(given: Mapping[str, str] = os.environ) -> str:
    """Return this machine's platform: the first of JAX_PLATFORMS, else what devices there are."""
    said = given.get("JAX_PLATFORMS", "").split(",")[0].replace("gpu", "cuda")
    if said in VARIABLES:
        return said
    if gpus(given):
        return "cuda"
    # How Cloud TPU VMs show their chips: /dev/accel0 up to v4, /dev/vfio/0 after.
    return "tpu" if any(Path("/dev").glob("accel[0-9]*")) or any(Path("/dev/vfio").glob("[0-9]*")) else "cpu"


def gpus(given: Mapping[str, str] = os.environ) -> list[str]:
    """Return the GPUs that a process may use, as CUDA_VISIBLE_DEVICES names them."""
    if "CUDA_VISIBLE_DEVICES" in given:
        # NoDevFiles is SLURM's word for none.
        return [name for name in given["CUDA_VISIBLE_DEVICES"].split(",") if name not in ("", "-1", "NoDevFiles")]
    # By their number: CUDA counts what it sees from 0, whatever a container's device file is called.
    return [str(i) for i in range(len(list(Path("/dev").glob("nvidia[0-9]*"))))]


def machine() -> str:
    """Return a short name of this kind of CPU: on a shared disk, each kind of node compiles for itself."""
    file = Path("/proc/cpuinfo")
    text = file.read_text() if file.is_file() else sys.platform
    features = next((line for line in text.splitlines() if line.startswith(("flags", "Features"))), text)
    return f"{zlib.crc32(features.encode()):08x}"


if __name__ == "__main__":
    chosen = sys.argv[1] if len(sys.argv) > 1 else platform_of()
    if chosen not in VARIABLES:
        sys.exit(f"expected {', '.join(VARIABLES)}; found {chosen}")
    for name, value in added(chosen).items():
        print(f"export {name}={shlex.quote(value)}")

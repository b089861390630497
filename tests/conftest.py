"""What every test shares: fast compilation, a compilation cache, one data folder for the whole run."""

import os
import signal
from pathlib import Path

from fergen.core import environment

# Before jax is imported anywhere: quick compilation (results to float tolerance), and 8 virtual devices.
os.environ.setdefault("JAX_PLATFORMS", "cpu")
# Eight devices on two busy cores may keep one another waiting for longer than XLA's 40 seconds.
os.environ["XLA_FLAGS"] = " ".join(
    [
        os.environ.get("XLA_FLAGS", ""),
        *environment.XLA_FLAGS["cpu"],
        "--xla_backend_optimization_level=0",
        "--xla_force_host_platform_device_count=8",
        "--xla_cpu_collective_call_warn_stuck_timeout_seconds=120",
        "--xla_cpu_collective_call_terminate_timeout_seconds=1200",
    ]
)
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fergen-tests"
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(CACHE / "jax"))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.3")
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "0")
os.environ.setdefault("MPLBACKEND", "Agg")

import pytest  # noqa: E402


@pytest.fixture(autouse=True, scope="session")
def data_folder(tmp_path_factory):
    """Keep prepared data of the tests apart from the user's."""
    folder = tmp_path_factory.mktemp("data")
    os.environ["FERGEN_DATA"] = str(folder)
    return folder


@pytest.fixture(autouse=True)
def signals():
    """Give signals back as they were: a training that was asked to stop leaves its process deaf to a second request."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)

"""The tiny set and config of the training tests serve the contracts too; a run on them; a folder for bad input."""

import pytest

from fergen import main
from tests.contract.world import World
from tests.train.conftest import TINY, tiny, tiny_set

__all__ = ["tiny", "tiny_set"]


@pytest.fixture(scope="session")
def trained(tiny_set, tmp_path_factory):
    """A finished run of a few steps on the tiny set, made by the command itself."""
    workdir = tmp_path_factory.mktemp("runs") / "tiny"
    argv = [f"--config={TINY}:{tiny_set}", "--config.epochs=1.0", f"--workdir={workdir}", "--quiet"]
    assert main.main(["train", *argv]) == 0
    return workdir


@pytest.fixture
def world(tmp_path, tiny_set, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FERGEN_DATA", str(tmp_path / "prepared"))
    return World(tmp_path, tiny_set)

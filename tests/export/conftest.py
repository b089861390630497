"""Exported files that several tests look at."""

import numpy as np
import pytest

from fergen.export import write
from tests.export.models import made
from tests.train.conftest import write_set


@pytest.fixture(scope="session")
def small(tmp_path_factory):
    """The shipped classifier as .onnx."""
    return write.export("fer2013_small", tmp_path_factory.mktemp("export") / "small.onnx").path


@pytest.fixture
def exported(monkeypatch, tmp_path):
    """A function of (config, overrides, options of export) -> the model, its file."""

    def make(name, overrides=(), **options):
        found = made(name, overrides)
        monkeypatch.setattr(write, "restore", lambda reference: found)
        return found, write.export(name, tmp_path / f"{name}.onnx", **options).path

    return make


@pytest.fixture(scope="session")
def tiny_set(tmp_path_factory):
    """A prepared set of 48x48 images."""
    return write_set(tmp_path_factory.mktemp("sets") / "tiny", {"train": 64, "validation": 21, "test": 30}, size=48)


@pytest.fixture(scope="session")
def faces():
    return np.random.default_rng(0).integers(256, size=(9, 48, 48, 1), dtype=np.uint8)

"""Reading tables: refusals by suffix and damage."""

import numpy as np
import pytest

from fergen.convert import tables
from fergen.core.errors import BadInput


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("weights.h5", b"x", "expected a file ending in .safetensors"),
        ("weights.safetensors", b"", "damaged"),
        ("weights.safetensors", b"\xff" * 64, "damaged"),
        ("weights.npz", b"noise", "plain arrays"),
        ("weights.npz", b"PK\x03\x04" + bytes(40), "plain arrays"),
    ],
)
def test_damage_is_one_line(name, content, words, tmp_path):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(BadInput, match=words):
        tables.read(path)


def test_missing_file(tmp_path):
    with pytest.raises(BadInput, match="no such file"):
        tables.read(tmp_path / "weights.pth")


def test_objects_in_npz_are_refused(tmp_path):
    np.savez(tmp_path / "weights.npz", a=np.array([{"x": 1}], dtype=object))
    with pytest.raises(BadInput, match="plain arrays"):
        tables.read(tmp_path / "weights.npz")


def test_npz_bomb_is_refused_before_unpacking(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "MAX_NPZ_BYTES", 1 << 20)
    np.savez_compressed(tmp_path / "weights.npz", a=np.zeros(1 << 20, np.float32))
    with pytest.raises(BadInput, match="unpacked"):
        tables.read(tmp_path / "weights.npz")

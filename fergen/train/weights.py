"""Weights as one file: safetensors with leaf names 'params/...' and JSON metadata (spec, lineage, card, hash)."""

import json
from importlib import resources
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from fergen.core.errors import BadInput
from fergen.core.paths import atomic_write, plain
from fergen.core.tree import leaf_names, nest, tree_hash

FIELDS = ("spec", "lineage", "card", "hash")


def shipped() -> dict[str, Path]:
    """Return the weights that come with the package: name -> file."""
    folder = Path(str(resources.files("fergen"))) / "weights"
    return {p.stem: p for p in sorted(folder.glob("*.safetensors"))}


def write(path: str | Path, variables: Any, *, spec: dict, lineage: dict, card: dict, bf16: bool = False) -> str:
    """Write weights; returns their hash.

    Args:
        path: ends in .safetensors.
        variables: nested dicts of arrays.
        spec: what predict needs.
        lineage: what went into them.
        card: free JSON about training and measured scores.
        bf16: store parameters and constant noise in bfloat16 (batch statistics and means stay float32).
    """
    # Not np.ascontiguousarray, which makes a vector of a scalar.
    leaves = {name: np.asarray(leaf, order="C") for name, leaf in leaf_names(variables).items()}
    if bf16:
        half = [name for name in leaves if name.startswith("params/") or name.endswith("/noise_const")]
        leaves |= {name: leaves[name].astype(ml_dtypes.bfloat16) for name in half}
    digest = tree_hash(leaves)
    meta = {"spec": spec, "lineage": lineage, "card": card, "hash": digest}
    # Not safetensors' own writing, whose files nobody but their owner can read.
    atomic_write(path, save(leaves, {k: json.dumps(v, default=plain) for k, v in meta.items()}))
    return digest


def read(path: str | Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Read weights: (nested dicts of float32 numpy arrays, meta); the hash is verified.

    Raises:
        BadInput: missing, damaged, or not written by fergen.
    """
    path = Path(path)
    if not path.is_file():
        raise BadInput(f"{path}: no such weights file")
    try:
        with safe_open(path, framework="np") as f:
            raw = f.metadata() or {}
            leaves = {name: f.get_tensor(name) for name in f.keys()}  # noqa: SIM118 (not a dict)
        meta = {field: json.loads(raw[field]) for field in FIELDS}
    except KeyError as missing:
        raise BadInput(f"{path}: found no {missing} of fergen's metadata; convert the file: fergen convert") from None
    except (SafetensorError, ValueError, OSError) as error:
        raise BadInput(f"{path}: expected a safetensors file of fergen, found a damaged one ({error})") from None
    if tree_hash(leaves) != meta["hash"]:
        raise BadInput(f"{path}: the weights differ from the hash in their metadata; the file was changed or damaged")
    return nest({name: np.asarray(x, np.float32) for name, x in leaves.items()}), meta

"""Programs are made for the platform of the target: a described slice's, else the backend's at hand."""

from dataclasses import dataclass
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fergen.core import mesh as meshes
from fergen.core import target
from fergen.nn.conv import conv2d
from fergen.nn.conv_resample import transposed
from fergen.nn.conv_transpose import conv_transpose
from fergen.train.parts import scans

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Device:
    platform: str


def primitives(function, *shapes):
    """Return the names of a traced function's operations, those of inner functions too."""

    def names(jaxpr):
        for eqn in jaxpr.eqns:
            yield eqn.primitive.name
            for value in eqn.params.values():
                inner = getattr(value, "jaxpr", value)
                if hasattr(inner, "eqns"):
                    yield from names(inner)

    return set(names(jax.make_jaxpr(function)(*(jnp.zeros(shape) for shape in shapes)).jaxpr))


def slope(function):
    return jax.grad(lambda x, kernel: function(x, kernel).sum(), argnums=1)


def test_the_target_is_what_is_at_hand_unless_described():
    assert (target.platform(), target.devices(), target.is_described()) == ("cpu", jax.devices(), False)
    with target.described([Device("tpu")] * 4):
        assert (target.platform(), target.devices(), target.is_described()) == ("tpu", [Device("tpu")] * 4, True)
    assert target.platform() == "cpu"


# A convolution whose kernel's gradient, and what is not XLA's own form on CPUs, tell the platforms apart.
FORMS = [
    (slope(conv2d), ((4, 8, 8, 3), (3, 3, 3, 5)), {"scan"}),
    (conv2d, ((4, 8, 8, 3), (1, 1, 3, 5)), {"dot_general"}),
    (lambda x, k: conv2d(x, k, groups=3), ((4, 8, 8, 3), (3, 3, 1, 3)), {"custom_vjp_call"}),
    (conv_transpose, ((4, 8, 8, 3), (4, 4, 3, 5)), {"transpose"}),
    (transposed, ((4, 8, 8, 3), (3, 3, 3, 5)), {"transpose"}),
]


@pytest.mark.parametrize(("function", "shapes", "ours"), FORMS)
def test_forms_follow_the_target(function, shapes, ours):
    """On CPUs forms of our own; for a TPU one plain convolution and its plain gradients; again on CPUs as before."""
    jitted = jax.jit(function)
    assert ours <= primitives(jitted, *shapes)
    with target.described([Device("tpu")]):
        there = primitives(jitted, *shapes)
    assert "conv_general_dilated" in there
    assert not there & (ours | {"custom_vjp_call"})
    assert ours <= primitives(jitted, *shapes)


def test_dispatches_are_scans_where_there_is_an_accelerator():
    same, turns = [("a",)] * 3, [("a",), ("a", "b"), ("a",)]
    assert not scans(same)
    with target.described([Device("tpu")]):
        assert scans(same)
        assert not scans(turns)
        assert not scans([("a",), ("b",)])


def test_nothing_is_put_on_described_devices():
    with target.described(jax.devices()[:4]):
        mesh = meshes.build()
        split = meshes.split(mesh, leading=1)
        placed = meshes.place({"x": np.zeros((3, 8), np.int64)}, split)
    assert mesh.size == 4
    # int64 would arrive as int32, as jax has it.
    assert placed == {"x": jax.ShapeDtypeStruct((3, 8), np.int32, sharding=split)}


def test_nothing_else_asks_for_the_backend():
    asking = [
        path.relative_to(ROOT).as_posix()
        for path in sorted((ROOT / "fergen").rglob("*.py"))
        if "default_backend" in path.read_text()
    ]
    assert asking == ["fergen/core/target.py"]

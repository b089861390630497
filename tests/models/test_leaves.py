"""Names and shapes of all leaves against golden lists, and parameter counts against the published ones.

After a deliberate change, `python tests/models/test_leaves.py` writes the lists anew.
"""

import importlib
from pathlib import Path

import jax
import jax.numpy as jnp
import pytest

from fergen.core.tree import count, leaf_names

GOLDEN = Path(__file__).parent / "golden"

# Model, options, image shape, classes, parameters (None: no published count).
CASES = {
    "cnn": ("cnn", {}, (48, 48, 1), 5, None),
    "cnn_simple": ("cnn_simple", {}, (48, 48, 1), 7, None),
    "resnet18": ("resnet", {"depth": 18}, (224, 224, 3), 1000, 11_689_512),
    "resnet18_small": ("resnet", {"depth": 18, "stem": "small"}, (48, 48, 1), 7, None),
    "resnet34": ("resnet", {"depth": 34}, (224, 224, 3), 1000, 21_797_672),
    "resnet50": ("resnet", {"depth": 50}, (224, 224, 3), 1000, 25_557_032),
    "mobilenet_small": ("mobilenet", {"variant": "small"}, (224, 224, 3), 1000, 2_542_856),
    "mobilenet_large": ("mobilenet", {"variant": "large"}, (224, 224, 3), 1000, 5_483_032),
    "efficientnet_b0": ("efficientnet", {"variant": "b0"}, (224, 224, 3), 1000, 5_288_548),
    "efficientnet_v2_s": ("efficientnet", {"variant": "v2_s"}, (224, 224, 3), 1000, 21_458_488),
    "efficientnet_lite0": ("efficientnet", {"variant": "lite0"}, (224, 224, 3), 1000, 4_652_008),
    "inception_v3": ("inception_v3", {}, (299, 299, 3), 1008, None),
    "vgg16": ("vgg", {"depth": 16, "batch_norm": False}, (224, 224, 3), 1000, 138_357_544),
    "vgg16_bn": ("vgg", {"depth": 16}, (224, 224, 3), 1000, 138_365_992),
    "vgg19_bn": ("vgg", {"depth": 19}, (224, 224, 3), 1000, 143_678_248),
}


def shapes_of(case: str) -> dict:
    """Return the variables' shapes without computing any."""
    name, options, image, classes, _ = CASES[case]
    module = importlib.import_module(f"fergen.models.{name}").build(num_classes=classes, **options)
    return jax.eval_shape(module.init, jax.random.key(0), jax.ShapeDtypeStruct((1, *image), jnp.float32))


def listing(variables: dict) -> str:
    """One line per leaf: name and shape, sorted."""
    return "".join(f"{name} {list(leaf.shape)}\n" for name, leaf in sorted(leaf_names(variables).items()))


@pytest.mark.parametrize("case", CASES)
def test_leaves_and_count(case):
    variables = shapes_of(case)
    assert listing(variables) == (GOLDEN / f"{case}.txt").read_text()
    assert {leaf.dtype for leaf in jax.tree.leaves(variables)} == {jnp.dtype("float32")}
    published = CASES[case][4]
    if published is not None:
        assert count(variables["params"]) == published


def test_five_class_cnn_count():
    # 3x3 kernels without bias, two affine parameters per normalised filter, three dense layers with biases.
    pairs = [(1, 64), (64, 64), (64, 128), (128, 128), (128, 256), (256, 256), (256, 512), (512, 512)]
    convolutions = sum(9 * i * o + 2 * o for i, o in pairs)
    dense = (512 * 9 + 1) * 512 + (512 + 1) * 256 + (256 + 1) * 5
    assert count(shapes_of("cnn")["params"]) == convolutions + dense


if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    for case in CASES:
        (GOLDEN / f"{case}.txt").write_text(listing(shapes_of(case)))

"""The layers of ONNX that look at neighbours or hold weights, in JAX: convolution, pools, norms, Gemm, resizing.

Each takes its node and the node's inputs; images and filters are laid out as in ONNX, [n, c, h, w] and
[out, in / group, h, w]. A layer raises ValueError where its node asks for what it cannot do.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import lax


class Node(NamedTuple):
    """One step of a graph.

    Attributes:
        operator: its name.
        inputs: names of values; "" for one that is left out.
        outputs: likewise.
        attributes: by name; tensors are arrays, element types numpy's.
        opset: version of the operators.
    """

    operator: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, Any]
    opset: int


class Windows(NamedTuple):
    """How windows lie on an image, by spatial axis.

    Attributes:
        strides: from one window to the next.
        dilations: from one place of a window to the next.
        spans: pixels from a window's first to its last, both counted.
        pads: what is added (before, behind) the image.
    """

    strides: list[int]
    dilations: list[int]
    spans: list[int]
    pads: list[tuple[int, int]]


def _windows(node: Node, sizes: Sequence[int], kernel: Sequence[int]) -> Windows:
    """Lay windows of a kernel's size on an image of spatial sizes."""
    ones = [1] * len(kernel)
    strides, dilations = (node.attributes.get(name, ones) for name in ("strides", "dilations"))
    spans = [(k - 1) * d + 1 for k, d in zip(kernel, dilations)]
    how = node.attributes.get("auto_pad", "NOTSET")
    if how.startswith("SAME"):
        totals = [max((-(-size // s) - 1) * s + span - size, 0) for size, span, s in zip(sizes, spans, strides)]
        pads = [(t // 2, t - t // 2) if how == "SAME_UPPER" else (t - t // 2, t // 2) for t in totals]
    else:
        none = [0] * (2 * len(kernel))
        flat = none if how == "VALID" else node.attributes.get("pads", none)
        pads = list(zip(flat[: len(kernel)], flat[len(kernel) :]))
    return Windows(strides, dilations, spans, pads)


def _ceiling(node: Node, sizes: Sequence[int], windows: Windows) -> list[tuple[int, int]]:
    """Return what a pool's ceil_mode adds (before, behind) the padded image, so that a last window fits."""
    if not node.attributes.get("ceil_mode", 0):
        return [(0, 0)] * len(sizes)
    added = []
    for size, (before, behind), span, stride in zip(sizes, windows.pads, windows.spans, windows.strides):
        last = -(-(size + before + behind - span) // stride)
        # A window that begins behind the image sees nothing of it and is left out.
        last -= last * stride >= size + before
        added.append((0, max(last * stride + span - size - before - behind, 0)))
    return added


def _reduced(node: Node, x: Any, windows: Windows, pads: Sequence[tuple[int, int]], padding: float, join: Any) -> Any:
    return lax.reduce_window(
        x,
        np.array(padding, x.dtype),
        join,
        (1, 1, *node.attributes["kernel_shape"]),
        (1, 1, *windows.strides),
        [(0, 0), (0, 0), *pads],
        window_dilation=(1, 1, *windows.dilations),
    )


def _per_channel(values: Any, x: Any) -> Any:
    """Lay one value for each channel [c] along the channels of x [n, c, ...]."""
    return values.reshape(-1, *[1] * (x.ndim - 2))


def _standardised(node: Node, x: Any, axes: tuple[int, ...]) -> Any:
    """Bring x to mean 0 and variance 1 over axes."""
    x = x - x.mean(axes, keepdims=True)
    return x * lax.rsqrt(jnp.square(x).mean(axes, keepdims=True) + node.attributes.get("epsilon", 1e-5))


def convolve(node: Node, x: Any, filters: Any, bias: Any = None) -> Any:
    """Convolve, in groups."""
    windows = _windows(node, x.shape[2:], filters.shape[2:])
    y = lax.conv_general_dilated(
        x,
        filters,
        windows.strides,
        windows.pads,
        rhs_dilation=windows.dilations,
        feature_group_count=node.attributes.get("group", 1),
    )
    return y if bias is None else y + _per_channel(bias, y)


def max_pool(node: Node, x: Any) -> Any:
    """Take the largest value of each window."""
    windows = _windows(node, x.shape[2:], node.attributes["kernel_shape"])
    added = _ceiling(node, x.shape[2:], windows)
    pads = [(before, behind + more) for (before, behind), (_, more) in zip(windows.pads, added)]
    return _reduced(node, x, windows, pads, -np.inf, lax.max)


def average_pool(node: Node, x: Any) -> Any:
    """Take the mean of each window: of the image, and with count_include_pad of the padding too."""
    windows = _windows(node, x.shape[2:], node.attributes["kernel_shape"])
    # What ceil_mode adds never counts.
    added = _ceiling(node, x.shape[2:], windows)
    pads = [(0, 0), (0, 0), *windows.pads]
    counts = np.pad(np.ones((1, 1, *x.shape[2:])), pads, constant_values=node.attributes.get("count_include_pad", 0))
    total = _reduced(node, jnp.pad(x, pads), windows, added, 0, lax.add)
    return total / _reduced(node, jnp.asarray(counts, x.dtype), windows, added, 0, lax.add)


def batch_norm(node: Node, x: Any, scale: Any, bias: Any, mean: Any, variance: Any) -> Any:
    """Normalise each channel by the statistics of training."""
    if node.attributes.get("training_mode", 0):
        raise ValueError("expected a network for use, found one in training")
    scale = scale * lax.rsqrt(variance + node.attributes.get("epsilon", 1e-5))
    return (x - _per_channel(mean, x)) * _per_channel(scale, x) + _per_channel(bias, x)


def instance_norm(node: Node, x: Any, scale: Any, bias: Any) -> Any:
    """Normalise each channel of each image by itself."""
    return _standardised(node, x, tuple(range(2, x.ndim))) * _per_channel(scale, x) + _per_channel(bias, x)


def layer_norm(node: Node, x: Any, scale: Any, bias: Any = None) -> Any:
    """Normalise over all axes from one on."""
    y = _standardised(node, x, tuple(range(node.attributes.get("axis", -1) % x.ndim, x.ndim))) * scale
    return y if bias is None else y + bias


def gemm(node: Node, a: Any, b: Any, c: Any = None) -> Any:
    """Return alpha a @ b + beta c, either matrix transposed where asked."""
    a, b = (x.T if node.attributes.get(name, 0) else x for x, name in ((a, "transA"), (b, "transB")))
    y = node.attributes.get("alpha", 1.0) * (a @ b)
    return y if c is None else y + node.attributes.get("beta", 1.0) * c


# (pixels' numbers after resizing, size before, size after, their ratio) -> places before.
PLACES: dict[str, Callable[[np.ndarray, int, int, float], np.ndarray]] = {
    "half_pixel": lambda i, before, after, ratio: (i + 0.5) / ratio - 0.5,
    "pytorch_half_pixel": lambda i, before, after, ratio: (i + 0.5) / ratio - 0.5 if after > 1 else 0.0 * i,
    "align_corners": lambda i, before, after, ratio: i * (before - 1) / max(after - 1, 1),
    "asymmetric": lambda i, before, after, ratio: i / ratio,
}
ROUNDINGS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "round_prefer_floor": lambda place: np.ceil(place - 0.5),
    "round_prefer_ceil": lambda place: np.floor(place + 0.5),
    "floor": np.floor,
    "ceil": np.ceil,
}


def resize(node: Node, x: Any, roi: Any = None, scales: Any = None, sizes: Any = None) -> Any:
    """Read pixels at other places: the nearest ones, or linearly between them, one axis after the other."""
    settings = node.attributes
    rule = settings.get("coordinate_transformation_mode", "half_pixel")
    rounding = settings.get("nearest_mode", "round_prefer_floor")
    if node.operator == "Upsample" or node.opset < 11:
        # Scales were the only input then, or an attribute, and this was the only rule.
        rule, rounding, scales = "asymmetric", "floor", settings.get("scales") if roi is None else roi
    mode = settings.get("mode", "nearest")
    if mode not in ("nearest", "linear") or rule not in PLACES or settings.get("antialias", 0) or "axes" in settings:
        raise ValueError(f"expected mode nearest or linear, over all axes, not antialiased; found {mode} at {rule}")
    # In single precision, as others compute them: 3 / 0.6 is 5 and reads the fifth pixel.
    if scales is not None and len(scales):
        ratios = np.asarray(scales, np.float32)
        sizes = [math.floor(size * ratio) for size, ratio in zip(x.shape, ratios)]
    else:
        sizes = [int(size) for size in np.asarray(sizes)]
        ratios = np.array(sizes, np.float32) / np.array(x.shape, np.float32)
    for axis, (before, after, ratio) in enumerate(zip(x.shape, sizes, ratios)):
        if after == before:
            continue
        place = PLACES[rule](np.arange(after, dtype=np.float32), before, after, ratio)
        if mode == "nearest":
            x = jnp.take(x, ROUNDINGS[rounding](place).clip(0, before - 1).astype(int), axis)
            continue
        place = place.clip(0, before - 1)
        low = np.floor(place).astype(int)
        share = jnp.asarray(place - low, x.dtype).reshape(-1, *[1] * (x.ndim - 1 - axis))
        x = jnp.take(x, low, axis) * (1 - share) + jnp.take(x, (low + 1).clip(0, before - 1), axis) * share
    return x

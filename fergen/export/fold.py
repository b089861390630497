"""Smaller graphs of the same results: factors and offsets of channels go into the convolution or product before them.

What a normalisation of trained statistics does to a convolution's result is a factor and an offset for each channel; so
the kernel takes the factor, and the bias the rest. What no output needs is left out.
"""

from collections import Counter
from collections.abc import Iterable

import numpy as np

from fergen.export.graph import Graph, Node

AFFINE = ("Add", "Sub", "Mul", "Div")


def folded(graph: Graph, outputs: Iterable[str]) -> tuple[list[Node], dict[str, np.ndarray]]:
    """Return a graph's nodes and constants after folding.

    Args:
        graph: nodes in an order in which they can be computed.
        outputs: names that must stay.
    """
    outputs = set(outputs)
    constants, nodes = dict(graph.constants), []
    uses = Counter(name for node in graph.nodes for name in node.inputs)
    # Name of a value -> position of the convolution or product that gives it and can still take a factor.
    open_ends: dict[str, int] = {}
    for node in graph.nodes:
        place = None
        if node.op in AFFINE:
            first, second = node.inputs
            if second in constants and first in open_ends:
                place = (first, constants[second])
            elif first in constants and second in open_ends and node.op in ("Add", "Mul"):
                place = (second, constants[first])
        if place is not None and uses[place[0]] == 1 and place[0] not in outputs:
            at = open_ends[place[0]]
            taken = absorbed(nodes[at], node, place[1], constants)
            if taken is not None:
                nodes[at] = taken
                open_ends[node.outputs[0]] = at
                continue
        if node.op in ("Conv", "ConvTranspose", "MatMul") and node.inputs[1] in constants:
            open_ends[node.outputs[0]] = len(nodes)
        nodes.append(node)
    kept: list[Node] = []
    for node in reversed(nodes):
        if outputs.intersection(node.outputs):
            kept.append(node)
            outputs.update(node.inputs)
    return kept[::-1], {name: array for name, array in constants.items() if name in outputs}


def absorbed(node: Node, step: Node, number: np.ndarray, constants: dict[str, np.ndarray]) -> Node | None:
    """Return a convolution or product that does a step on its result too; None if it cannot.

    Args:
        node: Conv, ConvTranspose, MatMul or Gemm with a constant second input.
        step: of `AFFINE`, with the constant `number`.
        number: broadcasts to the result.
        constants: takes new kernels and biases.
    """
    kernel = constants[node.inputs[1]]
    axis = {"Conv": 0, "ConvTranspose": 1}.get(node.op, kernel.ndim - 1)
    channels = kernel.shape[axis]
    dense = node.op in ("MatMul", "Gemm")
    along = -1 if dense else -3
    sizes = (1,) * (4 - number.ndim) + number.shape
    if number.size not in (1, channels) or (number.size > 1 and sizes[along] != channels) or kernel.ndim < 2:
        return None
    number = np.broadcast_to(number.reshape(-1), channels).astype(np.float32)
    bias = constants[node.inputs[2]] if len(node.inputs) > 2 else np.zeros(channels, np.float32)
    if step.op in ("Mul", "Div"):
        number = number if step.op == "Mul" else 1 / number
        kernel, bias = kernel * number.reshape([-1 if i == axis else 1 for i in range(kernel.ndim)]), bias * number
    else:
        bias = bias + number if step.op == "Add" else bias - number
    if step.op in ("Add", "Sub") or len(node.inputs) > 2:
        if node.op == "MatMul":
            return None
        return renamed(node, step, constants, kernel, bias)
    return renamed(node, step, constants, kernel)


def renamed(node: Node, step: Node, constants: dict[str, np.ndarray], *arrays: np.ndarray) -> Node:
    """Return a node with other constants, under the name of the step that it swallowed."""
    names = [f"{step.outputs[0]}_{part}" for part in ("kernel", "bias")[: len(arrays)]]
    constants.update(zip(names, arrays))
    return node._replace(inputs=(node.inputs[0], *names), outputs=step.outputs)

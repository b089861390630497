"""A graph of ONNX as pure functions of its variables and images.

The graph sees one image at a time, mapped over the batch, so that what was exported for a batch of one serves any
batch, whatever shapes are written into it.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from fergen.convert.onnx_layers import Node
from fergen.convert.onnx_ops import OPERATORS
from fergen.core.errors import BadInput

# What a function or a decoder raises where the file is at fault.
FAULTS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    MemoryError,
    NotImplementedError,
    TypeError,
    ValueError,
)
# At whose resolutions there are feature maps.
SPATIAL = ("Conv", "MaxPool", "AveragePool")


@dataclass(frozen=True)
class Network:
    """A network from an ONNX file.

    Attributes:
        file: where it was read.
        variables: name -> float32 array, the file's floating-point tensors but those that shapes are computed from.
        known: name -> array, its integers, and the floating-point tensors that shapes are computed from.
        nodes: what leads to the embedding, in order.
        image: name of the input.
        shape: (channels, height, width) of an image.
        channels_last: whether the graph's own input is [n, h, w, c].
        pixels: whether the graph begins with arithmetic that fits values in [0, 255] alone.
        output: name of the embedding.
        layers: names of the feature maps: for each resolution that convolutions or pools give, 1x1 excepted, the last
            value in the file's order.
        dim: of the embedding.
    """

    file: Path
    variables: dict[str, np.ndarray]
    known: dict[str, np.ndarray]
    nodes: tuple[Node, ...]
    image: str
    shape: tuple[int, int, int]
    channels_last: bool
    pixels: bool
    output: str
    layers: tuple[str, ...] = ()
    dim: int = 0

    @property
    def outputs(self) -> tuple[str, ...]:
        """The names of all values that the nodes may give, in order."""
        return tuple(name for node in self.nodes for name in node.outputs if name)

    def values(self, variables: dict[str, Any], images: jax.Array, names: Iterable[str]) -> dict[str, jax.Array]:
        """Compute values of the graph.

        Args:
            variables: as in the attribute.
            images: float [n, c, h, w].
            names: of `outputs`; those that the nodes do not give, such as a pool's indices, are left out.

        Returns:
            name -> [n, *shape], where shape is the value's own at a batch of one.

        Raises:
            BadInput: a node cannot be computed: the file is damaged, or takes images of another size.
        """
        given = {"": None, **self.known, **{name: jnp.asarray(array) for name, array in variables.items()}}

        def one(image: jax.Array) -> dict[str, Any]:
            image = image.transpose(1, 2, 0) if self.channels_last else image
            values = {**given, self.image: image[None]}
            for node in self.nodes:
                self._evaluate(node, values)
            return {name: values[name] for name in names if name in values}

        return jax.vmap(one)(images)

    def embed(self, variables: dict[str, Any], images: jax.Array) -> jax.Array:
        """Return the embeddings [n, dim] of images float [n, c, h, w]; raises as `values` does."""
        return self.values(variables, images, [self.output])[self.output].reshape(len(images), -1)

    def maps(self, variables: dict[str, Any], images: jax.Array) -> dict[str, jax.Array]:
        """Return the feature maps, name -> [n, h', w', c'], of images float [n, c, h, w]; raises as `values` does."""
        found = self.values(variables, images, self.layers)
        return {name: found[name][:, 0].transpose(0, 2, 3, 1) for name in self.layers}

    def _evaluate(self, node: Node, values: dict[str, Any]) -> None:
        """Add a node's outputs to the values by name."""
        try:
            missing = [name for name in node.inputs if name not in values]
            if missing:
                raise ValueError(f"nothing before it gives its input '{missing[0]}'")
            made = OPERATORS[node.operator](node, *(values[name] for name in node.inputs))
            made = made if isinstance(made, (list, tuple)) else [made]
            # Of arrays without axes numpy makes scalars of its own.
            values.update(zip(node.outputs, (x if isinstance(x, jax.Array) else np.asarray(x) for x in made)))
        except FAULTS as fault:
            said = str(fault).partition("\n")[0] or type(fault).__name__
            raise BadInput(
                f"{self.file}: the node of {node.operator} that gives '{node.outputs[0]}' cannot be computed ({said})"
            ) from None


def measured(network: Network) -> Network:
    """Complete a network by its feature maps and dimension, found from shapes alone.

    Raises:
        BadInput: a node cannot be computed, none gives the output, or images are too small for the windows.
    """
    image = jax.ShapeDtypeStruct((1, *network.shape), jnp.float32)
    found = jax.eval_shape(lambda v, x: network.values(v, x, network.outputs), network.variables, image)
    if network.output not in found:
        raise BadInput(f"{network.file}: expected a node that gives the output '{network.output}', found none")
    # Each is [1, 1, c, h, w].
    planes = {name: value.shape[3:] for name, value in found.items() if value.ndim == 5 and value.shape[1] == 1}
    windowed = [node.outputs[0] for node in network.nodes if node.operator in SPATIAL]
    spatial = {planes[name] for name in windowed if name in planes} - {(1, 1)}
    if any(0 in plane for plane in spatial):
        _, height, width = network.shape
        raise BadInput(
            f"{network.file}: expected larger images, found {height}x{width} pixels, of which nothing is left"
        )
    last = {planes[name]: name for name in network.outputs if planes.get(name) in spatial}
    layers = tuple(name for name in network.outputs if name in last.values())
    return replace(network, layers=layers, dim=found[network.output].size)

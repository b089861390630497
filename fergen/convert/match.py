"""Lay a foreign table of weights over our variables, leaf by leaf, and report what was found."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fergen.core.errors import BadInput
from fergen.core.tree import leaf_names, nest

# What a leaf of ours is called in PyTorch.
LEAVES = {
    "kernel": "weight",
    "scale": "weight",
    "bias": "bias",
    "mean": "running_mean",
    "var": "running_var",
}
COUNTER = "num_batches_tracked"  # steps seen by a batch normalisation; ours keeps none


@dataclass
class Report:
    """What became of every leaf and of every foreign name.

    Attributes:
        loaded: leaves taken as they are (transposed where the layouts differ).
        adapted: leaf -> how it was changed to fit.
        replaced: leaf -> why it keeps its initial values although the file has it.
        missing: leaves the file lacks; they keep their initial values.
        unused: foreign names that this network has no place for.
        counters: how many batch counters were passed over.
    """

    loaded: list[str] = field(default_factory=list)
    adapted: dict[str, str] = field(default_factory=dict)
    replaced: dict[str, str] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    unused: list[str] = field(default_factory=list)
    counters: int = 0

    def __str__(self) -> str:
        """One line of counts, then one line for every leaf or name that is not simply loaded."""
        total = len(self.loaded) + len(self.adapted) + len(self.replaced) + len(self.missing)
        lines = [f"{len(self.loaded)} of {total} leaves loaded as they are; {self.counters} batch counters passed over"]
        lines += [f"adapted   {name}: {how}" for name, how in self.adapted.items()]
        lines += [f"replaced  {name}: {why}" for name, why in self.replaced.items()]
        lines += [f"missing   {name}: keeps its initial values" for name in self.missing]
        lines += [f"unused    {name}" for name in self.unused]
        return "\n".join(lines)


def lay(
    table: Mapping[str, np.ndarray],
    variables: Any,
    foreign_module: Callable[[str], str],
    *,
    stem: Sequence[str],
    head: Sequence[str],
    where: str,
) -> tuple[dict, Report]:
    """Return variables with the values of a table.

    Args:
        table: foreign name -> array, PyTorch layouts (OIHW kernels, [out, in] dense weights).
        variables: our collections, as initialised: params and batch_stats.
        foreign_module: our module path, joined by '/', -> the foreign module's name.
        stem: first convolution: summed over its input channels for gray images, and left as initialised where its
            kernel is of another size.
        head: last dense layer: left as initialised where its shape differs (another class count).
        where: file name for messages.

    Returns:
        The variables as nested dicts of numpy arrays, and the report.

    Raises:
        BadInput: nothing matches; a leaf between stem and head has another shape; a value is not finite.
    """
    report, ours, used = Report(), {}, set()
    for name, leaf in leaf_names(variables).items():
        _, module, last = _split(name)
        foreign = f"{foreign_module(module)}.{LEAVES[last]}"
        ours[name] = np.asarray(leaf)
        if foreign not in table:
            report.missing.append(name)
            continue
        used.add(foreign)
        value = _layout(np.asarray(table[foreign]), last)
        wanted = tuple(leaf.shape)
        if not np.isfinite(value).all():
            raise BadInput(f"{where}: {foreign} holds values that are not finite")
        if value.shape == wanted:
            report.loaded.append(name)
        elif module in stem and value.ndim == 4 and (*value.shape[:2], 1, value.shape[3]) == wanted:
            report.adapted[name] = f"summed over {value.shape[2]} input channels for gray images"
            value = value.sum(axis=2, keepdims=True)
        elif module in (*stem, *head):
            report.replaced[name] = f"the file has {list(value.shape)}, this network needs {list(wanted)}"
            continue
        else:
            raise BadInput(
                f"{where}: {foreign} for leaf {name}: expected {list(wanted)}, found {list(value.shape)} "
                "(in our layout); is it of another architecture or variant?"
            )
        ours[name] = value.astype(leaf.dtype)
    if not used:
        wanted, found = _foreign_example(variables, foreign_module), next(iter(table))
        raise BadInput(f"{where}: no name fits this network: expected names such as {wanted}, found {found}")
    rest = [name for name in table if name not in used]
    report.unused = [name for name in rest if not name.endswith(COUNTER)]
    report.counters = len(rest) - len(report.unused)
    return nest(ours), report


def _split(name: str) -> tuple[str, str, str]:
    """Split 'params/a/b/kernel' into collection, module path and leaf."""
    collection, _, rest = name.partition("/")
    module, _, last = rest.rpartition("/")
    return collection, module, last


def _layout(value: np.ndarray, leaf: str) -> np.ndarray:
    """Turn OIHW into HWIO and [out, in] into [in, out]."""
    if leaf == "kernel" and value.ndim == 4:
        return value.transpose(2, 3, 1, 0)
    if leaf == "kernel" and value.ndim == 2:
        return value.T
    return value


def _foreign_example(variables: Any, foreign_module: Callable[[str], str]) -> str:
    _, module, last = _split(next(iter(leaf_names(variables))))
    return f"{foreign_module(module)}.{LEAVES[last]}"

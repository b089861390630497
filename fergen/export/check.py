"""An exported function against JAX, on random input."""

from collections.abc import Callable, Sequence

import jax
import numpy as np

from fergen.core.errors import FergenError
from fergen.export.functions import Exported, drawn

TOLERANCE = 1e-4
ROWS = 3


def checked(function: Exported, run: Callable[[Sequence[np.ndarray]], Sequence[np.ndarray]], where: str) -> float:
    """Compare an exported function with the same in JAX, on several rows and on the first of them alone.

    Args:
        function: what was exported.
        run: inputs in order, each of a batch -> outputs.
        where: what is checked, for messages.

    Returns:
        The largest difference over all outputs, as a share of an output's largest number.

    Raises:
        FergenError: it is more than 1e-4, or not a number.
    """
    given = drawn(function.inputs, ROWS)
    expected = [np.asarray(x) for x in jax.jit(function.call)(*given)]
    alone = [x[:1] if spec.shape else x for x, spec in zip(given, function.inputs)]
    worst = 0.0
    for name, ours, all_rows, one in zip(function.outputs, expected, run(given), run(alone)):
        scale = max(float(np.abs(ours).max()), 1e-30)
        for theirs, mine in ((all_rows, ours), (one, ours[:1])):
            if theirs.shape != mine.shape:
                raise FergenError(f"{where}: output {name}: expected the shape {mine.shape}, found {theirs.shape}")
            error = float(np.abs(np.asarray(theirs, np.float64) - mine).max()) / scale
            if not error <= TOLERANCE:
                raise FergenError(
                    f"{where}: output {name} differs from JAX by {error:.1e} of its scale, allowed are {TOLERANCE:g};"
                    " nothing was written"
                )
            worst = max(worst, error)
    return worst

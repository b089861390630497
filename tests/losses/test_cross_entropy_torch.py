"""Cross-entropy against PyTorch's."""

import numpy as np
import pytest

from fergen.losses.classification import cross_entropy

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.parity


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("weighted", [False, True])
def test_soft_labels(smoothing, weighted):
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 3, (8, 7)).astype(np.float32)
    labels = rng.dirichlet(np.ones(7), 8).astype(np.float32)
    weights = rng.uniform(0.5, 2, 7).astype(np.float32) if weighted else None
    want = torch.nn.functional.cross_entropy(
        torch.tensor(logits),
        torch.tensor(labels),
        weight=None if weights is None else torch.tensor(weights),
        label_smoothing=smoothing,
        reduction="none",
    )
    np.testing.assert_allclose(
        cross_entropy(logits, labels, smoothing=smoothing, class_weights=weights), want.numpy(), rtol=1e-5
    )

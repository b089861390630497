"""A classifier in whole numbers of 8 bits: kernels by channel, activations by what training faces show them.

Static quantisation of ONNX Runtime, as pairs of QuantizeLinear and DequantizeLinear. Jacob et al. 2018
(arXiv:1712.05877).
"""

import logging
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fergen.core.errors import BadInput
from fergen.data import dataset
from fergen.data.vocabulary import VOCABULARIES
from fergen.evals.classification import align

FACES, BATCH = 512, 64


def quantised(model: Any, faces: np.ndarray) -> Any:
    """Quantise a classifier.

    Args:
        model: an onnx.ModelProto whose input is `images`.
        faces: uint8 [n, h, w, c] that the ranges of activations are taken from.

    Returns:
        An onnx.ModelProto with the same inputs and outputs.
    """
    import onnx
    from onnxruntime import quantization

    batches = iter([{"images": faces[i : i + BATCH]} for i in range(0, len(faces), BATCH)])

    class Faces(quantization.CalibrationDataReader):
        def get_next(self):
            return next(batches, None)

    level = logging.root.manager.disable
    logging.disable(logging.WARNING)  # it recommends a preparation that export has done by itself
    try:
        with tempfile.TemporaryDirectory() as folder:
            plain, made = Path(folder) / "plain.onnx", Path(folder) / "int8.onnx"
            onnx.save(model, str(plain))
            quantization.quantize_static(
                plain,
                made,
                Faces(),
                quant_format=quantization.QuantFormat.QDQ,
                per_channel=True,
                activation_type=quantization.QuantType.QUInt8,
                weight_type=quantization.QuantType.QInt8,
            )
            return onnx.load(str(made))
    finally:
        logging.disable(level)


def training_faces(data: str, split: str, n: int = FACES) -> np.ndarray:
    """Draw faces uint8 [n, h, w, c] of a prepared set, always the same ones."""
    images = dataset.load(data, split).images
    rows = np.random.default_rng(0).choice(len(images), min(n, len(images)), replace=False)
    return np.asarray(images[np.sort(rows)])


def accuracy(nets: Sequence[Any], data: str, splits: Sequence[str]) -> dict[str, list[float]]:
    """Measure classifiers on splits of a prepared set.

    Args:
        nets: each `.logits(images)` and `.classes`.
        data: the set.
        splits: names.

    Returns:
        Split -> the share that each finds right.

    Raises:
        BadInput: no such set or split, or a class that the classifiers lack.
    """
    own = tuple(nets[0].classes)
    shared = next((name for name, classes in VOCABULARIES.items() if tuple(classes) == own), None)
    found = {}
    for name in splits:
        split = dataset.load(data, name, vocabulary=shared if dataset.spec_of(data).classes != own else None)
        images = np.asarray(split.images)
        if not len(images):
            raise BadInput(f"{data}: split {name} is empty")
        logits = [align(net.logits(images), net.classes, split.spec.classes) for net in nets]
        found[name] = [float((each.argmax(1) == split.labels).mean()) for each in logits]
    return found

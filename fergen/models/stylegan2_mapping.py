"""StyleGAN2's mapping network: latents and labels to styles, and labels to what a discriminator compares with."""

import jax
import jax.numpy as jnp
from flax import linen as nn

from fergen.nn.equalized import Dense


class Mapping(nn.Module):
    """Latents and labels to styles: Karras et al. 2019 (arXiv:1812.04948), section 2; labels as in arXiv:2006.06676.

    The collection `buffers` holds running means of the styles for those who truncate: `w_avg` [w] and, with labels,
    `w_avg_class` [classes, w]; training moves them.

    Attributes:
        z: entries of latents; 0 where labels alone count.
        classes: entries of labels; 0 for none.
        w: entries of styles.
        layers: dense layers.
        rate: multiplier of their learning rate.
        activation: see `fergen.nn.activation`.
        averages: whether means are kept.
    """

    z: int
    classes: int
    w: int
    layers: int
    rate: float = 0.01
    activation: str = "lrelu"
    averages: bool = True

    @nn.compact
    def __call__(self, z: jax.Array | None, labels: jax.Array) -> jax.Array:
        """Map latents [n, z] and labels [n, classes], which need not be of one class, to styles [n, w]."""
        if self.averages and self.is_initializing():
            self.variable("buffers", "w_avg", jnp.zeros, (self.w,))
            if self.classes:
                self.variable("buffers", "w_avg_class", jnp.zeros, (self.classes, self.w))
        parts = [] if z is None else [normalised(z)]
        if self.classes:
            parts.append(normalised(Dense(self.w, name="embed")(labels)))
        x = jnp.concatenate(parts, axis=1)
        for i in range(self.layers):
            x = Dense(self.w, self.activation, self.rate, name=f"fc{i}")(x)
        return x


def normalised(x: jax.Array) -> jax.Array:
    """Scale rows to mean square 1."""
    return x * jax.lax.rsqrt(jnp.square(x).mean(axis=1, keepdims=True) + 1e-8)


def moved_averages(
    buffers: dict[str, jax.Array], w: jax.Array, labels: jax.Array, decay: float = 0.995
) -> dict[str, jax.Array]:
    """Return running means moved by a batch.

    A class's mean moves by as many steps as it has faces among those that one of each class would be; classes that the
    batch lacks keep theirs.

    Args:
        buffers: `w_avg` and, with labels, `w_avg_class`, as `Mapping` keeps them.
        w: styles [n, w].
        labels: [n, classes].
        decay: of the mean, per batch.
    """
    w = jax.lax.stop_gradient(w)
    mean = w.mean(0)
    found = {"w_avg": mean + (buffers["w_avg"] - mean) * decay}
    if "w_avg_class" in buffers:
        share = labels.sum(0)[:, None]
        means = (labels.T @ w) / jnp.maximum(share, 1e-6)
        keep = decay ** (share * labels.shape[1] / len(labels))
        found["w_avg_class"] = means + (buffers["w_avg_class"] - means) * keep
    return found

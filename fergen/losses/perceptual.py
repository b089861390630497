"""Distances in the feature maps of a frozen network: of images place by place and in texture, and of sets of images."""

from collections.abc import Mapping, Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

Maps = Mapping[str, jax.Array]


def feature_distance(ours: Maps, theirs: Maps, layers: Sequence[str]) -> Float[Array, "b"]:
    """Return each image's squared distance between feature maps, a mean over places and layers.

    Johnson et al. 2016 (arXiv:1603.08155), eq. 2, with the features of each place scaled to length 1 as in Zhang et al.
    2018 (arXiv:1801.03924), eq. 1 (without its learned weights): the layers count alike, whatever network they are of.

    Args:
      ours: name -> feature maps float [b, h, w, c] of one set of images.
      theirs: of the other.
      layers: names of those that count.

    Returns:
      float32 [b] in [0, 4], and in [0, 2] for maps behind rectifiers; 0 for equal maps.
    """
    each = [jnp.square(unit(ours[name]) - unit(theirs[name])).sum(-1).mean((1, 2)) for name in layers]
    return jnp.stack(each).mean(0)


def style_distance(ours: Maps, theirs: Maps, layers: Sequence[str]) -> Float[Array, "b"]:
    """Return each image's squared distance between Gram matrices, as a share of its target's, a mean over layers.

    Johnson et al. 2016, eq. 3 and 4: the products of features are averaged over places, so that a texture in another
    place counts little and a texture that is missing counts fully.

    Args:
      ours: name -> feature maps float [b, h, w, c] of one set of images.
      theirs: of the other, the targets.
      layers: names of those that count.

    Returns:
      float32 [b]; 0 for equal textures, 1 for maps without features.
    """
    pairs = [(gram_matrix(ours[name]), gram_matrix(theirs[name])) for name in layers]
    return jnp.stack([difference(*pair) for pair in pairs]).mean(0)


def moment_distance(ours: Maps, theirs: Maps, layers: Sequence[str]) -> Float[Array, ""]:
    """Return the squared distance between the mean Gram matrices of two sets, as a share of the second's.

    No image has a partner in the other set: what is compared are the second moments of features over images and places
    (Santos et al. 2019, arXiv:1904.02762, section 2, which matches means and variances of features).

    Args:
      ours: name -> feature maps float [n, h, w, c] of one set of images.
      theirs: [m, h, w, c] of the other, the target.
      layers: names of those that count.

    Returns:
      A mean over layers; 0 for equal moments, 1 for maps without features.
    """
    pairs = [(gram_matrix(ours[name]).mean(0), gram_matrix(theirs[name]).mean(0)) for name in layers]
    return jnp.stack([difference(*pair) for pair in pairs]).mean()


def unit(x: Float[Array, "b h w c"]) -> Float[Array, "b h w c"]:
    """Scale the features of each place to length 1; those that are all zero stay so."""
    x = x.astype(jnp.float32)
    return x * jax.lax.rsqrt(jnp.square(x).sum(-1, keepdims=True) + 1e-6)


def gram_matrix(x: Float[Array, "b h w c"]) -> Float[Array, "b c c"]:
    """Average the products of all pairs of features over places."""
    x = x.astype(jnp.float32).reshape(x.shape[0], -1, x.shape[-1])
    return jnp.einsum("bpi,bpj->bij", x, x) / x.shape[1]


def difference(gram: Float[Array, "*b c c"], target: Float[Array, "*b c c"]) -> Float[Array, "*b"]:
    """Return the squared difference of matrices as a share of the target's square (Johnson et al., eq. 4)."""
    return jnp.square(gram - target).sum((-2, -1)) / (jnp.square(target).sum((-2, -1)) + 1e-6)

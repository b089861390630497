"""The guide's term: a cross-entropy in the guide's own vocabulary, on changing views of the images."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fergen.tasks import guide

KEY = jax.random.key(0, impl="rbg")


def of(logits, weight=0.5):
    spec = {"task": "classifier", "model": {"name": "cnn"}, "classes": ["happy", "sad", "angry"]}
    fixed = {"guide": SimpleNamespace(predict={"logits": logits}, spec=spec, hash="c" * 64, name="runs/guide")}
    config = SimpleNamespace(guide=SimpleNamespace(reference="runs/guide", weight=weight))
    return guide.guide_of(config, {"classes": ["angry", "happy"], "conditional": True}, fixed)


def test_a_cross_entropy_in_the_guides_vocabulary():
    """A guide that sees nothing of the image: in closed form."""
    logits = np.array([2.0, -1.0, 0.5])
    found = of(lambda variables, images: jnp.tile(variables, (len(images), 1)))
    images, labels = jnp.zeros((3, 8, 8, 1)), jnp.array([0, 1, 0])
    losses = np.log(np.exp(logits).sum()) - logits[[2, 0, 2]]
    np.testing.assert_allclose(found.losses(KEY, jnp.asarray(logits), images, labels), losses, rtol=1e-5)
    assert float(found.loss(KEY, jnp.asarray(logits), images, labels)) == pytest.approx(0.5 * losses.mean(), rel=1e-5)


@pytest.mark.parametrize(("pattern", "least", "most"), [("texture", 0.6, 1.2), ("light", 0.03, 0.2)])
def test_views_undo_a_texture_and_not_the_light(pattern, least, most):
    """Of an image that persuades a guide by 3 to -3 and 0: as it is it would cost .05 nats, unseen log 3."""
    rows, columns = np.indices((16, 16))
    shape = np.where((rows + columns) % 2, 1.0, -1.0 if pattern == "texture" else 1.0)[:, :, None].astype(np.float32)

    def logits(variables, images):
        score = (images * shape).mean((1, 2, 3))
        return 10 * jnp.stack([score, -score, jnp.zeros(len(images))], -1)

    found, labels = of(logits, weight=1.0), jnp.ones(64, jnp.int32)
    images = jnp.tile(jnp.asarray(0.3 * shape), (64, 1, 1, 1))
    loss = jax.jit(lambda key, x: found.loss(key, {}, x, labels))
    assert least < float(loss(KEY, images)) < most
    assert float(loss(KEY, images)) != float(loss(jax.random.fold_in(KEY, 1), images))
    gradient = jax.grad(lambda x: loss(KEY, x))(images)
    assert np.isfinite(gradient).all()
    assert float(jnp.abs(gradient).max()) > 0

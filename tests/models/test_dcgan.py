"""Generator and critic: shapes and types, names, what each way of conditioning computes, and what labels change."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fergen.core.errors import BadInput
from fergen.core.tree import count, leaf_names
from fergen.models import dcgan
from fergen.models.gan_critic import CONDITIONINGS, class_spread, halve
from fergen.train.flops import flops

CONDITIONAL = [c for c in CONDITIONINGS if c != "none"]
IMAGE, CLASSES = (16, 24, 1), 5
LABELS = jnp.array([0, 3, 4])
KEY = jax.random.key(0, impl="rbg")  # compiles several times faster than the default generator


def built(conditioning, image=IMAGE, **options):
    return dcgan.build(
        num_classes=CLASSES,
        image=image,
        conditioning=conditioning,
        latent=6,
        width=8,
        widest=16,
        embedding=4,
        **options,
    )


def shapes(conditioning="projection", image=(48, 48, 1), **options):
    """Variables of both networks of the default size as shapes, and the shapes of what they give."""
    generator, critic, _ = dcgan.build(num_classes=CLASSES, image=image, conditioning=conditioning, **options)
    key, labels = KEY, jax.ShapeDtypeStruct((2,), jnp.int32)
    latents, images = (jax.ShapeDtypeStruct((2, *s), jnp.float32) for s in ((generator.entries,), image))
    made, of_generator = jax.eval_shape(generator.init_with_output, key, latents, labels)
    judged, of_critic = jax.eval_shape(critic.init_with_output, key, images, labels)
    return made, judged, of_generator, of_critic


@pytest.fixture(scope="module", params=CONDITIONINGS)
def nets(request):
    """(conditioning, generate(latents, labels), judge(images, labels, params), params), compiled once."""
    generator, critic, _ = built(request.param)
    keys = jax.random.split(KEY, 4)
    latents, images = (
        jax.random.normal(keys[0], (3, generator.entries)),
        jax.random.uniform(keys[1], (3, *IMAGE), minval=-1.0),
    )
    of_generator = jax.jit(generator.init)(keys[2], latents, LABELS)
    of_critic = jax.jit(critic.init)(keys[3], images, LABELS)
    generate = jax.jit(lambda z, y: generator.apply(of_generator, z, y))
    # With the spread given, images do not depend on one another.
    judge = jax.jit(lambda x, y, params: critic.apply({"params": params}, x, y, spread=jnp.full(1, 0.3)))
    return request.param, generate, judge, of_critic["params"], latents, images


@pytest.mark.parametrize("conditioning", CONDITIONINGS)
@pytest.mark.parametrize("image", [(48, 48, 1), (128, 128, 3), (64, 96, 3)])
def test_shapes_and_types(conditioning, image):
    """Computed in half precision: images, logits and parameters are single precision all the same."""
    made, judged, of_generator, of_critic = shapes(conditioning, image, dtype=jnp.bfloat16)
    assert (made.shape, made.dtype) == ((2, *image), jnp.float32)
    assert (judged.logits.shape, judged.logits.dtype) == ((2,), jnp.float32)
    leaves = jax.tree.leaves((of_generator, of_critic, judged))
    assert {leaf.dtype for leaf in leaves} == {jnp.dtype("float32")}
    assert (set(of_generator), set(of_critic)) == ({"params", "batch_stats"}, {"params"})
    given = {name for name, value in judged._asdict().items() if value is not None}
    extra = {"projection": {"each"}, "auxiliary": {"classes"}, "reacgan": {"embedding", "proxies"}}
    assert given == {"logits", "spread"} | extra.get(conditioning, set())


def test_size_of_the_default():
    """Counted by hand: 3x3 and 4x4 kernels, 1x1 skips, dense layers, and the plane of the spread."""
    _, _, of_generator, of_critic = shapes()
    up = sum(16 * i * o + 9 * o * o + i * o + 2 * o for i, o in ((128, 64), (64, 32)))
    last = (128 + 1) + (9 * (32 + 4) + 1) * 4  # the grain's strength; features and grain to pixels
    styles = sum((128 + 1) * 2 * c for c in (128, 64, 64, 32, 32))
    assert count(of_generator["params"]) == CLASSES * 64 + (128 + 1) * 6 * 6 * 128 + up + styles + last
    down = sum(9 * i * i + i + 9 * i * o + o + i * o for i, o in ((32, 64), (64, 128), (128, 256)))
    head = (3 * 3 * (256 + 1) + 1) * 256 + 256 + 1 + CLASSES * 256
    assert count(of_critic["params"]) == (9 * 4 + 1) * 32 + down + head


def test_nothing_wide_runs_at_full_resolution():
    """Forward at 48x48 takes at most 50 and 55 million operations."""
    generator, critic, _ = dcgan.build(num_classes=CLASSES, image=(48, 48, 1))
    *_, of_generator, of_critic = shapes()
    latents, images = (jax.ShapeDtypeStruct((2, *s), jnp.float32) for s in ((generator.entries,), (48, 48, 1)))
    labels = jax.ShapeDtypeStruct((2,), jnp.int32)
    assert flops(generator.apply, of_generator, latents, labels) < 2 * 50e6
    assert flops(critic.apply, of_critic, images, labels) < 2 * 55e6


def test_every_image_is_judged_alone_and_within_range(nets):
    _, generate, judge, params, latents, images = nets
    made = generate(latents, LABELS)
    assert (np.abs(made) <= 1).all()
    assert np.abs(made).max() > 0.05
    logits = judge(images, LABELS, params).logits
    others = images.at[1:].multiply(-1)
    np.testing.assert_allclose(judge(others, LABELS, params).logits[0], logits[0], rtol=1e-4, atol=1e-5)
    assert np.abs(judge(others, LABELS, params).logits - logits)[1:].min() > 1e-3
    np.testing.assert_allclose(generate(latents.at[1:].multiply(-1), LABELS)[0], made[0], atol=1e-5)
    assert np.abs(generate(-latents, LABELS) - made).max(axis=(1, 2, 3)).min() > 1e-2


def test_labels_are_used_where_the_conditioning_says_so(nets):
    conditioning, generate, judge, params, latents, images = nets
    other = (LABELS + 1) % CLASSES
    changed = np.abs(generate(latents, other) - generate(latents, LABELS)).max((1, 2, 3))
    seen = np.abs(judge(images, other, params).logits - judge(images, LABELS, params).logits)
    if conditioning == "none":
        assert not changed.any()
    else:
        assert changed.min() > 1e-2
    if conditioning in ("concat", "projection"):
        assert seen.min() > 1e-3
    else:
        assert not seen.any()


def test_projection_is_its_equation(nets):
    """logit = psi(f) + <e_y, f> / sqrt(d), with f read off by unit vectors in place of the embeddings."""
    conditioning, _, judge, params, _, images = nets
    if conditioning != "projection":
        pytest.skip("projection alone")

    def with_embedding(rows):
        return {**params, "projection": {"embedding": jnp.asarray(rows, jnp.float32)}}

    plain = judge(images, LABELS, with_embedding(np.zeros((CLASSES, 16)))).logits
    units = np.eye(16)
    features = np.stack(
        [
            judge(images, LABELS, with_embedding(np.tile(row, (CLASSES, 1)))).logits - plain for row in units
        ], axis=1,
    )  # fmt: skip
    embedding = np.asarray(params["projection"]["embedding"])
    found = judge(images, LABELS, params)
    np.testing.assert_allclose(found.logits, plain + (features * embedding[LABELS]).sum(1), rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(found.each, plain[:, None] + features @ embedding.T, rtol=1e-3, atol=1e-4)
    head = params["logit"]
    recovered = 16**0.5 * features  # psi is the head's affine map of the same features
    np.testing.assert_allclose(recovered @ head["kernel"][:, 0] + head["bias"], plain, rtol=1e-3, atol=1e-3)


def test_classes_and_unit_vectors(nets):
    conditioning, _, judge, params, _, images = nets
    found = judge(images, LABELS, params)
    if conditioning == "auxiliary":
        assert found.classes.shape == (3, CLASSES)
    elif conditioning == "reacgan":
        for vectors, rows in ((found.embedding, 3), (found.proxies, CLASSES)):
            assert vectors.shape == (rows, 16)
            np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)
    else:
        assert found.classes is None
        assert found.embedding is None


def test_training_normalises_by_the_batch_and_moves_the_averages():
    generator = built("concat").generator
    latents = jax.random.normal(KEY, (3, generator.entries))
    variables = jax.jit(generator.init)(KEY, latents, LABELS)
    made, moved = jax.jit(lambda v, z: generator.apply(v, z, LABELS, train=True, mutable=["batch_stats"]))(
        variables, latents
    )
    assert np.abs(made - generator.apply(variables, latents, LABELS)).max() > 1e-2
    before, after = leaf_names(variables["batch_stats"]), leaf_names(moved["batch_stats"])
    assert all(np.abs(after[name] - before[name]).max() > 0 for name in before)


def test_grain_changes_pixels_alone_and_can_be_left_out():
    generator = built("concat").generator
    latents = jax.random.normal(KEY, (3, generator.entries))
    variables = jax.jit(generator.init)(KEY, latents, LABELS)
    generate = jax.jit(generator.apply)
    row, column = 9, 14  # of the pixel whose entry is moved
    other = latents.at[:, 6 + row * IMAGE[1] + column].add(3.0)
    changed = np.abs(generate(variables, other, LABELS) - generate(variables, latents, LABELS)).max((0, 3)) > 0
    rows, columns = np.nonzero(changed)
    # The window of the last convolution is 3x3 squares of 2x2 pixels.
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (6, 11, 12, 17)
    assert built("concat", grain=False).generator.entries == 6


def test_spread_is_the_deviation_within_classes():
    x = np.random.default_rng(0).normal(size=(6, 2, 3)).astype(np.float32)
    labels = np.array([0, 1, 0, 2, 1, 0])
    within = [
        np.sqrt(x[labels == y].reshape(-1, 6).var(0, ddof=1) + 1e-4).mean() if (labels == y).sum() > 1 else None
        for y in labels
    ]  # fmt: skip
    mean = np.mean([w for w in within if w is not None])
    expected = [mean if w is None else w for w in within]
    np.testing.assert_allclose(class_spread(jnp.asarray(x), jnp.asarray(labels)), expected, rtol=1e-5)
    # One face per class repeated: no spread within, though the batch as a whole is diverse.
    repeated = jnp.asarray(x)[labels]
    np.testing.assert_allclose(class_spread(repeated, jnp.asarray(labels)), 0.01, rtol=1e-3)
    alone = class_spread(jnp.asarray(x)[:3], jnp.arange(3))
    np.testing.assert_array_equal(alone, 0)
    grads = jax.grad(lambda x: class_spread(x, jnp.asarray(labels)).sum())(repeated)
    assert np.isfinite(grads).all()


def test_a_critic_sees_a_generator_that_repeats_itself():
    """Without a given spread the batch's own takes part: equal images of a class are told from different ones."""
    critic = built("projection").critic
    keys = jax.random.split(KEY, 2)
    images, labels = jax.random.uniform(keys[0], (4, *IMAGE), minval=-1.0), jnp.array([1, 1, 2, 2])
    variables = jax.jit(critic.init)(keys[1], images, labels)
    judge = jax.jit(lambda x: critic.apply(variables, x, labels))
    apart, repeated = judge(images), judge(images[jnp.array([0, 0, 2, 2])])
    assert repeated.spread < 0.1 * apart.spread
    assert np.abs(apart.logits - repeated.logits)[jnp.array([0, 2])].min() > 1e-4


def test_halve_is_the_mean_of_windows():
    x = np.random.default_rng(0).normal(size=(2, 4, 6, 3)).astype(np.float32)
    expected = x.reshape(2, 2, 2, 3, 2, 3).mean((2, 4))
    np.testing.assert_allclose(halve(jnp.asarray(x)), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("image", "options", "words"),
    [
        ((48, 48, 1), {"conditioning": "bilinear"}, "conditioning=bilinear: expected one of none, concat"),
        ((48, 48, 1), {"width": 0}, "width=0: expected 1 or more"),
        ((50, 50, 1), {}, "images of 50x50: expected sides that halve evenly"),
        ((8, 8, 1), {}, "images of 8x8"),
    ],
)
def test_options_are_checked(image, options, words):
    with pytest.raises(BadInput, match=words):
        dcgan.build(num_classes=7, image=image, **options)

"""What one training step of StyleGAN2 draws: apart from what it computes, so that recorded numbers can be replayed."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from fergen.augment import ada
from fergen.augment.ada_settings import Settings
from fergen.core.keys import named
from fergen.models.stylegan2 import draw_noise
from fergen.models.stylegan2_layout import Layout


class Fakes(NamedTuple):
    """What a pass of the generator draws, for n images.

    Attributes:
        z: latents [n, z].
        labels: [n, classes].
        cutoff: layers that take the style of `z`; the rest take that of `others`.
        others: latents [n, z] that styles are mixed with.
        noise: [n, h, w, 1] for each layer.
    """

    z: jax.Array
    labels: jax.Array
    cutoff: jax.Array
    others: jax.Array
    noise: list[jax.Array]


class Draws(NamedTuple):
    """What the four phases draw; every array has an axis of rounds in front.

    Attributes:
        main: the generator's game, how the discriminator sees its images, and the key of the guide's views.
        lengths: fakes of the path lengths, and the images y of standard normal pixels.
        judged: fakes of the discriminator's game, and how it sees them and the real images.
        penalised: how it sees real images where its slope is penalised.
    """

    main: tuple[Fakes, ada.Draws | None, jax.Array | None]
    lengths: tuple[Fakes, jax.Array]
    judged: tuple[Fakes, ada.Draws | None, ada.Draws | None]
    penalised: ada.Draws | None


class Given(NamedTuple):
    """What a step is computed from; arrays have an axis of rounds in front.

    Attributes:
        reals: images [rounds, n, h, w, c] in [-1, 1].
        labels: theirs, [rounds, n, classes].
        draws: the numbers drawn.
        frozen: variables of the guide, where there is one.
    """

    reals: jax.Array
    labels: jax.Array
    draws: Draws
    frozen: dict[str, Any]


def draw(
    key: jax.Array,
    *,
    layout: Layout,
    z: int,
    shares: jax.Array | None,
    batch: int,
    rounds: int,
    mixing: float,
    shrink: int,
    settings: Settings | None,
) -> Draws:
    """Draw a step's numbers.

    Args:
        key: of the step.
        layout: of the networks.
        z: entries of latents.
        shares: float32 [classes], the distribution of labels; None for a generator without.
        batch: images of a step.
        rounds: parts that it is computed in.
        mixing: chance that a round mixes styles.
        shrink: path lengths are of so many times fewer images.
        settings: of the augmentation; None for none.
    """
    n = batch // rounds
    size, channels = layout.sizes[-1], layout.colours

    def fakes(key: jax.Array, n: int) -> Fakes:
        classes = 0 if shares is None else len(shares)
        labels = jnp.zeros((n, classes))
        if shares is not None:
            labels = jax.nn.one_hot(jax.random.categorical(named(key, "labels"), jnp.log(shares), shape=(n,)), classes)
        at = jax.random.randint(named(key, "cutoff"), (), 1, layout.styles)
        mixes = jax.random.uniform(named(key, "mixing")) < mixing
        return Fakes(
            z=jax.random.normal(named(key, "z"), (n, z)),
            labels=labels,
            cutoff=jnp.where(mixes, at, layout.styles),
            others=jax.random.normal(named(key, "others"), (n, z)),
            noise=draw_noise(named(key, "noise"), layout, n),
        )

    def seen(key: jax.Array) -> ada.Draws | None:
        return None if settings is None else ada.draw(key, (n, size, size, channels), settings)

    def one(key: jax.Array) -> Draws:
        few = max(n // shrink, 1)
        pixels = jax.random.normal(named(key, "lengths/pixels"), (few, size, size, channels))
        return Draws(
            main=(fakes(named(key, "main"), n), seen(named(key, "main/seen")), named(key, "main/views")),
            lengths=(fakes(named(key, "lengths"), few), pixels),
            judged=(
                fakes(named(key, "judged"), n),
                seen(named(key, "judged/fakes")),
                seen(named(key, "judged/reals")),
            ),
            penalised=seen(named(key, "penalised")),
        )

    each = [one(jax.random.fold_in(key, i)) for i in range(rounds)]
    return jax.tree.map(lambda *parts: jnp.stack(parts), *each)

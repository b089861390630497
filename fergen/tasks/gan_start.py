"""How a GAN's training may begin: its generator learns as the decoder of a conditional autoencoder.

See `fergen.models.vae_gan`. For a share of the steps encoder, decoder and prior are trained together as in
`fergen.tasks.cvae`, without its terms of frozen networks; the critic waits. Then the encoder has had its say.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import optax

from fergen.core import fields
from fergen.core.errors import BadInput
from fergen.core.keys import named
from fergen.losses import variational
from fergen.models.gan_critic import Networks
from fergen.optim import build as optim
from fergen.tasks.cvae import PRIOR_DRAWS
from fergen.tasks.network import image_of
from fergen.tasks.state import Net, first_steps, updated


@dataclass(frozen=True)
class Start:
    """The first steps of a GAN's training.

    Attributes:
        steps: their number.
        networks: those of the GAN, with an encoder.
        tx: the optimiser of encoder and generator together.
        rate: step -> its learning rate, for the record.
        beta: weight of the divergence.
        warmup: steps over which it comes to weigh.
    """

    steps: int
    networks: Networks
    tx: optax.GradientTransformation
    rate: Callable
    beta: float
    warmup: int

    def encoder(self, spec: Mapping[str, Any], key: jax.Array, generator: Any) -> Net:
        """Initialise the encoder's net, whose optimiser is that of the generator's parameters too."""
        images, labels = jnp.zeros((1, *image_of(spec))), jnp.zeros((1,), jnp.int32)
        params = self.networks.encoder.init(named(key, "encoder"), images, labels)["params"]
        return Net(params, {}, self.tx.init({"encoder": params, "generator": generator}))

    def step(self, encoder: Net, generator: Net, images: jax.Array, labels: jax.Array, step: jax.Array, key: jax.Array):
        """Take one step of encoder and generator.

        Args:
            encoder, generator: their nets.
            images: float32 [b, h, w, c] in [-1, 1].
            labels: int32 [b].
            step: number of this step.
            key: this step's random key.

        Returns:
            The two nets, and scalars: loss, in nats per image up to a constant; its terms; norms.
        """

        def loss_fn(params):
            def decoder(method, *inputs):
                return self.networks.generator.apply({"params": params["generator"]}, *inputs, method=method)

            mean, logvar = self.networks.encoder.apply({"params": params["encoder"]}, images, labels)
            latents = mean + jnp.exp(logvar / 2) * jax.random.normal(named(key, "posterior"), mean.shape)
            # Data to the prior, which so has no say in what the latents are.
            points, classes = (jnp.repeat(x, PRIOR_DRAWS, axis=0) for x in (jax.lax.stop_gradient(latents), labels))
            kl = variational.kl_per_unit(mean, logvar)
            terms = {
                "reconstruction": variational.reconstruction("l2", images - decoder("decode", latents, labels)),
                "divergence": self.beta * variational.warmup(step, self.warmup) * variational.with_free_bits(kl, 0.0),
                "prior": variational.velocity_error(
                    lambda x, t: decoder("velocity", x, t, classes), named(key, "prior"), points
                ),
            }
            return sum(terms.values()), terms

        params = {"encoder": encoder.params, "generator": generator.params}
        (loss, terms), grads = jax.value_and_grad(loss_fn, has_aux=True)(params)
        both, norms = updated(encoder.replace(params=params), self.tx, grads, {})
        encoder = both.replace(params=both.params["encoder"])
        generator = generator.replace(params=both.params["generator"])
        metrics = {
            "loss": loss,
            "learning_rate": self.rate(step),
            **{f"start/{name}": value for name, value in terms.items()},
            **{f"norm/start/{name}": value for name, value in norms.items()},
        }
        return encoder, generator, metrics


def start_of(config, networks: Networks, steps: int) -> Start | None:
    """Build the start of a config; None where it asks for none.

    Args:
        config: its group `start`: share, beta, warmup and optim; and scan.
        networks: those of the GAN.
        steps: of the whole run.

    Raises:
        BadInput: a field is out of range, or the model's generator is no decoder.
    """
    share = fields.number("start.share", config.start.share, 0, 0.9)
    if not share:
        return None
    if networks.encoder is None:
        raise BadInput(
            f"--config.start.share={share:g}: expected 0 for model {config.model.name}, whose generator is no decoder;"
            " or model vae_gan"
        )
    steps = first_steps(share, steps, config.scan)
    if not steps:
        return None
    return Start(
        steps=steps,
        networks=networks,
        tx=optim.build(config.start.optim, steps),
        rate=optim.learning_rate(config.start.optim, steps),
        beta=fields.number("start.beta", config.start.beta),
        warmup=fields.whole("start.warmup", config.start.warmup, 0),
    )

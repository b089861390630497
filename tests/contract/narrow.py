"""Overrides that make networks narrow: what a contract promises does not depend on the width, and compiling does."""

from fergen.core import config as configs

# By the model's name.
NARROW = {
    "vae_gan": ("model.latent=16", "model.widths=(8,8,16)", "model.prior=16", "model.width=4", "model.widest=16"),
    "dcgan": ("model.latent=16", "model.embedding=16", "model.width=8", "model.widest=16"),
    "cvae": ("model.latent=16", "model.widths=(8,8,16)", "model.prior=16"),
    "unet": ("model.widths=(8,8,16)", "model.head=8", "model.embedding=16"),
    "stylegan2": ("model.z_dim=16", "model.w_dim=16", "model.channel_base=64", "model.channel_max=8",
                  "model.label_layers=1"),
    "fernet": ("model.widths=(8,8,16)",),
}  # fmt: skip


def of(name: str) -> tuple[str, ...]:
    """Return the overrides that make a config's networks narrow: none for models that have none here."""
    return NARROW.get(configs.load(name).model.name, ())

"""What is compared: a config of ours, shrunk to what both sides do, and the shapes that both take."""

from typing import NamedTuple

# What the other side does not do.
BARE = (
    "data.name=procedural_n2000", "augment.flip=0.0", "augment.rotate=0.0", "augment.scale=0.0",
    "augment.translate=0.0", "augment.brightness=0.0", "augment.contrast=0.0", "augment.erase=0.0",
    "augment.mixup=0.0", "loss.label_smoothing=0.0", "ema=0.0", "tensorboard=False",
)  # fmt: skip
SGD = ("optim.name=sgd", "optim.lr=0.01", "optim.weight_decay=5e-4")


class Work(NamedTuple):
    """One work.

    Attributes:
        config: of ours.
        fields: overrides that leave what both sides do.
        batch: images a step.
        unit: of the rate.
    """

    config: str
    fields: tuple[str, ...]
    batch: int
    unit: str = "images"


WORKS = {
    # The full width: the config of a quarter of it names the fields.
    "cnn": Work(
        "fer2013_cnn_quarter",
        (*BARE, *SGD, "model.width=1.0", "model.dropouts=(0.0,0.0,0.0,0.0)", "model.dense_dropout=0.0"),
        64,
    ),
    "resnet18": Work("fer2013_resnet18", (*BARE, *SGD, "augment.affine_probability=0.0", "model.dropout=0.0"), 32),
    "efficientnet": Work("fer2013_efficientnet", (*BARE, *SGD, "model.drop_path=0.0"), 32),
    "dcgan": Work(
        "fer2013_gan",
        ("data.name=procedural_n2000", "augment.mirror=0.0", "loss.r1=0.0", "model.grain=False", "ema=0.0",
         "tensorboard=False"),
        64,
    ),
    "stylegan2_synthesis": Work("fer2013_stylegan2_small", (), 32),
    "latent_search": Work("fer2013_stylegan2_small", (), 8, "search steps x faces"),
}  # fmt: skip

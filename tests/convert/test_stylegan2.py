"""Snapshots of StyleGAN2's reference code: read bit for bit, and written back."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fergen.convert import stylegan2, stylegan2_legacy
from fergen.convert.stylegan2_names import ours, theirs
from fergen.core.errors import BadInput
from fergen.core.tree import leaf_names
from fergen.main import main
from fergen.models import stylegan2 as models
from fergen.nn.fir import normalised
from fergen.tasks.stylegan2_nets import by_collection, networks_of, predict_of
from fergen.train.foreign_stylegan2 import convert
from fergen.train.restore import restore
from tests.convert.official_snapshot import (
    CLASSES,
    arguments,
    dumped,
    module,
    official_states,
    snapshot,
    spec,
    tf_network,
    written,
)


@pytest.mark.parametrize(
    ("options", "form"),
    [
        ({}, {}),
        ({"labels": 0, "channels": 3, "architecture": "orig", "critic": "skip"}, {"last": True}),
        (
            {"architecture": "resnet", "critic": "orig", "conv_clamp": 256.0, "num_fp16_res": 2, "size": 32},
            {"protocol": 3},
        ),
        (
            {"noise": False, "resample_filter": [1.0, 2.0, 4.0, 3.0], "mbstd_num_channels": 0, "label_layers": 8},
            {"protocol": 3},
        ),
    ],
)
def test_snapshots_are_read_bit_for_bit(tmp_path, options, form):
    """Any architecture, with and without labels, memory format, protocol; and the same bits go back."""
    given = spec(**options)
    data, nets = snapshot(given, **form)
    found = stylegan2.read(written(tmp_path, data), given["classes"] if given["conditional"] else None)
    assert found.spec == given
    for net in ("generator", "discriminator"):
        wanted = leaf_names({kind: tree for kind, tree in nets[net].items() if tree})
        wanted = {name: x for name, x in wanted.items() if not name.endswith("w_avg_class")}
        read = leaf_names({kind: tree for kind, tree in found.variables[net].items() if tree})
        assert read.keys() == wanted.keys()
        for name, value in read.items():
            np.testing.assert_array_equal(value, wanted[name], err_msg=name)
        taps = normalised(given["model"]["resample_filter"])
        state = theirs(found.variables[net], taps, discriminator=net == "discriminator")
        again = ours(state)
        for name, value in leaf_names({kind: tree for kind, tree in again.items() if tree}).items():
            np.testing.assert_array_equal(value, read[name])


def test_converted_weights_are_weights_like_any_other(tmp_path, capsys):
    """The verb says what it found; the file samples what the networks in the snapshot sample; and it goes back."""
    given = spec()
    data, nets = snapshot(given)
    out = tmp_path / "faces.safetensors"
    main(["convert", "stylegan2", str(written(tmp_path, data)), str(out), "--classes=angry,happy,sad"])
    said = capsys.readouterr().out
    for words in (
        "16x16, channels: 1",
        "3: angry, happy, sad",
        "architecture skip",
        "architecture resnet",
        "parameters",
    ):
        assert words in said
    net = restore(str(out))
    z, labels = jax.random.normal(jax.random.key(0), (4, 6)), jnp.array([0, 1, 2, 0])
    faces = jax.jit(net.predict["sample"])(net.variables, z, labels)
    wanted = jax.jit(predict_of(given)["sample"])(by_collection(nets), z, labels)
    np.testing.assert_array_equal(faces, wanted)
    means = net.variables["buffers"]["generator"]["mapping"]["w_avg_class"]
    own = {"params": nets["generator"]["params"]["mapping"]}
    many = jax.random.normal(jax.random.key(5), (4096, 6))
    mean = networks_of(given).mapping.apply(own, many, jnp.tile(jnp.eye(3)[1], (4096, 1))).mean(0)
    np.testing.assert_allclose(means[1], mean, atol=0.2)
    main(["convert", "official", str(out), str(tmp_path / "official.npz")])
    states = official_states(given)[1]
    stored = np.load(tmp_path / "official.npz")
    assert set(stored) == {f"{net}.{name}" for net, state in states.items() for name in state}
    for net, state in states.items():
        for name, value in state.items():
            np.testing.assert_array_equal(stored[f"{net}.{name}"], value)


def test_other_sizes_of_the_discriminator_are_kept(tmp_path):
    given = spec(different={"channel_max": 4})
    _, states = official_states(given)
    g, d = arguments(given)
    content = {
        "D": module("Discriminator", states["D"], arguments={**d, "channel_max": 4}),
        "G_ema": module("Generator", states["G_ema"], arguments=g),
    }
    out = tmp_path / "a.safetensors"
    convert(written(tmp_path, dumped(content)), out, CLASSES)
    assert restore(str(out)).spec["model"]["different"] == {"channel_max": 4}
    networks = models.build(
        num_classes=3,
        image=(16, 16, 1),
        channel_base=64,
        channel_max=8,
        different={"channel_max": 4, "conv_clamp": 2.0},
    )
    assert (networks.synthesis.layout.channels, networks.discriminator.layout.channels) == ((8, 8, 4), (4, 4, 4))
    assert (networks.synthesis.clamp, networks.discriminator.clamp) == (None, 2.0)
    with pytest.raises(BadInput, match="expected different to be of channel_base"):
        models.build(num_classes=3, image=(16, 16, 1), different={"mbstd_group_size": 4})


def test_legacy_networks(tmp_path):
    """Of the TensorFlow code: kernels turn, the ones of styles' biases are added, noise finds its layer."""
    rng = np.random.default_rng(0)

    def drawn(*shape):
        return rng.normal(size=shape).astype(np.float32)

    def layer(name, i, o, k=3, noise=True):
        found = {f"{name}/weight": drawn(k, k, i, o), f"{name}/bias": drawn(o)}
        found |= {f"{name}/mod_weight": drawn(8, i), f"{name}/mod_bias": drawn(i)}
        return found | ({f"{name}/noise_strength": drawn()} if noise else {})

    synthesis = {f"noise{k}": drawn(1, 1, size, size) for k, size in enumerate((4, 8, 8))}
    synthesis |= {"4x4/Const/const": drawn(1, 8, 4, 4), **layer("4x4/Conv", 8, 8), **layer("4x4/ToRGB", 8, 1, 1, False)}
    synthesis |= {**layer("8x8/Conv0_up", 8, 8), **layer("8x8/Conv1", 8, 8), **layer("8x8/ToRGB", 8, 1, 1, False)}
    mapping = {"LabelEmbed/weight": drawn(3, 8), "LabelEmbed/bias": drawn(8)}
    mapping |= {"Dense0/weight": drawn(14, 8), "Dense0/bias": drawn(8)}
    critic = {"LabelEmbed/weight": drawn(3, 8), "LabelEmbed/bias": drawn(8)}
    for name, shape in {"FromRGB": (1, 1, 1, 8), "Conv0": (3, 3, 8, 8), "Conv1_down": (3, 3, 8, 8)}.items():
        critic |= {f"8x8/{name}/weight": drawn(*shape), f"8x8/{name}/bias": drawn(8)}
    critic |= {"8x8/Skip/weight": drawn(1, 1, 8, 8), "4x4/Conv/weight": drawn(3, 3, 9, 8), "4x4/Conv/bias": drawn(8)}
    critic |= {"4x4/Dense0/weight": drawn(128, 8), "4x4/Dense0/bias": drawn(8)}
    critic |= {"Output/weight": drawn(8, 8), "Output/bias": drawn(8)}
    common = {"num_channels": 1, "resolution": 8, "label_size": 3, "fmap_base": 32, "fmap_max": 8}
    static = {**common, "latent_size": 6, "dlatent_size": 8, "mapping_layers": 1}
    g = tf_network(
        static,
        {"lod": np.float32(0), "dlatent_avg": drawn(8)},
        synthesis=tf_network({}, synthesis),
        mapping=tf_network({}, mapping),
    )
    path = written(tmp_path, dumped((g, tf_network({**common, "mbstd_group_size": 4}, critic), g), 2))
    out = tmp_path / "legacy.safetensors"
    lines, _ = convert(path, out, CLASSES)
    assert "TensorFlow" in lines[0]
    net = restore(str(out))
    tree = net.variables["params"]["generator"]["synthesis"]
    np.testing.assert_array_equal(tree["b8"]["conv0"]["kernel"], synthesis["8x8/Conv0_up/weight"][::-1, ::-1])
    np.testing.assert_array_equal(tree["b8"]["conv1"]["kernel"], synthesis["8x8/Conv1/weight"])
    np.testing.assert_array_equal(tree["b4"]["conv1"]["affine"]["bias"], synthesis["4x4/Conv/mod_bias"] + 1)
    buffers = net.variables["buffers"]["generator"]["synthesis"]
    for block, layer_name, k in (("b4", "conv1", 0), ("b8", "conv0", 1), ("b8", "conv1", 2)):
        np.testing.assert_array_equal(buffers[block][layer_name]["noise_const"], synthesis[f"noise{k}"][0, 0])
    assert net.spec["model"]["label_layers"] == 0
    with pytest.raises(BadInput, match="found 'synthesis/8x8/Other/weight'"):
        stylegan2_legacy.generator([("synthesis/8x8/Other/weight", drawn(2, 2))], "x.pkl")

"""StyleGAN2's networks against arrays of the reference code, and what they are made of."""

import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fergen.convert.stylegan2_names import ours
from fergen.core.errors import BadInput
from fergen.core.tree import count
from fergen.models import stylegan2
from fergen.models.stylegan2_mapping import moved_averages

STORED = np.load(Path(__file__).parent / "stylegan2.npz")
MODELS = ("g64_gray_cond7", "c32_cond7_Gorig_Dskip", "x16_no_mbstd_no_noise")


class Case:
    """A stored model: networks, variables in some precision, inputs and wanted outputs."""

    def __init__(self, name, dtype):
        self.name, self.dtype = name, dtype
        self.meta = json.loads(str(STORED[f"{name}/meta"]))
        g, d = self.meta["G_kwargs"], self.meta["D_kwargs"]
        s = g["synthesis_kwargs"]
        self.options = {
            "num_classes": g["c_dim"],
            "image": (g["img_resolution"], g["img_resolution"], g["img_channels"]),
            "z_dim": g["z_dim"],
            "w_dim": g["w_dim"],
            "mapping_layers": g["mapping_kwargs"]["num_layers"],
            "channel_base": s["channel_base"],
            "channel_max": s["channel_max"],
            "synthesis": s.get("architecture", "skip"),
            "discriminator": d.get("architecture", "resnet"),
            "resample_filter": s.get("resample_filter", (1, 3, 3, 1)),
            "noise": s.get("use_noise", True),
            "conv_clamp": s.get("conv_clamp"),
            "mbstd_group_size": d["epilogue_kwargs"].get("mbstd_group_size", 4),
            "mbstd_num_channels": d["epilogue_kwargs"].get("mbstd_num_channels", 1),
        }
        self.nets = stylegan2.build(**self.options)
        self.generator, self.discriminator = (self.variables(f"{name}/{net}/") for net in "GD")

    def variables(self, prefix):
        state = {key[len(prefix) :]: STORED[key] for key in STORED.files if key.startswith(prefix)}
        return jax.tree.map(lambda x: jnp.asarray(x, self.dtype), ours(state))

    def input(self, name):
        x = jnp.asarray(STORED[f"{self.name}/in/{name}"], self.dtype)
        return jnp.moveaxis(x, 1, -1) if x.ndim == 4 else x

    def part(self, name):
        return {kind: tree[name] for kind, tree in self.generator.items() if name in tree}

    def mapping(self, z, c):
        ws = self.nets.mapping.apply(self.part("mapping"), z, c)
        return jnp.repeat(ws[:, None], self.nets.synthesis.layout.styles, axis=1)

    def synthesis(self, ws, noise="const"):
        return self.nets.synthesis.apply(self.part("synthesis"), ws, noise)

    def critic(self, images, labels):
        return self.nets.discriminator.apply(self.discriminator, images, labels)

    def score(self, images):
        return 10 * jnp.mean(images * self.input("m")) + 0.5 * jnp.mean(images**2)

    def close(self, name, found):
        """Against the reference in the same precision where it is stored: 1e-10 or 1e-4 of the largest number."""
        double = f"{self.name}/ref64:out/{name}"
        wanted = STORED[double if double in STORED else f"{self.name}/out/{name}"]
        exact = self.dtype == jnp.float64 and double in STORED
        found = np.asarray(found)
        found = np.moveaxis(found, -1, 1) if wanted.ndim == 4 else found.reshape(-1, *wanted.shape[1:])
        atol = (1e-10 if exact else 1e-4) * np.abs(wanted).max()
        np.testing.assert_allclose(found[: len(wanted)], wanted, rtol=0, atol=atol, err_msg=f"{self.name} {name}")


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("precision", ["float64", "float32"])
def test_reference(name, precision):
    """Styles, images under every kind of noise, logits, and first and second derivatives."""
    with jax.enable_x64(precision == "float64"):
        case = Case(name, jnp.dtype(precision))
        z, c, real = case.input("z"), case.input("c"), case.input("real")
        ws, average = case.mapping(z, c), case.generator["buffers"]["mapping"]["w_avg"]
        case.close("ws", ws[:, 0])
        case.close("ws_psi0.5", stylegan2.truncated(ws, average, 0.5)[:, 0])
        case.close("ws_psi0.7_cutoff", stylegan2.truncated(ws, average, 0.7, case.meta["truncation_cutoff"]))
        synthesis = jax.jit(case.synthesis, static_argnames="noise")
        case.close("img_const", synthesis(ws))
        at = int(case.meta["mixed"].split("ws[:, ")[1].split(":")[0])
        case.close("img_mixed_const", synthesis(stylegan2.mixed(ws, ws[::-1], at)))
        case.close("D_real/logits", jax.jit(case.critic)(real, c))
        if precision == "float32":
            return
        case.close("img_none", synthesis(ws, noise="none"))
        names = [key for key in STORED.files if key.startswith(f"{name}/in/noise_random/")]
        if names:
            drawn = [case.input(key.split("/in/")[1]) for key in sorted(names)]
            case.close("img_random", jax.jit(case.synthesis)(ws, drawn))

        def by_styles(ws):
            return case.score(case.synthesis(ws))

        def along(ws):
            return jnp.vdot(jax.grad(by_styles)(ws), case.input("v_ws"))

        case.close("dS_dws", jax.jit(jax.grad(by_styles))(ws))
        case.close("dS_dz", jax.jit(jax.grad(lambda z: by_styles(case.mapping(z, c))))(z))
        case.close("hvp_ws", jax.jit(jax.grad(along))(ws))
        slope = jax.jit(jax.grad(lambda x: case.critic(x, c).sum()))(real)
        case.close("r1_penalty", jnp.square(slope).sum((1, 2, 3)))


def test_half_precision_blocks_stay_near():
    """In half precision images differ by less than 1e-2 of their spread, with three bits less by less than 1e-1."""
    case = Case("g64_gray_cond7", jnp.float32)
    ws, real, labels = (
        x[:4] for x in (case.mapping(case.input("z"), case.input("c")), case.input("real"), case.input("c"))
    )
    full, logits = jax.jit(case.synthesis)(ws), jax.jit(case.critic)(real, labels)
    for dtype, limit in {"float16": 1e-2, "bfloat16": 1e-1}.items():
        case.nets = stylegan2.build(**case.options, num_fp16_res=4, dtype=dtype)
        found = jax.jit(lambda ws: case.synthesis(ws))(ws)
        assert found.dtype == jnp.float32
        assert 0 < np.sqrt(np.mean((found - full) ** 2)) < limit * np.std(full)
        judged = jax.jit(lambda x, c: case.critic(x, c))(real, labels)
        assert np.sqrt(np.mean((judged - logits) ** 2)) < limit * np.std(logits)


def sizes(image, **options):
    return stylegan2.build(num_classes=7, image=image, **options).synthesis.layout


def test_layout():
    """48 is 3 x 16: as many blocks as 64 has, with the same channels."""
    small, large = sizes((48, 48, 1), num_fp16_res=4), sizes((64, 64, 1), num_fp16_res=4)
    assert small.sizes == (3, 6, 12, 24, 48)
    assert large.sizes == (4, 8, 16, 32, 64)
    assert small.channels == large.channels == (512, 512, 512, 512, 256)
    assert small.half == large.half == (False, True, True, True, True)
    assert small.noise_sizes == (3, 6, 6, 12, 12, 24, 24, 48, 48)
    assert small.styles == large.styles == 10
    assert sizes((128, 128, 3), num_fp16_res=4).half == (False, False, True, True, True, True)
    assert sizes((80, 80, 3)).sizes == (5, 10, 20, 40, 80)


def test_official_sizes():
    """Numbers of parameters of the official networks at 64 px: 22.5 and 25.8 million with their defaults."""
    nets = stylegan2.build(num_classes=7, image=(64, 64, 3), mapping_layers=2)
    z, c, images = jnp.zeros((1, 512)), jnp.zeros((1, 7)), jnp.zeros((1, 64, 64, 3))

    def made():
        key = jax.random.key(0)
        return (
            nets.mapping.init(key, z, c)["params"],
            nets.synthesis.init(key, jnp.zeros((1, 10, 512)))["params"],
            nets.discriminator.init(key, images, c)["params"],
        )

    mapping, synthesis, discriminator = jax.eval_shape(made)
    assert round((count(mapping) + count(synthesis)) / 1e6, 1) == pytest.approx(22.5, abs=0.8)
    assert round(count(discriminator) / 1e6, 1) == pytest.approx(25.8, abs=1.0)


@pytest.mark.parametrize(("architecture", "layers"), [("skip", 0), ("orig", 1), ("resnet", 8)])
def test_all_architectures_at_48_pixels(architecture, layers):
    """Images and logits depend on every row's own inputs: style, label, noise."""
    nets = stylegan2.build(
        num_classes=3,
        image=(48, 48, 1),
        z_dim=8,
        w_dim=8,
        mapping_layers=2,
        label_layers=layers,
        channel_base=64,
        channel_max=8,
        synthesis=architecture,
        discriminator=architecture,
        mbstd_group_size=2,
    )
    key = jax.random.key(0)
    z, c = jax.random.normal(key, (4, 8)), jnp.eye(3)[jnp.array([0, 1, 2, 0])]
    mapping = nets.mapping.init(key, z, c)
    assert set(mapping["buffers"]) == {"w_avg", "w_avg_class"}
    ws = jnp.repeat(nets.mapping.apply(mapping, z, c)[:, None], 10, axis=1)
    synthesis = nets.synthesis.init(key, ws)
    synthesis["params"] = jax.tree.map(lambda x: x + 0.1, synthesis["params"])  # noise has a strength
    apply = jax.jit(lambda ws, noise: nets.synthesis.apply(synthesis, ws, noise))
    noise = stylegan2.draw_noise(key, nets.synthesis.layout, 4)
    images = apply(ws, noise)
    assert images.shape == (4, 48, 48, 1)
    assert images.dtype == jnp.float32
    for other in (apply(ws.at[1].add(1.0), noise), apply(ws, [x.at[1].add(1.0) for x in noise])):
        np.testing.assert_allclose(other[2:], images[2:], atol=1e-4)
        assert np.abs(other[1] - images[1]).max() > 1e-2
    discriminator = nets.discriminator.init(key, images, c)
    judge = jax.jit(lambda images, c: nets.discriminator.apply(discriminator, images, c))
    logits = judge(images, c)
    assert logits.shape == (4,)
    assert np.abs(logits - judge(images, c[::-1])).max() > 1e-4


def test_mean_styles_move_by_class():
    """The mean moves by a batch; a class that it lacks keeps its own, and a balanced batch moves all alike."""
    buffers = {"w_avg": jnp.zeros(2), "w_avg_class": jnp.ones((3, 2))}
    w, labels = jnp.array([[1.0, 2.0], [3.0, 4.0]]), jnp.eye(3)[jnp.array([0, 2])]
    moved = moved_averages(buffers, w, labels, decay=0.9)
    np.testing.assert_allclose(moved["w_avg"], [0.2, 0.3], rtol=1e-6)
    keep = 0.9**1.5
    np.testing.assert_allclose(moved["w_avg_class"][1], [1, 1])
    np.testing.assert_allclose(moved["w_avg_class"][0], [1, keep + 2 * (1 - keep)], rtol=1e-6)
    balanced = moved_averages(buffers, jnp.full((3, 2), 5.0), jnp.eye(3), decay=0.9)
    np.testing.assert_allclose(balanced["w_avg_class"], 1.4 * np.ones((3, 2)), rtol=1e-6)
    assert set(moved_averages({"w_avg": jnp.zeros(2)}, w, jnp.zeros((2, 0)))) == {"w_avg"}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"image": (48, 64, 1)}, "found 48x64"),
        ({"image": (50, 50, 1)}, "found 50x50"),
        ({"image": (4, 4, 1)}, "found 4x4"),
        ({"synthesis": "dense"}, "synthesis to be one of skip, orig, resnet"),
        ({"activation": "gelu"}, "activation to be one of linear"),
        ({"channel_max": 0}, "channel_max is too small"),
        ({"num_fp16_res": -1}, "num_fp16_res is too small"),
        ({"channel_base": 32}, "channel_base=32 leaves no channel at 48 pixels"),
    ],
)
def test_options_are_checked(options, words):
    with pytest.raises(BadInput, match=words):
        stylegan2.build(**{"num_classes": 7, "image": (48, 48, 1), **options})

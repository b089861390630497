"""Snapshots of StyleGAN2's reference code: read bit for bit, written back, and refused when they would do anything."""

import io
import os
import pickle
import pickletools
import struct
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fergen.convert import stylegan2, stylegan2_legacy, stylegan2_pickle
from fergen.convert.stylegan2_names import ours, theirs
from fergen.core.errors import BadInput
from fergen.core.tree import leaf_names
from fergen.main import main
from fergen.models import stylegan2 as models
from fergen.nn.fir import normalised
from fergen.tasks.stylegan2_nets import by_collection, initial, networks_of, predict_of
from fergen.train.foreign_stylegan2 import convert
from fergen.train.restore import restore

CLASSES = ("angry", "happy", "sad")
SOURCE = "raise SystemExit('this text was run')"


# ------------------------------------------------------------------------------------------------ files as theirs are


class Asked:
    """A name that a pickle asks for, called with arguments."""

    def __init__(self, module, name, *arguments, state=None, new=False):
        self.module, self.name, self.arguments, self.state, self.new = module, name, arguments, state, new


class Writer(pickle._Pickler):  # noqa: SLF001 (the one in Python can be told to write names that do not exist)
    """Writes pickles as the reference code's are, with names that this machine does not have."""

    def save(self, obj, save_persistent_id=True):
        if not isinstance(obj, Asked):
            return super().save(obj, save_persistent_id)
        if self.proto >= 4:
            super().save(obj.module)
            super().save(obj.name)
            self.write(pickle.STACK_GLOBAL)
        else:
            self.write(pickle.GLOBAL + f"{obj.module}\n{obj.name}\n".encode())
        if obj.arguments == ("alone",):
            return None
        super().save(tuple(obj.arguments))
        self.write(pickle.NEWOBJ if obj.new else pickle.REDUCE)
        if obj.state is not None:
            super().save(obj.state)
            self.write(pickle.BUILD)
        return None

    def persistent_id(self, obj):
        return obj.identity if isinstance(obj, Stored) else None


class Stored:
    """A storage of torch, written as a persistent id."""

    def __init__(self, identity):
        self.identity = identity


def dumped(obj, protocol=4):
    stream = io.BytesIO()
    Writer(stream, protocol).dump(obj)
    return stream.getvalue()


def storage(values, *, little=True, count=None, spare=b""):
    """One storage as torch writes it: five pickles, a number, the bytes."""
    values = np.ascontiguousarray(values).reshape(-1)
    kind = {"float32": "FloatStorage", "float64": "DoubleStorage", "int64": "LongStorage", "float16": "HalfStorage"}
    name = Asked("torch", kind[str(values.dtype)], "alone")
    count = len(values) if count is None else count
    parts = [0x1950A86A20F9469CFC6C, 1001, {"protocol_version": 1001, "little_endian": little}]
    parts += [Stored(("storage", name, "7", "cpu", count, None)), ["7"]]
    data = b"".join(dumped(part, 2) for part in parts)
    return Asked("torch.storage", "_load_from_bytes", data + struct.pack("<q", len(values)) + values.tobytes() + spare)


def torch_tensor(values, *, last=False):
    """A tensor; `last` stores it with channels last, as --nhwc does."""
    values = np.asarray(values)
    stored, strides = values, tuple(s // values.itemsize for s in np.array(values, order="C").strides)
    if last and values.ndim == 4:
        stored = values.transpose(0, 2, 3, 1)
        n, h, w, c = stored.shape
        strides = (h * w * c, 1, w * c, c)
    return Asked(
        "torch._utils", "_rebuild_tensor_v2", storage(stored), 0, values.shape, strides, False, OrderedDictOf()
    )


class OrderedDictOf(Asked):
    def __init__(self):
        super().__init__("collections", "OrderedDict")


def parameter(values, **options):
    return Asked("torch._utils", "_rebuild_parameter", torch_tensor(values, **options), True, OrderedDictOf())


def module(name, state, *, last=False, arguments=None):
    """A module of these tensors by dotted name, with the submodules that the names ask for."""
    parameters, buffers, children = {}, {}, {}
    for path, values in state.items():
        first, _, rest = path.partition(".")
        if rest:
            children.setdefault(first, {})[rest] = values
        elif first in ("resample_filter", "noise_const", "w_avg"):
            buffers[first] = torch_tensor(values)
        else:
            parameters[first] = parameter(values, last=last)
    attributes = {
        "training": False,
        "_parameters": parameters,
        "_buffers": buffers,
        "_non_persistent_buffers_set": set(),
        "_modules": {child: module("Layer", inner, last=last) for child, inner in children.items()},
    }
    if arguments is not None:
        attributes |= {"_init_args": (), "_init_kwargs": arguments}
    meta = {"type": "class", "version": 6, "module_src": SOURCE, "class_name": name, "state": attributes}
    return Asked("torch_utils.persistence", "_reconstruct_persistent_obj", meta)


def spec(architecture="skip", critic="resnet", labels=3, size=16, channels=1, **model):
    """A tiny network's spec."""
    return {
        "task": "stylegan2",
        "model": {
            "name": "stylegan2", "z_dim": 6, "w_dim": 8, "mapping_layers": 2, "mapping_lr": 0.01, "label_layers": 1,
            "label_lr": 0.01, "synthesis": architecture, "discriminator": critic, "noise": True, "mbstd_group_size": 2,
            "mbstd_num_channels": 1, "cmap_dim": 0, "channel_base": 64, "channel_max": 8, "num_fp16_res": 0,
            "conv_clamp": None, "resample_filter": [1.0, 3.0, 3.0, 1.0], "activation": "lrelu", "different": {},
            "dtype": "float32", **model,
        },
        "classes": list(CLASSES[:labels]) or ["face"],
        "image": {"height": size, "width": size, "channels": channels},
        "nets": ["generator", "discriminator"],
        "latent": [6],
        "conditional": labels > 0,
        "prior": [1 / labels] * labels if labels else [1.0],
        "sampler": {"truncation": 1.0, "cutoff": 0, "centre": "all", "noise": "const"},
    }  # fmt: skip


def official_states(given):
    """Random weights of a spec, and their state dicts under the official names."""
    shapes = jax.eval_shape(lambda key: initial(given, key), jax.random.key(0))
    rng = np.random.default_rng(0)
    nets = jax.tree.map(lambda x: rng.normal(size=x.shape).astype(np.float32), shapes)
    taps = normalised(given["model"]["resample_filter"])
    return nets, {
        "G_ema": theirs(nets["generator"], taps, discriminator=False),
        "D": theirs(nets["discriminator"], taps, discriminator=True),
    }


def arguments(given):
    """Constructor arguments of the reference code's networks for a spec."""
    m, size, labels = given["model"], given["image"], len(given["classes"]) if given["conditional"] else 0
    common = {"c_dim": labels, "img_resolution": size["height"], "img_channels": size["channels"]}
    sizes = {
        "channel_base": m["channel_base"],
        "channel_max": m["channel_max"],
        "num_fp16_res": m["num_fp16_res"],
        "conv_clamp": m["conv_clamp"],
    }
    block = {"resample_filter": m["resample_filter"], "activation": m["activation"]}
    g = {**common, "z_dim": m["z_dim"], "w_dim": m["w_dim"], "mapping_kwargs": {"num_layers": m["mapping_layers"]}}
    g["synthesis_kwargs"] = {**sizes, **block, "architecture": m["synthesis"], "use_noise": m["noise"]}
    d = {**common, **sizes, "architecture": m["discriminator"], "block_kwargs": block}
    d |= {
        "mapping_kwargs": {"num_layers": m["label_layers"]},
        "epilogue_kwargs": {"mbstd_group_size": m["mbstd_group_size"], "mbstd_num_channels": m["mbstd_num_channels"]},
    }
    return g, d


def snapshot(given, *, last=False, protocol=4, **more):
    """A snapshot's bytes, and the weights in it."""
    nets, states = official_states(given)
    g, d = arguments(given)
    content = {
        "training_set_kwargs": {"path": "faces.zip", "resolution": given["image"]["height"]},
        "G": None,
        "D": module("Discriminator", states["D"], last=last, arguments=d),
        "G_ema": module("Generator", states["G_ema"], last=last, arguments=g),
        "augment_pipe": None,
        **more,
    }
    return dumped(content, protocol), nets


def written(tmp_path, data, name="snapshot.pkl"):
    path = tmp_path / name
    path.write_bytes(data)
    return path


# ------------------------------------------------------------------------------------------------------------- reading


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


# --------------------------------------------------------------------------------------------------------- legacy form


def tf_network(static, variables, **components):
    state = {
        "version": 4,
        "name": "net",
        "static_kwargs": static,
        "components": components,
        "build_module_src": SOURCE,
        "variables": [(name, np.asarray(value)) for name, value in variables.items()],
    }
    return Asked("dnnlib.tflib.network", "Network", state=state, new=True)


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


# ------------------------------------------------------------------------------------------------------------- hostile


def generator_with(**attributes):
    """A snapshot whose averaged generator has these attributes."""
    meta = {"type": "class", "version": 6, "module_src": SOURCE, "class_name": "Generator"}
    state = {"_parameters": {}, "_buffers": {}, "_modules": {}, "_init_kwargs": {}, **attributes}
    return {
        "G_ema": Asked("torch_utils.persistence", "_reconstruct_persistent_obj", {**meta, "state": state}),
        "D": None,
    }


def calls(module_name, name, *args):
    return lambda: dumped({"G_ema": Asked(module_name, name, *args)})


def tensor_of(store, offset, shape, strides):
    made = Asked("torch._utils", "_rebuild_tensor_v2", store, offset, shape, strides, False, OrderedDictOf())
    return lambda: dumped(generator_with(_parameters={"weight": made}))


def nested(depth):
    inner = generator_with()["G_ema"]
    for _ in range(depth):
        inner = generator_with(_modules={"inner": inner})["G_ema"]
    return {"G_ema": inner, "D": inner}


FOUR = np.arange(4, dtype=np.float32)
MARK = "touched"
HOSTILE = {
    # Names that would run something.
    "os.system": calls("os", "system", f"touch {MARK}"),
    "posix.system": calls("posix", "system", f"touch {MARK}"),
    "eval": calls("builtins", "eval", f"open('{MARK}', 'w')"),
    "exec": calls("builtins", "exec", f"open('{MARK}', 'w')"),
    "getattr": calls("builtins", "getattr", "x", "y"),
    "import": calls("builtins", "__import__", "os"),
    "open": calls("builtins", "open", MARK, "w"),
    "subprocess": calls("subprocess", "Popen", ["touch", MARK]),
    "shutil": calls("shutil", "rmtree", "."),
    "torch.load": calls("torch", "load", "x"),
    "torch.hub": calls("torch.hub", "load", "x"),
    "numpy.load": calls("numpy", "load", "x"),
    "dotted": calls("collections", "OrderedDict.fromkeys", "x"),
    "dotted module": calls("torch._utils", "_rebuild_tensor_v2.__globals__"),
    "operator": calls("operator", "attrgetter", "x"),
    "functools": calls("functools", "partial", "x"),
    "copyreg": calls("copyreg", "_reconstructor", "x"),
    "set of another module": calls("__builtin__", "set", [1]),
    "an object of ours": calls("fergen.core.errors", "BadInput", "x"),
    "a source that is a module": lambda: dumped(Asked("imp", "load_source", "a", "b")),
    # Descriptions that lie.
    "no class": lambda: dumped(
        {"G_ema": Asked("torch_utils.persistence", "_reconstruct_persistent_obj", {"type": "x"})}
    ),
    "two arguments": calls("torch_utils.persistence", "_reconstruct_persistent_obj", {}, {}),
    "beyond the end": tensor_of(storage(FOUR), 0, (5,), (1,)),
    "offset beyond the end": tensor_of(storage(FOUR), 4, (1,), (1,)),
    "negative offset": tensor_of(storage(FOUR), -1, (1,), (1,)),
    "negative stride": tensor_of(storage(FOUR), 3, (4,), (-1,)),
    "huge shape": tensor_of(storage(FOUR), 0, (2**40, 2**40), (0, 0)),
    "shape of texts": tensor_of(storage(FOUR), 0, ("4",), (1,)),
    "more announced than there": tensor_of(storage(FOUR, count=10**9), 0, (4,), (1,)),
    "bytes behind": tensor_of(storage(FOUR, spare=b"more"), 0, (4,), (1,)),
    "another byte order": tensor_of(storage(FOUR, little=False), 0, (4,), (1,)),
    "a tensor without storage": tensor_of(None, 0, (4,), (1,)),
    "storage of text": calls("torch.storage", "_load_from_bytes", "text"),
    "storage of another pickle": calls("torch.storage", "_load_from_bytes", dumped(Asked("os", "system", "true"), 2)),
    "parameters that are no tensors": lambda: dumped(generator_with(_parameters={"weight": 3})),
    "parameters that are a list": lambda: dumped(generator_with(_parameters=[1])),
    "modules that are numbers": lambda: dumped(generator_with(_modules={"a": 1})),
    "modules within modules": lambda: dumped(nested(40)),
    "a dtype of objects": calls("numpy", "dtype", "O8", False, True),
    "a scalar of too few bytes": calls("numpy.core.multiarray", "scalar", Asked("numpy", "dtype", "f8"), b"1"),
    "an array of a list": calls("numpy.core.multiarray", "_reconstruct", [1], (0,), b"b"),
    # Other files.
    "an empty file": lambda: b"",
    "a number": lambda: dumped(3),
    "a dict of nothing": lambda: dumped({}),
    "no networks": lambda: dumped({"G_ema": None, "D": None}),
    "another class": lambda: dumped(generator_with() | {"D": generator_with()["G_ema"]}),
    "text": lambda: b"not a pickle at all",
    "a network of text": lambda: dumped((1, 2, Asked("dnnlib.tflib.network", "Network", state="x", new=True)), 2),
    "an old network": lambda: dumped((1, *[tf_network({}, {})] * 2), 2).replace(b"version", b"versio_"),
    "a stack below": lambda: pickle.PROTO + b"\x04" + pickle.REDUCE + pickle.STOP,
    "a memo that is empty": lambda: pickle.PROTO + b"\x04" + pickle.BINGET + b"\x07" + pickle.STOP,
    "lengths beyond the end": lambda: pickle.PROTO + b"\x04" + pickle.BINBYTES8 + b"\xff" * 8 + pickle.STOP,
    "an extension": lambda: pickle.PROTO + b"\x04" + pickle.EXT1 + b"\x01" + pickle.STOP,
    "an instance": lambda: pickle.MARK + pickle.INST + b"os\nsystem\n" + pickle.STOP,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_are_refused(name, tmp_path, monkeypatch, capsys):
    """One line, exit status 2, and nothing happened."""
    monkeypatch.chdir(tmp_path)
    path = written(tmp_path, HOSTILE[name]())
    assert main(["convert", "stylegan2", str(path), "out.safetensors"]) == 2
    said = capsys.readouterr()
    assert len(said.err.strip().splitlines()) == 1
    assert str(path) in said.err
    assert os.listdir(tmp_path) == ["snapshot.pkl"]


def test_damaged_files_are_refused_or_read(tmp_path):
    """Cut, and with bytes changed at random: never another exception, never anything run, and no memory taken."""
    data, _ = snapshot(spec(size=8))
    rng = np.random.default_rng(0)
    places = [position for opcode, _, position in pickletools.genops(data) if opcode.name != "BINBYTES"]
    refused = 0
    for i in range(150):
        broken = bytearray(data)
        if i % 3 == 0:
            broken = broken[: rng.integers(1, len(data))]
        else:
            for place in rng.choice(places, rng.integers(1, 4)):
                broken[place] = rng.integers(0, 256)
        try:
            stylegan2.read(written(tmp_path, bytes(broken)))
        except BadInput:
            refused += 1
    assert refused > 100


@pytest.mark.parametrize(
    ("arguments_of", "words"),
    [
        (["a.pkl", "out.npz"], "expected a name ending in .safetensors"),
        (["none.pkl", "out.safetensors"], "no such file"),
        (["a.pkl", "out.safetensors", "--classes=a,b"], "expected names of its 3 labels, found 2: a, b"),
    ],
)
def test_what_users_mistype(arguments_of, words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    written(tmp_path, snapshot(spec(size=8))[0], "a.pkl")
    assert main(["convert", "stylegan2", *arguments_of]) == 2
    assert words in capsys.readouterr().err


def test_arrays_that_do_not_fit_are_named(tmp_path):
    given = spec(size=8)
    wrong = {**given, "model": {**given["model"], "w_dim": 9}}
    _, states = official_states(given)
    g, d = arguments(wrong)
    content = {
        "D": module("Discriminator", states["D"], arguments=d),
        "G_ema": module("Generator", states["G_ema"], arguments=g),
    }
    with pytest.raises(BadInput, match=r"expected shape \(.*\) by the network's arguments, found \("):
        convert(written(tmp_path, dumped(content)), tmp_path / "out.safetensors")


def test_the_reader_stands_alone():
    """It asks for no torch, and its source has no call of the interpreter's."""
    text = Path(stylegan2_pickle.__file__).read_text()
    for word in ("eval(", "exec(", "import torch", "__import__", "pickle.load"):
        assert word not in text

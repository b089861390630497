"""Snapshots as StyleGAN2's reference code writes them, of weights of ours: pickles of classes that are not here."""

import io
import pickle
import struct

import jax
import numpy as np

from fergen.convert.stylegan2_names import theirs
from fergen.nn.fir import normalised
from fergen.tasks.stylegan2_nets import initial

CLASSES = ("angry", "happy", "sad")
SOURCE = "raise SystemExit('this text was run')"


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


def tf_network(static, variables, **components):
    """A network of the TensorFlow code."""
    state = {
        "version": 4,
        "name": "net",
        "static_kwargs": static,
        "components": components,
        "build_module_src": SOURCE,
        "variables": [(name, np.asarray(value)) for name, value in variables.items()],
    }
    return Asked("dnnlib.tflib.network", "Network", state=state, new=True)

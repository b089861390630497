"""Files in the form of a StyleGAN2 snapshot that are damaged, or would do something: refused without doing it."""

import os
import pickle
import pickletools
from pathlib import Path

import numpy as np
import pytest

from fergen.convert import stylegan2, stylegan2_pickle
from fergen.core.errors import BadInput
from fergen.main import main
from fergen.train.foreign_stylegan2 import convert
from tests.convert.official_snapshot import (
    SOURCE,
    Asked,
    OrderedDictOf,
    arguments,
    dumped,
    module,
    official_states,
    snapshot,
    spec,
    storage,
    tf_network,
    written,
)


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

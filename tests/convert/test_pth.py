"""The PyTorch reader: both formats, all its refusals, and noise."""

import collections
import os
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fergen.convert import pth
from fergen.core.errors import BadInput
from tests.convert.torchfile import Call, Name, legacy, pickled, stored, tensor, zipped

A = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
B = np.arange(5, dtype=np.int64)
FORMS = {"zip": zipped, "legacy": legacy}


def write(folder, content, name="model.pth"):
    path = folder / name
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("wrapper", [None, "state_dict", "model"])
def test_reads_tensors(form, wrapper, tmp_path):
    table = collections.OrderedDict(a=tensor(A, "0"), b=tensor(B, "1"))
    content = {wrapper: table, "epoch": 3, "lr": 0.1, "flags": [True, None, ("x", -7)]} if wrapper else table
    found = pth.read(write(tmp_path, form(content, [stored(A, "0"), stored(B, "1")])))
    assert list(found) == ["a", "b"]
    np.testing.assert_array_equal(found["a"], A)
    np.testing.assert_array_equal(found["b"], B)
    assert found["b"].dtype == np.int64


def test_views_share_a_storage(tmp_path):
    table = {
        "row": tensor(A, offset=12, shape=(12,), strides=(1,)),
        "transposed": tensor(A, shape=(12, 2), strides=(1, 12)),
        "scalar": tensor(A, offset=23, shape=(), strides=()),
        "none": tensor(A, shape=(0, 4), strides=(4, 1)),
    }
    found = pth.read(write(tmp_path, zipped(table, [stored(A)])))
    np.testing.assert_array_equal(found["row"], A[1].ravel())
    np.testing.assert_array_equal(found["transposed"], A.reshape(2, 12).T)
    assert found["scalar"].shape == ()
    assert found["scalar"] == 23
    assert found["none"].shape == (0, 4)


def test_half_precisions_are_widened_or_kept(tmp_path):
    half = np.array([1.5, -2.25], np.float16)
    values = np.array([1.0, -3.140625, 1e30], np.float32)
    brain = (values.view(np.uint32) >> 16).astype(np.uint16)
    table = {"half": tensor(half, "0"), "brain": tensor(brain, "1")}
    found = pth.read(write(tmp_path, zipped(table, [stored(half, "0"), stored(brain, "1")])))
    np.testing.assert_array_equal(found["half"], half)
    np.testing.assert_allclose(found["brain"], values, rtol=2**-7)
    assert found["brain"].dtype == np.float32


def test_parameters_are_tensors(tmp_path):
    parameter = Call(Name("torch._utils", "_rebuild_parameter"), (tensor(A), True, {}))
    np.testing.assert_array_equal(pth.read(write(tmp_path, legacy({"w": parameter}, [stored(A)])))["w"], A)


HOSTILE = {
    "os.system": Call(Name("os", "system"), ("touch {mark}",)),
    "posix.system": Call(Name("posix", "system"), ("touch {mark}",)),
    "eval": Call(Name("builtins", "eval"), ("open('{mark}', 'w')",)),
    "subclass": Name("collections", "OrderedDict.__init__"),
    "getattr": Call(Name("builtins", "getattr"), (Name("torch._utils", "_rebuild_tensor_v2"), "__globals__")),
    "load": Call(Name("torch.storage", "_load_from_bytes"), (b"x",)),
    "module": Name("torch.nn.modules.linear", "Linear"),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("attack", HOSTILE)
def test_hostile_pickles_are_refused(form, attack, tmp_path):
    mark = tmp_path / "executed"
    call = HOSTILE[attack]
    if isinstance(call, Call) and isinstance(call.arguments[0], str):
        call = Call(call.function, (call.arguments[0].format(mark=mark),))
    path = write(tmp_path, form({"a": tensor(A), "b": call}, [stored(A)]))
    with pytest.raises(BadInput, match="refused") as refusal:
        pth.read(path)
    assert "\n" not in str(refusal.value)
    assert not mark.exists()


def test_the_attack_would_work_on_a_plain_unpickler(tmp_path):
    import pickle

    mark = tmp_path / "executed"
    pickle.loads(pickled(Call(Name(os.system.__module__, "system"), (f"touch {mark}",))))
    assert mark.exists()


BROKEN = {
    "beyond the storage": tensor(A, offset=1),
    "stride beyond the storage": tensor(A, shape=(2, 2), strides=(1, 24)),
    "negative offset": tensor(A, offset=-1),
    "negative stride": tensor(A, shape=(2,), strides=(-1,)),
    "repetition without end": tensor(A, shape=(10**12,), strides=(0,)),
    "more dimensions than strides": tensor(A, shape=(2, 3), strides=(1,)),
    "sizes that are no numbers": tensor(A, shape=("2",), strides=(1,)),
    "sizes beyond 64 bits": tensor(A, shape=(2**70,), strides=(1,)),
    "storage of no known type": tensor(A, storage=stored(A, kind=Name("collections", "OrderedDict"))),
    "storage of negative size": tensor(A, storage=stored(A, count=-1)),
    "call of a storage": Call(Name("torch", "FloatStorage"), (1 << 40,)),
    "call of a text": Call("os.system", ("true",)),
    "dict with a nested key": {((1,), 2): 3},
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_descriptions_are_refused(case, tmp_path):
    with pytest.raises(BadInput, match="damaged one"):
        pth.read(write(tmp_path, zipped({"good": tensor(A, "1"), "bad": BROKEN[case]}, [stored(A), stored(A, "1")])))


def test_deep_nesting_is_no_danger(tmp_path):
    deep = b"\x80\x02" + b")" + b"\x85" * 50_000 + b"."
    path = tmp_path / "deep.pth"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("m/data.pkl", deep)
    with pytest.raises(BadInput, match="expected a dict of tensors"):
        pth.read(path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "found neither"),
        (os.urandom(300), "found neither"),
        (zipped({"a": tensor(A)}, [])[:-30], "damaged zip"),
        (zipped({"a": tensor(A)}, []), "storage 0 are missing"),
        (zipped({"a": tensor(A)}, [stored(A[:1])]), "expected 96 bytes, found 48"),
        (zipped({"a": tensor(A)}, [stored(A)], zipfile.ZIP_DEFLATED), "is compressed"),
        (zipped({"n": 1}, []), "expected a dict of tensors"),
        (zipped({"a": tensor(A, storage=stored(A, count=10**9))}, [stored(A)]), "truncated"),
        (legacy({"a": tensor(A)}, [stored(A)])[:-1], "truncated"),
        (legacy({"a": tensor(A)}, []), "storages are missing"),
        (legacy({"a": tensor(A)}, [stored(A)])[:40], "ends early|announced|damaged"),
    ],
)  # fmt: skip
def test_damaged_files_are_one_line(content, words, tmp_path):
    path = write(tmp_path, content)
    with pytest.raises(BadInput, match=words) as refusal:
        pth.read(path)
    assert str(path) in str(refusal.value)


@settings(max_examples=200, deadline=None)
@given(
    form=st.sampled_from(sorted(FORMS)),
    edits=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=6),
    cut=st.floats(0, 1),
)
def test_noise_reads_or_is_refused(form, edits, cut, tmp_path_factory):
    raw = bytearray(FORMS[form]({"a": tensor(A, "0"), "b": tensor(B, "1")}, [stored(A, "0"), stored(B, "1")]))
    for where, value in edits:
        raw[int(where * len(raw))] = value
    path = tmp_path_factory.mktemp("noise") / "model.pth"
    path.write_bytes(raw[: max(1, int((0.5 + cut) * len(raw)))])
    try:
        table = pth.read(path)
    except BadInput:  # anything else would be a fault
        return
    assert all(array.nbytes <= 2 * A.nbytes for array in table.values())

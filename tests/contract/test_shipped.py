"""What every file of weights promises that comes with the package; a new one joins by lying there."""

import numpy as np
import pytest
from PIL import Image

from fergen.data.procedural import faces as drawn
from fergen.main import main, parser_of, verbs
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


@pytest.mark.parametrize("verb", verbs())
def test_what_a_command_takes_by_itself_ships(verb):
    parser, _ = parser_of(verb)
    for name in ("weights", "guide", "generators"):
        taken = parser.get_default(name) or []
        assert set([taken] if isinstance(taken, str) else taken) <= set(SHIPPED)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("argv", "made"),
    [
        (["sample", "--columns=2"], "samples.png"),
        (["edit", "sad", "--n=2", "--steps=3", "--cvae=fer2013_cvae", f"--judge={JUDGE}"], "edited/hybrid.png"),
        (["project", "face.png", "--steps=3"], "projected/faces.png"),
        (["predict", "face.png", "--show=shown.png"], "shown.png"),
        (["saliency", "face.png", "--out=saliency.png"], "saliency.png"),
    ],
)
def test_commands_work_with_what_ships(argv, made, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Image.fromarray(drawn.draw(np.arange(1), size=48, channels=1).images[0, ..., 0]).save("face.png")
    assert main(argv) == 0
    assert (tmp_path / made).stat().st_size > 500

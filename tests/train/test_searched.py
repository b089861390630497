"""Guided search as a generator: the guide sees more of each label, whatever batch a face is in, and it is no judge."""

import jax
import numpy as np
import pytest

from fergen.core.errors import BadInput
from fergen.evals import sampling
from fergen.evals.independence import require_independent
from fergen.main import main
from fergen.train import faces, searched
from fergen.train.restore import restore
from tests.train.test_projecting import folder  # noqa: F401 (a fixture)

STEPS = 20
ROWS, LABELS = np.arange(4), np.array([0, 1, 0, 1])


def made(net, rows=ROWS, labels=LABELS, **options):
    return sampling.of_rows(net.predict, net.spec, net.variables, rows, labels, **options)


@pytest.fixture(scope="module")
def net(folder):  # noqa: F811
    return searched.generator(str(folder / "net.safetensors"), search="fer2013_small*10", steps=STEPS)


def test_the_guide_sees_more_of_each_label(folder, net):  # noqa: F811
    guide = restore("fer2013_small")
    targets = np.array([list(guide.spec["classes"]).index(net.spec["classes"][label]) for label in LABELS])

    def seen(images):
        return np.asarray(jax.nn.log_softmax(guide.predict["logits"](guide.variables, images)))[np.arange(4), targets]

    path = str(folder / "net.safetensors")
    plain, found = made(faces.generator(path)), made(net)
    assert found.shape == plain.shape
    assert seen(found).mean() > seen(plain).mean()
    # Without weight realism alone moves a style: the guide sees less of the label than with it.
    free = made(searched.generator(path, search="fer2013_small*0", steps=STEPS))
    assert seen(found).mean() > seen(free).mean()


def test_a_face_is_the_same_wherever_it_is_in_a_batch(net):
    np.testing.assert_array_equal(made(net), made(net, ROWS[::-1], LABELS[::-1])[::-1])


@pytest.mark.slow
def test_one_call_and_step_by_step_are_the_same(folder):  # noqa: F811
    """The CPU takes the steps, other devices the one call.

    Three steps: from a random generator the descent is chaotic, and a rounding of 1e-7 is 50 grey values at step 20.
    """
    net = searched.generator(str(folder / "net.safetensors"), search="fer2013_small*10", steps=3)
    looped = jax.jit(net.predict["sample"])(net.variables, sampling.latents(net.predict, ROWS), LABELS)
    assert np.abs((np.asarray(looped) + 1) * 127.5 - made(net)).max() <= 1


def test_its_guide_is_no_judge(net):
    assert net.spec["sampler"]["search"] == "fer2013_small*10"
    require_independent(net, restore("fer2013_judge"))
    with pytest.raises(BadInput, match="not independent"):
        require_independent(net, restore("fer2013_small"))


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("--search=fer2013_small*much", "expected REF*WEIGHT"),
        ("--search=*2", "expected REF*WEIGHT"),
        ("--search=nothing", "weights 'nothing'"),
        ("--search=net.safetensors", "expected a classifier, found a stylegan2"),
    ],
)
def test_what_is_refused(option, words, folder, monkeypatch, capsys):  # noqa: F811
    monkeypatch.chdir(folder)
    assert main(["sample", "--weights=net.safetensors", option, "--out=x.png"]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert words in said


def test_it_is_asked_for_by_a_flag(folder):  # noqa: F811
    argv = ["sample", f"--weights={folder / 'net.safetensors'}", "--search=fer2013_small*2", "--steps=2"]
    assert main([*argv, "--columns=2", f"--out={folder / 'searched.png'}", "--quiet"]) == 0
    assert (folder / "searched.png").exists()

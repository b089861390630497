"""Control and independence: by hand, and what is refused."""

from types import SimpleNamespace

import numpy as np
import pytest

from fergen.core import lineage
from fergen.core.errors import BadInput
from fergen.data.vocabulary import VOCABULARIES
from fergen.evals import control
from fergen.evals.control import Judged
from fergen.evals.independence import require_independent
from tests.evals.handmade import SEVEN

CLASSES = ("angry", "happy", "sad")
# Of 10 faces each, 9, 5 and 0 show what they were asked to; of real ones the judge knows 18 of 20, 5 of 10, 4 of 20.
FAKES = Judged(np.repeat([0, 1, 2], 10), np.array([0] * 9 + [1] + [1] * 5 + [0] * 5 + [0] * 10))
REAL = {
    "validation": Judged(np.repeat([0, 1], 10), np.array([0] * 10 + [1] * 5 + [2] * 5)),
    "public": Judged(np.repeat([0, 2], [10, 20]), np.array([0] * 8 + [1] * 2 + [2] * 4 + [0] * 16)),
}


def test_control_beside_the_judges_own_recall():
    scores = control.evaluate(FAKES, REAL, CLASSES, bootstrap=200)
    assert [scores[f"control/{name}"] for name in CLASSES] == pytest.approx([0.9, 0.5, 0])
    assert [scores[f"judge/real/{name}"] for name in CLASSES] == pytest.approx([0.9, 0.5, 0.2])
    assert [scores[f"control/ratio/{name}"] for name in CLASSES] == pytest.approx([1, 1, 0])
    assert scores["control/macro"] == pytest.approx(1.4 / 3)
    assert scores["judge/real/macro"] == pytest.approx(1.6 / 3)
    assert scores["control/ratio"] == pytest.approx(1.4 / 1.6)
    assert scores["control/ratio/worst"] == 0
    # A class that a split lacks is left out of that split's macro.
    assert scores["judge/real/validation/macro"] == pytest.approx(0.75)
    assert np.isnan(scores["judge/real/validation/sad"])
    assert scores["judge/real/public/macro"] == pytest.approx(0.5)
    assert (scores["control/n"], scores["control/n/sad"], scores["judge/real/n/angry"]) == (30, 10, 20)
    assert "guide/macro" not in scores
    for name in ("control/macro", "control/happy", "judge/real/happy", "control/ratio", "control/ratio/happy"):
        assert scores[f"{name}.low"] < scores[name] < scores[f"{name}.high"]
    assert 0 == scores["control/sad.low"] < scores["control/sad.high"] < 0.35


def test_interval_of_the_ratio_covers_as_often_as_it_says():
    """Both sides vary: an interval that took the judge's recall for known would be too narrow."""
    rng = np.random.default_rng(0)
    truth, covered = (0.6, 0.8), 0
    for trial in range(200):
        labels = np.repeat([0, 1], 60)
        sides = [Judged(labels, np.where(rng.random(120) < share, labels, 1 - labels)) for share in truth]
        scores = control.evaluate(sides[0], {"public": sides[1]}, CLASSES[:2], bootstrap=200, seed=trial)
        covered += scores["control/ratio.low"] <= truth[0] / truth[1] <= scores["control/ratio.high"]
    assert 0.90 <= covered / 200 <= 0.985


def test_guides_figure_and_agreement():
    guide = FAKES.labels.copy()
    scores = control.evaluate(FAKES, REAL, CLASSES, guide=guide, bootstrap=50)
    assert scores["guide/macro"] == scores["guide/sad"] == 1
    assert scores["agreement"] == pytest.approx(14 / 30)
    # A class whose name begins as a count does is a class all the same.
    named = control.evaluate(FAKES, REAL, ("angry", "neutral", "sad"), guide=guide, bootstrap=20)
    assert named["guide/neutral"] == 1
    assert scores["agreement.low"] < 14 / 30 < scores["agreement.high"]


def test_a_class_that_the_judge_never_recognises_has_no_ratio():
    real = {"public": Judged(np.repeat([0, 1, 2], 5), np.repeat([0, 1, 1], 5))}
    scores = control.evaluate(FAKES, real, CLASSES, bootstrap=20)
    assert np.isnan(scores["control/ratio/sad"])
    assert scores["control/ratio/worst"] == pytest.approx(0.5)


def test_a_judge_of_more_classes_is_mapped():
    eight = VOCABULARIES["eight"]
    logits = np.zeros((2, 8), np.float32)
    logits[0, eight.index("fear")] = logits[1, eight.index("contempt")] = 9
    logits[1, eight.index("sad")] = 1
    np.testing.assert_array_equal(control.predicted(logits, eight, SEVEN), [SEVEN.index("fear"), SEVEN.index("sad")])
    control.require_classes("runs/judge", eight, SEVEN)
    control.require_classes("runs/judge", ("Happiness", "anger", "sadness"), CLASSES)


def test_a_judge_that_lacks_a_class_is_refused():
    with pytest.raises(BadInput, match=r"judge 'runs/judge': expected .* found none for contempt"):
        control.require_classes("runs/judge", SEVEN, VOCABULARIES["eight"])


def member(name, digest, *ancestors, model="vgg", data="d" * 64, **teachers):
    made = lineage.merge(*[lineage.of_weights(a, a * 16) for a in ancestors], lineage.of_data("set", data))
    spec = {"task": "x", "model": {"name": model}} | teachers
    own = lineage.of_weights(name, digest, made)
    return SimpleNamespace(name=name, hash=digest, lineage=own, spec=spec)


def test_common_data_are_no_fault():
    require_independent(member("runs/gan", "1" * 64), member("runs/judge", "2" * 64))
    require_independent(member("runs/gan", "1" * 64, "abcd"), member("runs/judge", "2" * 64, "cdef"))


@pytest.mark.parametrize(
    ("generator", "judge", "said"),
    [
        # The guide itself, a judge made from it, a generator made from the judge, a common ancestor.
        (member("runs/gan", "1" * 64, "guid"), member("runs/g", "guid" * 16), "guidguidguid"),
        (member("runs/gan", "1" * 64, "guid"), member("runs/judge", "2" * 64, "guid"), "guid (guidguidguid)"),
        (member("runs/gan", "judg" * 16), member("runs/judge", "2" * 64, "judg"), "judg (judgjudgjudg)"),
        (member("runs/gan", "1" * 64, "aaaa", "lite"), member("runs/judge", "2" * 64, "lite"), "lite (litelitelite)"),
        (
            member("runs/gan", "1" * 64, guide={"name": "runs/guide", "hash": "x", "model": {"name": "resnet"}}),
            member("runs/judge", "2" * 64, model="resnet"),
            "guide 'runs/guide', found resnet too",
        ),
        (
            member("runs/cvae", "1" * 64, perceptual={"name": "lite0", "hash": "x", "model": {"name": "efficientnet"}}),
            member("runs/judge", "2" * 64, model="efficientnet"),
            "perceptual 'lite0', found efficientnet too",
        ),
    ],
)
def test_a_judge_that_is_not_independent_is_refused(generator, judge, said):
    with pytest.raises(BadInput) as refused:
        require_independent(generator, judge)
    assert said in str(refused.value)
    assert judge.name in str(refused.value)


def test_a_weights_own_hash_counts_without_its_lineage():
    judge = member("runs/judge", "2" * 64)
    judge.lineage = {}
    with pytest.raises(BadInput, match="runs/judge"):
        require_independent(member("runs/gan", "2" * 64), judge)

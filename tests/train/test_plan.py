"""Plans: arithmetic against closed forms, refusals, and a whole plan for a slice of CPUs, which needs no libtpu."""

import json
from dataclasses import replace

import jax
import pytest

from fergen import main
from fergen.commands.plan import WITHOUT_TPU
from fergen.core import config as configs
from fergen.core.errors import BadInput
from fergen.train import chips, plan_largest
from fergen.train import plan as plans
from fergen.train import plan_programs as programs_of
from fergen.train.chips import CHIPS, Chip, Slice
from fergen.train.flops import flops
from fergen.train.plan_table import markdown, text
from fergen.train.roofline import line, roofline
from fergen.train.setup import prepare, run_key

CHIP = Chip("cpu", 2, flops=1e9, bandwidth=1e8, links=1e7, usable=2**20)


def test_roofline():
    """The slower of arithmetic (2 s) and memory (5 s), and the links (1 s)."""
    found = roofline(CHIP, flops=2e9, moved=5e8, sent=1e7)
    assert found == (2.0, 5.0, 1.0)
    assert (found.seconds, found.bound) == (6.0, "memory")
    busy = roofline(CHIP, flops=9e9, moved=5e8, sent=1e7)
    assert (busy.seconds, busy.bound) == (10.0, "compute")
    assert line((2, 11), (5, 20)) == (5, 3)


def test_a_mean_step_sums_by_share():
    often = {"per_step": 1.0, "flops": 8.0, "products": 6.0, "bytes": 10.0, "sent": 4.0}
    rarely = {"per_step": 0.25, "flops": 8.0, "products": 16.0, "bytes": 20.0, "sent": 0.0}
    reduced = {"all-reduce": {"count": 2, "bytes": 12, "sent": 4.0}}
    found = programs_of.mean_step({"a": {**often, "collectives": reduced}, "b": {**rarely, "collectives": {}}})
    # Loops are in full in `products` alone: the greater counts.
    assert found == {
        "flops": 12.0,
        "bytes": 15.0,
        "sent": 4.0,
        "collectives": {"all-reduce": {"count": 2, "bytes": 12}},
    }


def test_memory_is_what_stays_the_greatest_need_and_all_code():
    programs = {"a": {"temporaries": 50, "code": 3}, "b": {"temporaries": 70, "code": 4}}
    place = Slice("cpu:4", CHIP, ())
    found = programs_of.memory_of(100, programs, place)
    assert found["hbm"] == {"resident": 100, "temporaries": 70, "code": 7, "total": 177, "usable": 2**20}
    assert found["fits"]
    assert not programs_of.memory_of(2**20, programs, place)["fits"]


@pytest.fixture
def linear(monkeypatch):
    """Stand in for compilations: memory is linear in the batch up to a step, then `more` beside."""

    def of(*, step=10**9, more=0, limit=10**9, images=10**6):
        asked = []

        def measure(config, place, *, only=None, quiet=False):
            each = config.batch_size // len(place.devices)
            asked.append((each, config.epochs / config.batch_size))
            sizes = {"images": images, "parameters": 1}
            if each > limit:
                return sizes, programs_of.TooLarge("Ran out of memory")
            temporaries = 1000 * each + (more if each >= step else 0)
            programs = {"step": {"temporaries": temporaries, "code": 24}}
            return {**sizes, **programs_of.memory_of(5000, programs, place), "programs": programs}, None

        monkeypatch.setattr(plan_largest, "measure", measure)
        config = configs.load("procedural_small", ["batch_size=16", "epochs=8"])
        place = Slice("cpu:4", CHIP, (0, 1, 2, 3))
        first, _ = measure(config, place)
        return plan_largest.largest_batch(config, place, first), asked

    return of


def test_the_largest_batch_lies_on_the_line(linear):
    """95 % of 2^20 bytes hold 5,024 and 1,000 per image: 991, of which 32 go 30 times."""
    found, asked = linear()
    assert (found["per_device_batch"], found["batch_size"], found["checked"]) == (960, 3840, True)
    assert found["predicted"] == pytest.approx(965024)
    assert found["found"] == 965024
    # A power of two of what was asked for, at most a quarter of the room; every batch makes as many steps.
    assert [each for each, _ in asked] == [4, 128, 960]
    assert len({ratio for _, ratio in asked}) == 1


def test_a_check_that_fails_leaves_what_was_compiled(linear):
    found, _ = linear(step=500, more=200_000)
    assert (found["per_device_batch"], found["checked"], found["tried"]) == (128, False, 960)
    assert found["found"] == 1_165_024
    found, _ = linear(limit=900)
    assert (found["per_device_batch"], found["checked"], found["refused"]) == (128, False, "Ran out of memory")
    # The line's foot is moved by what comes in between: the second point exceeds the room, a third is compiled.
    found, asked = linear(step=100, more=900_000)
    assert asked[1][0] == 128
    assert 4 < asked[2][0] < 128
    assert (found["per_device_batch"], found["checked"]) == (asked[2][0], True)
    found, _ = linear(limit=4)
    assert (found["per_device_batch"], found["checked"]) == (4, False)


def test_no_batch_exceeds_the_set(linear):
    found, asked = linear(images=1003)
    assert (found["per_device_batch"], found["bound"], found["checked"]) == (224, "the set", True)
    assert asked[-1][0] == 224
    found, asked = linear(images=16)
    assert (found["per_device_batch"], found["bound"], len(asked)) == (4, "the set", 1)


@pytest.fixture
def four(monkeypatch):
    """A slice of four of this machine's CPUs, described."""
    place = Slice("cpu:4", replace(CHIP, usable=2**30), tuple(jax.devices()[:4]))
    monkeypatch.setattr(plans, "described", lambda topology: place)
    return place


def test_a_plan_of_cpus(four, tiny):
    """The real step's sizes: state, set and block stay; gradients are summed; arithmetic is a quarter on each."""
    config = tiny("model.hidden=16")
    found = plans.plan(config, "cpu:4", largest=False, quiet=True)
    this = prepare(config)
    state = this.init(run_key(config))
    block = this.source.block(0, config.scan)
    held = sum(leaf.nbytes for leaf in jax.tree.leaves((state, this.source.arrays)))
    assert found["hbm"]["resident"] == held + block.nbytes // 4
    assert found["parameters"] == sum(leaf.size for leaf in jax.tree.leaves(state.nets["classifier"].params))
    assert found["images"] == 96
    assert (found["batch_size"], found["per_device_batch"], found["devices"]) == (16, 4, 4)
    assert found["step"]["collectives"]["all-reduce"]["bytes"] >= 4 * found["parameters"]
    (program,) = found["programs"].values()
    assert program["per_step"] == 1
    item = jax.tree.map(lambda x: x[0], block)
    whole = flops(this.parts["step"], state, this.frozen, this.source.arrays, item)
    assert program["products"] == pytest.approx(whole / 4)
    assert found["fits"]
    assert found["roofline"]["images_per_second"] == pytest.approx(16 / found["roofline"]["seconds"])
    shown = text(found)
    assert "batch 16 (4 each), float32" in shown
    assert "roofline, not measured" in shown
    row = markdown([("a.json", json.loads(json.dumps(found)))]).splitlines()[2]
    assert row.startswith("| tiny_config")
    assert row.count("|") == markdown([]).splitlines()[0].count("|")


def test_shares_of_programs(tiny):
    """Over a run's 72 steps: one program in each, and one in every third."""
    this = prepare(tiny())
    taking = this._replace(due=lambda step: ("a", "b") if step % 3 == 0 else ("a",))
    assert programs_of.forms_of(taking) == {
        programs_of.Form("a", False): 1.0,
        programs_of.Form("b", False): pytest.approx(1 / 3),
    }


def test_a_refusal_says_how_much():
    said = (
        "RESOURCE_EXHAUSTED: Ran out of memory on HBM, the total memory required for HLO temporaries (768.00G) exceeds"
        " available HBM (15.75G). \n\nmore"
    )
    assert programs_of.refusal(said) == (
        "Ran out of memory on HBM, the total memory required for HLO temporaries (768.00G) exceeds available HBM"
        " (15.75G)"
    )


@pytest.mark.parametrize(
    ("topology", "said"),
    [
        ("v9:2x2", "--topology=v9:2x2: expected a chip and the shape of a slice: v5e, v6e: 1x1, 2x2, 2x4"),
        ("v5e:2x2x2", "as v5p:2x2x1"),
        ("v5p:2x2", "v5p, tpu7x: 1x1x1"),
        ("2x4", "as v5e:2x4"),
        ("v5e:0x4", "as v5e:2x4"),
    ],
)
def test_topologies_that_are_none(topology, said):
    with pytest.raises(BadInput) as refused:
        chips.described(topology)
    assert said in str(refused.value)


def test_without_libtpu(monkeypatch, capsys):
    for name in WITHOUT_TPU:
        monkeypatch.setenv(name, "")  # restored behind the test
    monkeypatch.setattr(chips.importlib.util, "find_spec", lambda name: None)
    assert main.main(["plan", "--config=procedural_small:smoke", "--topology=v5e:2x4"]) == 2
    said = capsys.readouterr().err
    assert said == "fergen: fergen plan compiles with libtpu, which is not installed: pip install 'fergen[tpu]'\n"


def test_batches_that_do_not_divide(four, tiny):
    with pytest.raises(BadInput, match=r"batch_size=18: does not divide by the 4 devices of cpu:4; take a multiple"):
        plans.plan(tiny("batch_size=18"), "cpu:4")


@pytest.mark.parametrize(
    ("argv", "said"), [([], "--config=NAME"), (["--config=quickstart", "--per_device_batch=0"], "at least 1")]
)
def test_what_the_verb_refuses(argv, said, monkeypatch, capsys):
    for name in WITHOUT_TPU:
        monkeypatch.setenv(name, "")
    assert main.main(["plan", *argv]) == 2
    assert said in capsys.readouterr().err


def test_a_table_of_no_plan(tmp_path, capsys):
    path = tmp_path / "x.json"
    path.write_text("{}")
    assert main.main(["plan", "--table", str(path)]) == 2
    assert capsys.readouterr().err == (
        f"fergen: {path}: expected what fergen plan --out writes, found none (KeyError: 'precision')\n"
    )


def test_peaks_are_those_of_the_pages():
    """A device of a chip that holds two has half of it."""
    assert (CHIPS["v5e"].flops, CHIPS["v5e"].bandwidth) == (197e12, 819e9)
    assert 2 * CHIPS["tpu7x"].flops == 2307e12

"""Bad input to train, eval and predict: one clear line on standard error, status 2, nothing left behind."""

import os

import pytest

from fergen.train import checkpoints
from tests.contract.world import ROW, Case, refused, untouched

TRAIN: dict[str, Case] = {
    "unknown config": (lambda w: ["--config=fer2013_smal"], ("no such config", "fer2013_small")),
    "no such config file": (lambda w: ["--config=mine.py"], ("mine.py", "no such config")),
    "a config with an error": (
        lambda w: [f"--config={w.write('mine.py', 'import nowhere_at_all')}"],
        ("mine.py", "ModuleNotFoundError", "nowhere_at_all"),
    ),
    "a config that is none": (
        lambda w: [f"--config={w.write('mine.py', 'x = 1')}"],
        "expected a function get_config()",
    ),
    "binary noise as a config": (lambda w: [f"--config={w.write('mine.py', os.urandom(999))}"], "mine.py"),
    "unknown argument": (lambda w: ["--config=fer2013_small:smok"], (":smok", ":smoke")),
    "unknown field": (lambda w: [w.config, "--config.optim.learning=1"], "config.optim has no field 'learning'"),
    "unknown field, nearly right": (lambda w: [w.config, "--config.epoch=1"], "did you mean epochs?"),
    "wrong type": (lambda w: [w.config, "--config.seed=many"], "--config.seed=many: expected int, found str"),
    "a group is no value": (lambda w: [w.config, "--config.optim=adam"], "--config.optim is a group"),
    "override without value": (lambda w: [w.config, "--config.seed"], "expected --config.FIELD=VALUE"),
    "unknown data set": (
        lambda w: [w.config, "--config.data.name=fer2031"],
        ("no prepared set 'fer2031'", "fergen prepare"),
    ),
    "unknown split": (lambda w: [w.config, "--config.data.split=test"], ("data.split=test", "expected train")),
    "unknown vocabulary": (lambda w: [w.config, "--config.data.vocabulary=six"], "six"),
    "unknown labels": (lambda w: [w.config, "--config.data.labels=mine"], "mine"),
    "labels that the set has not": (lambda w: [w.config, "--config.data.labels=ferplus"], "ferplus"),
    "wrong name of procedural faces": (
        lambda w: [w.config, "--config.data.name=procedural_huge"],
        ("procedural_huge", "found 'huge'"),
    ),
    "unknown task": (lambda w: [w.config, "--config.task=painter"], ("--config.task=painter", "fergen/tasks")),
    "unknown model": (lambda w: [w.config, "--config.model.name=alexnet"], ("'alexnet'", "fergen/models")),
    "wrong option of a model": (lambda w: [w.config, "--config.model.filters=()"], "cnn_simple"),
    "option that a model has not": (lambda w: [w.config, "--config.model.name=resnet"], ("resnet", "filters")),
    "unknown optimiser": (lambda w: [w.config, "--config.optim.name=lion"], ("optim.name", "lion")),
    "unknown schedule": (lambda w: [w.config, "--config.optim.schedule.name=wave"], ("schedule", "wave")),
    "negative rate": (lambda w: [w.config, "--config.optim.lr=-1.0"], "optim.lr"),
    "unknown precision": (lambda w: [w.config, "--config.precision=half"], ("precision", "half")),
    "unknown generator": (lambda w: [w.config, "--config.rng=mersenne"], ("rng", "mersenne")),
    "unknown class weights": (lambda w: [w.config, "--config.loss.class_weights=some"], "expected none or balanced"),
    "smoothing out of range": (lambda w: [w.config, "--config.loss.label_smoothing=1.5"], "label_smoothing"),
    "decay out of range": (lambda w: [w.config, "--config.ema=1.5"], "ema"),
    "augmentation out of range": (lambda w: [w.config, "--config.augment.flip=2"], "flip"),
    "batch that does not divide": (lambda w: [w.config, "--config.batch_size=12"], ("12", "8 devices")),
    "no batch": (lambda w: [w.config, "--config.batch_size=0"], "batch"),
    "no steps per dispatch": (lambda w: [w.config, "--config.scan=0"], "scan"),
    "saves between dispatches": (lambda w: [w.config, "--config.save_every=3"], ("save_every=3", "multiple")),
    "no checkpoint kept": (lambda w: [w.config, "--config.keep=0"], "keep"),
    "no epochs": (lambda w: [w.config, "--config.epochs=-1.0"], "epochs"),
    "no such weights": (lambda w: [w.config, "--config.init_from=nothing"], ("'nothing'", ".safetensors")),
    "noise as weights": (
        lambda w: [w.config, f"--config.init_from={w.write('x.safetensors', os.urandom(999))}"],
        "x.safetensors",
    ),
    "a file as workdir": (lambda w: [w.config, f"--workdir={w.write('run', 'x')}"], "run"),
}


@pytest.mark.parametrize("case", TRAIN)
def test_train(case, world, capsys):
    arguments, said = TRAIN[case]
    argv = ["train", "--workdir=run", "--quiet", "--config.epochs=0.1", *arguments(world)]
    with untouched(world.folder):
        refused(argv, said, capsys)


def test_train_in_a_workdir_at_work(world, trained, capsys):
    with checkpoints.locked(trained), untouched(trained, but=(".lock",)):
        refused(["train", world.config, f"--workdir={trained}"], "another run is at work here", capsys)


def test_train_on_a_checkpoint_of_another_architecture(world, trained, capsys):
    argv = ["train", world.config, f"--workdir={trained}", "--quiet", "--config.model.filters=(4,16)"]
    with untouched(trained, but=(".lock",)):
        refused(argv, ("leaf nets/classifier/", "expected", "found", "another architecture"), capsys)


EVAL: dict[str, Case] = {
    "absent split": (lambda w: ["--workdir=RUN", "--split=public"], ("no split 'public'", "train, validation")),
    "unknown split": (lambda w: ["--workdir=RUN", "--split=validation,tset"], ("no split 'tset'", "train, validation")),
    "no checkpoints": (lambda w: ["--workdir=nowhere"], ("nowhere", "with checkpoints, found none")),
    "unknown step": (lambda w: ["--workdir=RUN", "--step=7"], ("@7: no such checkpoint", "there are: 6")),
    "a word as step": (lambda w: ["--workdir=RUN", "--step=first"], "@first: no such checkpoint"),
    "unknown data set": (lambda w: ["--workdir=RUN", "--data=nothing"], ("no prepared set 'nothing'", "prepare")),
    "unknown vocabulary": (lambda w: ["--workdir=RUN", "--vocabulary=six"], "six"),
    "neither run nor weights": (lambda w: [], "--workdir=DIR or --weights"),
    "no such weights": (lambda w: ["--weights", "nothing", "--out=x"], "weights 'nothing'"),
    "no place for results": (lambda w: ["--weights", "RUN"], "--out=DIR"),
    "one member to select from": (lambda w: ["--weights", "RUN", "--select", "--out=x"], "several --weights"),
    "no batch": (lambda w: ["--workdir=RUN", "--batch=0"], "--batch"),
    "a judge of a classifier": (lambda w: ["--workdir=RUN", "--judge=fer2013_judge"], ("for generators", "classifier")),
}


@pytest.mark.parametrize("case", EVAL)
def test_eval(case, world, trained, capsys):
    arguments, said = EVAL[case]
    argv = ["eval", "--bootstrap=0", *(a.replace("RUN", str(trained)) for a in arguments(world))]
    with untouched(world.folder, trained):
        refused(argv, said, capsys)


PREDICT: dict[str, Case] = {
    "missing path": (lambda w: ["nowhere.png"], ("nowhere.png", "no such file")),
    "one missing of two": (lambda w: [w.write("a.png", w.png()), "nowhere.png"], ("nowhere.png", "no such file")),
    "empty folder": (lambda w: [str(w.folder.joinpath("empty").mkdir() or "empty")], ("empty", "found none")),
    "folder without images": (lambda w: [w.write("notes/a.txt", "x").split("/")[0]], ("notes", "found none")),
    "binary noise as PNG": (lambda w: [w.write("a.png", os.urandom(3000))], "a.png"),
    "empty image": (lambda w: [w.write("a.png", "")], "a.png"),
    "truncated image": (lambda w: [w.write("a.png", w.png()[:1500])], "a.png"),
    "truncated image after a good one": (
        lambda w: [w.write("a.png", w.png()), w.write("b.png", w.png()[:1500])],
        "b.png",
    ),
    "neither image nor table": (lambda w: [w.write("a.doc", "x")], ("a.doc", "expected an image")),
    "empty table": (lambda w: [w.write("a.csv", "")], ("a.csv", "empty file")),
    "table without pixels": (lambda w: [w.write("a.csv", "emotion,face\n1,2\n")], ("a.csv", "column 'pixels'")),
    "table without rows": (lambda w: [w.write("a.csv", "pixels\n")], ("a.csv", "rows")),
    "wrong number of pixels": (
        lambda w: [w.write("a.csv", f"pixels\n{ROW}\n{ROW} 7\n")],
        ("a.csv row 1 (line 3)", "2304", "2305"),
    ),
    "pixels out of range": (lambda w: [w.write("a.csv", f"pixels\n{ROW[:-1]}256\n")], ("a.csv row 0", "256")),
    "negative pixels": (lambda w: [w.write("a.csv", f"pixels\n{ROW[:-1]}-1\n")], ("a.csv row 0", "-1")),
    "pixels that are words": (lambda w: [w.write("a.csv", f"pixels\n{ROW[:-1]}x\n")], ("a.csv row 0", "x")),
    "binary noise as table": (lambda w: [w.write("a.csv", b"pixels\n\xff\xfe\x00\x80" * 99)], "a.csv"),
    "unknown suffix of the output": (
        lambda w: [w.write("a.png", w.png()), "--out=faces.xls"],
        ("--out=faces.xls", ".csv or .json"),
    ),
    "unknown suffix of the picture": (lambda w: [w.write("a.png", w.png()), "--show=faces.doc"], ".png"),
    "no such weights": (lambda w: [w.write("a.png", w.png()), "--weights=nothing"], "weights 'nothing'"),
    "zip bomb": (lambda w: [w.zip("a.zip", {"a.png": bytes(1 << 25)})], ("a.png", "zip bomb")),
    "traversal": (lambda w: [w.zip("a.zip", {"../../a.png": w.png()})], ("a.zip", "../../a.png")),
}


@pytest.mark.parametrize("case", PREDICT)
def test_predict(case, world, trained, capsys):
    arguments, said = PREDICT[case]
    argv = ["predict", f"--weights={trained}", "--out=out.csv", *arguments(world)]
    with untouched(world.folder, trained):
        refused(argv, said, capsys)


SAMPLE: dict[str, Case] = {
    "no such weights": (lambda w: ["--weights=nothing"], "weights 'nothing'"),
    "weights of a classifier": (lambda w: [], ("expected a generator", "found a classifier")),
    "a folder and a set": (lambda w: ["--out=a", "--dataset=b"], "expected --out or --dataset, found both"),
    "a number of faces for a picture": (lambda w: ["--n=10"], "--n goes with --out=DIR or --dataset=DIR"),
    "columns of a folder": (lambda w: ["--out=a", "--columns=3"], "--columns goes with a picture"),
    "counts that are none": (lambda w: ["--dataset=a", "--labels=happy"], ("--labels=happy", "EMOTION=NUMBER")),
    "counts and classes": (lambda w: ["--dataset=a", "--labels=sad=1", "--classes=sad"], "leave out --n, --classes"),
    "a confidence without a filter": (lambda w: ["--dataset=a", "--confidence=.5"], "with --filter"),
    "no faces": (lambda w: ["--dataset=a", "--n=0"], "--n=0: expected at least 1"),
}


@pytest.mark.parametrize("case", SAMPLE)
def test_sample(case, world, trained, capsys):
    arguments, said = SAMPLE[case]
    with untouched(world.folder, trained):
        refused(["sample", f"--weights={trained}", *arguments(world)], said, capsys)


STUDY: dict[str, Case] = {
    "unknown config": (lambda w: ["--config=quickstar"], ("no such config", "quickstart")),
    "an experiment": (lambda w: ["--config=fer2013_small"], ("fer2013_small", "fergen train")),
    "unknown field": (lambda w: ["--config=quickstart", "--config.judges=x"], "did you mean judge?"),
    "a generator as judge": (
        lambda w: ["--config=quickstart", "--config.judge=procedural_cgan"],
        ("--config.judge=procedural_cgan", "expected the config of a classifier"),
    ),
}


@pytest.mark.parametrize("case", STUDY)
def test_study(case, world, capsys):
    arguments, said = STUDY[case]
    with untouched(world.folder):
        refused(["study", "--workdir=run", "--quiet", *arguments(world)], said, capsys)

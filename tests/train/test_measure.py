"""Following a run: each checkpoint as it comes, until the run ends."""

import threading
import time

from fergen import main
from fergen.core.errors import BadInput
from fergen.train import checkpoints, measure


def test_follow_of_a_folder_that_is_not_there_is_an_error(tmp_path, capsys):
    assert main.main(["eval", f"--workdir={tmp_path / 'absent'}", "--follow"]) == 2
    error = capsys.readouterr().err
    assert "absent: expected a run's folder" in error
    assert error.count("\n") == 1


def test_follow_waits_for_checkpoints_until_the_run_ends(tmp_path, capsys):
    workdir = tmp_path / "run"
    folder = workdir / checkpoints.FOLDER

    def train():
        with checkpoints.locked(workdir):
            for step in (1, 2, 3):
                time.sleep(0.15)
                (folder / str(step)).mkdir(parents=True)
            time.sleep(0.15)

    trainer = threading.Thread(target=train)
    measured = []
    follower = threading.Thread(target=lambda: measure.follow(workdir, measured.append, poll=0.02))
    workdir.mkdir()
    follower.start()  # before the run's first checkpoint, and before it holds its lock
    trainer.start()
    trainer.join()
    follower.join(timeout=5)
    assert not follower.is_alive()
    assert measured == [1, 2, 3]
    assert "no checkpoint yet, waiting" in capsys.readouterr().err


def test_follow_passes_over_a_checkpoint_that_the_run_removed(tmp_path):
    folder = tmp_path / checkpoints.FOLDER
    for step in (1, 2):
        (folder / str(step)).mkdir(parents=True)

    def remove(step):
        if step == 1:
            (folder / "1").rmdir()
            raise BadInput("the checkpoint is damaged")

    assert measure.follow(tmp_path, remove, poll=0.01) == [2]

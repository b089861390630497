"""Whole sittings: files and cameras watched to their end, what is written of them, and bad input."""

import csv
import json
import os
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest

from fergen import main
from fergen.commands.predict import predict
from fergen.core.errors import BadInput, Preempted
from fergen.data import detect
from fergen.data.detect import Face
from fergen.live import loop, session, video, window
from fergen.live import source as sources
from fergen.live.overlay import FOOT
from fergen.live.record import NOTE
from fergen.live.session import live
from fergen.live.source import Broken, Source, open_source
from tests.contract.world import refused, untouched
from tests.live import clips

N = 45
PLACE = (232.0, 60.0, 104.0, 130.0)


def still(image: np.ndarray) -> list[Face]:
    """A detector that knows where to look."""
    return [Face(PLACE, 1.0)]


def rows_of(path) -> list[dict[str, str]]:
    with open(path) as file:
        assert file.readline() == f"# {NOTE}\n"
        return list(csv.DictReader(file))


def lines_of(path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> str:
    """The astronaut, drifting and zooming."""
    return clips.write(tmp_path_factory.mktemp("clips") / "a.mp4", [clips.picture(clips.moved(i)) for i in range(N)])


@pytest.fixture(scope="module")
def empty(tmp_path_factory) -> str:
    """Nobody there."""
    images = [np.full((120, 160, 3), 40 + i, np.uint8) for i in range(12)]
    return clips.write(tmp_path_factory.mktemp("clips") / "nobody.mp4", images)


@pytest.fixture
def blinking() -> list[np.ndarray]:
    """The astronaut's face, dark for a second and bright for another."""
    image = clips.picture(clips.shifted(0, 0, 0) + [[0, 0, 20], [0, 0, 0]])
    return [image // 4] * 30 + [np.minimum(image.astype(int) * 2, 255).astype(np.uint8)] * 30


def test_the_shipped_network_on_a_real_moving_face(clip, tmp_path, capsys):
    out, record = tmp_path / "out" / "a.mp4", tmp_path / "out" / "a.csv"
    argv = ["live", clip, "--headless", f"--out={out}", f"--record={record}", "--quiet", "--every=15"]
    assert main.main(argv) == 0
    assert capsys.readouterr() == ("", "")
    found = rows_of(record)
    own = [row for row in found if row["face"] == "1"]
    assert [int(row["frame"]) for row in own] == list(range(N))  # one number over the whole clip, a row per frame
    np.testing.assert_allclose([float(row["time"]) for row in own], np.arange(N) / 30, atol=1e-3)
    assert {row["expression"] for row in own} == {"happy"}
    assert {int(row["frame"]) for row in own if row["found"] == "detected"} >= {0, 15, 30}
    classes = list(found[0])[8:-1]
    assert classes == ["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"]
    for row in own:
        assert sum(float(row[name]) for name in classes) == pytest.approx(1, abs=1e-5)
        x, y, w, h = (float(row[name]) for name in ("x", "y", "width", "height"))
        truth = clips.head(clips.moved(int(row["frame"]))).box
        assert abs(x + w / 2 - truth[0] - truth[2] / 2) < 25
        assert abs(y + h / 2 - truth[1] - truth[3] / 2) < 25
    frames = clips.read(out)
    assert len(frames) == N
    assert frames[0].shape == (480, 640, 3)
    assert sorted(path.name for path in out.parent.iterdir()) == ["a.csv", "a.mp4"]


def test_probabilities_are_those_of_predict(clip, tmp_path):
    """The same crop, classified by `fergen predict`, has the first frame's probabilities."""
    from PIL import Image

    from fergen.live.classifier import load

    live(clip, record=tmp_path / "a.jsonl", detector=still, every=99)
    about, first = lines_of(tmp_path / "a.jsonl")[:2]
    own = load("fer2013_distilled")
    with open_source(clip) as source:
        crop = loop.cut(next(iter(source.frames())).image, Face(PLACE, 1.0), own)
    Image.fromarray(crop[..., 0]).save(tmp_path / "crop.png")
    said = predict(tmp_path / "crop.png").probabilities[0]
    np.testing.assert_allclose(list(first["faces"][0]["of_this_frame"].values()), said, atol=2e-5)
    assert about["temperature"] == own.card["temperature"]
    assert about["note"] == NOTE
    assert "not an inner feeling" in NOTE
    assert "not an inner feeling" in FOOT


def test_lines_match_frames_and_smoothing_follows(blinking, tmp_path):
    path = clips.write(tmp_path / "a.avi", blinking, "MJPG")
    done = live(path, clips.brightness(), record=tmp_path / "a.jsonl", detector=still, every=5, constant=0.4)
    assert (done.frames, done.total, done.dropped, done.faces, done.stopped) == (60, 60, 0, {1}, False)
    about, *lines = lines_of(tmp_path / "a.jsonl")
    assert about["classes"] == ["dark", "bright"]
    assert (about["every"], about["smooth"], about["live"], about["width"]) == (5, 0.4, False, 640)
    assert [line["frame"] for line in lines] == list(range(60))
    raw = np.array([line["faces"][0]["of_this_frame"]["bright"] for line in lines])
    smooth = np.array([line["faces"][0]["probabilities"]["bright"] for line in lines])
    low, high = raw[29], raw[-1]
    assert high - low > 0.3
    expected = high + (low - high) * np.exp(-np.arange(1, 31) / 30 / 0.4)
    np.testing.assert_allclose(smooth[30:], expected, atol=0.02)
    assert [line["faces"][0]["found"] for line in lines[:10:5]] == ["detected"] * 2


def test_abstention_follows_the_threshold(blinking, tmp_path):
    path = clips.write(tmp_path / "a.avi", blinking, "MJPG")
    for threshold, names in ((0.0, {"dark", "bright"}), (1.0, {"uncertain"})):
        live(path, clips.brightness(), record=tmp_path / "a.csv", detector=still, threshold=threshold)
        assert {row["expression"] for row in rows_of(tmp_path / "a.csv")} == names


def test_nobody_is_no_error(empty, tmp_path):
    done = live(empty, clips.brightness(), out=tmp_path / "a.webm", record=tmp_path / "a.csv")
    assert (done.frames, done.faces) == (12, set())
    assert rows_of(tmp_path / "a.csv") == []
    live(empty, clips.brightness(), record=tmp_path / "a.jsonl")
    assert [line["faces"] for line in lines_of(tmp_path / "a.jsonl")[1:]] == [[]] * 12
    assert [frame.shape for frame in clips.read(tmp_path / "a.webm")] == [(120, 160, 3)] * 12


def test_large_frames_are_searched_small_and_cropped_large(tmp_path):
    size, sides, crops = (1080, 1920), [], []
    big = [clips.picture(np.float32([[3, 0, 9 * i], [0, 3, 0]]), size) for i in range(4)]

    def find(image):
        sides.append(image.shape)
        return [Face((169.0 + 3 * len(sides), 60.0, 104.0, 130.0), 1.0)]

    own = clips.brightness()
    with open_source(clips.write(tmp_path / "a.mp4", big)) as source:
        for seen in loop.watch(source, own, find, threshold=0.5, every=99):
            crops.append(seen.faces[0].face.box)
    assert sides[0] == (360, 640, 3)
    np.testing.assert_allclose(crops[0], (516, 180, 312, 390))
    assert len(sides) == 2  # a new face is looked for once more
    np.testing.assert_allclose(crops[-1][0] - crops[0][0], 27, atol=3)


def test_batches_have_few_shapes_and_change_nothing():
    shapes, own = [], clips.brightness()

    def probabilities(images):
        shapes.append(len(images))
        return own.probabilities(images)

    from dataclasses import replace

    counted = replace(own, probabilities=probabilities)
    faces = [np.full((8, 8, 1), 10 * i, np.uint8) for i in range(21)]
    for n in (0, 1, 2, 3, 5, 8, 9, 21):
        np.testing.assert_allclose(loop.classify(counted, faces[:n])[:, 1], np.arange(n) * 10 / 255, atol=1e-6)
    assert set(shapes) == {1, 2, 4, 8}
    shapes.clear()
    loop.warm_up(counted)
    assert shapes == list(loop.BATCHES)


def test_nothing_is_compiled_once_it_runs():
    import jax

    from fergen.live.classifier import load

    own, compiled = load("fer2013_small"), []
    loop.warm_up(own)
    jax.monitoring.register_event_duration_secs_listener(lambda name, *_, **__: compiled.append(name))
    try:
        for n in (1, 3, 2, 7, 12):
            loop.classify(own, [np.zeros((48, 48, 1), np.uint8)] * n)
    finally:
        jax.monitoring.clear_event_listeners()
    assert not [name for name in compiled if "compile" in name]


def test_a_camera_that_goes_away_leaves_whole_files(blinking, tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "PATIENCE", 0.3)
    source = Source("camera 0", clips.Camera(blinking, every=0.02), live=True)
    with pytest.raises(Broken, match="camera 0: went away after 60 frames"):
        live(source, clips.brightness(), out=tmp_path / "a.mp4", record=tmp_path / "a.jsonl", detector=still)
    about, *lines = lines_of(tmp_path / "a.jsonl")
    assert about["live"]
    assert lines[-1]["frame"] == 59
    # 30 frames a second by the clock, whatever was dropped: it plays as fast as life.
    assert len(clips.read(tmp_path / "a.mp4")) == pytest.approx(30 * lines[-1]["time"] + 1, abs=1.5)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.jsonl", "a.mp4"]


def test_the_command_says_that_a_camera_went_away(blinking, tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(sources, "PATIENCE", 0.3)
    camera = Source("camera 0", clips.Camera(blinking, every=0.02), live=True)
    monkeypatch.setattr(session, "open_source", lambda text: camera)
    assert main.main(["live", "--headless", "--quiet", f"--record={tmp_path / 'a.csv'}"]) == 2
    assert capfd.readouterr() == ("", "fergen: camera 0: went away after 60 frames; what was written ends there\n")
    assert len(rows_of(tmp_path / "a.csv")) > 5


def test_a_file_cut_off_is_written_as_far_as_it_goes(tmp_path, capfd):
    path = tmp_path / "a.avi"
    clips.write(path, [clips.picture(clips.moved(i)) for i in range(60)], "MJPG")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 3])
    argv = ["live", str(path), "--headless", "--quiet", f"--out={tmp_path / 'o.mp4'}"]
    assert main.main(argv) == 2
    shown = capfd.readouterr()
    assert shown.err.count("\n") == 1
    assert "expected 60 frames, found" in shown.err
    assert 10 <= len(clips.read(tmp_path / "o.mp4")) < 30


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_with_whole_files(number, clip, tmp_path, monkeypatch, capsys):
    asked = []

    def find(image):
        asked.append(1)
        if len(asked) == 4:
            os.kill(os.getpid(), number)
        return still(image)

    monkeypatch.setattr(detect, "detector", lambda name, **_: find)
    argv = ["live", clip, "--headless", "--quiet", "--every=5", f"--out={tmp_path / 'a.mp4'}"]
    assert main.main([*argv, f"--record={tmp_path / 'a.csv'}"]) == 75
    done = len(rows_of(tmp_path / "a.csv"))
    assert done < N
    assert len(clips.read(tmp_path / "a.mp4")) == done
    assert f"stopped after {done} of {N} frames" in capsys.readouterr().err


def test_a_camera_is_ended_by_a_signal_without_fault(blinking, tmp_path, monkeypatch, capsys):
    camera = Source("camera 0", clips.Camera(blinking * 20, every=0.02), live=True)
    monkeypatch.setattr(session, "open_source", lambda text: camera)
    monkeypatch.setattr(detect, "detector", lambda name, **_: lambda image: os.kill(os.getpid(), signal.SIGTERM) or [])
    assert main.main(["live", "--headless", f"--record={tmp_path / 'a.jsonl'}"]) == 0
    assert "1 frames in" in capsys.readouterr().out
    assert len(lines_of(tmp_path / "a.jsonl")) == 2


def test_a_stop_before_the_first_frame_writes_nothing(clip, tmp_path):
    stop = threading.Event()
    stop.set()
    with pytest.raises(Preempted, match="nothing was written"):
        live(clip, clips.brightness(), out=tmp_path / "a.mp4", detector=still, stop=stop)
    assert list(tmp_path.iterdir()) == []


class Shown:
    """A window without a screen, closed at its fifth frame."""

    frames: list[np.ndarray] = []

    def __enter__(self):
        self.frames.clear()
        return self

    def __exit__(self, *_): ...

    def show(self, image):
        self.frames.append(image)

    @property
    def closed(self):
        return len(self.frames) == 5


def test_q_ends_a_sitting(clip, tmp_path, monkeypatch):
    monkeypatch.setattr(session, "Window", Shown)
    done = live(clip, clips.brightness(), record=tmp_path / "a.jsonl", detector=still, show=True)
    assert (done.frames, done.stopped) == (5, False)
    assert len(Shown.frames) == 5
    assert len(lines_of(tmp_path / "a.jsonl")) == 6


def test_no_display_is_said_in_a_line(clip, monkeypatch, capsys):
    monkeypatch.delenv("DISPLAY", raising=False)
    refused(["live", clip], ("no window", "--headless"), capsys)


def test_no_tk_is_said_in_a_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "tkinter", None)
    with pytest.raises(BadInput, match="python3-tk"):
        window.Window()


@pytest.mark.skipif("DISPLAY" not in os.environ, reason="no display")
def test_a_window_shows_and_hears_q():
    with window.Window() as shown:
        image = clips.picture(clips.moved(0))
        shown.show(image)
        assert not shown.closed
        assert shown._label.winfo_width() == 640
        shown._root.focus_force()
        shown._root.update()
        shown._root.event_generate("<Key-q>")
        shown.show(image)
        assert shown.closed


BAD = {
    "missing": (["nowhere.mp4", "--record=o.csv"], "nowhere.mp4: no such file"),
    "empty": (["empty.mp4", "--record=o.csv"], "empty.mp4: an empty file"),
    "no video": (["notes.mp4", "--out=o.mp4"], "notes.mp4: expected a video"),
    "no camera": (["97", "--out=o.mp4"], "camera 97: no camera that can be opened"),
    "a folder": (["folder", "--out=o.mp4"], "Is a directory"),
    "unknown ending of the video": (["a.mp4", "--out=o.mov"], ("--out=o.mov", ".mp4 or .webm or .avi")),
    "unknown ending of the record": (["a.mp4", "--record=o.json"], ("--record=o.json", ".csv or .jsonl")),
    "a folder for a video": (["a.mp4", "--out=folder/x.mp4"], "found a folder"),
    "over itself": (["a.mp4", "--out=folder/../a.mp4"], "that is the source"),
    "a place that cannot be": (["a.mp4", "--out=notes.mp4/o.mp4"], "notes.mp4/o.mp4: cannot be written"),
    "a record that cannot be": (["a.mp4", "--record=notes.mp4/o.csv"], "notes.mp4/o.csv: cannot be written"),
    "nothing to do": (["a.mp4"], "--headless shows nothing"),
    "no such weights": (["a.mp4", "--out=o.mp4", "--weights=nothing"], "weights 'nothing'"),
    "no such detector": (["a.mp4", "--out=o.mp4", "--detector=nobody"], "nobody"),
    "every none": (["a.mp4", "--out=o.mp4", "--every=0"], "--every=0: expected at least 1"),
    "negative smoothing": (["a.mp4", "--out=o.mp4", "--smooth=-1"], "--smooth=-1.0: expected at least 0"),
    "smoothing that is none": (["a.mp4", "--out=o.mp4", "--smooth=nan"], "--smooth=nan"),
    "a threshold above one": (["a.mp4", "--out=o.mp4", "--threshold=59"], "--threshold=59.0: expected 0 to 1"),
    "an accuracy above one": (["--choose=fer2013", "--accuracy=80"], "--accuracy=80.0: expected 0 to 1"),
    "a set that is not there": (["--choose=nothing"], "no prepared set 'nothing'"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input(case, empty, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder" / "x.mp4").mkdir(parents=True)
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "notes.mp4").write_text("not a video\n" * 99)
    (tmp_path / "a.mp4").symlink_to(empty)
    arguments, said = BAD[case]
    with untouched(tmp_path):
        refused(["live", "--headless", *arguments], said, capfd)


def test_a_codec_that_fails_is_named_and_nothing_else_is_printed(empty, tmp_path, monkeypatch, capfd):
    monkeypatch.setitem(video.CODECS, ".mp4", "av01")  # the wheel reads it and cannot write it
    assert main.main(["live", empty, "--headless", "--quiet", f"--out={tmp_path / 'o.mp4'}"]) == 2
    shown = capfd.readouterr().err
    assert shown.count("\n") == 1
    assert "o.mp4: the codec av01 fails for 160x120 pixels" in shown
    assert list(tmp_path.iterdir()) == []


def test_a_video_that_does_not_hold_its_frames_is_an_error(tmp_path):
    path = tmp_path / "a.avi"
    out = video.Video(path, (64, 64), 30.0)
    for _ in range(40):
        out.write(np.zeros((64, 64, 3), np.uint8))
    out._writer.release()
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(BadInput, match="40 frames were written, it holds 0: is the disk full?"):
        out.close()


def test_the_process_prints_one_line_and_ends_with_two(tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"\0\0\0\x18ftypmp42" + os.urandom(4000))
    argv = [sys.executable, "-m", "fergen.main", "live", str(tmp_path / "a.mp4"), "--headless", "--out=o.mp4"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("fergen: ")


def test_the_help_says_the_defaults_and_what_an_expression_is_not(capsys):
    with pytest.raises(SystemExit):
        main.main(["live", "--help"])
    said = " ".join(capsys.readouterr().out.split())
    assert "not what somebody feels" in said
    for text in (f"next ({loop.EVERY})", f"none ({loop.CONSTANT})", "named (the weights' own)"):
        assert text in said  # written out there, since the help loads no OpenCV

"""Frames from files, and from cameras that hesitate, hang and go away."""

import http.server
import threading
import time

import cv2
import numpy as np
import pytest

from fergen.core.errors import BadInput
from fergen.live import source as sources
from fergen.live.source import Broken, Source, open_source
from tests.live import clips


def numbered(n: int, size: tuple[int, int] = (64, 96)) -> list[np.ndarray]:
    """Flat images whose gray value is their number."""
    return [np.full((*size, 3), i, np.uint8) for i in range(n)]


@pytest.fixture
def patience(monkeypatch):
    """Little of it."""
    monkeypatch.setattr(sources, "PATIENCE", 0.3)
    monkeypatch.setattr(sources, "HANGS", 0.6)


def test_a_file_gives_every_frame_with_its_time(tmp_path):
    images = [clips.picture(clips.moved(i)) for i in range(20)]
    path = clips.write(tmp_path / "a.mp4", images, fps=25)
    with open_source(path) as source:
        assert (source.size, source.fps, source.steady, source.total, source.live) == ((480, 640), 25, True, 20, False)
        frames = list(source.frames())
    assert [frame.index for frame in frames] == list(range(20))
    np.testing.assert_allclose([frame.time for frame in frames], np.arange(20) / 25, atol=1e-3)
    for frame, image in zip(frames, images):  # red is red: the codec's loss is far below a swap of channels
        assert np.abs(frame.image.astype(int) - image).mean() < 6
        assert np.abs(frame.image[..., ::-1].astype(int) - image).mean() > 10


def test_variable_frame_rates_keep_their_own_clock():
    class Jumpy(clips.Camera):
        stamps = (0.0, 40.0, 400.0, 400.0, 520.0)

        def get(self, which):
            if which == cv2.CAP_PROP_POS_MSEC:
                return 1000 + self.stamps[len(self.stamps) - 1 - len(self.reads)]
            return 10.0 if which == cv2.CAP_PROP_FPS else -1.0

    times = [frame.time for frame in Source("x", Jumpy(numbered(5)), live=False).frames()]
    np.testing.assert_allclose(times, [0, 0.04, 0.4, 0.5, 0.52])  # a clock that stands still is helped by the rate


def test_a_file_cut_off_gives_what_it_has_and_then_says_so(tmp_path, capfd):
    path = clips.write(tmp_path / "a.avi", [clips.picture(clips.moved(i)) for i in range(60)], "MJPG")
    whole = (tmp_path / "a.avi").read_bytes()
    (tmp_path / "a.avi").write_bytes(whole[: len(whole) // 3])
    got = []
    with open_source(path) as source:
        frames = source.frames()
        with pytest.raises(Broken, match=r"a\.avi: expected 60 frames, found \d+: the file is cut off"):
            got.extend(frame.index for frame in frames)
    assert 10 <= len(got) < 30
    assert got == list(range(len(got)))
    assert capfd.readouterr().err == ""


def test_a_stop_ends_a_file(tmp_path):
    path = clips.write(tmp_path / "a.avi", numbered(30), "MJPG")
    stop, got = threading.Event(), 0
    with open_source(path) as source:
        for got, _ in enumerate(source.frames(stop), 1):
            if got == 7:
                stop.set()
    assert got == 7


def test_a_camera_keeps_the_newest_frame_and_counts_the_others(patience):
    camera = clips.Camera(numbered(60), every=0.01)
    source, got = Source("camera 0", camera, live=True), []

    def work(frame):
        assert int(frame.image[0, 0, 0]) == frame.index  # the number of a frame counts those that were dropped
        got.append(frame)
        time.sleep(0.05)  # five frames come meanwhile

    with pytest.raises(Broken, match="camera 0: went away after 60 frames"):
        list(map(work, source.frames()))
    source.close()
    assert camera.released
    assert len(got) + source.dropped == 60
    assert 5 < len(got) < 30
    assert got[-1].index == 59
    assert np.diff([frame.index for frame in got]).min() >= 1
    assert np.diff([frame.time for frame in got]).min() > 0


def test_a_camera_that_hesitates_goes_on(patience):
    images = numbered(20)
    source = Source("camera 0", clips.Camera([*images[:8], *[None] * 5, *images[8:]], every=0.02), live=True)
    got, stop = [], threading.Event()
    for frame in source.frames(stop):
        got.append(frame.index)
        if frame.index == 19:
            stop.set()
    source.close()
    assert got[0] == 0
    assert got[-1] == 19


def test_a_camera_that_raises_is_gone(patience):
    class Raising(clips.Camera):
        def read(self):
            if not self.reads:
                raise cv2.error("device removed")
            return super().read()

    with Source("camera 0", Raising(numbered(4)), live=True) as source, pytest.raises(Broken, match="went away after"):
        list(source.frames())


def test_a_camera_that_hangs_is_gone(patience):
    source = Source("camera 0", clips.Camera([*numbered(3), 1.5]), live=True)
    with pytest.raises(Broken, match="camera 0: gave no frame for"):
        list(source.frames())
    source.close()


def test_a_stop_is_heard_while_a_camera_hangs():
    source, stop = Source("camera 0", clips.Camera([*numbered(1), 1.0]), live=True), threading.Event()
    threading.Timer(0.2, stop.set).start()
    began = time.monotonic()
    assert [frame.index for frame in source.frames(stop)] == [0]
    assert time.monotonic() - began < 0.8
    source.close()


def test_a_camera_without_frames(patience):
    camera = clips.Camera([])
    with pytest.raises(BadInput, match="camera 3: opens, but gives no frame"):
        Source("camera 3", camera, live=True)
    assert camera.released


def test_a_stream_that_changes_its_size_is_fitted():
    camera = clips.Camera([*numbered(1, (64, 96)), *numbered(1, (128, 192)), *numbered(1, (64, 96))[0][..., :1][None]])
    shapes = [frame.image.shape for frame in Source("x", camera, live=False).frames()]
    assert shapes == [(64, 96, 3)] * 3


BAD = {
    "missing": ("nowhere.mp4", "nowhere.mp4: no such file"),
    "empty": ("empty.mp4", "an empty file, expected a video"),
    "text": ("notes.mp4", "expected a video, found another kind of file"),
    "cut before its index": ("cut.mp4", "cut off"),
    "no camera": ("97", "camera 97: no camera that can be opened"),
    "no stream": ("http://127.0.0.1:9/x.mjpg", "no stream that can be opened"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_opened_is_said_in_a_line_and_nothing_else_is_printed(case, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "notes.mp4").write_text("not a video\n" * 99)
    path = clips.write(tmp_path / "cut.mp4", numbered(30))
    (tmp_path / "cut.mp4").write_bytes((tmp_path / path).read_bytes()[:-800])
    name, said = BAD[case]
    with pytest.raises(BadInput, match=said) as error:
        open_source(name)
    assert "\n" not in str(error.value)
    assert capfd.readouterr().err == ""


def test_a_folder_is_no_video(tmp_path):
    with pytest.raises(OSError, match="Is a directory"):
        open_source(str(tmp_path))


@pytest.mark.parametrize(("name", "codec"), [("a.mp4", "mp4v"), ("a.avi", "MJPG"), ("a.webm", "vp09")])
def test_a_video_of_zero_frames(name, codec, tmp_path):
    path = str(tmp_path / name)
    cv2.VideoWriter(path, cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*codec), 30, (64, 64)).release()
    assert (tmp_path / name).stat().st_size > 0
    with pytest.raises(BadInput, match="no frame"):
        open_source(path)


def test_a_stream_over_http_is_live_and_its_end_is_said(patience, capfd):
    """Motion JPEG from a server of ours: what most network cameras speak."""
    parts = [cv2.imencode(".jpg", image)[1].tobytes() for image in numbered(60)]

    class Stream(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=next")
            self.end_headers()
            for part in parts:
                self.wfile.write(b"--next\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(part))
                self.wfile.write(part + b"\r\n")
                time.sleep(0.02)

        def log_message(self, *_): ...

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Stream) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        got = []
        with open_source(f"http://127.0.0.1:{server.server_port}/video") as source:
            assert source.live
            frames = source.frames()
            with pytest.raises(Broken, match=r"http://127.0.0.1:\d+/video: went away after \d+ frames"):
                got.extend(frames)
        server.shutdown()
    assert len(got) > 10
    assert all(abs(int(frame.image[0, 0, 0]) - frame.index) < 4 for frame in got[-5:])
    assert capfd.readouterr().err == ""

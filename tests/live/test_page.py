"""The web page without a browser: what its handlers answer, what they refuse, and what the server lets in."""

import asyncio
import base64
import io
import os
import re
import socket
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from fergen.core.errors import BadInput
from fergen.data import detect
from fergen.live.classifier import Classifier, load
from fergen.live.web import about, browse, classify, edit, folder, generate, look, markup, page, pictures, server
from fergen.live.web.reading import Reader, page_of
from tests.contract.world import refused
from tests.live import page_world
from tests.train import fake_generator

IMAGE = re.compile(r'<img class="([\w -]*)" src="data:image/(\w+);base64,([^"]+)"')


@pytest.fixture(scope="module")
def classifier():
    return load("fer2013_small")


@pytest.fixture(scope="module")
def reader(classifier):
    return Reader(classifier)


def images_in(html: str, css: str) -> int:
    return sum(css in found[0].split() for found in IMAGE.findall(html))


# Pictures that are sent.


def test_a_picture_is_read_and_made_smaller(tmp_path):
    path = tmp_path / "photo.jpg"
    Image.fromarray(page_world.astronaut()).resize((2000, 1500)).save(path)
    assert pictures.read(path).shape == (960, 1280, 3)
    Image.fromarray(page_world.astronaut()[..., 0]).save(path)
    assert pictures.read(path.read_bytes()).shape == (512, 512, 3)


def test_bad_pictures_are_refused_with_a_reason(tmp_path):
    for path, said in page_world.bad_pictures(tmp_path).values():
        with pytest.raises(BadInput, match=re.escape(said)):
            pictures.read(path)
    with pytest.raises(BadInput, match="No picture yet"):
        pictures.read(None)


def test_a_picture_too_large_is_not_decoded(tmp_path, monkeypatch):
    """The header alone is looked at: decoding would take 150 MB and seconds."""
    path, _ = page_world.bad_pictures(tmp_path)["large"]
    monkeypatch.setattr(pictures.images, "decode", lambda *_, **__: pytest.fail("decoded"))
    with pytest.raises(BadInput, match="50 million"):
        pictures.read(path)


def test_payloads_are_files_or_bytes(tmp_path):
    assert pictures.payload_of(None) is None
    assert pictures.payload_of(SimpleNamespace(url=None, path=str(tmp_path))) == tmp_path
    data = "data:image/png;base64," + base64.b64encode(b"abc").decode()
    assert pictures.payload_of(SimpleNamespace(url=data, path=None)) == b"abc"
    assert pictures.payload_of(SimpleNamespace(url="data:image/png;base64,???", path=None)) == b""


# Classify.


def test_the_astronaut_is_found_and_looks_happy(reader):
    (found,) = reader.read(page_world.astronaut())
    x, y, w, h = found.face.box
    assert x < 224 < x + w, "the tip of the nose is inside"
    assert y < 118 < y + h
    assert found.name == "happy"
    assert found.probabilities.sum() == pytest.approx(1, abs=1e-5)
    html = page_of(page_world.astronaut(), [found], reader.classifier.classes)
    assert "looks happy, " in html
    assert images_in(html, "fg-photo") == images_in(html, "fg-crop") == 1
    assert html.count("<li") == 7


def test_what_the_network_goes_by_is_laid_over_the_face(reader):
    html = classify.answer(reader, _png(page_world.astronaut()), False, True)
    assert "Grad-CAM" in html
    assert "Integrated gradients" in html
    assert images_in(html, "fg-crop") == 3


def test_a_picture_without_a_face_and_a_face_without_surroundings(reader):
    blank = np.full((200, 200, 3), 128, np.uint8)
    assert "No face found" in classify.answer(reader, _png(blank), False, False)
    assert "fg-card" in classify.answer(reader, _png(page_world.astronaut()[65:165, 175:275]), True, False)


def test_it_abstains_where_nothing_is_probable(classifier):
    even = Classifier(
        "even", classifier.classes, classifier.size, 1, {}, lambda images: np.full((len(images), 7), 1 / 7, np.float32)
    )
    html = classify.answer(Reader(even), _png(page_world.astronaut()), False, False)
    assert ">uncertain</h3>" in html
    assert "looks " not in html
    assert "fg-best" not in html


def test_an_exported_classifier_has_no_gradients(classifier):
    exported = Reader(Classifier("x.onnx", classifier.classes, (48, 48), 1, {}, classifier.probabilities))
    assert "looks happy" in classify.answer(exported, _png(page_world.astronaut()), False, False)
    assert "an .onnx file has none" in classify.answer(exported, _png(page_world.astronaut()), False, True)


def test_a_crowd_is_read_up_to_a_limit(classifier):
    reader = Reader(classifier)
    vars(reader)["detector"] = lambda image: [detect.Face((0.0, 0.0, 50.0, 50.0), 1.0)] * 40
    assert len(reader.read(page_world.astronaut())) == 12


def test_frames_of_the_camera(reader):
    assert "fg-card" in classify.frame(reader, _png(page_world.astronaut()), False)
    assert "Grad-CAM" in classify.frame(reader, _png(page_world.astronaut()), True)
    assert "fg-hint" in classify.frame(reader, None, False)
    assert 'role="alert"' in classify.frame(reader, b"no frame", False)


# Generate.


def test_faces_are_made_by_expression_and_seed():
    nets = {"one": fake_generator.generator()}
    grid = generate.make(nets, "one", generate.ALL, 3, 4, 1, 1, 10)
    assert images_in(grid, "fg-face") == 28
    assert all(f"<span>{name}</span>" in grid for name in fake_generator.SEVEN)
    row = generate.make(nets, "one", "sad", 3, 4, 1, 1, 10)
    assert images_in(row, "fg-face") == 4
    assert IMAGE.findall(row)[0] in IMAGE.findall(grid), "the same face alone and among the others"
    assert generate.make(nets, "one", "sad", 4, 4, 1, 1, 10) != row
    assert images_in(generate.make(nets, "one", "sad", 3, 1e9, 1, 1, 10), "fg-face") == generate.COLUMNS


@pytest.mark.parametrize("seed", [None, -1, 1.5, 2**31])
def test_bad_seeds_are_said(seed):
    html = generate.make({"one": fake_generator.generator()}, "one", "sad", seed, 4, 1, 1, 10)
    assert "expected a whole number from 0 to 2147483647" in html


def test_options_are_those_of_the_generator(tmp_path):
    from fergen.train.faces import generator

    net = generator(str(page_world.cvae(tmp_path / "cvae.safetensors")))
    assert generate.of(net, "guidance") == {"value": 1.0, "visible": True}
    assert generate.of(net, "steps")["visible"] is False
    nets = {"cvae": net}
    alike, apart = (generate.make(nets, "cvae", "happy", 0, 2, truncation, 1, 10) for truncation in (0.1, 1.5))
    assert alike != apart
    unconditional = fake_generator.generator(conditional=False)
    assert generate.choices(unconditional)["visible"] is False
    assert images_in(generate.make({"u": unconditional}, "u", generate.ALL, 0, 2, 1, 1, 10), "fg-face") == 14


# Edit.


def test_a_search_is_shown_step_by_step(classifier, tmp_path, monkeypatch):
    from fergen.train import feature_spaces

    load_space = feature_spaces.load
    monkeypatch.setattr(feature_spaces, "load", lambda reference: load_space("fer2013_small"))
    path = str(page_world.stylegan2(tmp_path / "net.safetensors"))
    editors = {}
    pages = list(edit.edit(editors, classifier, path, "sad", "happy", 1, 0.7, 3, 1.0))
    assert "up to a minute" in pages[0]
    assert [re.findall(r'data-step="(\d+)"', html) for html in pages[1:]] == [["0"], ["1"], ["2"], ["3"]]
    assert images_in(pages[-1], "fg-big") == 2
    assert images_in(pages[-1], "fg-face") == 4
    assert "the guide, which is followed" in pages[-1]
    assert "a judge, which is not" in pages[-1]
    # Another face, another expression: what was compiled serves again, and ends elsewhere.
    compiled = editors[path]._update._cache_size()
    again = list(edit.edit(editors, classifier, path, "happy", "sad", 2, 0.7, 3, 0.5))
    assert editors[path]._update._cache_size() == compiled == 1
    assert IMAGE.findall(again[-1])[1] != IMAGE.findall(pages[-1])[1]


def test_the_search_is_that_of_the_command(classifier, tmp_path, monkeypatch):
    """The faces of `fergen edit`, from the same start, under the same seed."""
    from fergen.latent.search import Settings
    from fergen.train import editing, feature_spaces

    load_space = feature_spaces.load
    monkeypatch.setattr(feature_spaces, "load", lambda reference: load_space("fer2013_small"))
    path = str(page_world.stylegan2(tmp_path / "net.safetensors"))
    found = editing.edit(path, ["happy"], label="sad", truncation=0.7, n=1, settings=Settings(steps=4), seed=3)
    way = edit.Editor(classifier, path).walk("sad", "happy", seed=3, truncation=0.7, steps=4, identity=1.0)
    ours = np.stack([image[0] for image in way])
    assert np.abs(ours.astype(int) - found.frames[:, 0].astype(int)).max() <= 1


def test_a_search_refuses_in_its_place(classifier):
    assert "expected a whole number" in list(edit.edit({}, classifier, "x", "sad", "happy", -1, 0.7, 3, 1.0))[-1]
    assert "expected a generator" in list(edit.edit({}, classifier, "fer2013_small", "", "happy", 0, 0.7, 3, 1.0))[-1]


# Runs.


def test_runs_are_found_and_shown(tmp_path):
    there = folder.Runs(page_world.runs(tmp_path / "runs"))
    assert sorted(there.names()) == ["first", "of/study"]
    assert there.files("first", ".png") == ["samples/000100.png"]
    assert browse.measures(there, "first") == ["loss", "accuracy"]
    assert images_in(browse.drawn(there, "first", ["loss"]), "fg-sheet") == 1
    assert images_in(browse.picture(there, "first", "samples/000100.png"), "fg-sheet") == 1
    assert "0.6712  [0.6501, 0.6902]" in browse.scores(there, "first", "eval/190/public.json")
    assert browse.report(there, "of/study") == "# What carries over\n\n\nA finding."
    assert browse.report(there, "first") == ""
    assert "no record" in browse.drawn(there, "of/study", None)
    assert not browse.scored("config.json")


def test_nothing_outside_of_the_folder_is_shown(tmp_path):
    """Neither by a path upwards, nor by an absolute one, nor by a link; and no file without end."""
    root = page_world.runs(tmp_path / "runs")
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "metrics.jsonl").write_text('{"step": 1, "train/loss": 1.0}\n')
    Image.new("L", (4, 4)).save(secret / "face.png")
    (root / "link").symlink_to(secret)
    (root / "first" / "samples" / "link.png").symlink_to(secret / "face.png")
    there = folder.Runs(root)
    assert "link" not in there.names()
    assert there.files("first", ".png") == ["samples/000100.png"]
    for run in ("../secret", str(secret), "link", "first/../../secret"):
        with pytest.raises(BadInput, match="outside of the folder"):
            there.files(run, ".png")
        assert "outside of the folder" in browse.picture(there, run, "face.png")
    assert "outside of the folder" in browse.picture(there, "first", "samples/link.png")
    assert "expected a name that ends in .png" in browse.picture(there, "first", "metrics.jsonl")
    assert "no such thing" in browse.picture(there, "first", "\0.png")
    with (root / "first" / "huge.png").open("wb") as f:
        f.truncate(folder.MAX_BYTES + 1)
    assert "32 MiB" in browse.picture(there, "first", "huge.png")


def test_a_record_cut_in_mid_write_is_shown_up_to_there(tmp_path):
    root = page_world.runs(tmp_path / "runs")
    with (root / "first" / "metrics.jsonl").open("a") as f:
        f.write('{"step": 200, "train/lo')
    assert len(folder.Runs(root).records("first")) == 19


# The page and its server.


def test_the_page_states_use_accuracy_and_limits(classifier):
    head = about.head(classifier)
    assert "An expression is not an inner feeling." in head
    assert "not for judging people at work, at school" in head
    assert "fer2013_small is right on 67.1 % [65.6, 68.7] of 3,589 faces of fer2013 (public)" in head
    bare = Classifier("runs/x", classifier.classes, (48, 48), 1, {}, classifier.probabilities)
    assert "its accuracy was not measured" in about.head(bare)
    assert "67.1 [65.6, 68.7]" in about.details(classifier)


def test_texts_from_outside_are_escaped():
    evil = "<script>alert(1)</script>"
    pages = [
        markup.notice(evil),
        markup.hint(evil),
        markup.table((evil,), [(evil,)]),
        markup.bars([evil], np.ones(1)),
        markup.faces(np.zeros((1, 1, 2, 2, 1), np.uint8), [evil]),
        markup.curve([(evil, [0.5])], 1),
    ]
    for html in pages:
        assert "<script" not in html
        assert "&lt;script" in html


def test_the_look_takes_nothing_from_elsewhere():
    theme = look.theme()
    css = theme._get_theme_css().replace("http://www.w3.org/2000/svg", "")  # a namespace, which nobody fetches
    assert "http" not in css
    assert "@import" not in css
    assert not theme._stylesheets
    assert "http" not in look.CSS


def test_the_page_is_put_together(classifier, tmp_path):
    """With everything and with nothing; handlers that are heavy have queues of their own."""
    net = str(page_world.stylegan2(tmp_path / "net.safetensors"))
    full = page.build(page.contents("fer2013_small", [net, net], page_world.runs(tmp_path / "runs")))
    limits = {fn.concurrency_id: fn.concurrency_limit for fn in full.fns.values()}
    assert {name: limits[name] for name in ("read", "camera", "generate", "edit", "runs")} == {
        "read": 2, "camera": 4, "generate": 1, "edit": 1, "runs": 2,
    }  # fmt: skip
    assert not [fn for fn in full.fns.values() if fn.api_visibility == "public"]
    bare = page.build(page.contents("fer2013_small"))
    said = " ".join(str(block.value) for block in bare.blocks.values() if hasattr(block, "value"))
    for hint in ("No generator is given", "latent space of a StyleGAN2, and none is given", "No folder of runs"):
        assert hint in said


@pytest.mark.parametrize(
    ("host", "local", "status"),
    [
        ("127.0.0.1:7860", True, 200), ("localhost", True, 200), ("[::1]:7860", True, 200),
        ("evil.example:7860", True, 403), ("", True, 403), ("192.168.0.7", True, 403), ("192.168.0.7", False, 200),
    ],
)  # fmt: skip
def test_the_guard_lets_in_this_machines_names(host, local, status):
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})

    sent = []

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "headers": [(b"host", host.encode())]}
    asyncio.run(server.Guard(app, local)(scope, None, send))
    assert sent[0]["status"] == status
    if status == 200:
        assert dict(sent[0]["headers"])[b"content-security-policy"].startswith(b"default-src 'self'")


@pytest.fixture
def surroundings(monkeypatch):
    """What `serve` sets for Gradio goes with the test."""
    for name in ("GRADIO_ANALYTICS_ENABLED", "HF_HUB_DISABLE_TELEMETRY", "GRADIO_TEMP_DIR"):
        monkeypatch.setenv(name, os.environ.get(name, ""))


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--weights=runs/nothing"], "weights 'runs/nothing': expected"),
        (["--generators", "fer2013_small"], "weights 'fer2013_small': expected a generator, found a classifier"),
        (["--runs=nowhere"], "--runs=nowhere: expected a folder of runs, found none"),
        (["--port=99999"], "--port=99999: expected 1 to 65535"),
        (["--host=192.0.2.1", "--port=7999"], "cannot listen at 192.0.2.1:7999"),
    ],
)
def test_the_command_refuses_in_one_line(surroundings, capsys, more, said):
    refused(["demo", *more], said, capsys)


def test_a_taken_port_is_said(surroundings, capsys):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        refused(["demo", f"--port={taken.getsockname()[1]}"], "cannot listen at 127.0.0.1:", capsys)


def test_without_gradio_it_says_what_to_install(surroundings, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "gradio", None)
    refused(["demo"], "the page needs gradio: pip install 'fergen[demo]'", capsys)


def _png(image: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "PNG")
    return stream.getvalue()

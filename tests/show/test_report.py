"""A report is one self-contained HTML file, and Markdown that says the same."""

import base64
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from fergen.show import faces
from fergen.show.report import ABSENT, Report, cell

VOID = {"meta", "img", "br", "link"}


class Page(HTMLParser):
    """Parses strictly: every element is closed in order; gathers cells, links, pictures, headings."""

    def __init__(self, text):
        super().__init__()
        self.open, self.found, self.text = [], [], {}
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open:
            self.text.setdefault(self.open[-1], []).append(data)

    def all(self, tag):
        return [attrs for name, attrs in self.found if name == tag]


@pytest.fixture
def written(tmp_path):
    picture = tmp_path / "runs" / "x" / "grid.png"
    picture.parent.mkdir(parents=True)
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (9, 9), np.uint8)).save(picture)
    near = tmp_path / "out" / "near.png"
    near.parent.mkdir()
    Image.fromarray(np.zeros((5, 5), np.uint8)).save(near)
    report = Report("Faces & <control>")
    report.text("Made by `fergen sample` on **two** cores, a < b & c.")
    report.section("Control")
    report.table(
        [
            {"generator": "cgan", "control": 0.91234, "n": 10_000, "with interval": "0.71 [0.69, 0.73]"},
            {"generator": "cvae|old", "control": float("nan"), "n": np.int64(700), "with interval": "27.9 %"},
            {"generator": "flow", "control": np.float32(0.5), "note": "<b>bold</b>"},
        ],
        caption="Higher is better.",
        digits=2,
    )
    report.code("fergen sample --weights=runs/x\nfergen eval > out.txt")
    report.section("Pictures")
    report.picture(picture, caption='Rows are "emotions".')
    report.picture(near)
    return report.write(tmp_path / "out"), picture, near


def test_html_is_whole_and_needs_nothing_else(written):
    (html, _), picture, near = written
    text = html.read_text()
    page = Page(text)
    assert "http" not in text
    assert not re.search(r"url\(|@import|<script|<link|//", re.sub(r'base64,[^"]*', "", text))
    sources = [attrs["src"].removeprefix("data:image/png;base64,") for attrs in page.all("img")]
    assert [base64.b64decode(source) for source in sources] == [picture.read_bytes(), near.read_bytes()]
    assert [attrs["alt"] for attrs in page.all("img")] == ['Rows are "emotions".', "near"]
    assert page.text["h1"] == page.text["title"] == ["Faces & <control>"]
    assert "prefers-color-scheme: dark" in text


def test_contents_link_to_every_section(written):
    page = Page(written[0][0].read_text())
    assert [attrs["href"] for attrs in page.all("a")] == [f"#{attrs['id']}" for attrs in page.all("h2")]
    assert page.text["a"] == page.text["h2"] == ["Control", "Pictures"]


def test_tables_align_numbers_to_the_right_and_escape_text(written):
    (html, markdown), *_ = written
    page = Page(html.read_text())
    cells = page.text["td"]
    assert cells[:5] == ["cgan", "0.91", "10,000", "0.71 [0.69, 0.73]", ABSENT]
    assert cells[5:10] == ["cvae|old", ABSENT, "700", "27.9 %", ABSENT]
    assert cells[10:] == ["flow", "0.50", ABSENT, ABSENT, "<b>bold</b>"]
    right = [attrs.get("class") == "number" for attrs in page.all("th")]
    assert right == [False, True, True, True, False]
    assert [attrs.get("class") == "number" for attrs in page.all("td")] == right * 3
    assert page.text["code"] == ["fergen sample"]
    assert page.text["strong"] == ["two"]
    lines = markdown.read_text().splitlines()
    assert "| --- | ---: | ---: | ---: | --- |" in lines
    assert f"| cvae\\|old | {ABSENT} | 700 | 27.9 % | {ABSENT} |" in lines


def test_markdown_shows_pictures_by_relative_path(written):
    (_, markdown), picture, _ = written
    paths = re.findall(r"!\[.*?\]\(<(.+?)>\)", markdown.read_text())
    assert paths == ["pictures/01_grid.png", "near.png"]
    assert (markdown.parent / paths[0]).read_bytes() == picture.read_bytes()
    assert "```\nfergen sample --weights=runs/x\nfergen eval > out.txt\n```" in markdown.read_text()


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, ABSENT), (float("nan"), ABSENT), (3, "3"), (1234567, "1,234,567"), (1234.5, "1,234.500"), (True, "True"),
     (np.float64("nan"), ABSENT), ("x", "x"), (float("inf"), "inf"), (-0.25, "-0.250")],
)  # fmt: skip
def test_cells(value, shown):
    assert cell(value, 3) == shown


def pixels(path):
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def test_neighbours_stand_beside_their_sample_in_order(tmp_path):
    samples = np.full((2, 96, 96, 1), 10, np.uint8) + 100 * np.arange(2, dtype=np.uint8)[:, None, None, None]
    near = samples[:, None] + 20 * np.arange(1, 4, dtype=np.uint8)[None, :, None, None, None]
    distances = np.array([[0.5, 1.25, 20], [3, 4, 5000]])
    names, of_faces = ["happy", "sad"], [["happy"] * 3, ["sad"] * 3]
    plain = pixels(faces.neighbours(samples, near, distances, tmp_path / "a.png"))
    named = pixels(faces.neighbours(samples, near, distances, tmp_path / "b.png", names=names, face_names=of_faces))
    for page in (plain, named):
        seen = [[int(v) for v in dict.fromkeys(row[:, 0].tolist()) if (row[:, 0] == v).sum() == 96] for row in page]
        assert [10, 30, 50, 70] in seen
        assert [110, 130, 150, 170] in seen
    assert named.shape[0] > plain.shape[0], "the faces' emotions take a line"


def test_grids_and_ways_name_their_rows(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (2, 4, 8, 8, 3), np.uint8)
    bare = pixels(faces.grid(images, tmp_path / "a.png"))
    rows = pixels(faces.grid(images, tmp_path / "b.png", classes=["happy", "sad"]))
    way = pixels(faces.interpolation(images, tmp_path / "c.png", classes=["happy", "sad"], title="from one to another"))
    assert rows.shape[1] > bare.shape[1]
    assert way.shape[1] == rows.shape[1]
    assert way.shape[0] > rows.shape[0]

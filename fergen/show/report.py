"""Reports: text, tables and pictures as one self-contained HTML file, and as Markdown beside it.

The HTML needs nothing else: its style is in it, its pictures are in it, and it links to nothing outside.
"""

import base64
import math
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

from fergen.core.paths import atomic_write

ABSENT = "–"
_NUMBER = re.compile(r"[-+−]?[\d.,]+( ?%| ?x)?( ± [\d.,]+( ?%)?)?( \[.*\])?")
_STYLE = """
:root { color-scheme: light dark; --ink: #1c2126; --muted: #68727d; --line: #dfe3e8; --paper: #fff; --tint: #f4f6f8;
  --accent: #2f5f8f; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e8ec; --muted: #98a2ad; --line: #343b43; --paper: #15191d;
  --tint: #1e2429; --accent: #85a8ca; } }
body { margin: 0 auto; padding: 3rem 1.25rem 5rem; max-width: 60rem; background: var(--paper); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 1rem; }
h2 { font-size: 1.25rem; margin: 3rem 0 .75rem; padding-top: 1rem; border-top: 1px solid var(--line); }
p { max-width: 44rem; }
a { color: var(--accent); text-decoration: none; }
a:hover { text-decoration: underline; }
nav ol { columns: 2 16rem; padding-left: 1.4rem; color: var(--muted); }
code, pre { font: .88em/1.5 ui-monospace, "DejaVu Sans Mono", monospace; background: var(--tint); border-radius: 4px; }
code { padding: .1em .3em; }
pre { padding: .8rem 1rem; overflow-x: auto; }
figure { margin: 1.5rem 0; overflow-x: auto; }
figure img { display: block; max-width: 100%; height: auto; background: #fff; border-radius: 4px; }
figcaption { color: var(--muted); font-size: .88rem; margin: .5rem 0; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
th, td { padding: .35rem .9rem .35rem 0; text-align: left; vertical-align: top; border-bottom: 1px solid var(--line); }
th { color: var(--muted); font-weight: 600; border-bottom-width: 2px; }
.number { text-align: right; white-space: nowrap; }
"""


class Block(NamedTuple):
    """A part of a report: `kind` is section, text, code, table or picture."""

    kind: str
    content: Any
    caption: str = ""


class Report:
    """Gathers sections, and writes them as `report.html` and `report.md`.

    Args:
        title: of the whole.
    """

    def __init__(self, title: str):
        self.title = title
        self.blocks: list[Block] = []

    def section(self, heading: str) -> None:
        """Begin a section; it is listed among the contents."""
        self.blocks.append(Block("section", heading))

    def text(self, paragraph: str) -> None:
        """Add a paragraph; `code` and **bold** are marked as in Markdown."""
        self.blocks.append(Block("text", " ".join(paragraph.split())))

    def code(self, text: str) -> None:
        """Add lines as they are, such as the commands that made the report."""
        self.blocks.append(Block("code", text.strip("\n")))

    def table(self, rows: Sequence[Mapping[str, Any]], *, caption: str = "", digits: int = 3) -> None:
        """Add a table.

        Args:
            rows: a mapping of column to value per row; the columns are those of all rows, in order of appearance.
                Columns of numbers, or of texts that begin as such (`94.3 %`, `0.71 [0.69, 0.73]`), stand to the right.
            caption: a sentence below it.
            digits: of floats, behind the point; None, NaN and what a row lacks are a dash.
        """
        columns = list(dict.fromkeys(name for row in rows for name in row))
        cells = [[cell(row.get(name), digits) for name in columns] for row in rows]
        self.blocks.append(Block("table", (columns, cells), caption))

    def picture(self, path: str | Path, *, caption: str = "") -> None:
        """Add a PNG file, which must be there when the report is written."""
        self.blocks.append(Block("picture", Path(path), caption))

    def write(self, folder: str | Path) -> tuple[Path, Path]:
        """Write `report.html` and `report.md` into a folder; pictures from elsewhere are copied to its `pictures/`.

        Returns:
            The two files.
        """
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        pictures = [block.content for block in self.blocks if block.kind == "picture"]
        places = {path: placed(path, folder, number) for number, path in enumerate(pictures, 1)}
        markdown = [f"# {self.title}", *(as_markdown(block, places) for block in self.blocks)]
        return (
            atomic_write(folder / "report.html", self.html()),
            atomic_write(folder / "report.md", "\n\n".join(markdown) + "\n"),
        )

    def html(self) -> str:
        """Return the report as one HTML document."""
        headings = [block.content for block in self.blocks if block.kind == "section"]
        contents = "".join(f'<li><a href="#s{i}">{escape(h)}</a></li>' for i, h in enumerate(headings))
        body, section = [], 0
        for block in self.blocks:
            body.append(as_html(block, section))
            section += block.kind == "section"
        return (
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f"<title>{escape(self.title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
            f"<h1>{escape(self.title)}</h1>\n"
            + (f'<nav aria-label="Contents"><ol>{contents}</ol></nav>\n' if contents else "")
            + "\n".join(body)
            + "\n</body>\n</html>\n"
        )


def cell(value: Any, digits: int) -> str:
    """Format a value: floats to so many digits, whole numbers with separators, what is absent as a dash."""
    value = value.item() if hasattr(value, "item") else value  # numpy's numbers
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ABSENT
    if isinstance(value, float):
        return f"{value:,.{digits}f}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def numeric(columns: Sequence[str], cells: Sequence[Sequence[str]]) -> list[bool]:
    """Return which columns hold numbers alone, and at least one."""
    there = [[row[i] for row in cells if row[i] != ABSENT] for i in range(len(columns))]
    return [bool(values) and all(_NUMBER.fullmatch(value) for value in values) for values in there]


def placed(path: Path, folder: Path, number: int) -> str:
    """Return a picture's path relative to the report, after copying it there if it lies elsewhere.

    Pictures of different runs often share a name: a copy's begins with its number in the report.
    """
    if path.resolve().is_relative_to(folder.resolve()):
        return Path(os.path.relpath(path.resolve(), folder.resolve())).as_posix()
    (folder / "pictures").mkdir(exist_ok=True)
    copy = folder / "pictures" / f"{number:02d}_{path.name}"
    shutil.copyfile(path, copy)
    return f"pictures/{copy.name}"


def as_html(block: Block, section: int) -> str:
    """Return a block as HTML; `section` is the number of sections before it."""
    caption = f"<figcaption>{inline(block.caption)}</figcaption>" if block.caption else ""
    if block.kind == "section":
        return f'<h2 id="s{section}">{escape(block.content)}</h2>'
    if block.kind == "text":
        return f"<p>{inline(block.content)}</p>"
    if block.kind == "code":
        return f"<pre>{escape(block.content)}</pre>"
    if block.kind == "picture":
        data = base64.b64encode(block.content.read_bytes()).decode()
        alt = escape(block.caption or block.content.stem.replace("_", " "), quote=True)
        return f'<figure><img alt="{alt}" src="data:image/png;base64,{data}">{caption}</figure>'
    columns, cells = block.content
    right = [' class="number"' if number else "" for number in numeric(columns, cells)]
    head = "".join(f'<th scope="col"{mark}>{inline(name)}</th>' for name, mark in zip(columns, right))
    rows = ("".join(f"<td{mark}>{inline(text)}</td>" for text, mark in zip(row, right)) for row in cells)
    body = "\n".join(f"<tr>{row}</tr>" for row in rows)
    return f"<figure><table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>{caption}</figure>"


def inline(text: str) -> str:
    """Escape a text, with its `code` and **bold** marked."""
    text = re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))
    return re.sub(r"\*\*([^*]+)\*\*", r"<strong>\1</strong>", text)


def as_markdown(block: Block, places: Mapping[Path, str]) -> str:
    """Return a block as Markdown; `places` are the pictures' paths relative to the report."""
    if block.kind == "section":
        return f"## {block.content}"
    if block.kind == "text":
        return block.content
    if block.kind == "code":
        return f"```\n{block.content}\n```"
    below = f"\n\n{block.caption}" if block.caption else ""
    if block.kind == "picture":
        return f"![{block.caption or block.content.stem.replace('_', ' ')}](<{places[block.content]}>){below}"
    columns, cells = block.content
    rule = ["---:" if number else "---" for number in numeric(columns, cells)]
    rows = [columns, rule, *([text.replace("|", "\\|") for text in row] for row in cells)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows) + below

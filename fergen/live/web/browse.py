"""The tab that shows runs: curves, scores, pictures and reports."""

import tempfile
from pathlib import Path
from typing import Any

from fergen.core.errors import BadInput
from fergen.live.web import markup
from fergen.live.web.folder import Runs
from fergen.show import curves

HOW = "No folder of runs is given: fergen demo --runs=runs shows the runs in runs/, their curves and pictures."
FIRST = ("loss", "accuracy", "macro_recall", "learning_rate")


def measures(runs: Runs, run: str) -> list[str]:
    """Return what a run's record holds, the usual first."""
    there = list(curves.series(runs.records(run)))
    return [name for name in FIRST if name in there] + [name for name in there if name not in FIRST]


def drawn(runs: Runs, run: str | None, chosen: list[str] | None) -> str:
    """Return the curves of measures as a picture."""
    if not run:
        return markup.hint("There is no run in this folder yet.")
    try:
        records = runs.records(run)
        if not curves.series(records):
            return markup.hint("This run has no record of measures.")
        with tempfile.TemporaryDirectory() as folder:
            path = curves.draw(records, Path(folder) / "curves.png", measures=tuple(chosen or FIRST))
            return markup.encoded(path.read_bytes(), "png", f"curves of {run}", css="fg-sheet")
    except BadInput as error:
        return markup.notice(str(error))


def picture(runs: Runs, run: str | None, name: str | None) -> str:
    """Return one picture of a run."""
    if not run or not name:
        return markup.hint("This run has no pictures.")
    try:
        if Path(name).suffix != ".png":
            raise BadInput(f"{name}: expected a name that ends in .png")
        return markup.encoded(runs.bytes_of(run, name), "png", name, css="fg-sheet")
    except BadInput as error:
        return markup.notice(str(error))


def scores(runs: Runs, run: str | None, name: str | None) -> str:
    """Return the scores of one file."""
    if not run or not name:
        return markup.hint("This run was not measured yet: fergen eval writes scores.")
    try:
        if Path(name).suffix != ".json":
            raise BadInput(f"{name}: expected a name that ends in .json")
        return f'<div class="fg-scroll">{markup.table(("", "value"), runs.scores(run, name))}</div>'
    except BadInput as error:
        return markup.notice(str(error))


def report(runs: Runs, run: str | None) -> str:
    """Return the report of a study, in Markdown; its pictures are among the pictures."""
    try:
        text = runs.bytes_of(run or ".", "report.md").decode(errors="replace")
    except BadInput:
        return ""
    return "\n".join(line for line in text.splitlines() if not line.startswith("!["))


def build(runs: Runs | None) -> Any:
    """Put the tab together.

    Args:
        runs: the folder; None for none.

    Returns:
        (function, outputs) that bring the tab up to date when a page is opened; None without a folder.
    """
    import gradio as gr

    if runs is None:
        gr.HTML(markup.hint(HOW), elem_id="runs-none")
        return None
    with gr.Row(equal_height=False):
        run = gr.Dropdown([], label=f"Runs in {runs.root}", elem_id="run", scale=4, min_width=240)
        again = gr.Button("Look again", size="md", elem_id="again", scale=1, min_width=120)
    with gr.Tabs():
        with gr.Tab("Curves", id="curves"):
            chosen = gr.Dropdown([], multiselect=True, label="Measures", elem_id="measures")
            curve = gr.HTML(elem_id="curves")
        with gr.Tab("Pictures", id="pictures"):
            name = gr.Dropdown([], label="Picture", elem_id="run-picture")
            shown = gr.HTML(elem_id="run-shown")
        with gr.Tab("Scores", id="scores"):
            file = gr.Dropdown([], label="File of scores", elem_id="run-file")
            table = gr.HTML(elem_id="run-scores")
        with gr.Tab("Report", id="report"):
            text = gr.Markdown(elem_id="run-report")
    details = [chosen, curve, name, shown, file, table, text]

    def opened(reference: str | None) -> list[Any]:
        """Fill the tab with one run."""
        there = measures(runs, reference) if reference else []
        images = runs.files(reference, ".png") if reference else []
        files = [path for path in runs.files(reference, ".json") if scored(path)] if reference else []
        image, scored_in = (images or [None])[-1], (files or [None])[-1]
        wanted = [measure for measure in FIRST if measure in there] or there[:4]
        return [
            gr.update(choices=there, value=wanted),
            drawn(runs, reference, wanted),
            gr.update(choices=images, value=image),
            picture(runs, reference, image),
            gr.update(choices=files, value=scored_in),
            scores(runs, reference, scored_in),
            report(runs, reference) or "This run has no report: studies write them.",
        ]

    def select(reference: str | None) -> list[Any]:
        try:
            return opened(reference)
        except BadInput as error:
            return [gr.skip(), markup.notice(str(error)), *[gr.skip()] * (len(details) - 2)]

    def look() -> list[Any]:
        names = runs.names()
        first = names[0] if names else None
        return [gr.update(choices=names, value=first), *select(first)]

    options: dict[str, Any] = {
        "concurrency_id": "runs", "concurrency_limit": 2, "api_visibility": "private", "show_progress": "hidden",
    }  # fmt: skip
    run.input(select, run, details, **options)
    again.click(look, None, [run, *details], **options)
    chosen.input(lambda *asked: drawn(runs, *asked), [run, chosen], curve, **options)
    name.input(lambda *asked: picture(runs, *asked), [run, name], shown, **options)
    file.input(lambda *asked: scores(runs, *asked), [run, file], table, **options)
    return look, [run, *details], options


def scored(path: str) -> bool:
    """Whether a JSON file of a run holds scores rather than its settings."""
    return Path(path).name not in ("config.json", "dataset.json", "report.json")

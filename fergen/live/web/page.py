"""The page: its tabs, put together from what was given."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fergen.core.errors import BadInput
from fergen.live.classifier import Classifier, load
from fergen.live.web.folder import Runs
from fergen.live.web.reading import Reader
from fergen.train import faces
from fergen.train.restore import Restored

TITLE = "fergen"


@dataclass(frozen=True)
class Contents:
    """What a page shows.

    Attributes:
        classifier: reads the faces.
        generators: references -> generators.
        runs: the folder of runs; None for none.
    """

    classifier: Classifier
    generators: dict[str, Restored] = field(default_factory=dict)
    runs: Runs | None = None


def contents(weights: str, generators: Sequence[str] = (), runs: str | Path | None = None) -> Contents:
    """Load what a page shows; nothing is compiled yet.

    Args:
        weights: a classifier.
        generators: any number.
        runs: a folder of runs.

    Raises:
        BadInput: other weights than expected, or no such folder.
    """
    if runs is not None and not Path(runs).is_dir():
        raise BadInput(f"--runs={runs}: expected a folder of runs, found {'a file' if Path(runs).exists() else 'none'}")
    nets = {reference: faces.generator(reference) for reference in dict.fromkeys(generators)}
    return Contents(load(weights), nets, None if runs is None else Runs(Path(runs)))


def build(this: Contents) -> Any:
    """Put the page together.

    Returns:
        A `gradio.Blocks`, not yet served.
    """
    import gradio as gr

    from fergen.live.web import about, browse, classify, edit, generate

    with gr.Blocks(title=TITLE, analytics_enabled=False, delete_cache=(600, 600)) as page:
        gr.HTML(about.head(this.classifier))
        with gr.Tabs(elem_id="tabs"):
            with gr.Tab("Classify", id="classify"):
                classify.build(Reader(this.classifier))
            with gr.Tab("Generate", id="generate"):
                generate.build(this.generators)
            with gr.Tab("Edit", id="edit"):
                edit.build(this.classifier, this.generators)
            with gr.Tab("Runs", id="runs"):
                fill = browse.build(this.runs)
            with gr.Tab("About", id="about"):
                gr.HTML(about.details(this.classifier))
        if fill is not None:
            look, outputs, options = fill
            page.load(look, None, outputs, **options)
    return page.queue(max_size=32)

"""The tab that makes faces: a row per expression, or one of them, by each generator at hand."""

from collections.abc import Sequence
from typing import Any

from fergen.core.errors import BadInput
from fergen.live.web import markup
from fergen.train import faces
from fergen.train.restore import Restored

ALL = "every expression"
COLUMNS = 12  # at most, in a row
# Options of samplers: least and greatest value, and step of the slider, its label, and what it does.
OPTIONS: dict[str, tuple[float, float, float, str, str]] = {
    "truncation": (0, 1.5, 0.05, "Truncation", "below 1 faces are more alike"),
    "guidance": (0, 12, 0.25, "Guidance", "above 1 the expression is stressed"),
    "steps": (1, 100, 1, "Steps", "of the sampler, from noise to a face"),
}
HOW = (
    "No generator is given. Train one and name it: fergen train --config=fer2013_cvae --workdir=runs/cvae, then"
    " fergen demo --generators runs/cvae. Any number may be named."
)


def make(nets: dict[str, Restored], name: str, emotion: str, seed: float, columns: float, *options: float) -> str:
    """Make faces; what is wrong stands in place of them."""
    try:
        net, number = nets[name], whole(seed)
        own = net.spec.get("sampler") or {}
        given = {option: value for option, value in zip(OPTIONS, options) if option in own}
        if "steps" in given:
            given["steps"] = int(given["steps"])
        wanted = None if emotion == ALL else [emotion]
        images = faces.grid(
            faces.resampled(net, **given), wanted, columns=max(1, min(int(columns), COLUMNS)), seed=number
        )
    except BadInput as error:
        return markup.notice(str(error))
    rows = faces.chosen(net.spec, wanted) if net.spec["conditional"] else [""] * len(images)
    return markup.faces(images, rows)


def whole(seed: float | None) -> int:
    """Return a seed as a number.

    Raises:
        BadInput: it is none in [0, 2^31).
    """
    if seed is None or seed != int(seed) or not 0 <= seed < 2**31:
        raise BadInput(f"Seed: expected a whole number from 0 to {2**31 - 1}, found {seed}.")
    return int(seed)


def about(net: Restored) -> str:
    """Say what a generator is and how well it does what it is asked."""
    spec, size = net.spec, net.spec["image"]
    scores = net.card.get("scores", {})
    says = f"{spec['task']}, {size['height']} x {size['width']} pixels"
    if not spec["conditional"]:
        says += ", without expressions to choose from"
    if "control/macro" in scores:
        says += f"; a judge sees the expression asked for on {100 * scores['control/macro']:.0f} % of its faces"
    return markup.hint(f"{says}. Its people do not exist.")


def build(nets: dict[str, Restored]) -> None:
    """Put the tab together.

    Args:
        nets: references -> generators.
    """
    import gradio as gr

    if not nets:
        gr.HTML(markup.hint(HOW), elem_id="generate-none")
        return
    names = list(nets)
    first = nets[names[0]]
    with gr.Row(equal_height=False):
        with gr.Column(scale=2, min_width=280):
            name = gr.Dropdown(names, value=names[0], label="Generator", elem_id="generator")
            what = gr.HTML(about(first))
            emotion = gr.Dropdown(**choices(first), label="Expression", elem_id="emotion")
            with gr.Row():
                seed = gr.Number(0, label="Seed", precision=0, minimum=0, elem_id="seed", min_width=120)
                columns = gr.Slider(1, COLUMNS, 8, step=1, label="Per row", elem_id="columns", min_width=120)
            sliders = [
                gr.Slider(low, high, step=step, label=label, info=info, elem_id=option, **of(first, option))
                for option, (low, high, step, label, info) in OPTIONS.items()
            ]
            go = gr.Button("Make faces", variant="primary", size="md", elem_id="make")
        with gr.Column(scale=3, min_width=280):
            made = gr.HTML(markup.hint("Faces in a column share their seed and differ in the expression."),
                           elem_id="made")  # fmt: skip

    def chosen(reference: str) -> Sequence[Any]:
        net = nets[reference]
        return [
            about(net),
            gr.update(**choices(net)),
            *(gr.update(**of(net, option)) for option in OPTIONS),
        ]

    name.change(chosen, name, [what, emotion, *sliders], queue=False, api_visibility="private", show_progress="hidden")
    go.click(
        lambda *asked: make(nets, *asked),
        [name, emotion, seed, columns, *sliders],
        made,
        concurrency_id="generate",
        concurrency_limit=1,
        api_visibility="private",
    )


def choices(net: Restored) -> dict[str, Any]:
    """Return the expressions that can be asked for."""
    there = [ALL, *faces.emotions(net.spec)] if net.spec["conditional"] else [ALL]
    return {"choices": there, "value": ALL, "visible": len(there) > 1}


def of(net: Restored, option: str) -> dict[str, Any]:
    """Return the value of a sampler's option, and whether the generator has it."""
    own = net.spec.get("sampler") or {}
    low, high = OPTIONS[option][:2]
    return {"value": min(max(own.get(option, 1), low), high), "visible": option in own}

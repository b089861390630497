"""The tab that moves a face of a StyleGAN2 to an expression by a search in its latent space, step by step."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from fergen.core.errors import BadInput
from fergen.live.classifier import Classifier
from fergen.live.web import markup
from fergen.live.web.editor import Editor
from fergen.live.web.generate import whole
from fergen.train.restore import Restored

STEPS = 60  # at most
FRAMES = 10  # of the strip
SEERS = ("the guide, which is followed", "a judge, which is not")
HOW = (
    "A face is edited in the latent space of a StyleGAN2, and none is given. Train a small one, about an hour on two"
    " cores, and name it: fergen train --config=fer2013_stylegan2_small --workdir=runs/stylegan2, then"
    " fergen demo --generators runs/stylegan2. Snapshots of StyleGAN2-ADA serve too: fergen convert stylegan2."
)
START = (
    "The face changes here, step by step. What convinces the classifier that is followed need not convince another: a"
    " judge looks on."
)
WAITING = (
    "The first search with a generator compiles its networks, which takes up to a minute; later ones begin at once."
)


def edit(
    editors: dict[str, Editor],
    classifier: Classifier,
    name: str,
    begin: str,
    target: str,
    seed: float,
    truncation: float,
    steps: float,
    identity: float,
) -> Iterator[str]:
    """Search, and yield the page after each step; what is wrong stands in place of it.

    Args:
        editors: those that were needed before, by the generators' names; one that is needed now joins them.
        classifier: whose gradient is followed.
        name: of the generator; the other arguments are the tab's.
    """
    try:
        number, count = whole(seed), max(1, min(int(steps), STEPS))
        yield markup.hint(WAITING)
        this = editors.get(name) or editors.setdefault(name, Editor(classifier, name))
        images = this.walk(
            begin or None, target, seed=number, truncation=truncation, steps=count, identity=max(0.0, identity)
        )
        yield from shown(this, images, count, target)
    except BadInput as error:
        yield markup.notice(str(error))


def shown(this: Editor, images: Iterator[np.ndarray], steps: int, target: str) -> Iterator[str]:
    """Yield the page after each step: the face before and now, the strip of the way, what classifiers see."""
    kept = []
    seen: list[tuple[str, list[float]]] = [(name, []) for name in SEERS[: len(this.members)]]
    for step, image in enumerate(images):
        for (_, values), value in zip(seen, this.probabilities(image, target)):
            values.append(value)
        kept.append(image[0])
        strip = np.unique(np.linspace(0, step, FRAMES).round().astype(int))
        yield page(kept, [kept[i] for i in strip], seen, step, steps, target)


def page(
    kept: list[np.ndarray], strip: list[np.ndarray], seen: list[tuple[str, list[float]]], step: int, steps: int,
    target: str,
) -> str:  # fmt: skip
    """Return the page of a search after a step."""
    big = "".join(
        f"<figure>{markup.picture(image, name, css='fg-big')}<figcaption>{name}</figcaption></figure>"
        for name, image in (("before", kept[0]), (f"step {step} of {steps}", kept[-1]))
    )
    way = "".join(markup.picture(image, f"on the way, {i}", css="fg-face") for i, image in enumerate(strip))
    note = markup.hint(WAITING) if step == 0 else ""
    return (
        f'<div class="fg-edit" data-step="{step}"><div class="fg-figures">{big}</div>'
        f"<div><h3>Probability of {markup.text(target)}</h3>{markup.curve(seen, steps)}</div></div>"
        f'{note}<div class="fg-strip" style="--columns:{FRAMES}">{way}</div>'
    )


def build(classifier: Classifier, nets: dict[str, Restored]) -> None:
    """Put the tab together.

    Args:
        classifier: whose gradient is followed.
        nets: references -> generators; those with styles can be edited.
    """
    import gradio as gr

    nets = {name: net for name, net in nets.items() if "styles" in net.predict}
    if not nets:
        gr.HTML(markup.hint(HOW), elem_id="edit-none")
        return
    names, editors = list(nets), {}
    with gr.Row(equal_height=False):
        with gr.Column(scale=2, min_width=280):
            name = gr.Dropdown(names, value=names[0], label="StyleGAN2", elem_id="stylegan2", visible=len(names) > 1)
            with gr.Row():
                begin = gr.Dropdown(**starts(nets[names[0]]), label="A face that looks", elem_id="begin", min_width=120)
                target = gr.Dropdown(
                    list(classifier.classes), value=aim(classifier), label="is to look", elem_id="target", min_width=120
                )
            with gr.Row():
                seed = gr.Number(0, label="Seed", precision=0, minimum=0, elem_id="edit-seed", min_width=120)
                steps = gr.Slider(1, STEPS, 30, step=1, label="Steps", elem_id="edit-steps", min_width=120)
            truncation = gr.Slider(0, 1.5, 0.7, step=0.05, label="Truncation", info="of the face it begins at")
            identity = gr.Slider(0, 3, 1, step=0.1, label="Identity", info="weight of staying the same person")
            with gr.Row():
                go = gr.Button("Search", variant="primary", size="md", elem_id="search", min_width=120)
                stop = gr.Button("Stop", size="md", elem_id="stop", min_width=120)
        with gr.Column(scale=3, min_width=280):
            way = gr.HTML(markup.hint(START), elem_id="way")
    name.change(
        lambda reference: gr.update(**starts(nets[reference])), name, begin, queue=False, api_visibility="private",
        show_progress="hidden",
    )  # fmt: skip
    running = go.click(
        lambda *asked: (yield from edit(editors, classifier, *asked)),
        [name, begin, target, seed, truncation, steps, identity],
        way,
        concurrency_id="edit",
        concurrency_limit=1,
        api_visibility="private",
        show_progress="minimal",
    )
    stop.click(None, cancels=[running], queue=False, api_visibility="private")


def starts(net: Restored) -> dict[str, Any]:
    """Return the expressions that a face can begin with: none of an unconditional generator."""
    there = list(net.spec["classes"]) if net.spec["conditional"] else []
    value = "neutral" if "neutral" in there else (there[0] if there else "")
    return {"choices": there or [""], "value": value, "visible": bool(there)}


def aim(classifier: Classifier) -> str:
    """Return the expression to begin with."""
    return "happy" if "happy" in classifier.classes else classifier.classes[0]

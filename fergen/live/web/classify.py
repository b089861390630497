"""The tab that reads faces: on a picture, or before the camera."""

from typing import Any

from fergen.core.errors import BadInput
from fergen.live.web import markup, pictures
from fergen.live.web.reading import MAPS, Reader, page_of

START = "The faces found appear here, with a probability for each expression."
EVERY = 0.2  # seconds between frames of the camera
WATCHERS = 4  # cameras read at a time


def answer(reader: Reader, sent: Any, whole: bool, explain: bool) -> str:
    """Read a picture that was sent; what is wrong with it stands in place of the result."""
    try:
        image = pictures.read(sent)
        found = reader.read(image, whole=whole, maps=tuple(MAPS) if explain else ())
    except BadInput as error:
        return markup.notice(str(error))
    return page_of(image, found, reader.classifier.classes)


def frame(reader: Reader, sent: Any, explain: bool) -> str:
    """Read a frame of the camera."""
    if sent is None:
        return markup.hint(START)
    try:
        image = pictures.read(sent)
        found = reader.read(image, maps=("grad_cam",) if explain else ())
    except BadInput as error:
        return markup.notice(str(error))
    return page_of(image, found, reader.classifier.classes, moving=True)


def build(reader: Reader) -> None:
    """Put the tab together."""
    import gradio as gr

    with gr.Tabs(elem_id="classify-source"):
        with gr.Tab("Picture", id="picture"), gr.Row(equal_height=False):
            with gr.Column(scale=2, min_width=280):
                # The image that stands for all kinds of files: what is none of them gets a message of ours.
                picture = gr.Image(
                    label="Photograph", sources=["upload", "clipboard"], type="filepath", height=300,
                    elem_id="picture", buttons=[],
                )  # fmt: skip
                whole = gr.Checkbox(label="It is a face, already cropped", elem_id="whole")
                explain = gr.Checkbox(label="Show what the network goes by", elem_id="explain")
                go = gr.Button("Classify the faces", variant="primary", size="md", elem_id="classify")
            with gr.Column(scale=3, min_width=280):
                read = gr.HTML(markup.hint(START), elem_id="classified")
        with gr.Tab("Camera", id="camera"), gr.Row(equal_height=False):
            with gr.Column(scale=2, min_width=280):
                camera = gr.Image(
                    label="Camera", sources=["webcam"], type="filepath", streaming=True, height=300, elem_id="camera",
                    webcam_options=gr.WebcamOptions(mirror=True, constraints={"video": {"width": 640, "height": 480}}),
                )  # fmt: skip
                watch = gr.Checkbox(label="Show what the network goes by", elem_id="watch")
            with gr.Column(scale=3, min_width=280):
                seen = gr.HTML(markup.hint("Start the camera: its frames are read as they come, and not kept."),
                               elem_id="camera-result")  # fmt: skip
    # Pictures are decoded here, within limits and with messages, rather than by the component.
    for image in (picture, camera):
        vars(image)["preprocess"] = pictures.payload_of

    asked: dict[str, Any] = {
        "fn": lambda *sent: answer(reader, *sent),
        "inputs": [picture, whole, explain],
        "outputs": read,
        "concurrency_id": "read",
        "concurrency_limit": 2,
        "api_visibility": "private",
        "show_progress": "minimal",
    }
    go.click(**asked)
    picture.upload(**asked)
    picture.clear(lambda: markup.hint(START), outputs=read, queue=False, api_visibility="private")
    camera.stream(
        lambda *sent: frame(reader, *sent),
        inputs=[camera, watch],
        outputs=seen,
        stream_every=EVERY,
        concurrency_id="camera",
        concurrency_limit=WATCHERS,
        show_progress="hidden",
        api_visibility="private",
    )

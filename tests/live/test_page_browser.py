"""The web page in a browser: `fergen demo` as a process, headless Chromium before it, every tab used.

The camera is Chromium's fake device, fed with a photograph. Nothing is downloaded: the driver is Debian's.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.live import page_world

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="needs chromium and chromium-driver (Debian's packages)"),
]
PATIENCE = 120  # seconds for what compiles first


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("page")
    page_world.stylegan2(folder / "stylegan2.safetensors")
    page_world.cvae(folder / "cvae.safetensors")
    page_world.runs(folder / "runs")
    page_world.bad_pictures(folder / "bad")
    Image.fromarray(page_world.astronaut()).save(folder / "astronaut.png")
    with (folder / "camera.mjpeg").open("wb") as f:
        for _ in range(10):
            Image.fromarray(page_world.astronaut()[:384]).resize((640, 480)).save(f, "JPEG", quality=90)
    (folder / "huge.png").write_bytes(np.random.default_rng(0).bytes(21 << 20))
    (folder / "notes.txt").write_text("no picture")
    return folder


@pytest.fixture(scope="module")
def server(world):
    """The address of a page that is served, and the process that serves it; at the end it stops as asked."""
    argv = [
        sys.executable, "-m", "fergen.main", "demo", f"--runs={world / 'runs'}",
        "--generators", str(world / "stylegan2.safetensors"), str(world / "cvae.safetensors"),
    ]  # fmt: skip
    process = subprocess.Popen(argv, stderr=subprocess.PIPE, text=True, env=os.environ | {"TMPDIR": str(world)})
    line = process.stderr.readline()
    assert line.startswith("fergen demo: http://127.0.0.1:"), line + process.stderr.read()
    yield line.split()[2], process
    assert process.poll() is None, "it ran to the end"
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0
    assert process.stderr.read() == ""
    assert not list(world.glob("fergen-demo-*")), "uploads are gone"


@pytest.fixture(scope="module")
def driver(world):
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for argument in (
        "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--window-size=1180,1000",
        "--disable-background-networking", "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-video-capture={world / 'camera.mjpeg'}",
    ):  # fmt: skip
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL"})
    # The driver's path is named, so that Selenium looks for none on the network.
    found = webdriver.Chrome(options=options, service=Service(DRIVER))
    yield found
    found.quit()


class Page:
    """The page, opened anew."""

    def __init__(self, driver: Any, address: str):
        self.driver = driver
        driver.get(address)
        self.seen("#classify")

    def until(self, ready: Callable[[], Any], what: str, patience: float = PATIENCE) -> Any:
        from selenium.common.exceptions import StaleElementReferenceException

        end = time.monotonic() + patience
        while time.monotonic() < end:
            try:
                if found := ready():
                    return found
            except StaleElementReferenceException:  # replaced while it was looked at
                pass
            time.sleep(0.1)
        raise AssertionError(
            f"{what}: not within {patience} s; the page shows {self.driver.find_element('tag name', 'body').text}"
        )

    def all(self, css: str) -> list[Any]:
        return [element for element in self.driver.find_elements("css selector", css) if element.is_displayed()]

    def seen(self, css: str, text: str = "") -> Any:
        return self.until(lambda: next((e for e in self.all(css) if text in e.text), None), f"{css} with '{text}'")

    def tab(self, name: str) -> None:
        self.until(
            lambda: next((b for b in self.all("button[role=tab]") if b.text.strip() == name), None), name
        ).click()

    def upload(self, path: Path) -> None:
        self.driver.find_element("css selector", "#picture input[type=file]").send_keys(str(path))

    def choose(self, css: str, option: str) -> None:
        self.seen(f"{css} input").click()
        self.until(
            lambda: next((o for o in self.all("[role=option]") if o.text.strip().endswith(option)), None), option
        ).click()


@pytest.fixture
def page(driver, server):
    return Page(driver, server[0])


def test_it_states_what_it_is_for_and_how_good_it_is(page):
    said = page.seen(".fg-limits").text
    assert "An expression is not an inner feeling." in said
    assert "not for judging people at work, at school" in said
    assert "68.7 % [67.1, 70.0] of 3,589 faces" in said
    page.tab("About")
    assert "not validated for groups of people apart" in page.seen(".fg-about").text


def test_a_picture_is_classified(page, world):
    page.upload(world / "astronaut.png")
    assert "looks happy" in page.seen("#classified .fg-card").text
    page.seen("#explain input").click()
    page.seen("#classify").click()
    page.seen("#classified figcaption", "Integrated gradients")
    assert len(page.all("#classified .fg-crop")) == 3


def test_bad_uploads_get_a_message_and_the_server_goes_on(page, world, server):
    page.seen("#classify").click()
    page.seen("#classified [role=alert]", "No picture yet")
    for path, said in page_world.bad_pictures(world / "bad").values():
        page.driver.refresh()
        page.seen("#classify")
        page.upload(path)
        page.seen("#classified [role=alert]", said.partition(";")[0])
    page.upload(world / "notes.txt")
    page.seen(".toast-body", "Invalid file type")
    page.driver.refresh()
    page.seen("#classify")
    page.upload(world / "huge.png")
    page.seen(".toast-body", "maximum allowed size")
    page.driver.refresh()
    page.seen("#classify")
    page.upload(world / "astronaut.png")
    page.seen("#classified .fg-card", "looks happy")
    assert server[1].poll() is None


def test_the_camera_is_read_frame_by_frame(page, world):
    page.tab("Camera")
    page.seen("#camera button", "Access Webcam").click()
    page.seen("#camera button", "Record").click()
    page.seen("#camera-result .fg-card", "looks happy")
    page.driver.execute_script(
        "window.frames_seen = 0; new MutationObserver(() => window.frames_seen++)"
        ".observe(document.querySelector('#camera-result'), {childList: true, subtree: true})"
    )
    page.until(lambda: page.driver.execute_script("return window.frames_seen") > 5, "frames")
    page.seen("#camera button", "Stop").click()
    stored = [path for folder in world.glob("fergen-demo-*") for path in folder.rglob("*") if path.is_file()]
    assert not [path for path in stored if path.suffix in (".jpeg", ".jpg", ".webp")], "frames are not kept"


def test_faces_are_generated(page):
    page.tab("Generate")
    page.seen("#make").click()
    page.seen("#made .fg-face")
    assert len(page.all("#made .fg-face")) == 7 * 8
    page.choose("#generator", "cvae.safetensors")
    page.seen("#guidance")
    page.choose("#emotion", "sad")
    page.seen("#make").click()
    page.until(lambda: len(page.all("#made .fg-face")) == 8, "one row of faces")


def test_a_face_is_edited_while_others_are_classified(page, world):
    page.tab("Edit")
    page.seen("#search").click()
    page.seen("#way .fg-edit")
    # A search on its way freezes nothing else.
    page.tab("Classify")
    page.upload(world / "astronaut.png")
    page.seen("#classified .fg-card", "looks happy")
    page.tab("Edit")
    page.seen("#way .fg-edit[data-step='30']")
    assert len(page.all("#way .fg-strip img")) == 10
    assert "step 30 of 30" in page.seen("#way").text
    steps = page.seen("#edit-steps input[type=number]")
    steps.clear()
    steps.send_keys("60\t")
    page.seen("#search").click()
    page.until(lambda: "30 of 30" not in page.seen("#way").text, "the next search")
    page.seen("#stop").click()
    time.sleep(3)
    shown = page.seen("#way").text
    time.sleep(3)
    assert page.seen("#way").text == shown
    assert "60 of 60" not in shown, "stopped"


def test_runs_are_browsed(page):
    page.tab("Runs")
    page.until(lambda: page.seen("#run input").get_attribute("value"), "a run")
    page.choose("#run", "first")
    page.seen("#curves img")
    page.tab("Pictures")
    page.seen("#run-shown img")
    page.tab("Scores")
    assert "0.6712" in page.seen("#run-scores table").text
    page.choose("#run", "of/study")
    page.tab("Report")
    page.seen("#run-report", "A finding.")


def test_it_fits_a_narrow_window(page, server):
    page.driver.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": 390, "height": 850, "deviceScaleFactor": 1, "mobile": False}
    )
    try:
        for name in ("Classify", "Generate", "Edit", "Runs", "About"):
            page.tab(name)
            time.sleep(0.5)
            width = page.driver.execute_script("return document.scrollingElement.scrollWidth")
            assert width <= 390, name
    finally:
        page.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_it_listens_on_loopback_alone(server):
    port = int(server[0].rstrip("/").rpartition(":")[2])
    listening = []
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            at, state = line.split()[1], line.split()[3]
            if state == "0A" and int(at.rpartition(":")[2], 16) == port:
                listening.append(at.partition(":")[0])
    assert listening == ["0100007F"]


def test_nothing_was_fetched_from_elsewhere(driver, server):
    """Of all that the tests before made the browser ask for."""
    asked = set()
    for entry in driver.get_log("performance"):
        message = json.loads(entry["message"])["message"]
        if message["method"] == "Network.requestWillBeSent":
            asked.add(message["params"]["request"]["url"])
    elsewhere = [url for url in asked if not url.startswith((server[0].rstrip("/"), "data:", "blob:", "chrome:"))]
    assert elsewhere == []

"""The server of the page: on this machine alone by default, and calling nobody."""

import ipaddress
import os
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from typing import Any

from fergen.core.errors import BadInput

LOOPBACK = "127.0.0.1"
FIRST_PORT, PORTS = 7860, 100
# What a browser may load: the page's own files, and nothing from elsewhere.
POLICY = (
    "default-src 'self' data: blob:; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:;"
    " style-src 'self' 'unsafe-inline'; frame-ancestors 'none'; form-action 'self'; base-uri 'self'"
)


class Guard:
    """Stands before an ASGI application: adds headers to its answers, and refuses names that lead here by detour.

    A page elsewhere can have its own name resolve to 127.0.0.1 and then speak to this server as to itself; on loopback
    only loopback's names are answered.

    Args:
        app: the application.
        local: the server listens on loopback alone.
    """

    def __init__(self, app: Callable, local: bool):
        self.app, self.local = app, local

    async def __call__(self, scope: dict[str, Any], receive: Callable, send: Callable) -> None:
        if scope["type"] == "http" and self.local and not loopback(host_of(scope)):
            await send({"type": "http.response.start", "status": 403, "headers": [(b"content-type", b"text/plain")]})
            await send({"type": "http.response.body", "body": b"fergen demo answers on this machine's own names alone"})
            return

        async def headed(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                added = [
                    (b"content-security-policy", POLICY.encode()),
                    (b"referrer-policy", b"no-referrer"),
                    (b"x-content-type-options", b"nosniff"),
                ]
                message = {**message, "headers": [*message.get("headers", ()), *added]}
            await send(message)

        await self.app(scope, receive, headed)


def host_of(scope: dict[str, Any]) -> str:
    """Return the name by which a request calls the server, without a port."""
    host = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"host"), "")
    return host[: host.index("]") + 1] if host.startswith("[") and "]" in host else host.partition(":")[0]


def loopback(host: str) -> bool:
    """Whether a name or an address is this machine's own."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def prepare(folder: str) -> None:
    """Set what Gradio reads from its surroundings when it is imported: no telemetry, uploads into a folder."""
    os.environ.update(GRADIO_ANALYTICS_ENABLED="False", HF_HUB_DISABLE_TELEMETRY="1", GRADIO_TEMP_DIR=folder)


def free(host: str, port: int | None) -> int:
    """Return a port that can be had: the one asked for, or the first from `FIRST_PORT` on.

    Raises:
        BadInput: it is taken, or the host is no name or address of this machine.
    """
    failure: OSError | None = None
    for number in range(FIRST_PORT, FIRST_PORT + PORTS) if port is None else [port]:
        try:
            family, kind, _, _, at = socket.getaddrinfo(host.strip("[]"), number, type=socket.SOCK_STREAM)[0]
            with socket.socket(family, kind) as tried:
                # As the server does: a port whose last connections are fading can be had.
                tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                tried.bind(at)
            return number
        except OSError as error:
            failure = error
    where = f"{host}:{port}" if port else f"{host}, ports {FIRST_PORT} to {FIRST_PORT + PORTS - 1}"
    reason = failure.strerror if failure else ""
    raise BadInput(f"cannot listen at {where} ({reason}); choose another: --port=N, --host=H")


def require_gradio() -> None:
    """Check that Gradio is there.

    Raises:
        BadInput: it is not.
    """
    try:
        import gradio  # noqa: F401
    except ImportError:
        raise BadInput("the page needs gradio: pip install 'fergen[demo]'") from None


def serve(
    weights: str,
    generators: list[str],
    runs: str | None,
    *,
    host: str = LOOPBACK,
    port: int | None = None,
    until: threading.Event | None = None,
    ready: Callable[[str], None] | None = None,
) -> None:
    """Serve the page until the process is interrupted.

    Args:
        weights: see `fergen.live.web.page.contents`, as generators and runs are.
        generators: references.
        runs: folder.
        host: name or address to listen at.
        port: None takes the first that is free from 7860 on.
        until: ends the serving when it is set; None waits for a signal.
        ready: called with the page's address when it can be opened.

    Raises:
        BadInput: something given is not there, or the address cannot be had.
    """
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="fergen-demo-") as folder:
        prepare(folder)
        require_gradio()
        from fergen.live.web import look, page, pictures

        contents = page.contents(weights, generators, runs)
        port, local = free(host, port), loopback(host)
        shown = page.build(contents)
        _, address, _ = shown.launch(
            server_name=host, server_port=port, share=False, prevent_thread_lock=True, quiet=True, ssr_mode=False,
            mcp_server=False, run_history=False, enable_monitoring=False, show_error=False, inbrowser=False,
            max_file_size=pictures.MAX_BYTES, theme=look.theme(), css=look.CSS, footer_links=[],
            # Of starlette's Middleware only its three parts are read.
            app_kwargs={"middleware": [(Guard, (), {"local": local})], "docs_url": None, "redoc_url": None},
        )  # fmt: skip
        try:
            seconds = time.monotonic() - began
            print(f"fergen demo: {address} after {seconds:.1f} s; Ctrl-C ends it", file=sys.stderr, flush=True)
            if not local:
                print("note: others on the network can open this page; there is no password", file=sys.stderr)
            if ready:
                ready(address)
            wait(until)
        finally:
            shown.close(verbose=False)


def wait(until: threading.Event | None) -> None:
    """Wait for an event, or for Ctrl-C and the signal to end."""
    if until is not None:
        until.wait()
        return
    over = threading.Event()
    before = {number: signal.signal(number, lambda *_: over.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        # In slices: a wait without end is deaf to signals on some platforms.
        while not over.wait(0.5):
            pass
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

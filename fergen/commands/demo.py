"""Serve a web page: read faces on pictures or before the camera, make faces, edit them, look at runs.

  fergen demo
  fergen demo --generators fer2013_cvae runs/fer2013_stylegan2 --runs=runs
  fergen demo --weights=runs/x@best --generators faces.safetensors --port=8000
  fergen demo --host=0.0.0.0

The page is served on this machine alone unless --host says otherwise; there is no password, so name another host only
on a network that you trust. It calls nobody: no share link, no telemetry, no fonts from elsewhere. Uploads are at most
20 MB and 24 million pixels, and go when the server ends. Networks are compiled when they are first used. A browser lets
a page have the camera only on this machine's own address or over HTTPS.

An expression is not an inner feeling. Not for judging people at work or school.

Needs Gradio: pip install 'fergen[demo]'
"""

import argparse

from fergen.core.errors import BadInput

HELP = "serve a web page: read faces, make them, edit them, look at runs"


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "--weights", default="fer2013_distilled", metavar="REF", help="the classifier: run, file or name (%(default)s)"
    )
    parser.add_argument(
        "--generators",
        nargs="*",
        default=["fer2013_flow_small", "fer2013_cvae", "fer2013_stylegan2_small"],
        metavar="REF",
        help="generators to make faces with; a StyleGAN2 to edit (default: those that ship)",
    )
    parser.add_argument("--runs", metavar="DIR", help="a folder of runs to look at")
    parser.add_argument("--host", default="127.0.0.1", help="name or address to listen at (%(default)s)")
    parser.add_argument("--port", type=int, metavar="N", help="port (default: the first free one from 7860 on)")


def run(args: argparse.Namespace) -> None:
    """Check, load, serve until Ctrl-C."""
    if args.port is not None and not 1 <= args.port <= 65535:
        raise BadInput(f"--port={args.port}: expected 1 to 65535")
    from fergen.live.web.server import serve

    serve(args.weights, args.generators, args.runs, host=args.host, port=args.port)

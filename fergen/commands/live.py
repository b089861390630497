"""Name the expressions in front of a camera, in a video or in a stream, as they happen.

  fergen live                                            # the first camera, in a window; q quits
  fergen live 1 --out=me.mp4 --record=me.csv             # the second one; keep the annotated video and the figures
  fergen live clip.mp4 --headless --out=annotated.mp4    # a file, every frame of it, on a machine without a screen
  fergen live rtsp://10.0.0.7/door --headless --record=door.jsonl
  fergen live --choose=fer2013 --weights=runs/x          # the threshold below which x had better say "uncertain"

An expression is what a face shows, not what somebody feels. Do not use this to judge people at work or school.

Faces are detected every few frames and followed by optical flow in between; each keeps its number as long as it is
followed. All faces of a frame are classified in one call; probabilities are calibrated by the temperature of the
weights' card, smoothed over time, and a face whose best class stays below --threshold is "uncertain". The threshold
is the weights' own, at which they are right on 80 % of the faces of their set's validation split that they answer:
fergen eval finds it, fergen convert run --scores keeps it with the weights, and --choose finds one for any weights, set
and accuracy. Where none is kept it is 0.5.

Of a camera or stream the newest frame counts and older ones are dropped, and --out plays as fast as life; of a file
every frame is read. --record=FILE.csv has a row per frame and face: frame, time in seconds, face, found (detected or
followed), x, y, width, height in pixels, a probability per class, expression; lines that begin with # are remarks
(pandas: comment="#"). FILE.jsonl has a line per frame, frames without faces too, with each frame's own probabilities
beside the smoothed ones, and a first line about the whole.

q, Ctrl-C and SIGTERM end it with whole files. Exit status: 0 done; 2 bad input, also a camera that went away or a file
that is cut off, after what was seen has been written; 75 a file that a signal stopped before its end, likewise.
"""

import argparse

from fergen.core.clock import duration, figure
from fergen.core.errors import BadInput, Preempted

HELP = "name expressions before a camera, in a video or a stream"


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "source", nargs="?", default="0", metavar="SOURCE", help="camera's number, video file or URL (%(default)s)"
    )
    parser.add_argument(
        "--weights",
        default="fer2013_distilled",
        metavar="REF",
        help="run, run@step, file or shipped name (%(default)s)",
    )
    parser.add_argument("--out", metavar="FILE", help="write the annotated video: .mp4, .webm or .avi")
    parser.add_argument("--record", metavar="FILE", help="write probabilities per frame and face: .csv or .jsonl")
    parser.add_argument("--headless", action="store_true", help="no window")
    parser.add_argument("--detector", metavar="NAME", help="who finds faces (the detectors' default)")
    parser.add_argument("--every", type=int, metavar="N", help="frames from one detection to the next (10)")
    parser.add_argument("--smooth", type=float, metavar="S", help="seconds of smoothing; 0: none (0.4)")
    parser.add_argument(
        "--threshold", type=float, metavar="P", help="least probability that is named (the weights' own)"
    )
    parser.add_argument("--choose", metavar="SET", help="choose the threshold on a prepared set's validation, and end")
    parser.add_argument("--accuracy", type=float, default=0.8, help="of the answers, for --choose (%(default)s)")
    parser.add_argument("--quiet", action="store_true", help="no progress")


def run(args: argparse.Namespace) -> None:
    """Check what can be checked, watch to the end, and say what came of it."""
    _require(args)
    if args.choose:
        from fergen.live.abstention import SPLIT, choose
        from fergen.live.classifier import load

        found = choose(load(args.weights), args.choose, args.accuracy)
        print(
            f"--threshold={found.threshold}: {args.weights} answers {found.coverage:.1%} of {args.choose}'s {SPLIT}"
            f" faces and is right on {found.accuracy:.1%} of these (n = {found.n:,})"
        )
        return
    from fergen.live.session import live, require_outputs
    from fergen.train.loop import stop_signals

    require_outputs(args.source, args.out, args.record)
    chosen = {"detector": args.detector, "every": args.every, "constant": args.smooth, "threshold": args.threshold}
    with stop_signals() as stop:
        sitting = live(
            args.source,
            args.weights,
            out=args.out,
            record=args.record,
            show=not args.headless,
            stop=stop,
            quiet=args.quiet,
            **{name: value for name, value in chosen.items() if value is not None},
        )
    written = ", ".join(name for name in (args.out, args.record) if name)
    if sitting.stopped:
        of = f" of {sitting.total:,}" if sitting.total else ""
        end = f"; {written} end there" if written else ""
        raise Preempted(f"stopped after {sitting.frames:,}{of} frames{end}")
    if not args.quiet:
        rate = figure(sitting.frames / max(sitting.seconds, 1e-9))
        dropped = f", {sitting.dropped:,} dropped" if sitting.dropped else ""
        print(
            f"{sitting.frames:,} frames in {duration(sitting.seconds)}, {rate} frames/s{dropped};"
            f" faces: {len(sitting.faces)}{f'; wrote {written}' if written else ''}"
        )


def _require(args: argparse.Namespace) -> None:
    for name, least, most in (("every", 1, None), ("smooth", 0, None), ("threshold", 0, 1), ("accuracy", 0, 1)):
        value = getattr(args, name)
        # Written so that nan is refused.
        if value is not None and not (value >= least and (most is None or value <= most)):
            raise BadInput(f"--{name}={value}: expected {f'{least} to {most}' if most else f'at least {least}'}")
    if args.headless and not (args.out or args.record or args.choose):
        raise BadInput(
            "--headless shows nothing: name a video to write, --out=FILE.mp4, or a record, --record=FILE.csv"
        )

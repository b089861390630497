"""Compile an experiment's train step for a TPU slice, with no TPU present, and print what it takes.

  fergen plan --config=fer2013_small --topology=v5e:2x4
  fergen plan --config=fer2013_flow --topology=v5e:16x16 --per_device_batch=16 --out=flow.json
  fergen plan --config=procedural_small:smoke --topology=v6e:1x1 --no-largest --json
  fergen plan --table small.json flow.json

Prints memory (HBM), arithmetic, traffic and collectives per device and step, whether it fits, the largest batch that
does, and a roofline estimate of a step's time: from documented peaks, not measured. Compilations take minutes.

The step is the one that training compiles, for the config's global batch unless --config.batch_size or
--per_device_batch say otherwise; the data set must be prepared, for its size, and is counted in memory where training
keeps it there. Without the set take procedural faces of its form: --config.data.name=procedural_64_rgb_n20000.
Needs libtpu: pip install 'fergen[tpu]'. Figures that --out wrote become one Markdown table by --table.
"""

import argparse
import json
import os

from fergen.core import environment
from fergen.core.errors import BadInput
from fergen.core.flags import add_config, config_of

# The host is a CPU; libtpu asks no metadata server where it is, and leaves TPUs and other plans alone.
WITHOUT_TPU = {
    "JAX_PLATFORMS": "cpu",
    "TPU_SKIP_MDS_QUERY": "1",
    "TPU_WORKER_HOSTNAMES": "localhost",
    "TPU_ACCELERATOR_TYPE": "v5litepod-8",
    "ALLOW_MULTIPLE_LIBTPU_LOAD": "1",
    "JAX_ENABLE_COMPILATION_CACHE": "false",  # what was compiled for no device can be stored but not read
}

HELP = "compile an experiment for a TPU slice without one: memory, largest batch, time"


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the flags."""
    add_config(parser, required=False)
    parser.add_argument("--topology", metavar="CHIP:SHAPE", default="v5e:2x4", help="the slice (default: v5e:2x4)")
    parser.add_argument(
        "--per_device_batch", type=int, metavar="N", help="batch of each device, instead of the config's"
    )
    parser.add_argument("--no-largest", action="store_true", help="leave out the largest batch: a third of the time")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--out", metavar="FILE", help="write the JSON to a file, too")
    parser.add_argument("--table", nargs="+", metavar="FILE", help="print what --out wrote as a Markdown table")
    parser.add_argument("--quiet", action="store_true", help="print no progress")


def run(args: argparse.Namespace) -> None:
    """Plan and print."""
    from fergen.core.paths import read_json, write_json

    if args.table:
        from fergen.train.plan_table import markdown

        print(markdown([(path, read_json(path)) for path in args.table]))
        return
    if not args.config:
        raise BadInput("fergen plan: expected --config=NAME to plan, or --table FILE ... to print")
    config = config_of(args)
    # Before jax is imported: nothing runs but the compiler.
    os.environ.update(WITHOUT_TPU)
    for name, value in environment.VARIABLES["tpu"].items():
        os.environ.setdefault(name, value)
    from fergen.train.chips import described
    from fergen.train.plan import plan
    from fergen.train.plan_table import text

    if args.per_device_batch is not None:
        if args.per_device_batch < 1:
            raise BadInput(f"--per_device_batch={args.per_device_batch}: expected at least 1")
        config.batch_size = args.per_device_batch * len(described(args.topology).devices)
    result = plan(config, args.topology, largest=not args.no_largest, quiet=args.quiet)
    if args.out:
        write_json(args.out, result)
    print(json.dumps(result, indent=2) if args.json else text(result))

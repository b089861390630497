"""Train an experiment to its end, resuming what its workdir holds.

  fergen train --config=procedural_small --eval
  fergen train --config=configs/fer2013_small.py --workdir=runs/small
  fergen train --config=fer2013_resnet18 --config.seed=1 --config.optim.lr=0.05 --workdir=runs/r18_1

  fergen train --config=fer2013_small --distributed=10.0.0.1:1234,2,0    on the first of two hosts; on the other ,2,1
  srun fergen train --config=fer2013_small --distributed                 SLURM, TPU pods and Kubernetes tell it

The workdir receives checkpoints/, metrics.jsonl, TensorBoard events and curves.png. Kill the command whenever you like:
repeated, it goes on from the last checkpoint and ends with the same weights. Several processes share the workdir and
the batch; when one is killed all end, and the same commands go on.
Exit status: 0 done, 2 bad input, 3 a number is not finite, 75 stopped by a signal and saved.
"""

import argparse
from typing import Any

from fergen.core.flags import add_config, add_distributed, config_of

HELP = "train an experiment from its config, resuming what is there"


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the flags."""
    add_config(parser)
    parser.add_argument("--workdir", help="the run's folder (default: runs/<name of the config>)")
    parser.add_argument(
        "--eval", action="store_true", help="measure the trained weights at the end, as fergen eval does"
    )
    add_distributed(parser)
    parser.add_argument("--quiet", action="store_true", help="print no progress")


def run(args: argparse.Namespace) -> None:
    """Train, as one of several processes if asked to, then print the last metrics as a table."""
    config = config_of(args)
    from fergen.core import hosts

    with hosts.joined(args.distributed):
        trained(config, args)


def trained(config: Any, args: argparse.Namespace) -> None:
    """Train and print; see `run`."""
    from fergen.core.clock import duration
    from fergen.train.loop import run as train

    workdir = args.workdir or f"runs/{config.name}"
    result = train(config, workdir, quiet=args.quiet)
    print(f"{config.name}: {result['step']} steps in {duration(result['seconds'])}")
    for name, value in sorted(result.items()):
        if "/" in name and name != "workdir":
            print(f"  {name:<26} {value:.4f}")
    print(f"curves: {workdir}/curves.png")
    if args.eval:
        from fergen.commands.eval import show
        from fergen.train.measure import evaluate

        show(evaluate([str(workdir)], out=f"{workdir}/eval/{result['step']}"))
        print(f"pictures: {workdir}/eval/{result['step']}/")
    else:
        print(f"scores: fergen eval --workdir={workdir}")

"""Time our steps and PyTorch's in turn, each run a process of its own, and print medians and ratios.

  pip install torch==2.13.0 && python -m tests.peers                 # everything, about half an hour on two cores
  python -m tests.peers cnn dcgan --pairs=5 --seconds=10 --out=peers.json

PyTorch's form (eager, channels-last, torch.compile) is the fastest of a first round, which does not count.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys

from fergen.core import environment
from tests.peers.works import WORKS

FORMS = ("eager", "channels_last", "compiled")


def ran(side: str, *arguments: str) -> dict:
    """Return what one process measured."""
    command = [sys.executable, "-m", f"tests.peers.{side}", *arguments]
    # As every command of ours, but each compiles for itself.
    own = environment.added(environment.platform_of()) | {"JAX_ENABLE_COMPILATION_CACHE": "false"}
    added = own if side == "ours" else {}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | added)
    if done.returncode:
        sys.exit(f"{' '.join(command)}: exit status {done.returncode}\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def compared(name: str, pairs: int, seconds: float) -> dict:
    """Return rates of both sides over pairs of processes, and their ratios."""
    first = {form: ran("theirs", name, str(seconds / 2), form) for form in FORMS}
    form = max(first, key=lambda form: first[form]["rate"])
    ours, theirs = [], []
    sides = ((ours, ("ours", name, str(seconds))), (theirs, ("theirs", name, str(seconds), form)))
    for i in range(pairs):
        # Each goes first in every other pair.
        for runs, arguments in sides if i % 2 else reversed(sides):
            runs.append(ran(*arguments))
    ratios = [a["rate"] / b["rate"] for a, b in zip(ours, theirs)]
    rates = {side: [run["rate"] for run in runs] for side, runs in (("ours", ours), ("torch", theirs))}
    return {
        "work": name, "unit": WORKS[name].unit, "batch": WORKS[name].batch, "form": form, **rates, "ratios": ratios,
        "ratio": statistics.median(ratios), "ours by": ours[0]["how"], "torch by": theirs[0]["how"],
        "first call of ours, s": ours[0]["first"], "first call of torch, s": theirs[0]["first"],
        "forms": {form: run["rate"] for form, run in first.items()},
    }  # fmt: skip


def main() -> None:
    """Compare, print a table, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("works", nargs="*", metavar="WORK", help=f"of {', '.join(WORKS)} (default: all)")
    parser.add_argument("--pairs", type=int, default=5, help="runs of each side (%(default)s)")
    parser.add_argument("--seconds", type=float, default=8.0, help="that a run is measured for (%(default)s)")
    parser.add_argument("--out", metavar="FILE", help="JSON of every run")
    args = parser.parse_args()
    if unknown := set(args.works) - set(WORKS):
        parser.error(f"no such work: {', '.join(sorted(unknown))}; there are: {', '.join(WORKS)}")
    found = []
    print("| step | fergen | PyTorch | ratio, median (least to most) |\n|---|---|---|---|")
    for name in args.works or WORKS:
        row = compared(name, args.pairs, args.seconds)
        found.append(row)
        a, b = (statistics.median(row[side]) for side in ("ours", "torch"))
        print(
            f"| {name}, batch {row['batch']} | {a:,.0f} {row['unit']}/s | {b:,.0f} ({row['form']}) |"
            f" {row['ratio']:.2f} ({min(row['ratios']):.2f} to {max(row['ratios']):.2f}) |",
            flush=True,
        )
    print(f"\n{found[0]['ours by']}; {found[0]['torch by']}; {args.pairs} pairs of {args.seconds:g} s.")
    if args.out:
        with open(args.out, "w") as file:
            json.dump(found, file, indent=1)


if __name__ == "__main__":
    main()

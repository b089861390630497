"""Control against realism and coverage: every generator over its own knob, in one plot.

fergen prepare fer2013 --from fer2013.csv --ferplus fer2013new.csv
fergen train --config=fer2013_stylegan2_small --workdir=runs/fer2013_stylegan2_small
fergen study --config=trade_off --workdir=runs/trade_off

Measured on FER2013 for cvae and flow with --config.n=500 --config.per_class=70: see the README.
"""

from configs.defaults import study


def get_config(arg: str = ""):
    """Return the config; 'smoke' shrinks it to seconds on procedural faces."""
    c = study.config("trade_off")
    c.judge = "fer2013_judge"  # or config=NAME of one to train first
    c.overrides.judge = ()
    # NAME=REF; OPTION=V|V of its sampler, or config=NAME; FIELD=V|V, trained once for each value.
    c.knobs = (
        "cvae=fer2013_cvae; guidance=1|2|3|5",
        "flow=fer2013_flow_small; guidance=1|4|8",
        "stylegan2=runs/fer2013_stylegan2_small; truncation=0.5|0.7|1",
        "searched=runs/fer2013_stylegan2_small; search=fer2013_small*0.1|fer2013_small*1|fer2013_small*10",
    )
    c.features = "lite0@128"
    c.n = 1000
    c.per_class = 100
    if arg == "smoke":
        c.judge = "config=procedural_small:smoke"
        c.knobs = ("cgan=config=procedural_cgan:smoke; loss.mismatch=0.0|0.5",)
        c.features = "lite0@32"
        c.n, c.per_class = 40, 5
    return study.finish(c, arg)

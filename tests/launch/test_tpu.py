"""Jobs on TPU slices: what would be run, to the letter; what is run, with stand-ins for the tools."""

import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fergen import main
from fergen.core.errors import BadInput, Preempted
from fergen.studies.jobs import DISTRIBUTED, Job, executor
from launch import xpk

ROOT = Path(__file__).parents[2]
JOB = Job(
    "seed 1",
    (("prepare", "fer2013", "--from", "my files"), ("train", "--config=fer2013_small", "--workdir=/data/runs/seed 1")),
    Path("/data/runs/seed 1"),
)
EXPORTS = 'export JAX_DEFAULT_MATMUL_PRECISION="${JAX_DEFAULT_MATMUL_PRECISION:-high}"'

GO = (
    'go() { "$@" & trap "kill -TERM $!" TERM; wait $!; s=$?; '
    "while kill -0 $! 2>/dev/null; do wait $!; s=$?; done; return $s; }"
)
TPU_VM = f"""\
# seed 1
gcloud compute tpus tpu-vm ssh my-slice --zone=us-central2-b --worker=0 \
'--command=cd /data/code && source v/bin/activate && {EXPORTS} && \
fergen prepare fer2013 --from '"'"'my files'"'"''
gcloud compute tpus tpu-vm ssh my-slice --zone=us-central2-b --worker=all \
'--command=cd /data/code && source v/bin/activate && {EXPORTS} && \
fergen train --config=fer2013_small '"'"'--workdir=/data/runs/seed 1'"'"' --distributed'
"""
XPK = f"""\
# seed 1
xpk workload create --cluster=mine --project=p --workload={xpk.workload(JOB)} --tpu-type=v5litepod-16 --num-slices=2 \
--docker-image=gcr.io/p/fergen --priority=medium --max-restarts=50 --restart-on-user-code-failure \
--restart-on-exit-codes=75 --termination-grace-period-seconds=120 \
'--command={GO} && {EXPORTS} && if [ "${{TPU_WORKER_ID:-0}}${{MEGASCALE_SLICE_ID:-0}}" = 00 ]; then \
go fergen prepare fer2013 --from '"'"'my files'"'"'; fi && \
go fergen train --config=fer2013_small '"'"'--workdir=/data/runs/seed 1'"'"' --distributed'
xpk workload list --cluster=mine --project=p --wait-for-job-completion={xpk.workload(JOB)}
"""


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        (
            "tpu_vm:name=my-slice,zone=us-central2-b,directory=/data/code,prologue=source v/bin/activate,dry_run=true",
            TPU_VM,
        ),
        ("xpk:cluster=mine,project=p,tpu=v5litepod-16,image=gcr.io/p/fergen,slices=2,dry_run=true", XPK),
    ],
)
def test_a_dry_run_prints_what_would_be_run_and_needs_no_tool(text, printed, monkeypatch, capsys):
    monkeypatch.setenv("PATH", "")
    assert list(executor(text)([JOB])) == []
    assert capsys.readouterr().out == printed


def test_what_is_printed_is_shell():
    for line in (TPU_VM + XPK).splitlines():
        for word in shlex.split(line, comments=True):
            if word.startswith("--command="):
                checked = subprocess.run(["bash", "-n", "-c", word.removeprefix("--command=")], capture_output=True)
                assert checked.returncode == 0, checked.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("tpu_vm", "expected name=SLICE"),
        ("tpu_vm:name=x", "found no gcloud on this machine: see https://cloud.google.com/sdk/docs/install"),
        ("xpk:cluster=x,tpu=y", "expected image=..."),
        ("xpk:cluster=x,tpu=y,image=z", "found no xpk on this machine"),
    ],
)
def test_what_is_missing_is_said(text, said, monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(BadInput) as refused:
        list(executor(text)([JOB]))
    assert said in str(refused.value)
    assert refused.value.status == 2


@pytest.fixture
def tools(tmp_path, monkeypatch):
    """Stand-ins that write down their arguments; a training lasts until it is asked to stop."""
    script = (
        'printf "%s\\n" "$*" >>"$CALLS"\n'
        'case "$*" in\n'
        '  *pkill*|*delete*) touch "$CALLS.stop" ;;\n'
        '  *endless*--distributed*|*list*endless*) while [ ! -e "$CALLS.stop" ]; do sleep 0.05; done; exit 1 ;;\n'
        "  *broken*) exit 1 ;;\n"
        "esac\n"
    )
    for name in ("gcloud", "xpk"):
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("CALLS", str(tmp_path / "calls"))
    return tmp_path


@pytest.mark.parametrize("text", ["tpu_vm:name=s", "xpk:cluster=c,tpu=t,image=i"])
def test_jobs_end_with_the_status_of_their_tool(text, tools):
    jobs = [
        Job(name, (("prepare", name), ("train", f"--config={name}")), tools / "runs" / name)
        for name in ("good", "broken")
    ]
    assert {job.name: min(status, 1) for job, status in executor(text)(jobs)} == {"good": 0, "broken": 1}
    log = (tools / "runs" / "good" / "log.txt").read_text()
    assert "fergen train --config=good --distributed" in log
    calls = (tools / "calls").read_text().splitlines()
    assert not any("--config=broken" in call for call in calls if call.startswith("compute")), "its prepare had failed"


PARENT = """
import sys
from pathlib import Path
from fergen.core.errors import Preempted
from fergen.studies.jobs import Job, executor
try:
    list(executor(sys.argv[1])([Job("endless", (("train", "--config=endless"),), Path(sys.argv[2]))]))
except Preempted as stopped:
    sys.exit(stopped.status)
"""


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("tpu_vm:name=s", "compute tpus tpu-vm ssh s --worker=all --command=pkill -TERM -x fergen"),
        ("xpk:cluster=c,tpu=t,image=i", "workload delete --cluster=c --workload=fergen-endless-"),
    ],
)
def test_a_signal_here_asks_the_hosts_to_save(text, asked, tools):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen([sys.executable, "-c", PARENT, text, str(tools / "runs")], env=environment)
    end = time.monotonic() + 60
    while not (tools / "calls").exists() or "endless" not in (tools / "calls").read_text().splitlines()[-1]:
        assert time.monotonic() < end
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == Preempted.status
    assert asked in (tools / "calls").read_text().splitlines()[-1]


def test_the_script_of_a_pod_passes_a_signal_on_and_waits(tmp_path):
    """As XPK does: the script in a subshell, to which SIGTERM goes."""
    (tmp_path / "fergen").write_text(
        "#!/bin/bash\ntrap 'sleep 0.5; echo saved >>calls; exit 75' TERM\necho $* >>calls\n"
        "[ $1 = eval ] && exit 4\n[ $1 = prepare ] && exit 0\nwhile :; do sleep 0.05; done\n"
    )
    (tmp_path / "fergen").chmod(0o755)
    given = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    script = xpk.script(
        Job("a", (("prepare", "x"), ("train", "y"), ("eval", "z")), Path("a")), directory="", prologue=""
    )
    whole = f"({script}) & PID=$!; trap 'kill -TERM $PID' TERM; while kill -0 $PID; do sleep 0.1; done; wait $PID"
    process = subprocess.Popen(["bash", "-c", whole], cwd=tmp_path, env=given, stderr=subprocess.DEVNULL)
    end = time.monotonic() + 30
    while "train" not in ((tmp_path / "calls").read_text() if (tmp_path / "calls").exists() else ""):
        assert time.monotonic() < end
        time.sleep(0.05)
    # Bash may miss a signal in the moment in which it begins to wait.
    time.sleep(2)
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 75
    assert (tmp_path / "calls").read_text().splitlines() == ["prepare x", "train y --distributed", "saved"]
    alone = xpk.script(Job("a", (("eval", "z"),), Path("a")), directory="", prologue="")
    assert subprocess.run(["bash", "-c", alone], cwd=tmp_path, env=given).returncode == 4


def test_names_of_workloads():
    names = [xpk.workload(Job(name, (), Path(name))) for name in ("seed 1", "seed-1", "A" * 99, "lr=0.1,b/2")]
    assert len(set(names)) == 4
    assert all(len(name) <= 40 and name.replace("-", "a").isalnum() and name == name.lower() for name in names)


def test_verbs_that_can_be_shared_are_known():
    assert [verb for verb in main.verbs() if "--distributed" in main.parser_of(verb)[0].format_help()] == sorted(
        DISTRIBUTED
    )

#!/usr/bin/env bash
# A SLURM on this machine, as root: installed where it is missing (Debian), configured, started. Repeatable.
# Two nodes of two slots each, both of them this machine under other names. There is no accounting, as on many small
# clusters.
set -euo pipefail

if ! command -v slurmctld >/dev/null || ! command -v munged >/dev/null; then
  apt-get -qq update
  DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends slurm-wlm munge
fi

state=/var/lib/fergen-slurm
mkdir -p "$state" /run/munge /var/log/munge /etc/slurm
chown munge:munge /run/munge /var/log/munge
if ! munge -n </dev/null >/dev/null 2>&1; then
  [ -s /etc/munge/munge.key ] || { dd if=/dev/urandom of=/etc/munge/munge.key bs=1 count=1024 2>/dev/null; }
  chown -R munge:munge /etc/munge
  chmod 400 /etc/munge/munge.key
  setpriv --reuid munge --regid munge --clear-groups munged --force
fi

host=$(hostname -s)
memory=$(awk '/MemTotal/ { print int($2 / 1024) }' /proc/meminfo)
cat >"$state/slurm.conf" <<CONF
ClusterName=fergen
SlurmctldHost=$host
SlurmUser=root
AuthType=auth/munge
StateSaveLocation=$state/ctld
SlurmdSpoolDir=$state/%n
SlurmctldPidFile=$state/slurmctld.pid
SlurmdPidFile=$state/%n.pid
# Nodes of two processors, whatever this machine has.
SlurmdParameters=config_overrides
SlurmctldLogFile=$state/slurmctld.log
SlurmdLogFile=$state/%n.log
# Containers have no cgroups to manage.
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
# How long a requeued job waits before it may start again; the default is two minutes.
AuthInfo=cred_expire=5
MpiDefault=none
ReturnToService=2
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=batch_sched_delay=0,sched_interval=2,bf_interval=2
KillWait=30
NodeName=fergen1 NodeHostname=$host NodeAddr=127.0.0.1 Port=17001 CPUs=2 RealMemory=$memory State=UNKNOWN
NodeName=fergen2 NodeHostname=$host NodeAddr=127.0.0.1 Port=17002 CPUs=2 RealMemory=$memory State=UNKNOWN
PartitionName=local Nodes=fergen1,fergen2 Default=YES MaxTime=INFINITE State=UP
CONF
mkdir -p "$state/ctld" "$state/fergen1" "$state/fergen2"
grep -q fergen1 /etc/hosts || echo "127.0.0.1 fergen1 fergen2" >>/etc/hosts
if ! cmp -s "$state/slurm.conf" /etc/slurm/slurm.conf; then
  cp "$state/slurm.conf" /etc/slurm/slurm.conf
  for file in "$state"/*.pid; do
    [ ! -s "$file" ] || kill "$(cat "$file")" 2>/dev/null || true
  done
  sleep 1
fi
running() { [ -s "$state/$1.pid" ] && kill -0 "$(cat "$state/$1.pid")" 2>/dev/null; }
running slurmctld || slurmctld
for node in fergen1 fergen2; do
  running "$node" || slurmd -N "$node"
done

for _ in $(seq 60); do
  ready=$(sinfo --noheader --Node --format=%t 2>/dev/null | grep -cE '^(idle|mix|alloc)$' || true)
  if [ "$ready" = 2 ]; then
    sinfo
    exit 0
  fi
  scontrol update nodename=fergen1,fergen2 state=resume >/dev/null 2>&1 || true
  sleep 0.5
done
echo "slurm.sh: the nodes did not become idle within 30 s; see $state/*.log" >&2
exit 1

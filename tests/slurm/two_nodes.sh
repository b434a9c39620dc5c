#!/usr/bin/env bash
# A throw-away Slurm of two nodes, each with two fake GPUs, on one Debian machine: one slurmctld and two slurmd.
#
#   two_nodes.sh start     install slurm if it is missing, write a config, start the daemons, wait until both nodes are idle
#   two_nodes.sh stop      stop the daemons
#   two_nodes.sh kill N    kill -9 node N's slurmd and what it runs, as a power cut does
#   two_nodes.sh revive N  start it again
#
# As root: apt-get, device nodes and links in /etc/slurm (Snakemake's plugin drops SLURM_CONF, so the config must be found
# at its own place). All else lies below $LAB. It has no accounting, as small clusters have none; memory limits are held by
# polling, since there are no cgroups here.
set -euo pipefail

LAB=${LAB:-/var/tmp/st3d-slurm}
CPUS=${LAB_CPUS:-8}        # of each node; may exceed the machine's
MEMORY=${LAB_MEMORY:-24000} # MB of each node, only counted
HOST=$(hostname -s)
NODES=(st3d1 st3d2)

alive() { [ -s "$1" ] && kill -0 "$(cat "$1")" 2>/dev/null; }

install() {
    for package in munge slurmctld slurmd slurm-client; do
        if [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" != installed ]; then
            apt-get update -qq
            DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
                munge slurmctld slurmd slurm-client >"$LAB/log/apt.log" 2>&1 || { tail "$LAB/log/apt.log" >&2; exit 1; }
            return
        fi
    done
}

config() {
    for gpu in 0 1; do
        [ -c "$LAB/dev/gpu$gpu" ] || mknod -m 666 "$LAB/dev/gpu$gpu" c 1 3 # a copy of /dev/null: Slurm wants devices
    done
    cat >"$LAB/etc/slurm.conf" <<CONF
ClusterName=st3d
SlurmctldHost=$HOST(127.0.0.1)
SlurmctldPort=26817
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$LAB/run/munge.socket
CryptoType=crypto/munge
StateSaveLocation=$LAB/state
SlurmdSpoolDir=$LAB/spool/%n
SlurmctldPidFile=$LAB/run/slurmctld.pid
SlurmdPidFile=$LAB/run/%n.pid
SlurmctldLogFile=$LAB/log/slurmctld.log
SlurmdLogFile=$LAB/log/%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=2
JobAcctGatherParams=OverMemoryKill
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/filetxt
JobCompLoc=$LAB/log/jobs.txt
MpiDefault=none
MailProg=/bin/true
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,sched_min_interval=0,sched_interval=1,bf_interval=1
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SlurmdParameters=config_overrides
SlurmdTimeout=${LAB_SLURMD_TIMEOUT:-20}
MinJobAge=86400
ReturnToService=2
InactiveLimit=0
KillWait=5
OverTimeLimit=0
GresTypes=gpu
NodeName=${NODES[0]} NodeHostname=$HOST NodeAddr=127.0.0.1 Port=26821 CPUs=$CPUS RealMemory=$MEMORY Gres=gpu:fake:2
NodeName=${NODES[1]} NodeHostname=$HOST NodeAddr=127.0.0.1 Port=26822 CPUs=$CPUS RealMemory=$MEMORY Gres=gpu:fake:2
PartitionName=main Nodes=st3d[1-2] Default=YES MaxTime=INFINITE DefMemPerCPU=256 State=UP
CONF
    for node in "${NODES[@]}"; do
        echo "NodeName=$node Name=gpu Type=fake File=$LAB/dev/gpu[0-1]"
    done >"$LAB/etc/gres.conf"
    printf 'CgroupAutomount=no\nConstrainCores=no\nConstrainDevices=no\nConstrainRAMSpace=no\n' >"$LAB/etc/cgroup.conf"
    mkdir -p /etc/slurm
    for file in slurm.conf gres.conf cgroup.conf; do
        if [ -e "/etc/slurm/$file" ] && [ ! -L "/etc/slurm/$file" ]; then
            echo "two_nodes: /etc/slurm/$file belongs to a real cluster: nothing is touched" >&2
            exit 1
        fi
        ln -sfn "$LAB/etc/$file" "/etc/slurm/$file"
    done
}

start() {
    mkdir -p "$LAB"/{etc,dev,state,spool,run,log}
    chmod 755 "$LAB" "$LAB/run" "$LAB/log"
    install
    config
    if ! alive "$LAB/run/munged.pid"; then
        if [ ! -s "$LAB/etc/munge.key" ]; then
            head -c 128 /dev/urandom >"$LAB/etc/munge.key"
            chmod 600 "$LAB/etc/munge.key"
        fi
        munged --force --key-file="$LAB/etc/munge.key" --socket="$LAB/run/munge.socket" \
            --pid-file="$LAB/run/munged.pid" --log-file="$LAB/log/munged.log" --seed-file="$LAB/run/munged.seed"
    fi
    alive "$LAB/run/slurmctld.pid" || slurmctld -i
    for node in "${NODES[@]}"; do
        alive "$LAB/run/$node.pid" || slurmd -N "$node"
    done
    for _ in $(seq 100); do
        [ "$(timeout 3 sinfo -h -N -o %T 2>/dev/null | grep -c -E 'idle|mixed|allocated')" != 2 ] || break
        sleep 0.3
    done
    sinfo -N -o "%N %T %c cpus %m MB %G"
}

stop() {
    for name in "${NODES[@]}" slurmctld munged; do
        if alive "$LAB/run/$name.pid"; then kill "$(cat "$LAB/run/$name.pid")"; fi
    done
    for _ in $(seq 100); do
        if ! alive "$LAB/run/${NODES[0]}.pid" && ! alive "$LAB/run/${NODES[1]}.pid" && ! alive "$LAB/run/slurmctld.pid" \
            && ! alive "$LAB/run/munged.pid"; then return; fi
        sleep 0.1
    done
    echo "two_nodes: daemons did not stop" >&2
    exit 1
}

# A step's process is a child of init; its log tells the node.
die() {
    local node=st3d$1 pid child
    kill -9 "$(cat "$LAB/run/$node.pid")"
    for pid in $(pgrep slurmstepd); do
        if find "/proc/$pid/fd" -lname "$LAB/log/$node.log" 2>/dev/null | grep -q .; then
            for child in $(descendants "$pid"); do kill -9 "$child" 2>/dev/null || true; done
            kill -9 "$pid" 2>/dev/null || true
        fi
    done
}

descendants() {
    local child
    for child in $(pgrep -P "$1"); do
        descendants "$child"
        echo "$child"
    done
}

case "${1:-}" in
start) start ;;
stop) stop ;;
kill) die "$2" ;;
revive) slurmd -N "st3d$2" ;;
*)
    echo "usage: $0 start|stop|kill N|revive N" >&2
    exit 2
    ;;
esac

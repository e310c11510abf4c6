#include "exec/slurm_commands.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>

#include "exec/files.h"

namespace tenbin::exec {

namespace {

// Every member of a gang runs the script, so every member comes here, and each starts its own part
// of the tasks. docs/job-files.md says what is taken and what is refused.
constexpr std::string_view srun = R"SH(#!/bin/sh
# srun inside a Tenbin job: starts this node's tasks. See docs/job-files.md.
say() { echo "srun (tenbin): $*" >&2; }
usage() { say "$*"; exit 1; }
nodes=${SLURM_NNODES:-1} node=${SLURM_NODEID:-0} total= per= label=0 kill_all=0
some=$nodes gpus=${SLURM_GPUS_PER_TASK:-}
number() { case $2 in ''|*[!0-9]*) usage "$1 needs a number, not '$2'";; esac; }
while [ $# -gt 0 ]; do
  case $1 in
    --?*=*) name=${1%%=*} value=${1#*=} glued=1 ;;
    --?*) name=$1 value=${2-} glued=0 ;;
    -[nNctJmKwxoeipAD]?*) name=${1%"${1#??}"} value=${1#??} glued=1 ;;
    -?*) name=$1 value=${2-} glued=0 ;;
    *) break ;;
  esac
  case $name in
    -n|--ntasks) total=$value; number "$name" "$value" ;;
    --ntasks-per-node) per=$value; number "$name" "$value" ;;
    -N|--nodes) some=${value%%-*}; number "$name" "$some" ;;
    --gpus-per-task) gpus=${value##*:}; number "$name" "$gpus" ;;
    -c|--cpus-per-task|-J|--job-name|-t|--time|--mem|--mem-per-cpu|--mem-per-gpu|--gres|--gpus|-G|\
    --gpus-per-node|--mpi|--distribution|-m|--jobid|--threads-per-core|--hint|--wait|-W|--ntasks-per-gpu) ;;
    --cpu-bind|--cpu_bind|--mem-bind|--gpu-bind|--accel-bind) ;;
    --export) [ "$value" = ALL ] || usage "--export=$value is not supported; set variables before srun" ;;
    --kill-on-bad-exit|-K) kill_all=1; [ $glued = 1 ] || { shift; continue; } ;;
    -l|--label) label=1; shift; continue ;;
    -u|--unbuffered|--exact|--overlap|--exclusive|-v|--verbose|-q|--quiet|-s|--oversubscribe|-Q) shift; continue ;;
    --) shift; break ;;
    *) usage "$name is not supported inside Tenbin" ;;
  esac
  if [ $glued = 1 ]; then shift; else [ $# -ge 2 ] || usage "$name needs a value"; shift 2; fi
done
[ $# -gt 0 ] || usage "names no command"
[ "$some" -le "$nodes" ] || usage "asks for $some nodes; the job has $nodes"
if [ -n "$per" ]; then
  :
elif [ -n "$total" ]; then
  [ "$total" -ge "$some" ] || some=$total
  [ "$some" -gt 0 ] || usage "--ntasks must be more than 0"
  [ $((total % some)) = 0 ] || usage "$total tasks do not divide over $some nodes"
  per=$((total / some))
else
  per=${SLURM_NTASKS_PER_NODE:-1}
fi
[ "$node" -lt "$some" ] || exit 0
SLURM_NTASKS=$((per * some)) SLURM_NPROCS=$SLURM_NTASKS SLURM_STEP_ID=0 SLURM_STEPID=0
SLURM_STEP_NUM_TASKS=$SLURM_NTASKS SLURM_STEP_NUM_NODES=$some
export SLURM_NTASKS SLURM_NPROCS SLURM_STEP_ID SLURM_STEPID SLURM_STEP_NUM_TASKS SLURM_STEP_NUM_NODES
devices=${CUDA_VISIBLE_DEVICES-}
place() { # of the local task $1
  SLURM_LOCALID=$1 SLURM_PROCID=$((node * per + $1))
  export SLURM_LOCALID SLURM_PROCID
  if [ -n "$gpus" ] && [ -n "$devices" ]; then
    CUDA_VISIBLE_DEVICES=$(echo "$devices" | cut -d, -f$(($1 * gpus + 1))-$((($1 + 1) * gpus)))
    export CUDA_VISIBLE_DEVICES
  fi
}
# A process of its own for each task also if there is one: a step can be told from its script.
status=0 tasks= i=0
end_all() { for t in $tasks; do kill -TERM "$t" 2>/dev/null; done; }
trap end_all TERM
trap : USR1 USR2 HUP
while [ $i -lt "$per" ]; do
  place $i
  if [ $label = 1 ]; then
    { { { (TENBIN_STEP=1; export TENBIN_STEP; exec "$@"); echo $? >&3; } 2>&1 | sed "s/^/$SLURM_PROCID: /" >&4; } 3>&1 | { read -r code; exit "$code"; }; } 4>&1 &
  else
    (trap - TERM USR1 USR2 HUP; TENBIN_STEP=1; export TENBIN_STEP; exec "$@") &
  fi
  tasks="$tasks $!"
  i=$((i + 1))
done
for t in $tasks; do
  while :; do
    wait "$t"; code=$?
    # A signal for us ends the waiting, not the task.
    [ $code -gt 128 ] && kill -0 "$t" 2>/dev/null && continue
    break
  done
  [ $code -le $status ] || status=$code
  [ $code = 0 ] || [ $kill_all = 0 ] || end_all
done
exit $status
)SH";

constexpr std::string_view scontrol = R"SH(#!/bin/sh
# scontrol inside a Tenbin job: the one thing that scripts ask it for. See docs/job-files.md.
case "${1-} ${2-}" in
  "show hostnames"|"show hostname")
    # Addresses, because the names of nodes need not be known to the network.
    echo "$TENBIN_ADDRESSES" | tr , '\n' | sed 's/:[0-9]*$//' ;;
  *) echo "scontrol (tenbin): only 'scontrol show hostnames' is supported inside Tenbin" >&2; exit 1 ;;
esac
)SH";

Result<void> write_program(const std::string& path, std::string_view text) {
  ::unlink(path.c_str());  // a job may be running the old one
  const Fd file{::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0700)};
  if (!file || ::write(file.get(), text.data(), text.size()) != std::ssize(text) ||
      ::fchmod(file.get(), 0755) != 0) {
    return failed(sentence("cannot write " + path, errno));
  }
  return {};
}

}  // namespace

std::string slurm_commands_in(const std::string& work_directory) {
  return work_directory + "/.slurm";
}

Result<void> write_slurm_commands(const std::string& work_directory) {
  const std::string folder = slurm_commands_in(work_directory);
  if (auto made = make_directory(folder, 0755); !made) return made;
  if (::chmod(folder.c_str(), 0755) != 0)
    return failed(sentence("cannot open " + folder + " to jobs", errno));
  if (auto written = write_program(folder + "/srun", srun); !written) return written;
  return write_program(folder + "/scontrol", scontrol);
}

}  // namespace tenbin::exec

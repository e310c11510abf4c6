#!/bin/sh
# A chain of jobs, each waiting for the one before it: prepare, train, and evaluate or report.
#   sh examples/jobs/chain.sh
set -eu
here=$(dirname "$0")
submit() { tenbin submit -q --project tokyo-llm --gpus 1 --time-limit 10m "$@"; }

prepare=$(submit --name prepare -- sh -c 'echo tokenising')
train=$(submit --name train --after "$prepare" -- sh -c 'echo training; sleep 2')
evaluate=$(tenbin submit -q --sbatch="--dependency=afterok:$train" "$here/evaluate.sbatch")
report=$(submit --name on-failure --after "$train:not_ok" -- sh -c 'echo the training failed')
echo "prepare $prepare, train $train, evaluate $evaluate, on failure $report"

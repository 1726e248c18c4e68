#!/usr/bin/env bash
# sbatch docs/cluster/slurm.sh: two nodes of four GPUs. A requeued job goes on from its last checkpoint.
#SBATCH --job-name=dokhae
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=4
#SBATCH --gpus-per-node=4
#SBATCH --cpus-per-task=4
#SBATCH --time=08:00:00
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --signal=TERM@120
set -euo pipefail

# two minutes before the end each process is asked to stop, saves the last step and exits with 130: then try again
requeue() { [[ $1 -eq 130 ]] && scontrol requeue "$SLURM_JOB_ID"; exit "$1"; }

# one task a GPU; one that fails ends the others, which would wait for it
srun --kill-on-bad-exit=1 --cpus-per-task="$SLURM_CPUS_PER_TASK" \
  dokhae train --benchmark korquad-1.0 --model monologg/koelectra-base-v3-discriminator \
  --train data/KorQuAD_v1.0_train.json --dev data/KorQuAD_v1.0_dev.json \
  --strategy ddp --devices 4 --nodes 2 --checkpoint_minutes 5 --out "runs/koelectra-$SLURM_JOB_ID" ||
  requeue $?

#!/usr/bin/env bash
# Two machines with four GPUs each, without a scheduler: run this on both, the rendezvous is at the first.
#   FIRST=10.0.0.1 JOB=koelectra-1 bash docs/cluster/torchrun.sh
# A machine that went down joins again when this is run there once more; all go on from the last checkpoint.
set -euo pipefail

# torch 2.13's agents would keep telling their workers the address of a store that a killed machine has taken with it
export TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1
# torchrun sets this to 1 unless it is given: on CPUs, cores of a machine divided by its processes
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-4}"

# a step that has begun when all is stopped is finished and saved: ten minutes for that, instead of half a one
exec torchrun --nnodes 2 --nproc-per-node 4 --max-restarts 3 --shutdown-timeout 600 \
  --rdzv-backend c10d --rdzv-endpoint "${FIRST:?the address of the first machine}:29400" \
  --rdzv-id "${JOB:?a name that no other run has}" \
  -m dokhae train --benchmark korquad-1.0 --model monologg/koelectra-base-v3-discriminator \
  --train data/KorQuAD_v1.0_train.json --dev data/KorQuAD_v1.0_dev.json \
  --strategy ddp --devices 4 --nodes 2 --checkpoint_minutes 5 --out "/shared/runs/$JOB"

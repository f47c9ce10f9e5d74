#!/bin/sh
# Turing-style GPT of before June 2022: old flag names, and slips that public scripts have.
WORLD=$((8 * 35))
RUN="--tensor-model-parallel-size 8 --pipeline-model-parallel-size 35"

CMD="python -m torch.distributed.launch --nproc_per_node 8 --nnodes 35 pretrain_gpt.py $RUN"
CMD="$CMD --num-layers 105 --hidden-size 20480 --num-attention-heads 128"
CMD="$CMD --seq-length 2048 --max-position-embeddings 2048 --vocab-size 51200"
CMD+=" --num-layers-per-virtual-pipeline-stage 1"

export NCCL_DEBUG=WARN
eval $CMD \
  --batch-size 1 \ # renamed in 2021
  --global-batch-size 280 \
  # --sequence-parallel \
  --activations-checkpoint-method uniform \
  --activations-checkpoint-num-layers 1 \
  --distribute-checkpointed-activations \
  --DDP-impl local \
  --no-masked-softmax-fusion \   
  --fp16 \
  --loss-scale 4096 \
  --micro-batch-size 2 --micro-batch-size 1 \
  $EXTRA_ARGS > log.txt 2>&1

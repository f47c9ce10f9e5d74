#!/usr/bin/env bash
# LLaMA in two sizes; "$1" picks one, the environment says how many nodes there are.
set -euo pipefail

MODEL_SIZE=${1:-70b}
NNODES=${NNODES:-4}
GPUS_PER_NODE=${GPUS_PER_NODE:-8}

if [ "$MODEL_SIZE" == "7b" ]; then
  LAYERS=32; HIDDEN=4096; FFN=11008; HEADS=32
  TP=1 PP=1
elif [[ $MODEL_SIZE = 70b ]]; then
  LAYERS=80; HIDDEN=8192; FFN=28672; HEADS=64
  TP=8 PP=4
else
  echo "unknown size: $MODEL_SIZE" >&2
  exit 1
fi

GQA=""
[[ $MODEL_SIZE == 70* ]] && GQA="--group-query-attention --num-query-groups 8"

case "$MODEL_SIZE" in
  7b|13b) MICRO=4 ;;
  *)      MICRO=1 ;;
esac

EXTRA=()
if [ -n "${WANDB_API_KEY:-}" ]; then
  EXTRA+=(--wandb-project "${WANDB_PROJECT:-llama}" --wandb-exp-name "run $MODEL_SIZE")
fi
if [ -z "${NO_OVERLAP:-}" ]; then
  EXTRA+=(--overlap-grad-reduce --overlap-param-gather)
fi

torchrun --nproc-per-node=$GPUS_PER_NODE --nnodes=$NNODES --rdzv-backend=c10d \
  pretrain_gpt.py \
  --use-mcore-models --transformer-impl=transformer_engine \
  --num-layers=$LAYERS --hidden-size=$HIDDEN --ffn-hidden-size=$FFN --num-attention-heads=$HEADS $GQA \
  --seq-length=4096 --max-position-embeddings=4096 \
  --normalization RMSNorm --swiglu --disable-bias-linear --untie-embeddings-and-output-weights \
  --position-embedding-type rope --use-flash-attn \
  --attention-dropout 0.0 --hidden-dropout 0.0 \
  --tokenizer-type Llama2Tokenizer --tokenizer-model "$PWD/tokenizer model.bin" \
  --tensor-model-parallel-size $TP --pipeline-model-parallel-size $PP --sequence-parallel \
  --micro-batch-size $MICRO --global-batch-size $((32 * NNODES)) \
  --use-distributed-optimizer --bf16 \
  --recompute-granularity=full --recompute-method=block --recompute-num-layers=5 \
  --some-flag-of-a-fork 3 \
  ${EXTRA[@]+"${EXTRA[@]}"} || exit $?

#!/bin/bash
# Mixtral 8x7B: experts, context parallelism, a layout; the launch is in a function.

NNODES=${SLURM_JOB_NUM_NODES:-16}

while [[ $# -gt 0 ]]; do
  case "$1" in
    --tp) TP="$2"; shift 2 ;;
    *) shift ;;
  esac
done
TP=${TP:-2}

MOE_ARGS=(
  --num-experts 8
  --moe-router-topk 2
  --expert-model-parallel-size 4
  --moe-token-dispatcher-type alltoall
  --moe-aux-loss-coeff 1e-2
#  --moe-grouped-gemm
)

base_args() {
  ARGS=(
    --num-layers 32 --hidden-size 4096 --ffn-hidden-size 14336 --num-attention-heads 32
    --group-query-attention --num-query-groups 8
    --seq-length 8192 --max-position-embeddings 32768
    --normalization RMSNorm --norm-epsilon 1e-5 --swiglu --disable-bias-linear
    --untie-embeddings-and-output-weights --position-embedding-type rope --rotary-base 1000000
    --no-position-embedding --vocab-size 32000 --make-vocab-size-divisible-by 128
    --attention-dropout 0 --hidden-dropout 0
  )
}

launch() {
  base_args
  local layout='Et*7|t*9|t*9|t*7L'
  export NCCL_ALGO=Tree
  torchrun --nproc_per_node 8 --nnodes "$NNODES" pretrain_gpt.py "${ARGS[@]}" "${MOE_ARGS[@]}" \
    --tensor-model-parallel-size "$TP" --pipeline-model-parallel-size 4 --context-parallel-size 2 \
    --pipeline-model-parallel-layout "$layout" --use-tp-pp-dp-mapping \
    --micro-batch-size 1 --global-batch-size 256 --bf16 \
    --recompute-granularity selective --recompute-modules core_attn layernorm \
    --overlap-grad-reduce --ddp-bucket-size 25000000
}

launch "$@"

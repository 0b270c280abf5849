#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Makes the embedded model, promptfix-small, from shards of pairs (promptfix-curate --thesaurus …): docs/model.md.
#
#     tools/train/small.sh TRAIN_SHARDS VALID_SHARDS WORK_DIR
#
# WORK_DIR keeps every state: run it again to go on where it stopped; it ends with
# WORK_DIR/promptfix-small.safetensors. BUILD is the build folder; the numbers below can be set too.
set -eu
here=$(cd "$(dirname "$0")/../.." && pwd)
build=${BUILD:-$here/build}
train=$1 valid=$2 work=$3
text_steps=${TEXT_STEPS:-900} vae_steps=${VAE_STEPS:-4500}
diffusion_steps=${DIFFUSION_STEPS:-8000}
joint_steps=${JOINT_STEPS:-20000} large_steps=${LARGE_STEPS:-2000} detail_steps=${DETAIL_STEPS:-900}
minutes=${MINUTES:-0} merges=${MERGES:-1534} threads=${THREADS:-2}
vae_size=${VAE_SIZE:-64} size=${SIZE:-128} large_size=${LARGE_SIZE:-256}

# Threads that wait spin for a moment and no longer, small products are faster on one core, and memory
# that was given back is wanted again at the next step.
export OMP_WAIT_POLICY=passive GOMP_SPINCOUNT=50000 OPENBLAS_NUM_THREADS=1
export MALLOC_MMAP_THRESHOLD_=2000000000 MALLOC_TRIM_THRESHOLD_=8000000000 MALLOC_TOP_PAD_=67108864
mkdir -p "$work/sheets"
run() {
    stage=$1 from=$2 out=$work/$3.safetensors
    shift 3
    [ ! -f "$out" ] || from=$out
    "$build/promptfix-train" run --stage "$stage" --model "$from" --out "$out" --data "$train" \
        --valid-data "$valid" --sheets "$work/sheets" --log "$work/log.jsonl" --threads "$threads" \
        --minutes "$minutes" --valid-size "$size" "$@"
}

[ -f "$work/merges.txt" ] ||
    "$build/promptfix-train" merges --data "$train" --out "$work/merges.txt" --count "$merges"
[ -f "$work/start.safetensors" ] || "$build/promptfix-mkmodel" --preset small --dtype f32 --seed 1 \
    --norm-groups 2 --conv-padding edge --merges "$work/merges.txt" --prediction v_change \
    --clip-width 128 --clip-layers 2 --clip-heads 4 --clip-vocabulary $((merges + 514)) --clip-positions 48 \
    --vae-channels 16 --vae-mult 1,2,4,8 --vae-res-blocks 1 --vae-latent 8 --vae-lora-rank 16 \
    --decoder-output affine --decoder-bands 3 --no-vae-attention \
    --unet-channels 64 --unet-mult 1,2,3 --unet-res-blocks 2,2,1 --unet-attention 0,1,1 --unet-heads 4 \
    "$work/start.safetensors"

# The text encoder learns to tell the tasks apart.
run text "$work/start.safetensors" text --rows 128 --steps "$text_steps" --warmup 20 --rate 1e-3 \
    --final-rate 2e-5 --drop-instruction 0.03
"$build/promptfix-train" export --model "$work/text.safetensors" --out "$work/text-average.safetensors" \
    --dtype float32

# The autoencoder, then latents of mean 0 and deviation 1.
run vae "$work/text-average.safetensors" vae --fresh --rows 8 --size "$vae_size" --shrink 0.3 --steps "$vae_steps" \
    --warmup 50 --rate 4e-4 --final-rate 2e-5 --kl-weight 2e-5 --average-decay 0.998
"$build/promptfix-train" export --model "$work/vae.safetensors" --out "$work/vae-average.safetensors" \
    --dtype float32
"$build/promptfix-train" normalize --model "$work/vae-average.safetensors" --data "$train" \
    --size "$size" --out "$work/vae-normal.safetensors"

# The UNet.
run diffusion "$work/vae-normal.safetensors" diffusion --fresh --rows 8 --size "$size" --shrink 0.4 \
    --steps "$diffusion_steps" --warmup 100 --rate 5e-4 --final-rate 1e-5 --early-share 0.9 --relative 0.05 --swap 0.2 \
    --drop-instruction 0.04 --drop-auxiliary 0.6 --drop-image 0.01 --average-decay 0.998 --sample-steps 1
"$build/promptfix-train" export --model "$work/diffusion.safetensors" \
    --out "$work/diffusion-average.safetensors" --dtype float32

run_joint() {
    run joint "$@" --edge-weight 0.5 --change-weight 1.5 --knee 0.1 --relative 0.02 \
        --swap 0.15 --drop-instruction 0.03 --drop-auxiliary 0.6 --drop-image 0 --sample-steps 1
}
# UNet and autoencoder together, by the picture; then the same with larger crops.
run_whole() {
    run_joint "$@" --colour-weight 6 --detail-weight 4 --overshoot deblur:0.7,colorize:0.6 --average-decay 0.998
}
run_whole "$work/diffusion-average.safetensors" joint --rows 8 --size "$size" --shrink 0.4 \
    --steps "$joint_steps" --warmup 100 --rate 4e-4 --final-rate 3e-5
"$build/promptfix-train" export --model "$work/joint.safetensors" --out "$work/joint-average.safetensors" \
    --dtype float32
run_whole "$work/joint-average.safetensors" large --rows 3 --size "$large_size" --shrink 0 \
    --steps "$large_steps" --warmup 50 --rate 1e-4 --final-rate 1e-5
"$build/promptfix-train" export --model "$work/large.safetensors" --out "$work/large-average.safetensors" \
    --dtype float32

# The decoder alone, which learns to sharpen; what an instruction asks for is settled by then.
run_joint "$work/large-average.safetensors" detail --only first_stage_model.decoder. --rows 8 --size "$size" \
    --shrink 0.2 --steps "$detail_steps" --warmup 30 --rate 3e-4 --final-rate 2e-5 \
    --detail-weight 6 --overshoot deblur:0.7,colorize:0.4 --average-decay 0.99
"$build/promptfix-train" export --model "$work/detail.safetensors" --out "$work/promptfix-small.safetensors" \
    --dtype float16 --defaults "$here/tools/train/small.json" --card "$here/tools/train/card.md"
echo "$work/promptfix-small.safetensors"

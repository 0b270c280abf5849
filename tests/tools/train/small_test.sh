#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The embedded model's recipe from one photo to a picture fixed by what it made, with a few steps of
# everything: it runs, it goes on where it stopped, and its model has what it needs.
#     small_test.sh SOURCE_ROOT BUILD_DIR
set -eu
source=$1 build=$2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir "$folder/photos"
cp "$source/docs/sample.jpg" "$folder/photos"

"$build/promptfix-curate" --photos "$folder/photos" --out "$folder/pairs" --count 12 --size 64 --seed 1 \
    --tasks lowlight:1,dehaze:1,colorize:1 --combine 0 >/dev/null

export BUILD="$build" MERGES=40 VAE_SIZE=32 SIZE=32 LARGE_SIZE=64 TEXT_STEPS=2 VAE_STEPS=2 DIFFUSION_STEPS=2 JOINT_STEPS=2 LARGE_STEPS=2 DETAIL_STEPS=2 THREADS=1
"$source/tools/train/small.sh" "$folder/pairs" "$folder/pairs" "$folder/work" >/dev/null
small="$folder/work/promptfix-small.safetensors"
bytes=$(wc -c <"$small")
[ "$bytes" -le 40000000 ] || { echo "the model has $bytes bytes, more than 40 MB"; exit 1; }
"$build/promptfix" inspect "$small" >"$folder/report"
grep -q 'predicts v_change' "$folder/report" || { cat "$folder/report"; exit 1; }

for stage in text vae diffusion joint; do
    "$source/tools/train/plot.sh" "$folder/work/log.jsonl" $stage "$folder/$stage.svg"
    grep -q '</svg>' "$folder/$stage.svg"
done

# Run again, every stage is taken up from its state, has nothing left to do, and ends with the same bytes.
cp "$small" "$folder/first"
"$source/tools/train/small.sh" "$folder/pairs" "$folder/pairs" "$folder/work" >/dev/null
cmp "$folder/first" "$small"

"$build/promptfix" fix "$source/docs/sample.jpg" -i 'remove the haze' -m "$small" -o "$folder/fixed.png" \
    --resolution 64 --progress off --quiet
[ -s "$folder/fixed.png" ]

#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Draws a training log: the loss, and the PSNR of each validation, over the steps of one stage.
#
#     tools/train/plot.sh LOG.jsonl STAGE OUT.svg        (or OUT.png)
#
# Needs jq and gnuplot (Debian: jq, gnuplot-nox).
set -eu
[ $# -eq 3 ] || { echo 'usage: tools/train/plot.sh LOG.jsonl STAGE OUT.svg' >&2; exit 2; }
log=$1 stage=$2 out=$3
for program in jq gnuplot; do
    command -v $program >/dev/null || { echo "$program is not installed" >&2; exit 1; }
done
case $out in
*.svg) terminal='svg size 900,700 background "white"' ;;
*.png) terminal='pngcairo size 900,700' ;;
*) echo "$out: expected a name that ends in .svg or .png" >&2; exit 2 ;;
esac

tables=$(mktemp -d)
trap 'rm -rf "$tables"' EXIT
only="select(.stage == \"$stage\")"
jq -r "$only | select(.loss) | [.step, .loss] | @tsv" "$log" >"$tables/loss"
jq -r "$only | select(.psnr) | [.step, .psnr, .input_psnr] | @tsv" "$log" >"$tables/psnr"
[ -s "$tables/loss" ] || { echo "$log: no losses of stage '$stage'" >&2; exit 1; }

{
    echo "set terminal $terminal; set output '$out'; set grid; set xlabel 'step'"
    echo "set multiplot layout 2,1 title 'stage $stage'"
    echo "set logscale y; set ylabel 'loss'; plot '$tables/loss' with lines title 'training'; unset logscale"
    [ ! -s "$tables/psnr" ] || echo "set ylabel 'PSNR, dB'; set key bottom; plot '$tables/psnr' with linespoints \
        title 'validation', '' using 1:3 with lines title 'its inputs'"
} | gnuplot

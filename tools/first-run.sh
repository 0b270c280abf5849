#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# From a fresh machine to a fixed photo: installs, builds, starts the service, posts a photo to it,
# shows every step as it happens, puts the photo before and after side by side, and opens the page for
# the next one. The service goes on running.
#
#     tools/first-run.sh [PHOTO [INSTRUCTION]]        the results are fixed.png and before-after.png
#
# MODEL=FILE uses that checkpoint; STEPS=N and RESOLUTION=N change the model's own. Without MODEL and
# without the embedded model, a small one with random weights is made: everything works as with a trained
# one, but what comes out looks like noise.
set -eu
cd "$(dirname "$0")/.."
photo=${1:-docs/sample.jpg}
instruction=${2:-remove the haze}
listen=${LISTEN:-127.0.0.1:8080}
[ -r "$photo" ] || { echo "no such photo: $photo" >&2; exit 2; }

tools/install.sh
[ -f build/build.ninja ] || meson setup build >/dev/null
echo 'building'
programs='promptfixd promptfix-worker promptfix-thumbnail'
model=${MODEL:-}
if [ -n "$model" ]; then
    # shellcheck disable=SC2086 # a list of words
    ninja -C build --quiet $programs
elif [ -f models/promptfix-small.safetensors ]; then
    # shellcheck disable=SC2086
    ninja -C build --quiet $programs promptfix-small.safetensors
else
    # shellcheck disable=SC2086
    ninja -C build --quiet $programs promptfix-mkmodel
    model=build/random.safetensors
    [ -f "$model" ] || build/promptfix-mkmodel --clip-vocabulary 530 --merges tests/pipeline/merges.txt "$model"
    STEPS=${STEPS:-10} RESOLUTION=${RESOLUTION:-256}
fi

log=build/promptfixd.log
setsid build/promptfixd --model "$model" --listen "$listen" --data-dir build/data >"$log" 2>&1 &
server=$!
until url=$(sed -n 's/^listening on //p' "$log") && [ -n "$url" ]; do
    kill -0 "$server" 2>/dev/null || { cat "$log" >&2; exit 1; }
    sleep 0.1
done
echo "the service runs at $url (log: $log; stop it with: kill $server)"

events=build/events.log
curl -sSN -H 'Accept: text/event-stream' -F "image=@$photo" -F "instruction=$instruction" \
    ${STEPS:+-F "steps=$STEPS"} ${RESOLUTION:+-F "resolution=$RESOLUTION"} "$url/v1/jobs" | tee "$events" |
    sed -un 's/^event: \(queued\|started\|succeeded\|failed\|cancelled\)$/\1/p
        s/^data: .*"step":\([0-9]*\),"steps":\([0-9]*\),"sigma".*/step \1 of \2/p'

job=$(sed -n 's/^data: {"job":"\([0-9a-f]*\)".*/\1/p' "$events" | head -n 1)
[ -n "$job" ] || { cat "$events" >&2; exit 1; }
curl -sSf -o fixed.png "$url/v1/jobs/$job/result"

side=$(vipsheader -f height fixed.png)
vips thumbnail "$photo" build/before.png 100000 --height "$side" --size both
vips arrayjoin "build/before.png fixed.png" before-after.png --across 2 --shim 8
echo "fixed.png is $photo after '$instruction', before-after.png shows both; $url is open for the next one"
[ -z "${DISPLAY:-}${WAYLAND_DISPLAY:-}" ] || xdg-open "$url" >/dev/null 2>&1 || :

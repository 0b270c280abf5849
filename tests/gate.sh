#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Holds the sources to the rules that a machine can check: include directions, lengths, notices.
#     gate.sh SOURCE_ROOT
set -eu
cd "$1"
failed=0
complain() {
    echo "$1" >&2
    failed=1
}

sources=$(find base pipeline server config tools bench tests -name node_modules -prune -o \( -name '*.[ch]' -o -name '*.cpp' \) -print | sort)

# --- include directions: folder, then the folders it may include -------------------------------
allow() {
    folder=$1
    shift
    allowed=$(printf '%s|' "$folder" "$@" | sed 's/|$//; s/[.]/\\./g')
    for file in $(find "$folder" -maxdepth "${depth:-9}" -name '*.[ch]' -o -maxdepth "${depth:-9}" -name '*.cpp'); do
        sed -n 's/^#include "\(.*\)"/\1/p' "$file" | grep -Ev "^($allowed)/" | while read -r included; do
            echo "$file includes $included"
        done
    done
}
{
    allow base
    allow config base
    allow pipeline/torch
    allow pipeline/tensor base pipeline/torch
    allow pipeline/weights base pipeline/torch pipeline/tensor
    allow pipeline/text base pipeline/torch pipeline/tensor pipeline/weights
    allow pipeline/vae base pipeline/torch pipeline/tensor pipeline/weights
    allow pipeline/unet base pipeline/torch pipeline/tensor pipeline/weights
    allow pipeline/diffusion base pipeline/torch pipeline/tensor pipeline/weights/sizes.h pipeline/weights
    allow pipeline/image base
    depth=1 allow pipeline base config
    allow server/http base server/http
    allow server/jobs base server/jobs
    allow server/workers base server/jobs server/workers
    allow server base config server pipeline/image web
} >"${TMPDIR:-/tmp}/gate.$$" 2>&1
[ ! -s "${TMPDIR:-/tmp}/gate.$$" ] || { cat "${TMPDIR:-/tmp}/gate.$$" >&2; failed=1; }
rm -f "${TMPDIR:-/tmp}/gate.$$"

# checkpoint files know nothing of libtorch, but for the bridge
for file in pipeline/weights/*.[ch]; do
    case $file in */weights.[ch]) continue ;; esac
    grep -l '#include "pipeline/\(torch\|tensor\)' "$file" && complain "$file includes libtorch's layers"
done

# --- lengths: files 700 and 200 lines, functions 80 lines (generated tables excepted) ----------
for file in $sources; do
    lines=$(wc -l <"$file")
    case $file in
    *_data.c | *_generated.*) continue ;;
    *.h) [ "$lines" -le 250 ] || complain "$file has $lines lines, a header at most 250" ;;
    *) [ "$lines" -le 700 ] || complain "$file has $lines lines, at most 700" ;;
    esac
    head -n 1 "$file" | grep -q 'SPDX-License-Identifier: Apache-2.0' || complain "$file has no SPDX line"
    awk -v file="$file" '
        /^{$/ { start = NR }
        /^}/ && start { if (NR - start > 80) { print file ":" start ": a function of " NR - start " lines"; bad = 1 }; start = 0 }
        END { exit bad }' "$file" >&2 || failed=1
done

# --- /docs renders the contract (the contract's test holds it too; here where its parser is installed) ---
if command -v node >/dev/null && [ -d tests/e2e/node_modules/yaml ]; then
    node tools/gen-docs.mjs openapi.yaml | cmp -s - server/api/docs.html ||
        complain 'server/api/docs.html is old: node tools/gen-docs.mjs openapi.yaml > server/api/docs.html'
fi

# --- the tree names no machine and leaves nothing half done -------------------------------------
grep -nE '/(work|root)/[a-z]' $sources README.md docs/*.md openapi.yaml &&
    complain 'a path of somebody'\''s machine'
grep -nE '\b(TODO|FIXME|XXX)\b' $sources && complain 'unfinished work'

exit $failed

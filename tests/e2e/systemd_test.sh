#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# systemd_test.sh UNIT PROMPTFIXD: systemd has nothing to say against the unit, and finds it well confined.
# Skips (exit status 77) where there is no systemd-analyze.
set -eu
command -v systemd-analyze >/dev/null || { echo 'SKIPPED: there is no systemd-analyze'; exit 77; }
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
sed "s#^ExecStart=[^ ]*#ExecStart=$2#" "$1" >"$dir/promptfixd.service"
said=$(systemd-analyze verify --man=no "$dir/promptfixd.service" 2>&1) || { echo "$said"; exit 1; }
[ -z "$said" ] || { echo "$said"; exit 1; }
# From 0, confined in every way, to 100; matrix kernels made at run time and CUDA's devices cost some.
systemd-analyze security --offline=true --no-pager --threshold=30 "$dir/promptfixd.service" >"$dir/report" || {
    cat "$dir/report"
    exit 1
}

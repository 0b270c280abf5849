#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs what promptfix is built from and runs with, on Debian 12. With --tests also what its tests
# need. Does nothing when everything is there.
set -eu

build='gcc g++ meson ninja-build pkg-config libtorch-dev libopenblas0-pthread libmicrohttpd-dev
    libjansson-dev libsqlite3-dev libvips-dev libcurl4-openssl-dev libvips-tools zlib1g-dev curl'
tests='clang libclang-rt-14-dev libcmocka-dev chromium openssl python3 nginx prometheus jq gnuplot-nox'

packages=$build
[ "${1:-}" = --tests ] && packages="$packages $tests"
# A machine that has a Node keeps it. Debian's 18 does; where a test's packages want a later one,
# tests/e2e/npm_test.sh gets it.
if [ "${1:-}" = --tests ] && ! command -v node >/dev/null 2>&1; then
    packages="$packages nodejs npm"
fi

missing=
for package in $packages; do
    dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed ||
        missing="$missing $package"
done
[ -n "$missing" ] || exit 0

root=
[ "$(id -u)" = 0 ] || root=sudo
# nginx and prometheus are programs for tests here: their services don't start.
policy=/usr/sbin/policy-rc.d
if [ "${1:-}" = --tests ] && [ ! -e $policy ]; then
    trap '$root rm -f $policy' EXIT
    printf '#!/bin/sh\nexit 101\n' | $root tee $policy >/dev/null
    $root chmod 755 $policy
fi
$root apt-get update -qq
# shellcheck disable=SC2086 # a list of words
$root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null

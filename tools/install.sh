#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs what promptfix is built from and runs with, on Debian 12. With --tests also what its tests
# need. Does nothing when everything is there.
set -eu

build='gcc g++ meson ninja-build pkg-config libtorch-dev libopenblas0-pthread libmicrohttpd-dev
    libjansson-dev libsqlite3-dev libvips-dev libcurl4-openssl-dev zlib1g-dev curl'
tests='clang libclang-rt-14-dev libcmocka-dev chromium openssl'

packages=$build
[ "${1:-}" = --tests ] && packages="$packages $tests"
# Any Node from 18 on does; a machine that has its own keeps it.
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
$root apt-get update -qq
# shellcheck disable=SC2086 # a list of words
$root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null

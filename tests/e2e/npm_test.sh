#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# npm_test.sh [--chromium] FILE.test.mjs…: runs tests that need this folder's npm packages, and installs these
# first, as locked. They want Node 20; where the machine's is older (Debian 12 has 18), npm gets that too, for
# these tests alone. Skips (exit status 77) without npm, outside of CI also when the packages can't be had, and
# with --chromium without a browser ($CHROMIUM, else one from PATH).
set -eu
cd "$(dirname "$0")"

skip() {
    echo "SKIPPED: $1"
    exit 77
}
command -v node > /dev/null || skip "there is no node"
command -v npm > /dev/null || skip "there is no npm"

if [ "${1:-}" = --chromium ]; then
    shift
    CHROMIUM=$(command -v "${CHROMIUM:-chromium}" || command -v chromium-browser || command -v google-chrome) ||
        skip "there is no Chromium"
    export CHROMIUM
fi

exec 9< package.json
flock 9
if ! cmp -s package-lock.json node_modules/.installed-lock; then
    if ! npm ci --no-audit --no-fund --ignore-scripts --loglevel=error; then
        [ -z "${CI:-}" ] || exit 1
        skip "the npm packages can't be installed"
    fi
    cp package-lock.json node_modules/.installed-lock
fi
if [ "$(node -p 'parseInt(process.versions.node)')" -lt 20 ]; then
    own=node_modules/.node20
    if [ ! -x $own/node_modules/node/bin/node ]; then
        mkdir -p $own
        if ! npm install --prefix $own --no-save --no-audit --no-fund --loglevel=error node@20; then
            [ -z "${CI:-}" ] || exit 1
            skip "Node 20 can't be installed"
        fi
    fi
    PATH=$PWD/$own/node_modules/node/bin:$PATH
fi
exec 9>&-
exec node --test "$@"

#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Collects the photos of the acceptance test (photos.txt) into a folder:
#     tools/eval/fetch.sh FOLDER
# Packages that aren't installed are downloaded with apt-get and unpacked aside; nothing is installed.
set -eu

if [ $# -ne 1 ]; then
    echo "usage: $0 FOLDER" >&2
    exit 2
fi
list=$(dirname "$0")/photos.txt
mkdir -p "$1"
target=$(cd "$1" && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
trap 'exit 1' HUP INT TERM

unpack() {
    [ ! -e "$folder/$1" ] || return 0
    mkdir "$folder/$1"
    (cd "$folder" && apt-get download -qq "$1" && dpkg-deb -x "$1"_*.deb "$1")
}

grep -v '^#' "$list" | while read -r package pattern; do
    root=
    if ! dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed; then
        unpack "$package"
        root=$folder/$package
    fi
    # the pattern is to be expanded
    cp $root$pattern "$target/" || { echo "$0: $package has no $pattern" >&2; exit 1; }
done
echo "$(ls "$target" | wc -l) photos in $target"

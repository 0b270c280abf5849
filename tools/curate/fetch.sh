#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Unpacks the Debian packages whose photos, stamps and thesaurus promptfix-curate makes pairs of:
#     tools/curate/fetch.sh FOLDER
# Nothing is installed: packages are downloaded with apt-get and unpacked each into FOLDER/PACKAGE, as
# the patterns of photos.txt expect them. Prints the command that makes the training set.
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

stamps=tuxpaint-stamps-default thesaurus=mythes-en-us
photos=$(sed -n 's|^include \*/\([^/]*\)/.*|\1|p' "$list" | sort -u)
for package in $photos $stamps $thesaurus; do
    [ ! -e "$target/$package" ] || continue
    rm -f "$folder"/*.deb
    (cd "$folder" && apt-get download -qq "$package")
    dpkg-deb -x "$folder/$package"_*.deb "$folder/unpacked"
    for resources in "$folder/unpacked/usr/share/$package"/rcc/*.rcc; do
        [ ! -e "$resources" ] || "$(dirname "$0")/unpack_rcc.py" "$folder/unpacked/pictures" "$resources"
    done
    mv "$folder/unpacked" "$target/$package"
    echo "$package" >&2
done

printf 'promptfix-curate --list %s' "$list"
for package in $photos; do
    printf ' --photos %s' "$target/$package"
done
printf ' --stamps %s' "$target/$stamps/usr/share/tuxpaint/stamps"
printf ' --objects %s' \
    "$target/labelme-examples/usr/share/doc/labelme-examples/examples/instance_segmentation"
printf ' --thesaurus %s' "$target/$thesaurus/usr/share/mythes/th_en_US_v2.dat"
printf ' --format jpeg --split train --count 20000 --seed 2 --out PAIRS\n'

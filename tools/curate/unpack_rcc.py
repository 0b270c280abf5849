#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Unpacks pictures out of Qt's binary resource files (.rcc):

    tools/curate/unpack_rcc.py FOLDER FILE.rcc …

Each resource becomes FOLDER/ITS/PATH if it is a WebP, JPEG or PNG file stored as it is; others, and what the
file stores compressed, are left out. Prints how many were written.
Source: the header, tree, names and data of a file as Qt's rcc tool writes them (qtbase, src/tools/rcc/rcc.cpp).
"""
import pathlib
import re
import struct
import sys

FOLDER_FLAG, COMPRESSED_FLAGS = 2, 1 | 4
PICTURE = re.compile(rb"RIFF....WEBP|\xff\xd8\xff|\x89PNG", re.DOTALL)


def resources(data):
    """Yields (path, bytes) of each file that is stored uncompressed."""
    magic, version, tree, payload, names = struct.unpack_from(">4sIIII", data)
    if magic != b"qres":
        raise ValueError("not a Qt resource file")
    node_size = 14 if version == 1 else 22
    todo = [(0, pathlib.PurePosixPath())]
    while todo:
        index, folder = todo.pop()
        node = tree + index * node_size
        name_at, flags = struct.unpack_from(">IH", data, node)
        path = folder
        if index > 0:
            (length,) = struct.unpack_from(">H", data, names + name_at)
            start = names + name_at + 6
            path = folder / data[start : start + 2 * length].decode("utf-16-be")
        if flags & FOLDER_FLAG:
            count, first = struct.unpack_from(">II", data, node + 6)
            todo += [(first + child, path) for child in range(count)]
        elif not flags & COMPRESSED_FLAGS:
            (at,) = struct.unpack_from(">I", data, node + 10)
            (size,) = struct.unpack_from(">I", data, payload + at)
            yield path, data[payload + at + 4 : payload + at + 4 + size]


def main(folder, files):
    count = 0
    for file in files:
        for path, content in resources(pathlib.Path(file).read_bytes()):
            if not PICTURE.match(content) or ".." in path.parts or path.is_absolute():
                continue
            target = pathlib.Path(folder) / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
            count += 1
    print(f"{count} pictures in {folder}", file=sys.stderr)


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(f"usage: {sys.argv[0]} FOLDER FILE.rcc …")
    main(sys.argv[1], sys.argv[2:])

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""unpack_rcc.py over resource files made here byte by byte: test_unpack_rcc.py PATH/TO/unpack_rcc.py"""
import pathlib
import struct
import subprocess
import sys
import tempfile
import unittest

SCRIPT = pathlib.Path(sys.argv.pop())
PICTURE = b"RIFF\x04\0\0\0WEBP"


def resource_file(entries, version=2):
    """Bytes of an .rcc with `entries` (name, flags, content) in its root folder."""
    tree, payload, names = b"", b"", b""
    padding = b"\0" * (8 if version > 1 else 0)  # the time of change
    tree += struct.pack(">IHII", 0, 2, len(entries), 1) + padding
    for name, flags, content in entries:
        tree += struct.pack(">IHHHI", len(names), flags, 0, 0, len(payload)) + padding
        payload += struct.pack(">I", len(content)) + content
        names += struct.pack(">HI", len(name), 0) + name.encode("utf-16-be")
    start = 20
    header = struct.pack(
        ">4sIIII", b"qres", version, start, start + len(tree), start + len(tree) + len(payload)
    )
    return header + tree + payload + names


class Unpack(unittest.TestCase):
    def unpack(self, content):
        folder = pathlib.Path(tempfile.mkdtemp(dir=self.folder.name))
        (folder / "a.rcc").write_bytes(content)
        result = subprocess.run([SCRIPT, folder / "out", folder / "a.rcc"], capture_output=True, text=True)
        files = {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        del files["a.rcc"]
        return result, files

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def test_pictures_that_are_stored_as_they_are(self):
        entries = [("a.webp", 0, PICTURE), ("b.jpg", 1, PICTURE), ("c.qml", 0, b"Item {}"), ("é.png", 0, b"\x89PNG")]
        entries.append(("d.wav", 0, b"RIFF\x04\0\0\0WAVE"))
        for version in 1, 2:
            result, files = self.unpack(resource_file(entries, version))
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertEqual(files, {"a.webp": PICTURE, "é.png": b"\x89PNG"})
            self.assertIn("2 pictures", result.stderr)

    def test_nothing_leaves_the_folder(self):
        for name in "..", "/tmp/unpack_rcc_left.webp":
            result, files = self.unpack(resource_file([(name, 0, PICTURE)]))
            self.assertEqual((result.returncode, files), (0, {}))
        self.assertFalse(pathlib.Path("/tmp/unpack_rcc_left.webp").exists())

    def test_other_files_are_refused(self):
        result, files = self.unpack(b"RIFF" + b"\0" * 40)
        self.assertNotEqual(result.returncode, 0)
        self.assertIn("not a Qt resource file", result.stderr)
        self.assertEqual(files, {})


if __name__ == "__main__":
    unittest.main()

#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Tests of the samples: what they make of fdinfo and bufinfo.

samples/dma-buf/buffers.c is compiled with an fopen() that opens files of the tests
instead. A line counts in its place alone, and what is damaged is an error.

Run it without arguments; -h lists unittest's options.
"""

import subprocess
import tempfile
import unittest
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent.parent
SAMPLES = TOP / "samples/dma-buf"
BUFINFO = TOP / "tools/dma-buf/bufinfo.c"

MAIN = r"""
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include "buffers.h"

FILE *__real_fopen(const char *path, const char *mode);

FILE *__wrap_fopen(const char *path, const char *mode)
{
	if (!strcmp(path, "/sys/kernel/debug/dma_buf/bufinfo"))
		path = "bufinfo";
	if (!strncmp(path, "/proc/self/fdinfo/", 18))
		path = "fdinfo";
	return __real_fopen(path, mode);
}

int main(int argc, char **argv)
{
	int fd = open("buffer", O_RDONLY);

	(void)argv;
	if (argc == 1)
		return buffers_print_table(&fd, 1) ? 1 : 0;
	printf("%d\n", buffers_count());
	return 0;
}
"""

FDINFO = """pos:\t0
flags:\t02000002
mnt_id:\t15
ino:\t77
size:\t8192
count:\t3
exp_name:\tvivid
name:\tframe
attachments:\t1
"""

OTHER = """00004096\t00080002\t00060007\t00000001\tother\t99999999\t<none>
\tAttached Devices:
\tother-device
Total 1 devices attached

"""


class Buffers(unittest.TestCase):
    """The display's table, and the number of all buffers"""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.top = Path(cls.folder.name)
        (cls.top / "main.c").write_text(MAIN)
        subprocess.run(["gcc", "-std=gnu11", "-I", SAMPLES, "-Wl,--wrap=fopen",
                        "-o", cls.top / "program", cls.top / "main.c", SAMPLES / "buffers.c",
                        SAMPLES / "common.c", *([BUFINFO] if BUFINFO.exists() else [])],
                       check=True)
        (cls.top / "buffer").touch()
        ino = (cls.top / "buffer").stat().st_ino
        cls.bufinfo = ("\nDma-buf Objects:\n"
                       "size    \tflags   \tmode    \tcount   \texp_name\tino     \tname\n" +
                       OTHER +
                       f"00008192\t00080002\t00060007\t00000003\tvivid\t{ino:08}\tframe\n"
                       "\twrite fence:vivid 0-out seq 4 unsignalled\n"
                       "\tAttached Devices:\n"
                       "\t0000:00:02.0\n"
                       "\tvkms\n"
                       "Total 2 devices attached\n\n"
                       "\nTotal 2 objects, 12288 bytes\n")

    def run_it(self, *args, fdinfo=FDINFO, bufinfo=None):
        """The program with these files in place of the kernel's"""
        (self.top / "fdinfo").write_text(fdinfo)
        (self.top / "bufinfo").write_text(self.bufinfo if bufinfo is None else bufinfo)
        return subprocess.run(["./program", *args], cwd=self.top, text=True, check=False,
                              capture_output=True, timeout=60)

    def row(self, **files):
        """The buffer's row of the table, without its inode number"""
        done = self.run_it(**files)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        fields = done.stdout.splitlines()[1].split(maxsplit=6)
        return [fields[0], *fields[2:]]

    def test_table(self):
        """size, references, exporter, name and devices of a buffer"""
        self.assertEqual(self.row(), ["0", "8192", "3", "vivid", "frame", "0000:00:02.0, vkms"])

    def test_names(self):
        """what a name has after a newline is none of the kernel's lines"""
        forged = "frame\nsize:\t1\ncount:\t1\nexp_name:\tx"
        self.assertEqual(self.row(fdinfo=FDINFO.replace("frame", forged))[:5],
                         ["0", "8192", "3", "vivid", "frame"])
        for name in ("f\n\tAttached Devices:\n\tforged", "f\nTotal 0 devices attached",
                     "f\nAttached Devices:"):
            self.assertEqual(self.row(bufinfo=self.bufinfo.replace("frame", name))[5],
                             "0000:00:02.0, vkms", name)
        forged = "1\t2\t3\t4\te\t%d\tn" % (self.top / "buffer").stat().st_ino
        for place in ("\tother-device", "<none>"):
            text = self.bufinfo.replace(place, f"{place}\n{forged}")
            done = self.run_it(bufinfo=text)
            self.assertNotIn("other-device", done.stdout)

    def test_fdinfo(self):
        """an fdinfo that lacks something, or has no number where one belongs"""
        for old, new in (("size:\t8192", "size:\t8192 bytes"), ("size:\t", "size: "),
                         ("count:\t3", "count:\t-3"), ("count:\t3", "count:\t"),
                         ("count:\t3\n", ""), ("exp_name:\tvivid\n", ""),
                         ("size:\t8192", "size:\t99999999999999999999"), (FDINFO, "")):
            with self.subTest(old=old, new=new):
                done = self.run_it(fdinfo=FDINFO.replace(old, new))
                self.assertEqual((done.returncode, done.stdout), (1, ""))
                self.assertIn("does not describe a dma-buf", done.stderr)

    def test_bufinfo(self):
        """a damaged bufinfo is told from one without the buffer"""
        for old, new in (("Dma-buf Objects:", "Objects:"), ("ino     ", "inode"),
                         ("2 objects", "3 objects"), ("Total 2 obj", "Total  2 obj"),
                         ("12288 bytes", "12289 bytes"), ("12288 bytes\n", "12288 bytes"),
                         ("12288 bytes", "12288 bytes or so"),
                         ("\nTotal 2 objects, 12288 bytes\n", ""),
                         ("\n\nTotal 2", "\n\nmore\nTotal 2"), (OTHER, "")):
            with self.subTest(old=old, new=new):
                self.assertIn(old, self.bufinfo)
                text = self.bufinfo.replace(old, new)
                done = self.run_it(bufinfo=text)
                self.assertIn("/bufinfo is damaged in line", done.stderr)
                self.assertEqual(done.stdout.splitlines()[1].split()[-1], "?")
                self.assertEqual(self.run_it("count", bufinfo=text).stdout, "-1\n")

    def test_count(self):
        """the number of all buffers, and no line that looks like the totals"""
        self.assertEqual(self.run_it("count").stdout, "2\n")
        text = self.bufinfo.replace("frame", "f\nTotal 9 objects, 1 bytes")
        self.assertEqual(self.run_it("count", bufinfo=text).stdout, "2\n")
        text = self.bufinfo + "Total 0 objects, 0 bytes\n"
        self.assertEqual(self.run_it("count", bufinfo=text).stdout, "-1\n")


if __name__ == "__main__":
    unittest.main()

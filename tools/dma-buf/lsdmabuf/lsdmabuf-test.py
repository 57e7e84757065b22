#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Tests of lsdmabuf on made-up process trees. Prints KTAP.

    lsdmabuf-test.py [PATH-OF-LSDMABUF] [NAME-OF-A-TEST]...

No buffers, no rights and no particular kernel are needed: the program is shown
directories that look like /proc, with its options --proc and --bufinfo.
"""

# pylint: disable=too-many-lines,too-many-arguments

import collections
import fcntl
import functools
import json
import os
import pty
import re
import resource
import select
import shutil
import signal
import stat
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
import unittest

PROGRAM = "./lsdmabuf"

# What a test had to say besides its result: figures, mostly.
REMARKS = collections.defaultdict(list)

# Names that break what takes them for text of its own. Up to 31 bytes, as the
# kernel has it, and any byte but NUL.
HOSTILE = [
    b"newline\nsize:\t1",
    b"x\n\tAttached Devices:\n\tforged",
    b"x\nTotal 0 devices attached",
    b"\n00000001\t0\t0\t1\te\t00000001\tn",
    b"tab\tand\rreturn",
    b'"; } evil [label="',
    b"\"quoted\", 'single'",
    b"back\\slash \\012 \\n \\",
    b"gone (deleted)",
    b" (deleted)",
    b"\x1b[2J\x1b]0;title\x07",
    "gr\u00fc\u00dfe \u4e16\u754c \U0001f600".encode(),
    "c1 \u009b2J \u202eesrever".encode(),
    b"not utf-8 \xff\xfe\xc0\xaf\xed\xa0\x80",
    b"&lt;b&gt; <b>bold</b> \\N",
    b"\x01\x02\x7f",
    b"-",
    b"<none>",
    b"a" * 31,
    b"  blanks  ",
    b"%s%n%d",
    b"}, {",
]


def escaped(name):
    """As this core's fdinfo and bufinfo have a name."""
    return b"".join(b"\\%03o" % c if c < 32 or c in (0x5c, 0x7f) else bytes([c])
                    for c in name)


class Tree:
    """A directory that looks like /proc, and a file that looks like bufinfo."""

    def __init__(self):
        # Where the device number can be like that of buffers, and all is fast.
        shm = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        self.top = tempfile.mkdtemp(prefix="lsdmabuf-", dir=shm)
        # Another user is to look at it in one of the tests.
        os.chmod(self.top, 0o755)
        self.proc = os.path.join(self.top, "proc")
        self.bufinfo = os.path.join(self.top, "bufinfo")
        os.mkdir(self.proc)
        # Where there are no processes at all, there is no /proc.
        self.process(4194303, b"idle")

    def remove(self):
        """Remove all, also what a test has made unreadable."""
        for path, dirs, _ in os.walk(self.top):
            for name in dirs:
                if not os.path.islink(os.path.join(path, name)):
                    os.chmod(os.path.join(path, name), 0o755)
        shutil.rmtree(self.top)

    def path(self, pid, *names):
        """A path in the directory of a process."""
        return os.path.join(self.proc, str(pid), *names)

    def process(self, pid, comm=b"test"):
        """Add a process with some descriptors and maps that are no buffers."""
        for name in ("fd", "fdinfo"):
            os.makedirs(self.path(pid, name))
        with open(self.path(pid, "comm"), "wb") as f:
            f.write(comm + b"\n")
        with open(self.path(pid, "maps"), "wb") as f:
            f.write(b"00400000-00452000 r-xp 00000000 08:02 173521  /usr/bin/x\n")
        return pid

    def fd(self, pid, fd, ino, size=4096, exporter="test", name=None, *,
           fdinfo_name=None, link=None, extra="", count=1):
        """Add a descriptor of a buffer, as this core shows it."""
        text = (f"pos:\t0\nflags:\t02000002\nmnt_id:\t15\nino:\t{ino}\n"
                f"size:\t{size}\ncount:\t{count}\nexp_name:\t{exporter}\n").encode()
        if fdinfo_name is None and name is not None:
            fdinfo_name = escaped(name)
        if fdinfo_name is not None:
            text += b"name:\t" + fdinfo_name + b"\n"
        with open(self.path(pid, "fdinfo", str(fd)), "wb") as f:
            f.write(text + extra.encode("utf-8", "surrogateescape"))
        os.symlink(b"/dmabuf:" + (name or b"") if link is None else link,
                   self.path(pid, "fd", str(fd)).encode())

    def map(self, pid, ino, name=b"", *, start=0x7f0000000000, size=4096, dev="00:0d",
            line=None):
        """Add a map of a buffer, as every kernel shows it, or a given line."""
        if line is None:
            path = b"/dmabuf:" + name.replace(b"\n", b"\\012")
            line = f"{start:x}-{start + size:x} rw-s 00000000 {dev} {ino}".encode()
            line = line.ljust(73) + path
        with open(self.path(pid, "maps"), "ab") as f:
            f.write(line + b"\n")

    def write_bufinfo(self, buffers):
        """buffers: of (ino, size, exporter, name as it is shown, devices)."""
        with open(self.bufinfo, "wb") as f:
            f.write(b"\nDma-buf Objects:\nsize    \tflags   \tmode    \tcount   "
                    b"\texp_name\tino     \tname\n")
            for ino, size, exporter, name, devices in buffers:
                f.write(b"%08d\t%08x\t%08x\t%08d\t%s\t%08d\t%s\n" %
                        (size, 0o2000002, 0x60007, 1, exporter.encode(), ino, name))
                f.write(b"\twrite fence:driver timeline seq 4 signalled\n")
                f.write(b"\tAttached Devices:\n")
                for device in devices:
                    f.write(b"\t" + device + b"\n")
                f.write(b"Total %d devices attached\n\n" % len(devices))
            f.write(b"\nTotal %d objects, %d bytes\n" %
                    (len(buffers), sum(b[1] for b in buffers)))


def run(*args, **kwargs):
    """Run the program; what it prints is bytes."""
    kwargs.setdefault("timeout", 60)
    env = {**os.environ, "LC_ALL": kwargs.pop("locale", "C")}
    return subprocess.run([PROGRAM, *args], capture_output="stdout" not in kwargs,
                          check=False, env=env, **kwargs)


class Case(unittest.TestCase):
    """A test with a tree of its own."""

    def setUp(self):
        self.tree = Tree()
        self.addCleanup(self.tree.remove)

    def remark(self, text):
        """Something to be printed with the test's result."""
        REMARKS[self.id()].append(text)

    def list(self, *args, bufinfo=False, lacks=(), **kwargs):
        """What it prints for the tree; it must say just this of what it lacks."""
        args = ("--proc", self.tree.proc, *args)
        if bufinfo:
            args = ("--bufinfo", self.tree.bufinfo, *args)
        done = run(*args, **kwargs)
        self.check_lacks(done, lacks)
        return done.stdout

    def check_lacks(self, done, lacks):
        """For each regular expression there is a line, and the status tells."""
        lines = done.stderr.decode().splitlines()
        self.assertEqual(len(lines), len(lacks), lines)
        for line, words in zip(lines, lacks):
            self.assertRegex(line, r"\Alsdmabuf: incomplete: " + words)
        self.assertEqual(done.returncode, 1 if lacks else 0)

    def json(self, *args, lacks=(), **kwargs):
        """The same as objects of Python, with buffers by inode number as well."""
        text = self.list("--json", *args, lacks=lacks, **kwargs)
        result = json.loads(text.decode("utf-8"))
        self.assertEqual(len(result["incomplete"]), len(lacks))
        for line, words in zip(result["incomplete"], lacks):
            self.assertRegex(line, r"\A" + words)
        result["by_ino"] = {b["ino"]: b for b in result["buffers"]}
        self.assertEqual(len(result["by_ino"]), len(result["buffers"]))
        return result

    def rows(self, *args, **kwargs):
        """The lines of the table, without its head, each split at blanks."""
        lines = self.list("--no-totals", *args, **kwargs).decode().split("\n")
        self.assertEqual(lines.pop(), "")
        return [line.split() for line in lines[1:]]

    def two_processes(self):
        """A small system: one buffer shared, one of each, one of nobody."""
        tree = self.tree
        tree.process(100, b"camera")
        tree.process(200, b"display")
        tree.fd(100, 5, 42, 8192, "vivid", b"frame")
        tree.fd(100, 6, 42, 8192, "vivid", b"frame")
        tree.fd(200, 11, 42, 8192, "vivid", b"frame")
        tree.map(200, 42, b"frame", size=8192)
        tree.map(200, 42, b"frame", size=8192, start=0x7f1000000000)
        tree.fd(200, 3, 7, 1 << 20, "system")
        tree.fd(100, 4, 9, 512, "udmabuf", b"")
        os.symlink("socket:[4711]", tree.path(100, "fd", "0"))
        os.symlink("/dev/null", tree.path(100, "fd", "1"))
        tree.write_bufinfo([
            (42, 8192, "vivid", b"frame", [b"0000:00:02.0", b"vkms", b"vkms"]),
            (7, 1 << 20, "system", b"<none>", []),
            (9, 512, "udmabuf", b"", []),
            (77, 4096, "system", b"lost", [b"vkms"]),
        ])


class Table(Case):
    """The table, which is the default."""

    def test_rows(self):
        """buffers, holders and devices in their columns"""
        self.two_processes()
        self.assertEqual(self.rows(bufinfo=True), [
            ["7", "1.0M", "1", "system", "-", "200", "display", "3", "-", "-"],
            ["9", "512B", "1", "udmabuf", '""', "100", "camera", "4", "-", "-"],
            ["42", "8.0K", "1", "vivid", "frame", "100", "camera", "5,6", "-",
             "0000:00:02.0", "vkms*2"],
            ["200", "display", "11", "2"],
            ["77", "4.0K", "1", "system", "lost", "-", "-", "-", "-", "vkms"],
        ])

    def test_columns(self):
        """columns are straight, also with wide characters"""
        tree = self.tree
        tree.process(1, b"a")
        tree.fd(1, 3, 1, name="\u4e16\u754c".encode())
        tree.fd(1, 4, 22, 1 << 30, "long exporter", b"long name here")
        lines = self.list("-n", locale="C.UTF-8").decode().splitlines()
        self.assertIn("\u4e16\u754c", lines[1])
        # Each of these takes two columns and is one character.
        self.assertEqual(lines[0].index("PID") + 1 - 2, lines[1].index(" 1 a "))
        self.assertEqual(lines[0].index("PID") + 1, lines[2].index(" 1 a "))

    def test_totals(self):
        """totals of processes and of exporters count shared buffers once"""
        self.two_processes()
        text = self.list("--bytes", bufinfo=True).decode()
        parts = [[line.split() for line in part.splitlines()]
                 for part in text.split("\n\n")]
        self.assertEqual(parts[1], [
            ["PID", "COMM", "BUFFERS", "SIZE", "SHARE"],
            ["100", "camera", "2", str(8192 + 512), str(4096 + 512)],
            ["200", "display", "2", str(8192 + 2**20), str(4096 + 2**20)]])
        self.assertEqual(parts[2], [
            ["EXPORTER", "BUFFERS", "SIZE"],
            ["system", "2", str(2**20 + 4096)],
            ["vivid", "1", "8192"], ["udmabuf", "1", "512"]])
        self.assertEqual(text.splitlines()[-1],
                         f"total: 4 buffers, {2**20 + 8192 + 512 + 4096}, "
                         "in 2 processes; in none: 1 buffer, 4096")

    def test_empty(self):
        """no process and no buffer"""
        text = self.list().decode()
        self.assertRegex(text, r"\AINO +SIZE")
        self.assertIn("total: 0 buffers", text)
        self.assertEqual(self.json()["buffers"], [])

    def test_many_fds(self):
        """ranges of descriptors, and a cell that stays narrow"""
        tree = self.tree
        tree.process(1)
        fds = [3, 4, 5, 6, 8, 9] + list(range(20, 120, 2))
        for fd in reversed(fds):
            tree.fd(1, fd, 5)
        row = self.rows()[0]
        self.assertEqual(row[7], "3-6,8,9,20,22,24,26,28,30,+44")
        self.assertEqual(self.json()["by_ino"][5]["holders"][0]["fds"], fds)


class Tree_(Case):
    """--tree"""

    def test_tree(self):
        """processes with their buffers, those of nobody last"""
        self.two_processes()
        self.assertEqual(self.list("--tree", "-b", bufinfo=True).decode(), """\
camera[100]  2 buffers, 8704, share 4608
|- 9 512 udmabuf ""  fd 4
`- 42 8192 vivid frame  fd 5,6  1/2  devices 0000:00:02.0 vkms*2
display[200]  2 buffers, 1056768, share 1052672
|- 7 1048576 system -  fd 3
`- 42 8192 vivid frame  fd 11  2 maps  1/2  devices 0000:00:02.0 vkms*2
no process  1 buffer, 4096
`- 77 4096 system lost  devices vkms

total: 4 buffers, 1061376, in 2 processes; in none: 1 buffer, 4096
""")

    def test_sort(self):
        """--sort orders the processes as well"""
        self.two_processes()
        text = self.list("--tree", "--sort", "size", bufinfo=True).decode()
        self.assertLess(text.index("display[200]"), text.index("camera[100]"))
        text = self.list("--tree", "--sort=size", "-r", bufinfo=True).decode()
        self.assertLess(text.index("camera[100]"), text.index("display[200]"))
        # Its buffers are in the same order as all.
        text = self.list("--tree", "--reverse", "--bytes").decode()
        self.assertEqual(re.findall(r"- (\d+) ", text), ["42", "7", "42", "9"])


class Json(Case):
    """--json"""

    def test_all(self):
        """every key, with what is known and null for what is not"""
        self.two_processes()
        result = self.json(bufinfo=True)
        self.assertEqual(result["by_ino"][42], {
            "ino": 42, "size": 8192, "size_exact": True, "exporter": "vivid",
            "name": "frame", "count": 1, "attachments": 3, "mappings": None,
            "pinned": None, "vmaps": None,
            "devices": [
                {"device": "0000:00:02.0", "driver": None, "times": 1},
                {"device": "vkms", "driver": None, "times": 2}],
            "holders": [
                {"pid": 100, "comm": "camera", "fds": [5, 6], "maps": []},
                {"pid": 200, "comm": "display", "fds": [11], "maps": [
                    {"start": "7f0000000000", "end": "7f0000002000",
                     "offset": 0, "perms": "rw-s"},
                    {"start": "7f1000000000", "end": "7f1000002000",
                     "offset": 0, "perms": "rw-s"}]}]})
        self.assertIsNone(result["by_ino"][7]["name"])
        self.assertEqual(result["by_ino"][9]["name"], "")
        self.assertEqual(result["by_ino"][77]["holders"], [])
        self.assertEqual(result["total"], {
            "buffers": 4, "size": 2**20 + 8192 + 512 + 4096, "size_exact": True,
            "processes": 2, "unheld_buffers": 1, "unheld_size": 4096,
            "unheld_size_exact": True})
        self.assertEqual(result["processes"][0], {
            "pid": 100, "comm": "camera", "buffers": 2, "size": 8704, "share": 4608,
            "size_exact": True})
        self.assertEqual(result["exporters"][1], {
            "exporter": "vivid", "buffers": 1, "size": 8192, "size_exact": True})
        self.assertEqual((result["unread_processes"], result["bufinfo_read"]), (0, True))
        # Without bufinfo nobody says whether there are devices.
        self.assertIsNone(self.json()["by_ino"][42]["devices"])
        self.assertFalse(self.json()["bufinfo_read"])

    def test_counters(self):
        """what this core's fdinfo adds, drivers included"""
        self.tree.process(1)
        self.tree.fd(1, 3, 5, name=b"n", extra="attachments:\t3\nmappings:\t2\n"
                     "pinned:\t1\nvmaps:\t4\nattached:\tcirrus 0000:00:02.0\n"
                     "attached:\tvivid vivid.0\nattached:\tcirrus 0000:00:02.0\n")
        self.tree.fd(1, 4, 6, extra="attachments:\t0\nmappings:\t0\n")
        # bufinfo knows no drivers: what fdinfo says is not lost to it.
        self.tree.write_bufinfo([(5, 4096, "test", b"n", [b"0000:00:02.0"]),
                                 (6, 4096, "test", b"<none>", [])])
        for bufinfo in (False, True):
            with self.subTest(bufinfo=bufinfo):
                result = self.json(bufinfo=bufinfo)["by_ino"]
                self.assertEqual([result[5][k] for k in (
                    "attachments", "mappings", "pinned", "vmaps")], [3, 2, 1, 4])
                self.assertEqual(result[5]["devices"], [
                    {"device": "0000:00:02.0", "driver": "cirrus", "times": 2},
                    {"device": "vivid.0", "driver": "vivid", "times": 1}])
                self.assertEqual(result[6]["devices"], [])

    def test_big_numbers(self):
        """inode numbers and sizes of 64 bits; sums that do not wrap, and say so"""
        self.tree.process(1)
        self.tree.fd(1, 3, 2**64 - 1, 2**63 - 1)
        self.tree.fd(1, 4, 2**63, 2**64 - 1)
        lacks = [r"sums need more than 64 bits \(of all buffers\)"]
        result = self.json(lacks=lacks)
        for total in (result["total"], result["processes"][0], result["exporters"][0]):
            self.assertEqual((total["size"], total["size_exact"]), (2**64 - 1, False))
        self.assertEqual(result["total"]["unheld_size_exact"], True)
        text = self.list("-b", lacks=lacks).decode()
        self.assertEqual(text.count("18446744073709551615+"), 4)
        self.assertTrue(text.endswith("(incomplete)\n"))
        self.assertIn("16.0E+", self.list("--tree", lacks=lacks).decode())
        self.assertEqual(result["by_ino"][2**64 - 1]["size"], 2**63 - 1)
        self.assertEqual(result["by_ino"][2**63]["size"], 2**64 - 1)
        self.assertEqual(result["total"]["size"], 2**64 - 1)


class Sums(Case):
    """What a process is said to have"""

    def test_shares(self):
        """shares of all processes add up to what they hold, to the byte"""
        tree = self.tree
        pids = [tree.process(pid) for pid in range(10, 27)]
        sizes = {}
        for ino in range(1, 60):
            sizes[ino] = ino * ino * 4096 + ino
            # Several descriptors in one process must make no difference.
            for k in range(ino % 17 + 1):
                tree.fd(pids[k], 100 + ino, ino, sizes[ino])
                tree.fd(pids[k], 200 + ino, ino, sizes[ino])
        result = self.json()
        self.assertEqual(sum(p["share"] for p in result["processes"]),
                         sum(sizes.values()))
        self.assertEqual(result["total"]["size"], sum(sizes.values()))
        for process in result["processes"]:
            mine = [ino for ino in sizes if process["pid"] - 10 <= ino % 17]
            self.assertEqual(process["buffers"], len(mine))
            self.assertEqual(process["size"], sum(sizes[ino] for ino in mine))
            exact = sum(sizes[ino] / (ino % 17 + 1) for ino in mine)
            self.assertLess(abs(process["share"] - exact), len(mine) + 1)


class Sort(Case):
    """--sort"""

    def test_keys(self):
        """each key, and each in reverse"""
        tree = self.tree
        for pid in (30, 10, 20):
            tree.process(pid)
        tree.fd(30, 3, 1, 300, "b", b"m")
        tree.fd(20, 3, 2, 100, "c", b"z")
        tree.fd(20, 4, 3, 200, "a", b"a")
        tree.fd(30, 4, 3, 200, "a", b"a")
        tree.fd(10, 3, 4, 100, "a")
        want = {"ino": [1, 2, 3, 4], "size": [1, 3, 2, 4], "name": [3, 1, 2, 4],
                "exporter": [3, 4, 1, 2], "pid": [4, 2, 3, 1], "holders": [3, 1, 2, 4]}
        for key, order in want.items():
            for args, inos in ((["--sort", key], order), (["-s" + key, "-r"], order[::-1])):
                with self.subTest(args=args):
                    self.assertEqual([b["ino"] for b in self.json(*args)["buffers"]], inos)


class Sources(Case):
    """Where buffers are found"""

    def test_map_only(self):
        """a holder that has a map and no descriptor"""
        tree = self.tree
        tree.process(1, b"mapper")
        tree.map(1, 5, b"alone\nname", size=8192)
        tree.map(1, 5, b"alone\nname", size=4096, start=0x7e0000000000)
        lacks = [r"the size of 1 buffer is not known \(buffer 5\)"]
        row = self.rows(lacks=lacks)[0]
        self.assertEqual(row, ["5", "8.0K+", "?", "?", "alone\\012name", "1", "mapper",
                               "-", "2", "?"])
        result = self.json(lacks=lacks)
        self.assertEqual(result["total"]["size_exact"], False)
        buffer = result["by_ino"][5]
        self.assertEqual((buffer["size"], buffer["size_exact"], buffer["exporter"],
                          buffer["name"]), (8192, False, None, "alone\nname"))
        # What is only mapped here may be known from elsewhere.
        tree.write_bufinfo([(5, 65536, "system", b"alone\\012name", [])])
        buffer = self.json(bufinfo=True)["by_ino"][5]
        self.assertEqual((buffer["size"], buffer["size_exact"], buffer["exporter"],
                          len(buffer["holders"])), (65536, True, "system", 1))
        tree.process(2)
        tree.fd(2, 3, 5, 12288, "vivid", b"alone\nname")
        buffer = self.json()["by_ino"][5]
        self.assertEqual((buffer["size"], buffer["size_exact"], buffer["exporter"],
                          len(buffer["holders"])), (12288, True, "vivid", 2))

    def test_bufinfo_only(self):
        """a buffer that no process holds"""
        self.tree.write_bufinfo([(5, 4096, "system", b"a\\012\\134b", [b"dev a", b"b"])])
        buffer = self.json(bufinfo=True)["by_ino"][5]
        self.assertEqual((buffer["name"], buffer["holders"], buffer["count"]),
                         ("a\n\\b", [], 1))
        self.assertEqual([d["device"] for d in buffer["devices"]], ["b", "dev a"])
        self.assertIn("no process  1 buffer", self.list("--tree", bufinfo=True).decode())
        # A list that is not whole is none; how many there are is known still.
        with open(self.tree.bufinfo, "rb") as f:
            text = f.read()
        with open(self.tree.bufinfo, "wb") as f:
            f.write(text.replace(b"\tb\n", b""))
        lacks = ["bufinfo is damaged .line 8 counts other devices than there are"]
        buffer = self.json(bufinfo=True, lacks=lacks)["by_ino"][5]
        self.assertEqual((buffer["devices"], buffer["attachments"]), (None, 2))
        self.assertEqual(self.rows(bufinfo=True, lacks=lacks)[0][-1], "2")

    def test_old_kernels(self):
        """links and fdinfo of older kernels, and a saved tree without links"""
        tree = self.tree
        tree.process(1)
        tree.fd(1, 3, 5, 4096, "i915", link=b"anon_inode:dmabuf")
        tree.fd(1, 4, 6, 4096, "i915", b"x", link=b"/dmabuf:x (deleted)")
        tree.fd(1, 5, 7, 4096, "i915", link=b"/dmabuf: (deleted)")
        tree.fd(1, 6, 8, 4096, "i915", b"saved")
        os.unlink(tree.path(1, "fd", "6"))
        with open(tree.path(1, "fd", "6"), "wb"):
            pass
        result = self.json()["by_ino"]
        self.assertEqual({ino: b["name"] for ino, b in result.items()},
                         {5: None, 6: "x", 7: None, 8: "saved"})

    def test_impostors(self):
        """files and maps that only look like buffers"""
        tree = self.tree
        tree.process(1, b"liar")
        for fd, link in ((4, "/home/dmabuf:x"), (5, "pipe:[1]"), (6, "/dmabuf"),
                         (7, "anon_inode:inotify")):
            os.symlink(link, tree.path(1, "fd", str(fd)))
            with open(tree.path(1, "fdinfo", str(fd)), "wb") as f:
                f.write(b"pos:\t0\nflags:\t0100000\nmnt_id:\t28\nino:\t99\n")
        for line in (b"7f0000000000-7f0000001000 rw-p 00000000 00:00 0   [anon:/dmabuf:x]",
                     b"7f0000000000-7f0000001000 rw-p 00000000 00:00 0   [anon: /dmabuf:x]",
                     b"7f0000000000-7f0000001000 rw-s 00000000 00:01 8   /tmp/a /dmabuf:x",
                     b"7f0000000000-7f0000001000 rw-s 00000000 08:01 9   /dmabuf:disk",
                     b"7f0000000000-7f0000001000 rw-s 00000000 00:01 9",
                     b"7f0000000000-7f0000001000 rw-s 00000000 00:01 9 "):
            tree.map(1, 0, line=line)
        self.assertEqual(self.json()["buffers"], [])
        self.assertEqual(self.json()["processes"], [])

    def test_damaged_maps(self):
        """a line of maps that no kernel writes may have been that of a buffer"""
        for line in (b"7f0000000000 rw-s 00000000 00:01 9   /dmabuf:x",
                     b"7f0000001000-7f0000000000 rw-s 00000000 00:01 9   /dmabuf:x",
                     b"7f0000000000-7f0000001000 rw-s 0 00:01 -9   /dmabuf:x",
                     b"7f0000000000-7f0000001000 rw-s 0 100000000:01 9   /dmabuf:x",
                     b"7f0000000000-7f0000001000 rw-s 00000000 00:01",
                     b" /dmabuf:x", b"/dmabuf:x", b"", b"7f00000"):
            with self.subTest(line=line):
                self.tree.process(1)
                self.tree.map(1, 0, line=line)
                self.assertEqual(self.json(lacks=[
                    r"1 process could not be looked at completely "
                    r"\(1: maps is damaged\)"])["buffers"], [])
                shutil.rmtree(self.tree.path(1))

    def test_not_processes(self):
        """what else there is in /proc"""
        self.two_processes()
        for name in ("sys", "1x", "007", "99999999999", "0"):
            shutil.copytree(self.tree.path(100), os.path.join(self.tree.proc, name),
                            symlinks=True)
        with open(self.tree.path(300), "wb"):
            pass
        # A file where a process should be cannot be looked at, and is said to be.
        result = self.json(lacks=[r"1 process could not be looked at completely "
                                  r"\(300: its directory cannot be read: Not a directory"])
        self.assertEqual([p["pid"] for p in result["processes"]], [100, 200])

    def test_garbage(self):
        """files with anything in them"""
        tree = self.tree
        tree.process(1)
        junk = [b"", b"\n\n\n", b"\0\0", b"\xff" * 9000, b"ino:\tx\nexp_name:\t\n",
                b"ino:\t-1\nexp_name:\ta\nsize:\t1", b"exp_name:\t", b"ino:\t1\nsize:\t5\n",
                b"ino:\t99999999999999999999999\nexp_name:\tx\n", b"name:\t\\4\n" * 1000,
                b"attached:\t\nattached:\t \nino:\t3\nexp_name:\ta\n"]
        for fd, text in enumerate(junk):
            tree.fd(1, fd, 1)
            with open(tree.path(1, "fdinfo", str(fd)), "wb") as f:
                f.write(text)
        line = b"\t".join([b"%08d" % n for n in range(4)] + [b"e", b"00000005"])
        heading = (b"\nDma-buf Objects:\nsize    \tflags   \tmode    \tcount   "
                   b"\texp_name\tino     \tname\n")
        for text in junk + [b"\tAttached Devices:\nTotal 1 devices attached\n",
                            line + b"\tn\n\tAttached Devices:\n\tx\n",
                            line + b"\tn\n\tAttached Devices:\n\tx\nTotal 9 devices "
                            b"attached\n", line, line + b"x\t\n", b"\t\t\t\t\t\t\n"]:
            with open(tree.bufinfo, "wb") as f:
                f.write(text)
            done = run("--proc", tree.proc, "--bufinfo", tree.bufinfo, "--json")
            self.assertEqual((done.returncode, done.stdout), (1, b""))
            self.assertIn(b"is no bufinfo", done.stderr)
            with open(tree.bufinfo, "wb") as f:
                f.write(heading + text)
            for args in ("--json", "--tree", "--dot"):
                done = run("--proc", tree.proc, "--bufinfo", tree.bufinfo, args)
                self.assertEqual(done.returncode, 1)
                self.assertIn(b"bufinfo is damaged", done.stderr)
                self.assertIn(b"1 process could not be looked at", done.stderr)
                if args == "--json":
                    inos = {b["ino"] for b in json.loads(done.stdout)["buffers"]}
                    self.assertLessEqual(inos, {3, 5})


class Hostile(Case):
    """Names that break what takes them for text of its own"""

    def hostile_tree(self, raw):
        """raw: as kernels have it that do not escape names."""
        tree = self.tree
        tree.process(1, b"comm\n\"\\\x1b[")
        bufinfo = []
        for i, name in enumerate(HOSTILE):
            shown = name if raw else escaped(name)
            tree.fd(1, i + 3, i + 1, 4096 + i, name=name, fdinfo_name=shown,
                    extra="" if raw else "attachments:\t1\n")
            tree.map(1, i + 1, name, start=0x7f0000000000 + i * 8192)
            bufinfo.append((i + 1, 4096 + i, "test", shown, [b"dev"]))
        tree.write_bufinfo(bufinfo)

    def check_json(self, raw, bufinfo):
        """Each buffer is there as it is, and nothing else."""
        result = self.json(bufinfo=bufinfo)
        self.assertEqual([b["ino"] for b in result["buffers"]],
                         list(range(1, len(HOSTILE) + 1)))
        for i, name in enumerate(HOSTILE):
            buffer = result["by_ino"][i + 1]
            if "name_hex" in buffer:
                self.assertEqual(bytes.fromhex(buffer["name_hex"]), name)
                self.assertIn("\ufffd", buffer["name"])
                self.assertRaises(UnicodeDecodeError, name.decode)
            else:
                self.assertEqual(buffer["name"].encode(), name)
            self.assertEqual((buffer["size"], buffer["count"], buffer["exporter"]),
                             (4096 + i, 1, "test"))
            self.assertEqual(len(buffer["holders"]), 1)
            self.assertEqual(len(buffer["holders"][0]["maps"]), 1)
            if bufinfo:
                self.assertEqual(buffer["devices"],
                                 [{"device": "dev", "driver": None, "times": 1}]
                                 if raw else [])
        self.assertEqual(result["processes"][0]["comm"], "comm\n\"\\\x1b[")

    def test_json(self):
        """JSON has every byte of them, and no forged key"""
        for raw in (False, True):
            self.hostile_tree(raw)
            for bufinfo in (False, True):
                with self.subTest(raw=raw, bufinfo=bufinfo):
                    self.check_json(raw, bufinfo)
            shutil.rmtree(self.tree.path(1))

    def test_keys(self):
        """a name cannot forge what follows it in an fdinfo that is not escaped"""
        name = b"x\npinned:\t7\nattached:\ta b"
        self.tree.process(1)
        self.tree.fd(1, 3, 1, name=name, fdinfo_name=name)
        buffer = self.json()["by_ino"][1]
        self.assertEqual((buffer["pinned"], buffer["devices"]), (None, None))

    def test_bufinfo_names(self):
        """names that just bufinfo has, in kernels that escape them"""
        self.tree.write_bufinfo([(i + 1, 4096, "test", escaped(name), [])
                                 for i, name in enumerate(HOSTILE)])
        result = self.json(bufinfo=True)
        for i, name in enumerate(HOSTILE):
            buffer = result["by_ino"][i + 1]
            got = bytes.fromhex(buffer["name_hex"]) if "name_hex" in buffer else \
                (buffer["name"] or "<none>").encode()
            self.assertEqual(got, name)

    def test_devices(self):
        """names of devices and drivers, escaped as this core does it"""
        tree = self.tree
        tree.process(1)
        for i, name in enumerate(HOSTILE):
            # Only the blank between the two ends the name of a driver.
            driver = escaped(name.replace(b" ", b"_")).decode("utf-8", "surrogateescape")
            device = escaped(name).decode("utf-8", "surrogateescape")
            tree.fd(1, i + 3, i + 1, extra=f"attachments:\t1\nattached:\t{driver} {device}\n")
        tree.write_bufinfo([(i + 1, 4096, "test", b"<none>", [escaped(name)])
                            for i, name in enumerate(HOSTILE)])

        def exact(device, key):
            return bytes.fromhex(device[key + "_hex"]) if key + "_hex" in device else \
                device[key].encode()

        for drivers in (True, False):
            if not drivers:
                shutil.rmtree(tree.path(1))
            with self.subTest(drivers=drivers):
                by_ino = self.json(bufinfo=True)["by_ino"]
                for i, name in enumerate(HOSTILE):
                    device = by_ino[i + 1]["devices"][0]
                    self.assertEqual(exact(device, "device"), name)
                    if drivers:
                        self.assertEqual(exact(device, "driver"), name.replace(b" ", b"_"))
                text = self.list("--tree", "-n", bufinfo=True, locale="C.UTF-8")
                self.assertEqual(text.count(b"\n"), len(HOSTILE) + 1)
                self.assertNotRegex(text, rb"[\x00-\x09\x0b-\x1f\x7f]")
                # Escaped once: what the kernel escaped is not escaped again.
                self.assertIn(b"  devices newline\\012size:\\0111", text)
                self.assertIn(b"back\\134slash \\134012", text)
                graph = self.list("--dot", bufinfo=True).decode("utf-8")
                self.assertNotRegex(graph, "[\x00-\x08\x0b-\x1f\x7f-\u009f\u202e]")

    def test_raw_devices(self):
        """names of devices in kernels that do not escape them"""
        names = [b"back\\slash", b"a\\01", b"a\\400", b"tab\t\\101"]
        self.tree.write_bufinfo([(i + 1, 4096, "test", b"<none>", [name])
                                 for i, name in enumerate(names)])
        self.assertEqual([b["devices"][0]["device"].encode()
                          for b in self.json(bufinfo=True)["buffers"]], names)

    def test_raw_names(self):
        """names that just bufinfo has, in kernels that do not escape them"""
        names = [b"back\\slash", b"\\", b"a\\01", b"a\\400", b"a\\000", b"tab\t\\101",
                 b"\x01\\101", b"a\tb\tc"]
        self.tree.write_bufinfo([(i + 1, 4096, "test", name, [])
                                 for i, name in enumerate(names)])
        self.assertEqual([b["name"].encode() for b in self.json(bufinfo=True)["buffers"]],
                         names)

    def test_no_link(self):
        """without a link to compare with, what stands first counts"""
        self.tree.process(1)
        self.tree.fd(1, 3, 1, 8192, link=b"anon_inode:dmabuf", count=2,
                     fdinfo_name=b"x\nsize:\t1\nino:\t2\ncount:\t9\nexp_name:\tf\nname:\ty")
        buffer = self.json()["by_ino"][1]
        self.assertEqual([buffer[k] for k in ("size", "count", "exporter", "name")],
                         [8192, 2, "test", "x"])

    def test_terminal(self):
        """neither the table nor the tree has a character that commands"""
        self.hostile_tree(False)
        for locale in ("C", "C.UTF-8"):
            for args, lines in ((["-n"], len(HOSTILE) + 1), (["-t", "-n"], len(HOSTILE) + 1)):
                with self.subTest(locale=locale, args=args):
                    text = self.list(*args, bufinfo=True, locale=locale)
                    self.assertEqual(text.count(b"\n"), lines)
                    self.assertNotRegex(text, rb"[\x00-\x09\x0b-\x1f\x7f]")
                    text = text.decode("utf-8")
                    self.assertNotRegex(text, "[\u0080-\u009f\u202e]")
                    self.assertIn("newline\\012size:\\0111", text)
                    self.assertIn("\\033[2J", text)
                    self.assertIn("back\\134slash", text)
                    self.assertIn("not utf-8 \\377\\376\\300\\257", text)
                    if locale == "C":
                        self.assertTrue(text.isascii())
                    else:
                        self.assertIn("gr\u00fc\u00dfe \u4e16\u754c", text)
        # What stands for "no name" is not what a name can look like.
        rows = {row[0]: row[4] for row in self.rows()}
        self.assertEqual(rows[str(HOSTILE.index(b"-") + 1)], "\\055")

    def test_dot(self):
        """a graph whose strings end where they should"""
        self.hostile_tree(False)
        text = self.list("--dot", bufinfo=True).decode("utf-8")
        self.assertNotRegex(text, "[\x00-\x08\x0b-\x1f\x7f-\u009f]")
        # Take the strings out: what is left is what this program wrote.
        bare = re.sub(r'"(?:[^"\\\n]|\\.)*"', '""', text)
        for line in bare.splitlines():
            self.assertRegex(
                line, r'^(digraph dmabuf \{|\trankdir=LR;|\tcharset="";|\}|'
                r'\t[pbd]\d+ \[shape=\w+, label=""\];|'
                r'\tp\d+ -> b\d+ \[label=""\];|\tb\d+ -> d\d+ \[dir=none\];)$')
        self.assertNotIn("&lt;b&gt;", text)


class Dot(Case):
    """--dot"""

    def test_graph(self):
        """nodes and edges of processes, buffers and devices"""
        self.two_processes()
        text = self.list("--dot", bufinfo=True).decode()
        edges = re.findall(r"^\t(\w+) -> (\w+) \[(.*)\];$", text, re.M)
        labels = dict(re.findall(r'^\t([pbd]\d+) \[.*label="(.*)"\];$', text, re.M))
        devices = {label: node for node, label in labels.items() if node[0] == "d"}
        self.assertEqual(set(devices), {"vkms", "0000:00:02.0"})
        self.assertEqual(sorted(edges), sorted([
            ("p100", "b42", 'label="fd 5,6"'),
            ("p200", "b42", 'label="fd 11\\n2 maps"'),
            ("p200", "b7", 'label="fd 3"'), ("p100", "b9", 'label="fd 4"'),
            ("b42", devices["0000:00:02.0"], "dir=none"),
            ("b42", devices["vkms"], 'dir=none, label="2 times"'),
            ("b77", devices["vkms"], "dir=none")]))
        self.assertEqual(labels["b42"], "42 frame\\nvivid 8.0K")
        self.assertEqual(labels["p100"], "camera\\n100")

    def test_graphviz(self):
        """graphviz understands it, hostile names included"""
        if not shutil.which("dot"):
            self.skipTest("graphviz is not installed")
        tree = self.tree
        tree.process(1, b'"\\')
        for i, name in enumerate(HOSTILE):
            tree.fd(1, i + 3, i + 1, name=name)
        graph = self.list("--dot")
        done = subprocess.run(["dot", "-Tsvg"], input=graph, capture_output=True,
                              check=False, timeout=60)
        # A machine without fonts has something to say of that.
        errors = [line for line in done.stderr.decode().splitlines()
                  if not re.search(r"font|Pango|cairo", line, re.I)]
        self.assertEqual((done.returncode, errors), (0, []))
        svg = done.stdout.decode("utf-8")
        self.assertEqual(svg.count('class="node"'), len(HOSTILE) + 1)
        self.assertEqual(svg.count('class="edge"'), len(HOSTILE))
        # These are the names' own characters, not graphviz's.
        self.assertIn("&amp;lt;b&amp;gt;", svg)
        self.assertIn("back\\134slash", svg)


class Lost(Case):
    """What a saved copy lacks, or has not as the kernel wrote it"""

    def test_parts(self):
        """a copy without a part of a process is not complete"""
        for missing, reason, buffers in (
                (["fdinfo"], "fdinfo/3 is missing", 0),
                (["fdinfo", "3"], "fdinfo/3 is missing", 0),
                (["maps"], "maps is missing", 1), (["fd"], "fd is missing", 0),
                (["comm"], "comm is missing", 1)):
            with self.subTest(missing=missing):
                self.tree.process(1)
                self.tree.fd(1, 3, 5)
                path = self.tree.path(1, *missing)
                if os.path.isdir(path):
                    shutil.rmtree(path)
                else:
                    os.unlink(path)
                lacks = [r"1 process could not be looked at completely "
                         r"\(1: " + reason + r"\)"]
                result = self.json(lacks=lacks)
                self.assertEqual(len(result["buffers"]), buffers)
                if missing == ["comm"]:
                    self.assertIsNone(result["processes"][0]["comm"])
                    self.assertEqual(self.rows(lacks=lacks)[0][5:7], ["1", "?"])
                    self.assertIn("?[1]", self.list("-t", lacks=lacks).decode())
                self.assertIn("(incomplete)", self.list(lacks=lacks).decode())
                self.assertIn('label="incomplete"', self.list("-d", lacks=lacks).decode())
                shutil.rmtree(self.tree.path(1))

    def test_no_links(self):
        """a link that is missing is no loss if there is its fdinfo"""
        self.tree.process(1)
        self.tree.fd(1, 3, 5, name=b"kept")
        os.unlink(self.tree.path(1, "fd", "3"))
        buffer = self.json()["by_ino"][5]
        self.assertEqual((buffer["name"], buffer["holders"][0]["fds"]), ("kept", [3]))

    def test_no_ino(self):
        """an fdinfo without ino, of kernels before 5.14, does not tell which buffer"""
        self.tree.process(1)
        self.tree.fd(1, 3, 0, link=b"anon_inode:dmabuf")
        self.tree.fd(1, 4, 5)
        with open(self.tree.path(1, "fdinfo", "3"), "wb") as f:
            f.write(b"pos:\t0\nsize:\t8192\ncount:\t1\nexp_name:\told\n")
        result = self.json(lacks=["1 process .* .1: fdinfo/3 has no inode number"])
        self.assertEqual([b["ino"] for b in result["buffers"]], [5])

    def test_fdinfo(self):
        """an fdinfo that is cut anywhere, or has a wrong byte, does not go unnoticed"""
        self.tree.process(1)
        self.tree.fd(1, 3, 5, name=b"n", extra="attachments:\t0\n")
        path = self.tree.path(1, "fdinfo", "3")
        with open(path, "rb") as f:
            text = f.read()
        # From here on, nothing is missing that tells of the buffer.
        enough = text.index(b"test\n") + 5
        for cut in range(len(text)):
            with self.subTest(cut=cut):
                with open(path, "wb") as f:
                    f.write(text[:cut])
                done = run("--proc", self.tree.proc)
                whole = cut >= enough and text[:cut].endswith(b"\n")
                self.assertEqual(done.returncode, 0 if whole else 1)
        for bad in [text.replace(b"\n", b"\r\n"), b"x" + text,
                    *(text.replace(key, b"x" + key) for key in (b"ino:", b"exp_name:")),
                    *(text.replace(key + b"\t", key + b"\t-") for key in (b"ino:", b"size:")),
                    *(text[:i] + b"\0" + text[i + 1:] for i in range(len(text)))]:
            with self.subTest(bad=bad):
                with open(path, "wb") as f:
                    f.write(bad)
                done = run("--proc", self.tree.proc)
                self.assertEqual(done.returncode, 1)
                self.assertIn(b"1 process could not be looked at completely", done.stderr)
        with open(path, "wb") as f:
            f.write(text.replace(b"size:", b"sizf:"))
        self.list(lacks=[r"the size of 1 buffer is not known \(buffer 5\)"])

    def test_comm(self):
        """a name that is damaged"""
        self.tree.process(1)
        self.tree.fd(1, 3, 5)
        for text in (b"", b"cut", b"nu\0l\n", b"x" * 100 + b"\n", b"x" * 10000):
            with self.subTest(text=text):
                with open(self.tree.path(1, "comm"), "wb") as f:
                    f.write(text)
                self.assertEqual(len(self.json(lacks=["1 process .*: comm is no name"])
                                     ["buffers"]), 1)

    def test_maps(self):
        """maps that are cut, empty, or have a NUL byte or carriage returns"""
        self.tree.process(1)
        self.tree.fd(1, 3, 5)
        self.tree.map(1, 5)
        path = self.tree.path(1, "maps")
        with open(path, "rb") as f:
            text = f.read()
        for bad in [b"", text.replace(b"\n", b"\r\n").replace(b"/usr/bin/x", b""),
                    *(text[:i] + b"\0" + text[i + 1:] for i in range(len(text))),
                    *(text[:i] for i in range(len(text)) if not text[:i].endswith(b"\n"))]:
            with self.subTest(bad=bad):
                with open(path, "wb") as f:
                    f.write(bad)
                self.list(lacks=["1 process could not be looked at completely .1: maps "])

    def bufinfo(self):
        """A bufinfo of three buffers."""
        self.tree.write_bufinfo([(1, 4096, "system", b"one", [b"dev"]),
                                 (2, 8192, "system", b"two", []),
                                 (3, 4096, "vivid", b"<none>", [b"a", b"b"])])
        with open(self.tree.bufinfo, "rb") as f:
            return f.read()

    def list_bufinfo(self, text):
        """What it prints for such a bufinfo."""
        with open(self.tree.bufinfo, "wb") as f:
            f.write(text)
        return run("--proc", self.tree.proc, "--bufinfo", self.tree.bufinfo, "--json")

    def test_bufinfo_cut(self):
        """a bufinfo that is cut anywhere, or has a NUL byte, is not complete"""
        text = self.bufinfo()
        self.assertEqual(self.list_bufinfo(text).returncode, 0)
        for i in range(len(text)):
            for bad in (text[:i], text[:i] + b"\0" + text[i + 1:]):
                with self.subTest(bad=bad):
                    done = self.list_bufinfo(bad)
                    self.assertEqual(done.returncode, 1)
                    self.assertRegex(done.stderr, b"is no bufinfo|bufinfo is damaged")

    def test_bufinfo_lines(self):
        """each line of bufinfo that is missing, or there twice, is noticed"""
        lines = self.bufinfo().splitlines(keepends=True)
        for i, line in enumerate(lines):
            # An empty line, and what is said of fences, is not missed.
            harmless = line == b"\n" or b"fence:" in line
            for what, bad in (("missing", lines[:i] + lines[i + 1:]),
                              ("twice", lines[:i + 1] + lines[i:])):
                # The heading of the list begins anew.
                fine = harmless or (what == "twice" and b"Attached Devices" in line)
                with self.subTest(what=what, line=line):
                    done = self.list_bufinfo(b"".join(bad))
                    self.assertEqual(done.returncode, 0 if fine else 1, done.stderr)

    def test_bufinfo_ends(self):
        """carriage returns are not taken for parts of names"""
        done = self.list_bufinfo(self.bufinfo().replace(b"\n", b"\r\n"))
        self.assertEqual((done.returncode, done.stdout), (1, b""))
        self.assertIn(b"is no bufinfo", done.stderr)

    def test_bufinfo_totals(self):
        """totals that are not those of the list"""
        text = self.bufinfo()
        for bad in (text.replace(b"3 objects", b"4 objects"),
                    text.replace(b"Total 3 objects", b"Total  3 objects"),
                    text.replace(b"objects, 16", b"objects,16"),
                    text.replace(b"16384 bytes", b"16385 bytes"),
                    text.replace(b"16384 bytes", b"99999999999999999999999 bytes"),
                    text.replace(b"16384 bytes", b"16384 bytes more"),
                    text + b"more\n", text + b"more", text + text):
            with self.subTest(bad=bad):
                done = self.list_bufinfo(bad)
                self.assertEqual(done.returncode, 1)
                self.assertIn(b"bufinfo is damaged", done.stderr)
                self.assertEqual(len(json.loads(done.stdout)["buffers"]), 3)
        # On 32 bits, the kernel's sum is not larger than that.
        done = self.list_bufinfo(text.replace(b"\n00008192\t", b"\n4294967295\t")
                                 .replace(b"16384 bytes", b"8191 bytes"))
        self.assertEqual((done.returncode, done.stderr), (0, b""))

    def test_bufinfo_old(self):
        """the columns of older kernels, and of those that have no inode numbers"""
        text = self.bufinfo()
        self.assertEqual(self.list_bufinfo(text.replace(b"\tname\n", b"\n")).returncode, 0)
        done = self.list_bufinfo(text.replace(b"\tino     \tname\n", b"\n"))
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"is no bufinfo", done.stderr)

    def test_disagreement(self):
        """two sources that contradict each other are not both right"""
        tree = self.tree
        tree.process(1)
        tree.process(2)
        tree.fd(1, 3, 5, 4096, "system")
        for size, exporter, reason in (
                (8192, "system", "buffer 5 has (4096|8192) bytes, and (8192|4096) in "
                                 "[12]/fdinfo/3"),
                (4096, "vivid", "buffer 5 has another exporter in [12]/fdinfo/3")):
            with self.subTest(reason=reason):
                tree.fd(2, 3, 5, size, exporter)
                self.list(lacks=[r"sources contradict each other \(" + reason + r"\)"])
                for name in ("fd", "fdinfo"):
                    os.unlink(tree.path(2, name, "3"))
                tree.write_bufinfo([(5, size, exporter, b"<none>", [])])
                self.list(bufinfo=True, lacks=["sources contradict each other"])
        tree.write_bufinfo([(6, 4096, "system", b"<none>", [])])
        text = self.list(bufinfo=True, lacks=[
            r"1 buffer that a process holds is not in bufinfo \(buffer 5\)"]).decode()
        # That bufinfo is of another time: it is not known what is held.
        self.assertIn("in none that was seen: 1 buffer", text)

    def test_threads(self):
        """a process whose main thread has ended, and threads with tables of their own"""
        tree = self.tree
        tree.process(1, b"leader")
        for name in ("maps", "stat"):
            with open(tree.path(1, name), "wb"):
                pass
        # Without the threads, what the process has is not known.
        for stat_ in (None, "Z 1 1 1 0 -1 4194304 0 0 0 0 0 0 0 0 20 0 3 0"):
            if stat_:
                with open(tree.path(1, "stat"), "w", encoding="ascii") as f:
                    f.write(f"1 (leader) {stat_}\n")
            self.assertEqual(self.json(lacks=["1 process .* .1: maps is empty"])["buffers"],
                             [])
        for tid in (1, 2, 3):
            tree.process(f"1/task/{tid}")
        os.truncate(tree.path("1/task/1/maps"), 0)
        for tid in (2, 3):
            tree.fd(f"1/task/{tid}", 3, 5, 8192, name=b"shared")
            tree.map(f"1/task/{tid}", 5, b"shared", size=8192)
        tree.fd("1/task/3", 4, 6, 4096, name=b"own")
        result = self.json()
        self.assertEqual([p["comm"] for p in result["processes"]], ["leader"])
        for ino, fds, maps in ((5, [3], 1), (6, [4], 0)):
            holders = result["by_ino"][ino]["holders"]
            self.assertEqual(len(holders), 1)
            self.assertEqual((holders[0]["pid"], holders[0]["fds"], len(holders[0]["maps"])),
                             (1, fds, maps))
        os.unlink(tree.path("1/task/3/fdinfo/4"))
        self.json(lacks=["1 process .* .1: task/3: fdinfo/4 is missing"])
        # What the main thread's own directory has is not passed over, either.
        tree.fd("1/task/1", 5, 7, 4096, name=b"main")
        tree.fd("1/task/3", 5, 7, 8192, name=b"main")
        self.json(lacks=["1 process .*task/3: fdinfo/4", "sources contradict each other"])
        # A zombie is one thread, and has nothing.
        shutil.rmtree(tree.path("1/task"))
        with open(tree.path(1, "stat"), "w", encoding="ascii") as f:
            f.write("1 (leader) Z 1 1 1 0 -1 4194304 0 0 0 0 0 0 0 0 20 0 1 0\n")
        self.assertEqual(self.json()["buffers"], [])


class Special(Case):
    """What is no regular file, or too large a one: an error, at once"""

    MAKERS = {
        "fifo": os.mkfifo,
        "directory": os.mkdir,
        "link": lambda path: os.symlink("/dev/zero", path),
        "loop": lambda path: os.symlink(os.path.basename(path), path),
        "device": lambda path: os.mknod(path, 0o644 | stat.S_IFCHR, os.makedev(1, 5)),
        "socket": lambda path: os.mknod(path, 0o644 | stat.S_IFSOCK),
    }

    @staticmethod
    def make_sparse(path):
        """A file of a TiB that takes no room."""
        with open(path, "wb") as f:
            f.truncate(1 << 40)

    def make(self, kind, path):
        """Put something else where a file or directory was."""
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path)
        elif os.path.lexists(path):
            os.unlink(path)
        try:
            {**self.MAKERS, "sparse": self.make_sparse}[kind](path)
        except PermissionError:
            # Only root can make a device.
            return False
        return True

    def test_process(self):
        """where files of a process are expected"""
        for name in ("fdinfo/3", "fdinfo", "fd", "comm", "maps", "", "task", "stat"):
            for kind in [*self.MAKERS, "sparse"]:
                if kind == "directory" and name in ("fd", "fdinfo", "", "task"):
                    continue
                with self.subTest(name=name, kind=kind):
                    shutil.rmtree(self.tree.path(1), ignore_errors=True)
                    self.tree.process(1)
                    self.tree.fd(1, 3, 5)
                    if name == "stat":
                        os.truncate(self.tree.path(1, "maps"), 0)
                        os.unlink(self.tree.path(1, "fd", "3"))
                        os.unlink(self.tree.path(1, "fdinfo", "3"))
                    path = os.path.join(self.tree.path(1), name).rstrip("/")
                    if self.make(kind, path):
                        self.list(lacks=["1 process could not be looked at completely"],
                                  timeout=10)
                    if os.path.lexists(path) and not name:
                        os.unlink(path)

    def test_descriptor(self):
        """where a descriptor's link is expected, fdinfo tells"""
        for kind in [*self.MAKERS, "sparse"]:
            with self.subTest(kind=kind):
                shutil.rmtree(self.tree.path(1), ignore_errors=True)
                self.tree.process(1)
                self.tree.fd(1, 3, 5)
                if self.make(kind, self.tree.path(1, "fd", "3")):
                    self.assertEqual(len(self.json(timeout=10)["buffers"]), 1)

    def test_named(self):
        """where bufinfo or /proc was named"""
        for kind in [*self.MAKERS, "sparse"]:
            with self.subTest(kind=kind):
                if not self.make(kind, self.tree.bufinfo):
                    continue
                done = run("--proc", self.tree.proc, "--bufinfo", self.tree.bufinfo,
                           timeout=10)
                self.assertEqual((done.returncode, done.stdout), (1, b""))
                self.assertIn(b"cannot read " + self.tree.bufinfo.encode(), done.stderr)
                if kind != "directory":
                    done = run("--proc", self.tree.bufinfo, timeout=10)
                    self.assertEqual((done.returncode, done.stdout), (1, b""))
                    self.assertIn(b"cannot open " + self.tree.bufinfo.encode(), done.stderr)
        limit = functools.partial(resource.setrlimit, resource.RLIMIT_AS, (1 << 28, 1 << 28))
        done = run("--proc", self.tree.proc, "--bufinfo", "/dev/zero", timeout=10,
                   preexec_fn=limit)
        self.assertEqual((done.returncode, done.stderr), (
            1, b"lsdmabuf: cannot read /dev/zero: it is not a regular file\n"))

    def test_no_proc(self):
        """a directory that is no /proc, and a file that is no bufinfo"""
        shutil.rmtree(self.tree.path(4194303))
        for args in (["--proc", self.tree.proc], ["--proc", "/usr"],
                     ["--bufinfo", __file__], ["--bufinfo", "/proc/self/maps"]):
            with self.subTest(args=args):
                done = run(*args)
                self.assertEqual((done.returncode, done.stdout), (1, b""))
                self.assertIn(f"lsdmabuf: {args[1]} ".encode(), done.stderr)


# What the tests below run in namespaces of their own: a /proc that nobody else has a
# process in, and files that look like buffers. Their links and maps do when their
# tmpfs has been taken away; what their fdinfo says is in a directory put over it.
PRELUDE = """
import ctypes, mmap, os, signal, subprocess, sys, threading, time
libc = ctypes.CDLL(None, use_errno=True)
def check(ret):
    if ret:
        print(os.strerror(ctypes.get_errno()))
        sys.exit(77)
def mount(what, where, kind=None, flags=0, data=None):
    check(libc.mount(what.encode(), where.encode(), kind and kind.encode(), flags, data))
program, top = sys.argv[1:]
def files(*names):
    where = top + "/files"
    os.makedirs(where, exist_ok=True)
    mount("tmpfs", where, "tmpfs")
    fds = []
    for name in names:
        fds.append(os.open(where + "/dmabuf:" + name, os.O_RDWR | os.O_CREAT))
        os.ftruncate(fds[-1], 8192)
    check(libc.umount2(where.encode(), 2))
    return fds
def fdinfo(path, fds, with_ino=True):
    where = top + path
    os.makedirs(where)
    for fd in fds:
        with open(where + "/%d" % fd, "w") as f:
            f.write("pos:\\t0\\nflags:\\t02000002\\nmnt_id:\\t15\\n")
            if with_ino:
                f.write("ino:\\t%d\\n" % os.fstat(fd).st_ino)
            f.write("size:\\t8192\\ncount:\\t1\\nexp_name:\\tfake\\n")
    mount(where, path, None, 0x1000)
def run():
    sys.stdout.flush()
    done = subprocess.run([program, "--json", "--no-bufinfo"])
    sys.exit(done.returncode)
"""


class Live(Case):
    """The kernel's own /proc, with files that look like buffers"""

    def unshare(self, script, *what):
        """Run a script in namespaces of its own."""
        if not shutil.which("unshare"):
            self.skipTest("unshare is not there")
        args = ["unshare", "--mount", *what]
        if os.getuid():
            args.append("--map-root-user")
        done = subprocess.run([*args, sys.executable, "-c", PRELUDE + script, PROGRAM,
                               self.tree.top], capture_output=True, check=False, timeout=60)
        if done.returncode == 77 or done.stderr.startswith(b"unshare:"):
            self.skipTest("no namespaces here: " + (done.stdout + done.stderr).decode())
        return done

    def live(self, script, *, lacks=()):
        """What it prints there, where the script has prepared all."""
        done = self.unshare(script, "--pid", "--fork", "--mount-proc")
        self.check_lacks(done, lacks)
        return json.loads(done.stdout)

    def holders(self, result):
        """Of each buffer: name, pid, descriptors, number of maps."""
        return sorted((b["name"], h["pid"], h["fds"], len(h["maps"]))
                      for b in result["buffers"] for h in b["holders"])

    def test_main_thread_ended(self):
        """a process whose main thread has ended has what its other threads have"""
        # exit() as a system call: of the thread that calls it, and of no other.
        result = self.live("""
fds = files("frame", "other")
told = os.pipe()
child = os.fork()
if not child:
    maps = [mmap.mmap(fds[0], 8192), mmap.mmap(fds[0], 8192)]
    def go_on():
        os.write(told[1], b"%d" % threading.get_native_id())
        time.sleep(60)
    threading.Thread(target=go_on).start()
    libc.syscall(60 if os.uname().machine == "x86_64" else 93, 0)
number = int(os.read(told[0], 20))
while open("/proc/%d/stat" % child).read().rsplit(") ", 1)[1][0] != "Z":
    time.sleep(0.01)
try:
    assert not os.listdir("/proc/%d/fd" % child)
except PermissionError:
    # Nobody but root may look even at that.
    pass
fdinfo("/proc/%d/task/%d/fdinfo" % (child, number), fds)
for fd in fds:
    os.close(fd)
run()
""")
        pid = result["processes"][0]["pid"]
        # The program itself has inherited none.
        self.assertEqual([(n, len(f), m) for n, p, f, m in self.holders(result)],
                         [("frame", 1, 2), ("other", 1, 0)])
        self.assertEqual(result["processes"], [
            {"pid": pid, "comm": "python3", "buffers": 2, "size": 16384, "share": 16384,
             "size_exact": True}])

    def test_own_table(self):
        """a thread with a table of its own, which others do not share"""
        result = self.live("""
fds = files("frame", "other")
told, closed = os.pipe(), os.pipe()
child = os.fork()
if not child:
    def go_on():
        check(libc.unshare(0x400))
        os.write(told[1], b"%d" % threading.get_native_id())
        time.sleep(60)
    for _ in range(3):
        threading.Thread(target=time.sleep, args=(60,)).start()
    threading.Thread(target=go_on).start()
    time.sleep(0.2)
    os.close(fds[1])
    os.write(closed[1], b"x")
    time.sleep(60)
number = int(os.read(told[0], 20))
os.read(closed[0], 1)
fdinfo("/proc/%d/fdinfo" % child, fds[:1])
fdinfo("/proc/%d/task/%d/fdinfo" % (child, number), fds)
for fd in fds:
    os.close(fd)
run()
""")
        self.assertEqual([(n, len(f), m) for n, p, f, m in self.holders(result)],
                         [("frame", 1, 0), ("other", 1, 0)])

    def test_no_ino(self):
        """without ino in fdinfo, the file that the link leads to tells it"""
        result = self.live("""
fds = files("frame")
print(os.fstat(fds[0]).st_ino, file=open(top + "/ino", "w"))
fdinfo("/proc/1/fdinfo", fds, False)
run()
""")
        with open(os.path.join(self.tree.top, "ino"), encoding="ascii") as f:
            self.assertEqual([(b["ino"], b["size"]) for b in result["buffers"]],
                             [(int(f.read()), 8192)])

    def test_other_file_system(self):
        """a map of a file that is called like a buffer, in another tmpfs"""
        result = self.live("""
fds = files("frame")
forged = mmap.mmap(files("forged")[0], 8192)
real = mmap.mmap(fds[0], 8192)
fdinfo("/proc/1/fdinfo", fds)
run()
""")
        self.assertEqual([h[0] for h in self.holders(result)], ["frame"])
        self.assertEqual(len(result["buffers"][0]["holders"][0]["maps"]), 1)

    def test_vanishing(self):
        """processes that vanish while they are looked at are no error"""
        result = self.live("""
fds = files("frame")
stays = mmap.mmap(fds[0], 8192)
fdinfo("/proc/1/fdinfo", fds)
def come_and_go():
    while True:
        pid = os.fork()
        if not pid:
            time.sleep(0.02)
            os._exit(0)
        os.waitpid(pid, 0)
for _ in range(12):
    if not os.fork():
        come_and_go()
seen = set()
for _ in range(100):
    done = subprocess.run([program, "--json", "--no-bufinfo"], capture_output=True)
    if done.returncode or done.stderr:
        break
    seen.add(done.stdout.count(b'"comm"'))
print(len(seen), file=open(top + "/seen", "w"))
sys.stdout.buffer.write(done.stdout)
sys.stderr.buffer.write(done.stderr)
sys.stdout.flush()
os._exit(done.returncode)
""")
        self.assertIn("frame", [b["name"] for b in result["buffers"]])
        with open(os.path.join(self.tree.top, "seen"), encoding="ascii") as f:
            seen = int(f.read())
        self.remark(f"100 runs saw {seen} different numbers of holders")
        self.assertGreater(seen, 2)

    def test_other_namespace(self):
        """a /proc that does not show all processes, with a bufinfo of all buffers"""
        self.tree.write_bufinfo([(5, 4096, "system", b"<none>", [])])
        script = """
sys.stdout.flush()
sys.exit(subprocess.run([program, "--json", "--bufinfo", top + "/bufinfo"]).returncode)
"""
        self.live(script, lacks=[
            r"processes are hidden \(this /proc shows those of one PID namespace\)"])
        # Then one that does not even have the program itself.
        self.live("""
if not os.fork():
    check(libc.unshare(0x20000000))
    if not os.fork():
        mount("proc", "/proc", "proc")
        with open(top + "/ready", "w"):
            pass
        time.sleep(60)
    os._exit(0)
while not os.path.exists(top + "/ready"):
    time.sleep(0.01)
run()
""", lacks=[r"processes are hidden \(this /proc is that of another PID namespace\)"])

    def test_hidden(self):
        """a /proc that hides the processes of other users"""
        if os.getuid():
            self.skipTest("only root can become another user")
        shutil.copy(PROGRAM, os.path.join(self.tree.top, "lsdmabuf"))
        self.live("""
mount("proc", "/proc", "proc", 0, b"hidepid=2")
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
program = top + "/lsdmabuf"
if os.path.exists("/proc/1"):
    if not os.fork():
        sys.exit(0)
run()
""", lacks=[r"processes are hidden \(those of others do not show in this /proc\)"])

    def test_not_mounted(self):
        """nothing mounted on /proc is an error, and not an empty system"""
        if not shutil.which("unshare"):
            self.skipTest("unshare is not there")
        for kind in ("tmpfs", "sysfs"):
            done = subprocess.run(
                ["unshare", "-m" if os.getuid() == 0 else "-rm", "sh", "-c",
                 'mount -t "$2" none /proc || exit 77; exec "$1"', "sh", PROGRAM, kind],
                capture_output=True, check=False, timeout=60)
            if done.returncode == 77 or done.stderr.startswith(b"unshare:"):
                self.skipTest("no mounts of our own here: " + done.stderr.decode().strip())
            self.assertEqual((done.returncode, done.stdout, done.stderr), (
                1, b"", b"lsdmabuf: no proc file system is mounted on /proc\n"))


class Rights(Case):
    """Processes of other users"""

    def list_as_user(self, *args):
        """Run it as somebody whom modes of files mean something to."""
        program = PROGRAM
        kwargs = {}
        if os.getuid() == 0:
            # The program may be where nobody else can get at it.
            program = os.path.join(self.tree.top, "lsdmabuf")
            shutil.copy(PROGRAM, program)
            kwargs = {"user": 65534, "group": 65534, "extra_groups": []}
        try:
            return subprocess.run([program, "--proc", self.tree.proc, *args], **kwargs,
                                  capture_output=True, check=False, timeout=60)
        except OSError as e:
            raise unittest.SkipTest(f"root cannot become another user here: {e}") from e

    def test_unreadable(self):
        """what cannot be looked at is counted, and said once"""
        self.two_processes()
        tree = self.tree
        for pid in (300, 400, 500, 600):
            tree.process(pid)
            os.chmod(tree.path(pid, "fd"), 0)
        # A kernel thread and a zombie have nothing that could be seen.
        for pid, rest in ((400, "S 2 0 0 0 -1 2129984 0"), (500, "Z 1 1 1 0 -1 4194304 0")):
            with open(tree.path(pid, "stat"), "w", encoding="ascii") as f:
                f.write(f"{pid} (a) S) b) {rest} 0 0 0 0 0 0 0 0 20 0 1 0\n")
        done = self.list_as_user("--json")
        self.check_lacks(done, [r"2 processes could not be looked at completely \(the "
                                r"first: [36]00: fd cannot be read: Permission denied\)"])
        result = json.loads(done.stdout)
        self.assertEqual(result["unread_processes"], 2)
        self.assertEqual([p["pid"] for p in result["processes"]], [100, 200])
        self.assertEqual(self.list_as_user("-q").stderr, b"")

    def test_unreadable_parts(self):
        """fdinfo or maps alone that cannot be read"""
        for part in ("fdinfo", "maps"):
            with self.subTest(part=part):
                self.tree.process(1)
                self.tree.fd(1, 3, 5)
                os.chmod(self.tree.path(1, part), 0)
                done = self.list_as_user()
                self.check_lacks(done, ["1 process could not be looked at completely"])
                os.chmod(self.tree.path(1, part), 0o755)
                shutil.rmtree(self.tree.path(1))

    def test_running_system(self):
        """the system as it is: a list, and what is missing from it"""
        done = run("--json")
        result = json.loads(done.stdout)
        self.assertEqual(done.returncode, 1 if result["incomplete"] else 0)
        self.assertEqual(done.stderr.decode().splitlines(), [
            "lsdmabuf: incomplete: " + line for line in result["incomplete"]])
        if not result["bufinfo_read"]:
            self.assertIn(b"bufinfo could not be read (/sys/kernel/debug/dma_buf/bufinfo: ",
                          done.stderr)
            self.assertNotIn(b"bufinfo", run("--no-bufinfo").stderr)


class System(unittest.TestCase):
    """The running system, with a bufinfo of our own"""

    def test_closed_meanwhile(self):
        """a buffer that bufinfo has only before or after is not one of nobody"""
        if not shutil.which("unshare") or not os.path.isdir("/sys/kernel/debug"):
            self.skipTest("unshare or /sys/kernel/debug is not there")
        # What is read first is replaced as soon as it has been read. If that comes too
        # late, nothing has been tried: the second file has not been read then.
        script = """
import os, subprocess, sys, time
os.chdir(sys.argv[1])
where = "/sys/kernel/debug"
if subprocess.call(["mount", "-t", "tmpfs", "-o", "strictatime", "tmpfs", where]):
    sys.exit(77)
os.mkdir(where + "/dma_buf")
os.chdir(where + "/dma_buf")
sleepers = [subprocess.Popen(["sleep", "60"]) for _ in range(100)]
for _ in range(50):
    for name in ("before", "after"):
        with open(sys.argv[1] + "/" + name) as f, open(name, "w") as to:
            to.write(f.read())
    os.rename("before", "bufinfo")
    for name in ("bufinfo", "after"):
        os.utime(name, ns=(0, 0))
    done = subprocess.Popen(["nice", sys.argv[2], "--json", "--quiet"],
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    while not os.stat("bufinfo").st_atime_ns and done.poll() is None:
        pass
    os.rename("after", "bufinfo")
    out, err = done.communicate()
    if os.stat("bufinfo").st_atime_ns:
        break
for sleeper in sleepers:
    sleeper.kill()
sys.stdout.buffer.write(out)
sys.stderr.buffer.write(err)
sys.exit(78 if not os.stat("bufinfo").st_atime_ns else 0)
"""
        tree = Tree()
        self.addCleanup(tree.remove)
        for name, inos in (("before", (1, 2)), ("after", (2, 3))):
            tree.write_bufinfo([(ino, 4096, "test", b"x", [b"d%d" % ino])
                                for ino in inos])
            os.rename(tree.bufinfo, os.path.join(tree.top, name))
        done = subprocess.run(
            ["unshare", "-m" if os.getuid() == 0 else "-rm", sys.executable, "-c", script,
             tree.top, PROGRAM], capture_output=True, check=False, timeout=60)
        if done.returncode == 77 or done.stderr.startswith(b"unshare:"):
            self.skipTest("no mounts of our own here: " + done.stderr.decode().strip())
        self.assertEqual((done.returncode, done.stderr), (0, b""),
                         "bufinfo is not read a second time")
        result = json.loads(done.stdout)
        self.assertTrue(result["bufinfo_read"])
        self.assertEqual([b["ino"] for b in result["buffers"]
                          if b["exporter"] == "test"], [2])


class Scale(Case):
    """Many buffers"""

    @staticmethod
    def processor_time():
        """What children have taken: what else the machine does makes no difference."""
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        return usage.ru_utime + usage.ru_stime

    def test_time(self):
        """10000 buffers of 500 processes in less than a second of the processor"""
        tree = self.tree
        for p in range(500):
            pid = tree.process(1000 + p)
            for i in range(20):
                ino = p * 20 + i + 1
                tree.fd(pid, 3 + i, ino, name=b"buffer %d" % ino,
                        extra=f"attachments:\t1\nattached:\tdrv dev{ino % 7}\n")
            # One that all have, and a neighbour's.
            tree.fd(pid, 100, 20000, name=b"of all")
            tree.fd(pid, 101, (p + 1) % 500 * 20 + 1)
            for i in range(300):
                tree.map(pid, 0, line=f"7f{i * 8192:010x}-7f{i * 8192 + 4096:010x} r--p "
                         f"00000000 08:02 {i + 1}  /usr/lib/x".encode())
            tree.map(pid, p * 20 + 1)
        tree.write_bufinfo([(ino, 4096, "test", b"x", [b"dev"])
                            for ino in [*range(1, 10001), 20000]])
        for args in ([], ["--tree"], ["--json"], ["--dot"], ["--sort", "name"]):
            times = []
            for _ in range(3):
                start = self.processor_time()
                text = self.list(*args, bufinfo=True)
                times.append(self.processor_time() - start)
            what = " ".join(args) or "the table"
            self.remark(f"{what}: {min(times):.3f} s, {text.count(10)} lines")
            self.assertLess(min(times), 1)
        result = self.json(bufinfo=True)
        self.assertEqual(len(result["buffers"]), 10001)
        self.assertEqual(len(result["by_ino"][20000]["holders"]), 500)
        self.assertEqual(sum(p["share"] for p in result["processes"]), 10001 * 4096)

    def test_no_memory(self):
        """memory that runs out: a message, and the status for it"""
        tree = self.tree
        tree.process(1)
        for fd in range(3, 2000):
            tree.fd(1, fd, fd, name=b"n" * 31)
        statuses = collections.Counter()
        for kib in range(1024, 12288, 256):
            limit = functools.partial(resource.setrlimit, resource.RLIMIT_AS,
                                      (kib * 1024, kib * 1024))
            try:
                done = run("--proc", tree.proc, "--json", preexec_fn=limit)
            except (OSError, subprocess.SubprocessError):
                # Too little for the program itself.
                continue
            statuses[done.returncode] += 1
            if done.returncode == 3:
                self.assertEqual((done.stdout, done.stderr),
                                 (b"", b"lsdmabuf: out of memory\n"))
            elif done.returncode == 0:
                self.assertEqual(len(json.loads(done.stdout)["buffers"]), 1997)
            else:
                # The loader, or the kernel, before the program has begun.
                self.assertNotIn(b"lsdmabuf: ", done.stderr.replace(PROGRAM.encode(), b""))
        self.remark(f"status: times {dict(statuses)}")
        self.assertGreater(statuses[3], 0)
        self.assertGreater(statuses[0], 0)


class Options(Case):
    """The command line"""

    def test_bad(self):
        """bad options: status 2, the reason, no list"""
        for args, words in (
                (["--nonesuch"], "unrecognized option"), (["--bogus"], "'--bogus'"),
                (["--help", "--bogus"], "'--bogus'"), (["-V", "x"], "'x'"),
                (["--version", "--bogus"], "'--bogus'"), (["-h", "-t", "-j"], "only one"),
                 (["-x"], "invalid option"),
                (["--sort"], "requires an argument"), (["--sort", "colour"], "'colour'"),
                (["--sort", ""], "''"), (["file"], "'file'"), (["--", "x"], "'x'"),
                (["--tree", "--json"], "only one of"), (["-d", "-j"], "only one of"),
                (["--watch", "0"], "'0'"), (["--watch=-1"], "'-1'"),
                (["--watch", "nan"], "'nan'"), (["-w1e9"], "'1e9'"), (["-w", "."], "'.'"),
                (["--watch="], "''"), (["-w", "1.2.3"], "'1.2.3'"),
                (["-w", "86401"], "'86401'"), (["--tree=x"], "doesn't allow"),
                (["--bufinfo", "x", "--no-bufinfo"], "contradict")):
            with self.subTest(args=args):
                done = run(*args)
                self.assertEqual((done.returncode, done.stdout), (2, b""))
                self.assertIn(words, done.stderr.decode())
                self.assertTrue(done.stderr.decode().endswith(
                    "Usage: lsdmabuf [--tree | --json | --dot] [OPTION]...\n"
                    "Try 'lsdmabuf --help'.\n"))

    def test_missing(self):
        """files that are named and cannot be read: status 1"""
        for args in (["--proc", "/nonesuch"], ["--proc", "/dev/null"],
                     ["--bufinfo", "/nonesuch"], ["--bufinfo", "/"]):
            with self.subTest(args=args):
                done = run(*args)
                self.assertEqual((done.returncode, done.stdout), (1, b""))
                self.assertIn(args[1].encode(), done.stderr)

    def test_full(self):
        """output that cannot be written, in each format: status 1"""
        tree = ["--proc", self.tree.proc]
        for args in ([*tree], [*tree, "--tree"], [*tree, "--json"], [*tree, "--dot"],
                     [*tree, "-n"], [*tree, "--watch", "0.1"], ["--help"], ["--version"]):
            with self.subTest(args=args):
                with open("/dev/full", "wb") as full:
                    done = run(*args, stdout=full, stderr=subprocess.PIPE)
                self.assertEqual(done.returncode, 1)
                self.assertEqual(done.stderr,
                                 b"lsdmabuf: cannot write: No space left on device\n")
                done = run(*args, stdout=None, stderr=subprocess.PIPE,
                           preexec_fn=functools.partial(os.close, 1))
                self.assertEqual(done.returncode, 1)
                self.assertEqual(done.stderr,
                                 b"lsdmabuf: cannot write: Bad file descriptor\n")

    def test_nonblocking(self):
        """output that is taken slowly, by a pipe that does not block"""
        self.tree.process(1)
        for fd in range(2000):
            self.tree.fd(1, fd, fd + 1)
        ours, theirs = os.pipe()
        os.set_blocking(theirs, False)
        process = subprocess.Popen(  # pylint: disable=consider-using-with
            [PROGRAM, "--proc", self.tree.proc, "--json"], stdout=theirs,
            stderr=subprocess.PIPE)
        os.close(theirs)
        # Should it never end, neither would the reading.
        timer = threading.Timer(60, process.kill)
        timer.start()
        self.addCleanup(timer.cancel)
        with open(ours, "rb") as f:
            time.sleep(0.2)
            result = json.loads(f.read())
        self.assertEqual((process.communicate()[1], process.returncode), (b"", 0))
        self.assertEqual(len(result["buffers"]), 2000)

    def test_help(self):
        """help and version; the man page knows each option"""
        done = run("--help")
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        options = re.findall(r"--([a-z-]+)", done.stdout.decode())
        here = os.path.dirname(os.path.abspath(__file__))
        for name in ("lsdmabuf.1", "lsdmabuf.bash-completion"):
            with open(os.path.join(here, name), encoding="utf-8") as f:
                text = f.read().replace("\\-", "-")
            for option in options:
                self.assertIn("--" + option, text, name)
        done = run("-V")
        self.assertEqual(done.returncode, 0)
        self.assertRegex(done.stdout, rb"\Alsdmabuf [0-9.]+\n\Z")

    def test_completion(self):
        """bash completes options and keys"""
        bash = shutil.which("bash")
        if not bash:
            self.skipTest("bash is not installed")
        here = os.path.dirname(os.path.abspath(__file__))
        script = """
. "$1"
complete -p lsdmabuf || exit
shift
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
compopt() { :; }
_lsdmabuf
printf '%s\\n' "${COMPREPLY[@]}"
"""
        for words, want in ((["--sort", "e"], ["exporter"]), (["-s", "n"], ["name"]),
                            (["--sort", "=", "h"], ["holders"]), (["--tr"], ["--tree"]),
                            (["--watch", "--j"], ["--json"]), (["--watch", "1"], ["1", "10"]),
                            (["--sort", "="], ["ino", "size", "name", "exporter", "pid",
                                               "holders"])):
            with self.subTest(words=words):
                done = subprocess.run(
                    [bash, "-c", script, "bash", os.path.join(here, "lsdmabuf.bash-completion"),
                     "lsdmabuf", *words], capture_output=True, check=False, timeout=60)
                self.assertEqual(done.stderr, b"")
                self.assertEqual(done.stdout.decode().splitlines()[1:], want)


class Watch(Case):
    """--watch"""

    modes = theirs = None

    def start(self, *args, **kwargs):
        """Run it in the background on a tree."""
        process = subprocess.Popen(  # pylint: disable=consider-using-with
            [PROGRAM, "--proc", self.tree.proc, *args],
            env={**os.environ, "TERM": "xterm", "LC_ALL": "C"}, **kwargs)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def test_pipe(self):
        """without a terminal: again and again, until a signal"""
        self.two_processes()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            for args in (["--watch", "0.1"], ["-w0.1", "--json"]):
                with self.subTest(signal=number, args=args):
                    process = self.start(*args, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
                    time.sleep(0.55)
                    process.send_signal(number)
                    out, err = process.communicate(timeout=10)
                    self.assertEqual((process.returncode, err), (0, b""))
                    times = out.count(b"bufinfo_read" if "--json" in args else b"INO")
                    self.assertIn(times, range(3, 8))
                    self.assertNotIn(b"\x1b", out)

    def test_changes(self):
        """what is new is seen, what is gone is not, and remarks come once"""
        self.tree.process(1)
        self.tree.fd(1, 3, 5)
        with open(self.tree.path(2), "wb"):
            pass
        process = self.start("--watch", "0.1", "-j", stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE)
        time.sleep(0.3)
        self.tree.fd(1, 4, 6)
        time.sleep(0.3)
        shutil.rmtree(self.tree.path(1))
        time.sleep(0.3)
        process.terminate()
        out, err = process.communicate(timeout=10)
        decoder, text, counts = json.JSONDecoder(), out.decode(), []
        while text.strip():
            value, end = decoder.raw_decode(text)
            counts.append(len(value["buffers"]))
            text = text[end:].lstrip()
        self.assertEqual(sorted(set(counts), key=counts.index)[:3], [1, 2, 0])
        self.assertEqual(err.count(b"could not be looked at"), 1)

    def terminal(self, *args, rows=10, columns=40):
        """Run it on a terminal of its own; returns the process and our end."""
        ours, theirs = pty.openpty()
        self.addCleanup(os.close, ours)
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.modes, self.theirs = termios.tcgetattr(theirs), theirs
        self.addCleanup(os.close, theirs)
        process = self.start(*args, stdin=theirs, stdout=theirs, stderr=theirs,
                             start_new_session=True)
        return process, ours

    def read_until(self, fd, what, seconds=10):
        """What the terminal shows until then."""
        got, end = b"", time.monotonic() + seconds
        while what not in got:
            ready = select.select([fd], [], [], max(0, end - time.monotonic()))[0]
            self.assertTrue(ready, f"{what} does not come after {got}")
            got += os.read(fd, 65536)
        return got

    def check_left(self, process, ours, got):
        """It has ended well, and given the terminal back."""
        got += self.read_until(ours, b"\x1b[?1049l")
        self.assertEqual(process.wait(timeout=10), 0)
        self.assertIn(b"\x1b[?25h", got)
        self.assertEqual(termios.tcgetattr(self.theirs), self.modes)

    def test_quit(self):
        """on a terminal: drawn in place, cut to its size, and q"""
        self.tree.process(1)
        for fd in range(3, 60):
            self.tree.fd(1, fd, fd, name=b"x" * 31)
        process, ours = self.terminal("--watch", "0.1")
        got = self.read_until(ours, b"\x1b[J")
        self.assertIn(b"\x1b[?1049h", got)
        self.assertNotEqual(termios.tcgetattr(self.theirs), self.modes)
        screen = got[got.index(b"\x1b[H") + 3:got.index(b"\x1b[J")]
        lines = screen.split(b"\r\n")
        self.assertEqual(len(lines), 10)
        for line in lines:
            self.assertLessEqual(len(line.strip(b"\r").replace(b"\x1b[K", b"")), 40)
        self.assertIn(b"57 buffers", lines[0])
        self.assertRegex(lines[-1], rb"\.\.\. \d+ more lines")
        self.read_until(ours, b"\x1b[J")
        os.write(ours, b"q")
        self.check_left(process, ours, b"")

    def test_signals(self):
        """signals give the terminal back as it was"""
        self.two_processes()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
            with self.subTest(signal=number):
                process, ours = self.terminal("--tree", "--watch", "10")
                got = self.read_until(ours, b"\x1b[J")
                process.send_signal(number)
                self.check_left(process, ours, got)

    def test_stop(self):
        """stopped and continued, resized, and asked for the present state"""
        self.two_processes()
        process, ours = self.terminal("--watch", "60")
        self.read_until(ours, b"\x1b[J")
        process.send_signal(signal.SIGTSTP)
        self.read_until(ours, b"\x1b[?1049l")
        for _ in range(100):
            with open(f"/proc/{process.pid}/stat", encoding="utf-8") as f:
                state = f.read().rsplit(") ", 1)[1][0]
            if state == "T":
                break
            time.sleep(0.05)
        self.assertEqual(state, "T")
        self.assertEqual(termios.tcgetattr(self.theirs), self.modes)
        process.send_signal(signal.SIGCONT)
        got = self.read_until(ours, b"\x1b[J")
        self.assertIn(b"\x1b[?1049h", got)
        os.write(ours, b" ")
        self.read_until(ours, b"\x1b[J")
        fcntl.ioctl(self.theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 4, 20, 0, 0))
        process.send_signal(signal.SIGWINCH)
        got = self.read_until(ours, b"\x1b[J")
        self.assertEqual(got.count(b"\r\n"), 3)
        process.terminate()
        self.check_left(process, ours, b"")


def name_of(test):
    """A test's name, as it is printed and can be asked for."""
    return test.id().split(".", 1)[1].replace(".test_", ".").replace("_.", ".").lower()


class TapResult(unittest.TestResult):
    """Prints each test as it ends."""

    def __init__(self, total):
        super().__init__()
        self.number = 0
        self.bad = set()
        self.skipped_now = False
        print(f"KTAP version 1\n1..{total}", flush=True)

    def say(self, test, ok, directive=""):
        """A result, with what there is to say before it."""
        for line in REMARKS.pop(test.id(), []):
            print(f"# {line}")
        self.number += 1
        print(f"{'ok' if ok else 'not ok'} {self.number} {name_of(test)}: "
              f"{test.shortDescription()}{directive}", flush=True)

    def complain(self, test, err):
        """Why a test, or a part of it, has failed."""
        self.bad.add(test.id())
        for line in self._exc_info_to_string(err, test).splitlines():
            print(f"# {line[:500]}")

    def addError(self, test, err):
        super().addError(test, err)
        self.complain(test, err)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.complain(test, err)

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err:
            print(f"# in {subtest.id()}")
            self.complain(test, err)

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.say(test, True, f" # SKIP {reason}")
        self.bad.discard(test.id())
        self.skipped_now = True

    def startTest(self, test):
        super().startTest(test)
        self.skipped_now = False

    def stopTest(self, test):
        super().stopTest(test)
        if not self.skipped_now:
            self.say(test, test.id() not in self.bad)


def flatten(suite):
    """The tests of a suite, in the order of this file."""
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from flatten(test)
        else:
            yield test


def main():
    """Run the tests; the status is 0 if none has failed, 2 if none could run."""
    global PROGRAM  # pylint: disable=global-statement
    args = sys.argv[1:]
    if args and args[0] in ("-h", "--help"):
        print(__doc__)
        return 0
    if args:
        PROGRAM = args.pop(0)
    PROGRAM = os.path.abspath(PROGRAM)
    if not os.path.isfile(PROGRAM) or not os.stat(PROGRAM).st_mode & stat.S_IXUSR:
        print(f"{sys.argv[0]}: {PROGRAM} is no program; build it with make -C tools/dma-buf/lsdmabuf",
              file=sys.stderr)
        return 2
    tests = list(flatten(unittest.defaultTestLoader.loadTestsFromModule(
        sys.modules[__name__])))
    if args:
        tests = [t for t in tests if any(a in name_of(t) for a in args)]
    if not tests:
        print(f"{sys.argv[0]}: no test is called like that", file=sys.stderr)
        return 2
    result = TapResult(len(tests))
    for test in tests:
        test.run(result)
    skipped = len(result.skipped)
    print(f"# lsdmabuf: {len(tests) - len(result.bad) - skipped} passed, "
          f"{len(result.bad)} failed, {skipped} skipped")
    return 1 if result.bad else 0


if __name__ == "__main__":
    sys.exit(main())

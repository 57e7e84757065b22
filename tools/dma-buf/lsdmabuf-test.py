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

    def remove(self):
        """Remove all, also what a test has made unreadable."""
        for path, dirs, _ in os.walk(self.top):
            for name in dirs:
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
            f.write(text + extra.encode())
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

    def list(self, *args, bufinfo=False, errors=b"", **kwargs):
        """What it prints for the tree; it must have nothing to complain of."""
        args = ("--proc", self.tree.proc, *args)
        if bufinfo:
            args = ("--bufinfo", self.tree.bufinfo, *args)
        done = run(*args, **kwargs)
        self.assertEqual((done.returncode, done.stderr), (0, errors))
        return done.stdout

    def json(self, *args, **kwargs):
        """The same as objects of Python, with buffers by inode number as well."""
        result = json.loads(self.list("--json", *args, **kwargs).decode("utf-8"))
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
            "buffers": 4, "size": 2**20 + 8192 + 512 + 4096, "processes": 2,
            "unheld_buffers": 1, "unheld_size": 4096})
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
        """inode numbers and sizes of 64 bits; sums that do not wrap"""
        self.tree.process(1)
        self.tree.fd(1, 3, 2**64 - 1, 2**63 - 1)
        self.tree.fd(1, 4, 2**63, 2**64 - 1)
        result = self.json()
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
        row = self.rows()[0]
        self.assertEqual(row, ["5", "8.0K+", "?", "?", "alone\\012name", "1", "mapper",
                               "-", "2", "?"])
        buffer = self.json()["by_ino"][5]
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
        buffer = self.json(bufinfo=True)["by_ino"][5]
        self.assertEqual((buffer["devices"], buffer["attachments"]), (None, 2))
        self.assertEqual(self.rows(bufinfo=True)[0][-1], "2")

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

    def test_no_ino(self):
        """without ino in fdinfo, the file behind the link tells it"""
        tree = self.tree
        tree.process(1)
        target = tree.path(1, "fd", "anon_inode:dmabuf")
        with open(target, "wb"):
            pass
        tree.fd(1, 3, 0, link=b"anon_inode:dmabuf")
        with open(tree.path(1, "fdinfo", "3"), "wb") as f:
            f.write(b"pos:\t0\nsize:\t8192\ncount:\t1\nexp_name:\told\n")
        buffer = self.json()["buffers"][0]
        self.assertEqual((buffer["ino"], buffer["size"]),
                         (os.stat(target).st_ino, 8192))

    def test_impostors(self):
        """files and maps that only look like buffers"""
        tree = self.tree
        tree.process(1, b"liar")
        os.symlink("/dmabuf:file", tree.path(1, "fd", "3"))
        with open(tree.path(1, "fdinfo", "3"), "wb") as f:
            f.write(b"pos:\t0\nflags:\t0100000\nmnt_id:\t28\nino:\t99\n")
        for fd, link in ((4, "/home/dmabuf:x"), (5, "pipe:[1]"), (6, "/dmabuf")):
            os.symlink(link, tree.path(1, "fd", str(fd)))
            shutil.copy(tree.path(1, "fdinfo", "3"), tree.path(1, "fdinfo", str(fd)))
        for line in (b"7f0000000000-7f0000001000 rw-p 00000000 00:00 0   [anon:/dmabuf:x]",
                     b"7f0000000000-7f0000001000 rw-p 00000000 00:00 0   [anon: /dmabuf:x]",
                     b"7f0000000000-7f0000001000 rw-s 00000000 00:01 8   /tmp/a /dmabuf:x",
                     b"7f0000000000-7f0000001000 rw-s 00000000 08:01 9   /dmabuf:disk",
                     b"7f0000000000 rw-s 00000000 00:01 9   /dmabuf:x",
                     b"7f0000001000-7f0000000000 rw-s 00000000 00:01 9   /dmabuf:x",
                     b"7f0000000000-7f0000001000 rw-s 0 00:01 -9   /dmabuf:x",
                     b"7f0000000000-7f0000001000 rw-s 00000000 00:01 9",
                     b" /dmabuf:x", b"/dmabuf:x"):
            tree.map(1, 0, line=line)
        self.assertEqual(self.json()["buffers"], [])
        self.assertEqual(self.json()["processes"], [])

    def test_other_file_system(self):
        """a map of a file that is called like a buffer, in a tmpfs"""
        tree = self.tree
        tree.process(1)
        tree.process(2, b"liar")
        target = tree.path(1, "fd", "anon_inode:dmabuf")
        with open(target, "wb"):
            pass
        ino, dev = os.stat(target).st_ino, os.stat(target).st_dev
        if os.major(dev):
            self.skipTest("no file system without a block device at hand")
        dev = f"{os.major(dev):02x}:{os.minor(dev):02x}"
        tree.fd(1, 3, ino, link=b"anon_inode:dmabuf")
        tree.map(1, ino, dev=dev)
        tree.map(2, ino + 1, b"forged", dev="00:ffff")
        tree.map(2, ino, b"forged", dev="00:ffff")
        result = self.json()
        self.assertEqual([b["ino"] for b in result["buffers"]], [ino])
        self.assertEqual([p["pid"] for p in result["processes"]], [1])
        self.assertEqual(len(result["buffers"][0]["holders"][0]["maps"]), 1)

    def test_not_processes(self):
        """what else there is in /proc"""
        self.two_processes()
        for name in ("sys", "1x", "007", "99999999999", "0"):
            shutil.copytree(self.tree.path(100), os.path.join(self.tree.proc, name),
                            symlinks=True)
        with open(self.tree.path(300), "wb"):
            pass
        # A file where a process should be cannot be looked at, and is said to be.
        result = self.json(errors=b"lsdmabuf: 1 process could not be looked at: buffers, "
                           b"holders or devices may be missing\n")
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
        for text in junk + [b"\tAttached Devices:\nTotal 1 devices attached\n",
                            line + b"\tn\n\tAttached Devices:\n\tx\n",
                            line + b"\tn\n\tAttached Devices:\n\tx\nTotal 9 devices "
                            b"attached\n", line, line + b"x\t\n", b"\t\t\t\t\t\t\n"]:
            with open(tree.bufinfo, "wb") as f:
                f.write(text)
            result = self.json(bufinfo=True)
            self.list("--tree", bufinfo=True)
            self.list("--dot", bufinfo=True)
            self.assertEqual([b["ino"] for b in result["buffers"] if b["ino"] not in (3, 5)],
                             [])


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


class Races(Case):
    """Processes that come and go"""

    def test_vanishing(self):
        """processes that vanish while they are looked at are no error"""
        tree = self.tree
        tree.process(1, b"stays")
        tree.fd(1, 3, 1, name=b"stays")
        stop = threading.Event()

        def come_and_go():
            while not stop.is_set():
                for pid in range(2, 40):
                    tree.process(pid)
                    for fd in range(3, 8):
                        tree.fd(pid, fd, pid * 100 + fd)
                    tree.map(pid, pid * 100, b"map")
                for pid in range(2, 40):
                    shutil.rmtree(tree.path(pid))

        thread = threading.Thread(target=come_and_go)
        thread.start()
        seen = set()
        try:
            for _ in range(300):
                result = self.json()
                self.assertEqual(result["by_ino"][1]["name"], "stays")
                self.assertEqual(result["unread_processes"], 0)
                seen.add(len(result["processes"]))
        finally:
            stop.set()
            thread.join()
        self.remark(f"300 runs saw {len(seen)} different numbers of processes")
        self.assertGreater(len(seen), 3)

    def test_half_gone(self):
        """a process of which parts are gone already"""
        for missing in (["fdinfo"], ["fdinfo", "3"], ["maps"], ["fd"], ["comm"]):
            with self.subTest(missing=missing):
                self.tree.process(1)
                self.tree.fd(1, 3, 5)
                path = self.tree.path(1, *missing)
                if os.path.isdir(path):
                    shutil.rmtree(path)
                else:
                    os.unlink(path)
                self.assertEqual(len(self.json()["buffers"]), int(missing == ["maps"]))
                shutil.rmtree(self.tree.path(1))


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
                f.write(f"{pid} (a) S) b) {rest}\n")
        done = self.list_as_user("--json")
        self.assertEqual((done.returncode, done.stderr), (
            0, b"lsdmabuf: 2 processes could not be looked at: buffers, holders or "
            b"devices may be missing\n"))
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
                self.assertEqual(done.returncode, 0)
                self.assertIn(b"1 process could not be looked at", done.stderr)
                os.chmod(self.tree.path(1, part), 0o755)
                shutil.rmtree(self.tree.path(1))

    def test_running_system(self):
        """the system as it is: a list, and at most one line of what is missing"""
        done = run("--json")
        self.assertEqual(done.returncode, 0)
        result = json.loads(done.stdout)
        self.assertLessEqual(done.stderr.count(b"\n"), 1)
        whole = result["bufinfo_read"] and not result["unread_processes"]
        self.assertEqual(done.stderr == b"", whole)
        if not result["bufinfo_read"]:
            self.assertIn(b"/sys/kernel/debug/dma_buf/bufinfo could not be read (",
                          done.stderr)
            self.assertNotIn(b"bufinfo", run("--no-bufinfo").stderr)


class System(unittest.TestCase):
    """The running system, with a bufinfo of our own"""

    def test_closed_meanwhile(self):
        """a buffer that bufinfo has only before or after is not one of nobody"""
        if not shutil.which("unshare") or not os.path.isdir("/sys/kernel/debug"):
            self.skipTest("unshare or /sys/kernel/debug is not there")
        # A pipe with a name: what is read first and what is read next may differ.
        script = """
cd "$1"
mount -t tmpfs tmpfs /sys/kernel/debug || exit 77
mkdir /sys/kernel/debug/dma_buf
mkfifo /sys/kernel/debug/dma_buf/bufinfo || exit 77
(cat before >/sys/kernel/debug/dma_buf/bufinfo
sleep 0.5
timeout 20 cat after >/sys/kernel/debug/dma_buf/bufinfo) &
exec "$2" --json --quiet
"""
        tree = Tree()
        self.addCleanup(tree.remove)
        for name, inos in (("before", (1, 2)), ("after", (2, 3))):
            tree.write_bufinfo([(ino, 4096, "test", b"x", [b"d%d" % ino])
                                for ino in inos])
            os.rename(tree.bufinfo, os.path.join(tree.top, name))
        done = subprocess.run(
            ["unshare", "-m" if os.getuid() == 0 else "-rm", "sh", "-c", script, "sh",
             tree.top, PROGRAM], capture_output=True, check=False, timeout=60)
        if done.returncode == 77 or done.stderr.startswith(b"unshare:"):
            self.skipTest("no mounts of our own here: " + done.stderr.decode().strip())
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        result = json.loads(done.stdout)
        self.assertTrue(result["bufinfo_read"])
        self.assertEqual([b["ino"] for b in result["buffers"]
                          if b["exporter"] == "test"], [2])


class Scale(Case):
    """Many buffers"""

    def test_time(self):
        """10000 buffers of 500 processes in less than a second"""
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
                            for ino in range(1, 10001)])
        for args in ([], ["--tree"], ["--json"], ["--dot"], ["--sort", "name"]):
            times = []
            for _ in range(3):
                start = time.monotonic()
                text = self.list(*args, bufinfo=True)
                times.append(time.monotonic() - start)
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
        print(f"{sys.argv[0]}: {PROGRAM} is no program; build it with make -C tools/dma-buf",
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

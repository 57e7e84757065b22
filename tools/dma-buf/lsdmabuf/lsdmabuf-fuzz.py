#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Fuzz lsdmabuf with damaged copies of /proc and bufinfo. Prints KTAP.

    lsdmabuf-fuzz.py [--rounds N] [--seed N] [--first N] [PATH-OF-LSDMABUF]

The program should be built with sanitizers:

    make O=DIR CFLAGS="-O1 -g -fsanitize=address,undefined" DIR/lsdmabuf

Each round damages the same saved state in one to four places, and lists it in one
of the four formats. --seed S --first ROUND --rounds 1 does it again.

A round is a finding if the program
 - crashes, or a sanitizer reports anything;
 - computes for more than two seconds, or does not end within a minute;
 - contradicts itself: its exit status, standard error and "incomplete" in JSON must
   agree on whether the list is complete, and sums must be those of the list; or
 - is silent (status 0, nothing on standard error, nothing in "incomplete") while a
   buffer, a process, a holder or a byte is missing.

What must not be missing is found out by a second reader, State.facts(). It does not
guess: a file is either exactly as the kernel writes it, or it is damaged.
 - What a damaged or missing file said before the round must still be listed, from
   wherever else it may be known. Otherwise the program must not be silent.
 - What a file says that is well-formed must be listed as it says it now. Whoever
   replaces one number by another, drops a line of maps, or removes a descriptor
   together with its fdinfo, leaves a state that may well have been; nobody can know.
 - Two well-formed files that contradict each other on a buffer's size or exporter, and
   a descriptor of a buffer that a well-formed bufinfo has not, forbid silence.
So a silent list has never less than what was there, but for what has been taken away
without a trace.
"""

import argparse
import json
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile

FORMATS = {"table": [], "tree": ["--tree"], "json": ["--json"], "dot": ["--dot"]}

# Of CPU time, so that it does not matter what else the machine does. A program that
# waits for something uses none, and gets as long as no busy machine delays it.
SECONDS = 2
SECONDS_ASLEEP = 60

DIRECTORY = ("directory", b"")

FDINFO = re.compile(
    rb"pos:\t\d+\nflags:\t0[0-7]+\nmnt_id:\t\d+\nino:\t(\d+)\n"
    rb"(?:size:\t(\d+)\ncount:\t-?\d+\nexp_name:\t([^\n\0]*)\n(?:name:\t[^\n\0]*\n)?"
    rb"(?:attachments:\t\d+\nmappings:\t\d+\npinned:\t\d+\nvmaps:\t\d+\n"
    rb"(?:attached:\t[^\n\0]*\n)*)?)?\Z")

MAP = re.compile(
    rb"([0-9a-f]+)-([0-9a-f]+) [r-][w-][x-][ps] [0-9a-f]+ ([0-9a-f]+):[0-9a-f]+ (\d+) "
    rb"*([^\n\0]*)\Z")

BUFINFO = re.compile(
    rb"\nDma-buf Objects:\nsize    \tflags   \tmode    \tcount   \texp_name\tino     \tname\n"
    rb"((?:\d{8,}\t[0-9a-f]{8,}\t[0-9a-f]{8,}\t\d{8,}\t[^\t\n\0]+\t\d{8,}\t[^\n\0]*\n"
    rb"(?:\t[a-z]+ fence:[^\n\0]*\n)*\tAttached Devices:\n(?:\t[^\n\0]*\n)*"
    rb"Total \d+ devices attached\n\n)*)\nTotal (\d+) objects, (\d+) bytes\n\Z")

BUFFER = re.compile(
    rb"(\d{8,})\t[0-9a-f]+\t[0-9a-f]+\t\d+\t([^\t\n]+)\t(\d{8,})\t[^\n]*\n"
    rb"((?:\t[^\n]*\n)*)Total (\d+) devices attached\n\n")


def in_range(*numbers):
    """What the kernel has for such a number has 64 bits."""
    return all(n < 1 << 64 for n in numbers)


class Facts:
    """What is known of buffers, and by whom they are held."""

    def __init__(self):
        self.sizes = {}
        self.exporters = {}
        self.spans = {}
        self.holders = set()
        self.by_fd = set()
        self.contradiction = False

    def buffer(self, ino, size, exporter, certain=True):
        """Its size, as a well-formed file has it now, or a damaged one had it."""
        if certain and (self.sizes.get(ino, (size, False)) != (size, False) and
                        self.sizes[ino][1] and self.sizes[ino][0] != size or
                        self.exporters.get(ino, exporter) != exporter):
            self.contradiction = True
        if certain or ino not in self.sizes:
            self.sizes[ino] = (size, certain)
        if certain:
            self.exporters[ino] = exporter

    def fd(self, pid, ino, size, exporter, certain=True):
        """A descriptor of it"""
        self.buffer(ino, size, exporter, certain)
        self.holders.add((pid, ino))
        if certain:
            self.by_fd.add(ino)

    def map(self, pid, ino, size):
        """A map of it"""
        self.holders.add((pid, ino))
        self.spans[ino] = max(size, self.spans.get(ino, 0))


class State:
    """A saved state: for each path what is there, and what that is."""

    def __init__(self, entries=()):
        self.entries = dict(entries)

    def __getitem__(self, path):
        return self.entries.get(path, ("missing", b""))

    def add(self, path, kind, data=b""):
        """Something new, and the directories that lead to it"""
        while "/" in path and os.path.dirname(path) not in self.entries:
            self.add(os.path.dirname(path), *DIRECTORY)
        self.entries[path] = (kind, data)

    def remove(self, path):
        """It, and all that is in it"""
        for other in list(self.entries):
            if other == path or other.startswith(path + "/"):
                del self.entries[other]

    def children(self, path):
        """Names in a directory"""
        return [other[len(path) + 1:] for other in self.entries
                if other.startswith(path + "/") and "/" not in other[len(path) + 1:]]

    def read(self, path):
        """What is in a regular file; None if it is none."""
        kind, data = self[path]
        return data if kind == "file" else None

    def fdinfo(self, path):
        """(ino, size, exporter) of a buffer, () of another file, None if damaged."""
        match = FDINFO.match(self.read(path) or b"x")
        if not match:
            return None
        ino, size, exporter = match.groups()
        if not in_range(int(ino), int(size or 0)):
            return None
        return (int(ino), int(size), exporter) if size is not None else ()

    def maps(self, path):
        """(ino, size) of each map of a buffer; None if that is damaged."""
        text = self.read(path)
        if not text or not text.endswith(b"\n") or text.count(b"\r\n") == text.count(b"\n"):
            return None
        found = []
        for line in text[:-1].split(b"\n"):
            match = MAP.match(line)
            if not match:
                return None
            start, end, major = (int(match[i], 16) for i in (1, 2, 3))
            if end <= start or not in_range(start, end, int(match[4])) or major >> 32:
                return None
            if match[5].startswith(b"/dmabuf:") and not major:
                found.append((int(match[4]), end - start))
        return found

    def bufinfo(self):
        """(ino, size, exporter) of each buffer; None if that is damaged."""
        match = BUFINFO.match(self.read("bufinfo") or b"")
        if not match:
            return None
        found, end = {}, 0
        for one in BUFFER.finditer(match[1]):
            size, ino = int(one[1]), int(one[3])
            devices = one[4].rsplit(b"\tAttached Devices:\n", 1)[-1].count(b"\n")
            if (ino in found or one.start() != end or devices != int(one[5]) or
                    not in_range(size, ino)):
                return None
            found[ino] = (ino, size, one[2])
            end = one.end()
        if (end != len(match[1]) or len(found) != int(match[2]) or
                sum(b[1] for b in found.values()) % 2**64 != int(match[3])):
            return None
        return list(found.values())

    def has_nothing(self, pid):
        """Does its stat say that it is a thread of the kernel, or has ended?"""
        text = self.read(f"proc/{pid}/stat")
        fields = (text or b"").rsplit(b")", 1)[-1].split()
        try:
            return bool(int(fields[6]) & 0x200000) or \
                fields[0] in (b"Z", b"X") and int(fields[17]) <= 1
        except (IndexError, ValueError):
            return False

    def fds_facts(self, facts, before, pid, where):
        """What there is to know by the descriptors of a thread"""
        lost = self[f"{where}/fd"] != DIRECTORY
        for fd in before.children(f"{where}/fdinfo"):
            was = before.fdinfo(f"{where}/fdinfo/{fd}")
            kind, link = self[f"{where}/fd/{fd}"]
            now = self.fdinfo(f"{where}/fdinfo/{fd}")
            no_fdinfo = self[f"{where}/fdinfo/{fd}"][0] == "missing"
            if not lost and now:
                facts.fd(pid, *now)
                continue
            if not lost:
                # A directory that is missing has lost what it had.
                if kind == "missing" and no_fdinfo and \
                        self[f"{where}/fdinfo"] == DIRECTORY:
                    continue
                # Links to other files tell that they are none.
                if kind == "link" and link.startswith(b"/") and \
                        not link.startswith(b"/dmabuf:"):
                    continue
                if kind == "link" and link.endswith(b"]") and b":[" in link:
                    continue
                if kind == "link" and now == () and link != b"anon_inode:dmabuf" and \
                        not link.startswith(b"/"):
                    continue
            if was:
                facts.fd(pid, *was, certain=False)

    def process_facts(self, facts, before, pid):
        """What there is to know by a process"""
        top = f"proc/{pid}"
        if self[top][0] == "missing":
            return
        threads = [f"{top}/task/{tid}" for tid in before.children(f"{top}/task")]
        main_ended = not before.read(f"{top}/maps")
        if main_ended and self[f"{top}/maps"] == ("file", b"") and \
                self.has_nothing(pid) and \
                not any(self[t][0] != "missing" for t in threads):
            return
        lost = self[top] != DIRECTORY
        task = self[f"{top}/task"]
        # A copy need not have threads, if the main one has all.
        no_threads = task[0] == "missing" and not main_ended and not lost
        maps = []
        for where in [top, *threads]:
            if where != top and no_threads:
                continue
            gone = where != top and self[where][0] == "missing" and \
                task == DIRECTORY and (not main_ended or any(
                    self[t][0] != "missing" for t in threads))
            if gone:
                continue
            if lost:
                before.fds_facts(facts, before, pid, where)
            else:
                self.fds_facts(facts, before, pid, where)
            was = before.maps(f"{where}/maps")
            if was is None:
                continue
            now = None if lost else self.maps(f"{where}/maps")
            empty = self[f"{where}/maps"] == ("file", b"")
            maps.append((where, was, now, empty))
        # The first that is not empty counts, and which of the threads' that is, is
        # not known. What was there is the same for all.
        choices = []
        for where, was, now, empty in maps:
            if where == top and not empty:
                choices = [was if now is None else now]
                break
            if not empty:
                choices.append(was if now is None else now)
        if not choices and maps:
            choices = [maps[0][1]]
        for one in choices[0] if choices else []:
            if all(one in other for other in choices):
                facts.map(pid, *one)

    def facts(self, before):
        """All that a silent list must have, if this was the state before"""
        facts = Facts()
        buffers = self.bufinfo()
        for one in before.bufinfo() if buffers is None else buffers:
            facts.buffer(*one, certain=buffers is not None)
        for pid in before.children("proc"):
            self.process_facts(facts, before, pid)
        if buffers is not None and facts.by_fd - {b[0] for b in buffers}:
            facts.contradiction = True
        return facts


def make_state():
    """A camera, a display, a server whose main thread has ended, and what else."""
    state = State()
    devices = {42: [b"0000:00:02.0", b"vkms"], 77: [b"a\\012\\134b", b"a\\012\\134b"]}
    buffers = {
        42: (8192, b"vivid", b"frame"), 43: (8192, b"vivid", b"frame"),
        7: (1 << 20, b"system", None), 9: (4096, b"udmabuf", b""),
        77: (4096, b"system", b"lost"), 1000001: ((1 << 33) + 4096, b"system", b"a\\012b"),
        55: (65536, b"i915", b"old"), 56: (12288, b"system", b"by thread"),
    }

    def process(pid, comm, stat="S 1 1 1 0 -1 4194304 0 0 0 0 0 0 0 0 20 0 1 0"):
        for name in ("fd", "fdinfo"):
            state.add(f"proc/{pid}/{name}", *DIRECTORY)
        state.add(f"proc/{pid}/comm", "file", comm + b"\n")
        state.add(f"proc/{pid}/stat", "file", b"%d (%s) %s\n" % (
            int(str(pid).rsplit("/", 1)[-1]), comm, stat.encode()))

    def other(pid, fd, link):
        state.add(f"proc/{pid}/fd/{fd}", "link", link)
        state.add(f"proc/{pid}/fdinfo/{fd}", "file",
                  b"pos:\t0\nflags:\t0100002\nmnt_id:\t28\nino:\t%d\n" % (900 + fd))

    def descriptor(pid, fd, ino, link=None):
        size, exporter, name = buffers[ino]
        text = (b"pos:\t0\nflags:\t02000002\nmnt_id:\t15\nino:\t%d\nsize:\t%d\n"
                b"count:\t3\nexp_name:\t%s\n" % (ino, size, exporter))
        if name is not None:
            text += b"name:\t" + name + b"\n"
        if ino != 55:
            text += b"attachments:\t%d\nmappings:\t0\npinned:\t0\nvmaps:\t0\n" % len(
                devices.get(ino, []))
            text += b"".join(b"attached:\tdriver " + d + b"\n" for d in devices.get(ino, []))
        if link is None:
            link = b"/dmabuf:" + (name or b"").replace(b"\\012", b"\n")
        state.add(f"proc/{pid}/fd/{fd}", "link", link)
        state.add(f"proc/{pid}/fdinfo/{fd}", "file", text)

    def maps(pid, *inos):
        text = b"55d000000000-55d000052000 r-xp 00000000 08:02 173521  /usr/bin/x\n"
        for i, ino in enumerate(inos):
            line = b"7f%d000000000-7f%d%09x rw-s 00000000 00:0d %d" % (
                i, i, min(buffers[ino][0], 1 << 33), ino)
            text += line.ljust(73) + b"/dmabuf:" + (buffers[ino][2] or b"") + b"\n"
        text += b"7ffd00000000-7ffd00021000 rw-p 00000000 00:00 0  [stack]\n"
        text += b"7ffe00000000-7ffe00001000 rw-p 00000000 00:00 0 \n"
        state.add(f"proc/{pid}/maps", "file", text)

    process(100, b"camera")
    other(100, 0, b"/dev/null")
    other(100, 1, b"socket:[4711]")
    descriptor(100, 5, 42)
    descriptor(100, 6, 42)
    descriptor(100, 7, 43)
    descriptor(100, 8, 1000001)
    maps(100, 42, 43)
    for pid in ("200", "200/task/200", "200/task/201"):
        process(pid, b"display", "S 1 1 1 0 -1 4194304 0 0 0 0 0 0 0 0 20 0 2 0")
        descriptor(pid, 3, 42)
        descriptor(pid, 4, 7)
        descriptor(pid, 5, 55, b"anon_inode:dmabuf")
        other(pid, 6, b"anon_inode:inotify")
        maps(pid, 42, 9, 9)
    descriptor("200/task/201", 9, 56)
    ended = "Z 1 1 1 0 -1 4194304 0 0 0 0 0 0 0 0 20 0 3 0"
    for pid in ("300", "300/task/300"):
        process(pid, b"server", ended)
        state.add(f"proc/{pid}/maps", "file", b"")
    for pid in ("300/task/301", "300/task/302"):
        process(pid, b"worker")
        descriptor(pid, 3, 7)
        descriptor(pid, 4, 9)
        maps(pid, 56)
    process(2, b"kthreadd", "S 0 0 0 0 -1 2129984 0 0 0 0 0 0 0 0 20 0 1 0")
    state.add("proc/2/maps", "file", b"")
    process(400, b"defunct", "Z 1 1 1 0 -1 4194304 0 0 0 0 0 0 0 0 20 0 1 0")
    state.add("proc/400/maps", "file", b"")
    process(1, b"init")
    other(1, 0, b"/dev/console")
    maps(1)

    text = (b"\nDma-buf Objects:\nsize    \tflags   \tmode    \tcount   \texp_name\t"
            b"ino     \tname\n")
    for ino, (size, exporter, name) in buffers.items():
        text += b"%08d\t%08x\t%08x\t%08d\t%s\t%08d\t%s\n" % (
            size, 0o2000002, 0x60007, 3, exporter, ino, b"<none>" if name is None else name)
        if ino == 42:
            text += b"\twrite fence:vivid 0-out seq 4 unsignalled\n"
        text += b"\tAttached Devices:\n"
        text += b"".join(b"\t" + d + b"\n" for d in devices.get(ino, []))
        text += b"Total %d devices attached\n\n" % len(devices.get(ino, []))
    text += b"\nTotal %d objects, %d bytes\n" % (
        len(buffers), sum(b[0] for b in buffers.values()))
    state.add("bufinfo", "file", text)
    return state


NUMBERS = [b"0", b"1", b"-1", b"4294967295", b"4294967296", b"9223372036854775807",
           b"9223372036854775808", b"18446744073709551615", b"18446744073709551616",
           b"99999999999999999999999999", b"1e9", b"0x10", b"007", b""]


def flip(rng, data):
    """Some bits of one byte, or another byte"""
    if not data:
        return data
    i = rng.randrange(len(data))
    byte = data[i] ^ 1 << rng.randrange(8) if rng.random() < 0.5 else rng.randrange(256)
    return data[:i] + bytes([byte]) + data[i + 1:]


def insert(rng, data):
    """Bytes, often such as matter"""
    i = rng.randrange(len(data) + 1)
    what = rng.choice([b"\n", b"\t", b"\0", b"\r", b" ", b"\\", b"\\012", b"\xff", b"-",
                       b"\0" * 100, b"x" * 5000, rng.randbytes(rng.randrange(1, 20))])
    return data[:i] + what + data[i:]


def lines(rng, data):
    """A line dropped, repeated, moved or merged with the next"""
    parts = data.splitlines(keepends=True)
    if not parts:
        return data
    i = rng.randrange(len(parts))
    how = rng.randrange(5)
    if how == 0:
        del parts[i]
    elif how == 1:
        parts[i:i] = [parts[i]] * rng.choice([1, 1, 1, 2, 1000])
    elif how == 2:
        parts.insert(rng.randrange(len(parts)), parts.pop(i))
    elif how == 3:
        parts[i] = parts[i].rstrip(b"\n")
    else:
        parts[i] = flip(rng, parts[i])
    return b"".join(parts)


def number(rng, data):
    """One number instead of another"""
    found = list(re.finditer(rb"\d+", data))
    if not found:
        return data
    match = rng.choice(found)
    new = rng.choice(NUMBERS + [match[0].zfill(20), match[0] + b"0", match[0][:-1]])
    return data[:match.start()] + new + data[match.end():]


def cut(rng, data):
    """At the beginning or the end"""
    i = rng.randrange(len(data) + 1)
    return data[:i] if rng.random() < 0.8 else data[i:]


CHANGES = [flip, flip, insert, lines, lines, number, number, cut, cut,
           lambda rng, data: data.replace(b"\n", b"\r\n"),
           lambda rng, data: data.replace(rng.choice([b"\n", b"\t", b" ", b":"]), b"", 1),
           lambda rng, data: data + data,
           lambda rng, data: b"",
           lambda rng, data: rng.randbytes(rng.randrange(2000))]


def replace(rng, state, path):
    """Put something of another kind there."""
    state.remove(path)
    kind = rng.choice(["directory", "fifo", "link", "sparse", "socket", "device", "file"])
    data = b""
    if kind == "link":
        data = rng.choice([b"/dev/zero", os.path.basename(path).encode(), b"../1", b"..",
                           b"/nonesuch", b"comm", b"../../100", b"/dev/stdin"])
    state.entries[path] = (kind, data)


def mutate(rng, state):
    """Damage one thing. Returns what was done, in words."""
    paths = sorted(p for p in state.entries if p != "proc")
    # There is one bufinfo, and most else is about descriptors.
    path = "bufinfo" if rng.random() < 0.3 and "bufinfo" in state.entries else \
        rng.choice(paths)
    kind, data = state.entries[path]
    how = rng.random()
    if path == "bufinfo" and kind != "file" or how < 0.15:
        if path == "bufinfo":
            replace(rng, state, path)
            return f"replace {path} by {state[path]}"
        state.remove(path)
        return f"remove {path}"
    if how < 0.3 or kind == "directory":
        replace(rng, state, path)
        return f"replace {path} by {state[path]}"
    if kind == "link":
        data = flip(rng, data) if rng.random() < 0.5 else cut(rng, data)
        data = data.replace(b"\0", b"?") or b"?"
    elif kind == "file":
        change = rng.choice(CHANGES)
        data = change(rng, data)
    else:
        return f"leave {path}"
    state.entries[path] = (kind, data)
    return f"change {path}"


class Folder:
    """The state as files: only what a round has changed is made anew."""

    def __init__(self, state):
        shm = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        self.top = tempfile.mkdtemp(prefix="lsdmabuf-fuzz-", dir=shm)
        self.entries = {}
        self.become(state)

    def remove(self):
        """Leave nothing."""
        shutil.rmtree(self.top)

    def make(self, path, kind, data):
        """One of the entries"""
        path = os.path.join(self.top, path)
        if kind == "directory":
            os.mkdir(path)
        elif kind == "link":
            os.symlink(data, path.encode())
        elif kind == "fifo":
            os.mkfifo(path)
        elif kind in ("socket", "device"):
            mode, device = {"socket": (0o140644, 0),
                            "device": (0o020644, os.makedev(1, 5))}[kind]
            try:
                os.mknod(path, mode, device)
            except PermissionError:
                os.mkfifo(path)
        else:
            with open(path, "wb") as f:
                f.write(data)
                if kind == "sparse":
                    f.truncate(1 << 40)

    def become(self, state):
        """Make the files such that they are this state."""
        old, new = self.entries, state.entries
        for path in sorted(old, reverse=True):
            if new.get(path) != old[path]:
                full = os.path.join(self.top, path)
                if old[path][0] == "directory":
                    os.rmdir(full)
                else:
                    os.unlink(full)
        for path in sorted(new):
            if new[path] != old.get(path):
                self.make(path, *new[path])
        self.entries = dict(new)


class Finding(Exception):
    """What the program must not do"""


def limit_cpu():
    """For a child, before it executes the program"""
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS + 1))


class Fuzzer:
    """Rounds of damage"""

    def __init__(self, program):
        self.program = program
        self.state = make_state()
        self.folder = Folder(self.state)
        self.silent = 0
        # To look for leaks takes longer than all else: only now and then.
        self.leaks = True

    def run(self, args):
        """Status, output and errors; it must end in time, and without a report."""
        top = self.folder.top
        env = {**os.environ, "LC_ALL": "C",
               "ASAN_OPTIONS": "exitcode=99:allocator_may_return_null=1:"
               f"detect_leaks={int(self.leaks)}",
               "UBSAN_OPTIONS": "halt_on_error=1:exitcode=99:print_stacktrace=1"}
        try:
            done = subprocess.run(
                [self.program, "--proc", f"{top}/proc", "--bufinfo", f"{top}/bufinfo",
                 *args], capture_output=True, check=False, env=env, timeout=SECONDS_ASLEEP,
                stdin=subprocess.DEVNULL, preexec_fn=limit_cpu)
        except subprocess.TimeoutExpired:
            raise Finding(f"it does not end within {SECONDS_ASLEEP} s") from None
        if done.returncode == -signal.SIGXCPU:
            raise Finding(f"it computes for more than {SECONDS} s")
        if done.returncode not in (0, 1):
            raise Finding(f"status {done.returncode}: {done.stderr.decode(errors='replace')}")
        for line in done.stderr.splitlines():
            if not line.startswith(b"lsdmabuf: "):
                raise Finding(f"it says {done.stderr!r}")
        if bool(done.returncode) != bool(done.stderr):
            raise Finding(f"status {done.returncode}, and it says {done.stderr!r}")
        if done.returncode and not done.stdout and b"incomplete" in done.stderr:
            raise Finding("no list")
        return done

    @staticmethod
    def check_sums(result):
        """Do the totals fit the list?"""
        sizes = [b["size"] or 0 for b in result["buffers"]]
        total = result["total"]
        if total["buffers"] != len(sizes) or total["size"] != min(sum(sizes), 2**64 - 1):
            raise Finding("the total is not that of the list")
        holders = {}
        for buffer in result["buffers"]:
            for holder in buffer["holders"]:
                holders.setdefault(holder["pid"], []).append(buffer["size"] or 0)
        for process in result["processes"]:
            sizes = holders.pop(process["pid"], [])
            if process["buffers"] != len(sizes) or \
                    process["size"] != min(sum(sizes), 2**64 - 1):
                raise Finding(f"the sums of process {process['pid']} do not fit the list")
        if holders:
            raise Finding("a holder is not among the processes")

    @staticmethod
    def check_silent(result, facts):
        """Is there all that must be there?"""
        if facts.contradiction:
            raise Finding("sources contradict each other, and it is silent")
        buffers = {b["ino"]: b for b in result["buffers"]}
        for ino in sorted({*facts.sizes, *facts.spans}):
            if ino not in buffers:
                raise Finding(f"buffer {ino} is missing, and it is silent")
            size = max(facts.sizes.get(ino, (0,))[0], facts.spans.get(ino, 0)
                       if ino not in facts.sizes else 0)
            if not buffers[ino]["size_exact"] or buffers[ino]["size"] < size:
                raise Finding(f"buffer {ino} has {size} bytes or more, and it is silent")
        holders = {(h["pid"], b["ino"]) for b in result["buffers"] for h in b["holders"]}
        for pid, ino in sorted(facts.holders - {(p, str(i)) for p, i in holders}):
            if (int(pid), ino) not in holders:
                raise Finding(f"process {pid} holds buffer {ino}, and it is silent")

    def check(self, args, state):
        """List the state, and judge what comes out."""
        self.folder.become(state)
        done = self.run(args)
        if args != ["--json"] and not done.returncode:
            # What it says in words is not taken apart: a silent list is made twice.
            again = self.run(["--json"])
            if again.returncode:
                raise Finding("it is silent, but not with --json")
            done = again
        elif args != ["--json"]:
            return
        if not done.stdout:
            return
        result = json.loads(done.stdout.decode())
        words = [f"lsdmabuf: incomplete: {line}" for line in result.get("incomplete", [])]
        if words != done.stderr.decode().splitlines():
            raise Finding("JSON says something else than standard error")
        self.check_sums(result)
        if not done.returncode:
            self.silent += 1
            self.check_silent(result, state.facts(self.state))

    def round(self, seed, number_):
        """Returns what has been found, and what was done before; or None."""
        rng = random.Random(f"{seed} {number_}")
        state = State(self.state.entries)
        done = [mutate(rng, state) for _ in range(rng.choice([1, 1, 1, 2, 3, 4]))]
        name = list(FORMATS)[number_ % len(FORMATS)]
        self.leaks = number_ // len(FORMATS) % 16 == 0
        try:
            self.check(FORMATS[name], state)
        except (Finding, ValueError, KeyError) as e:
            return f"{type(e).__name__}: {e}", done
        return None


def main():
    """Status 0 if nothing was found"""
    parser = argparse.ArgumentParser(description="Fuzz lsdmabuf.", allow_abbrev=False)
    parser.add_argument("--rounds", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("program", nargs="?", default="./lsdmabuf")
    options = parser.parse_args()
    if options.rounds < 1 or options.first < 0:
        parser.error("there must be a round, and the first has a number from 0")
    if not os.access(options.program, os.X_OK):
        parser.error(f"{options.program} is no program")

    fuzzer = Fuzzer(os.path.abspath(options.program))
    findings = dict.fromkeys(FORMATS, 0)
    print(f"KTAP version 1\n1..{len(FORMATS) + 1}")
    print(f"# seed {options.seed}, rounds {options.first} to "
          f"{options.first + options.rounds - 1}", flush=True)
    try:
        try:
            fuzzer.check(["--json"], fuzzer.state)
            undamaged = fuzzer.silent == 1
        except Finding as e:
            undamaged = False
            print(f"# {e}")
        print(f"{'ok' if undamaged else 'not ok'} 1 fuzz.undamaged: the state as it was saved "
              "is complete", flush=True)
        fuzzer.silent = 0
        for number_ in range(options.first, options.first + options.rounds):
            found = fuzzer.round(options.seed, number_)
            if found:
                findings[list(FORMATS)[number_ % len(FORMATS)]] += 1
                print(f"# round {number_}: {found[0]}")
                print(f"#   after: {'; '.join(found[1])}", flush=True)
    finally:
        fuzzer.folder.remove()
    for i, (name, count) in enumerate(findings.items()):
        print(f"{'not ok' if count else 'ok'} {i + 2} fuzz.{name}: damaged states listed as "
              f"{name}")
    total = sum(findings.values())
    print(f"# lsdmabuf-fuzz: {options.rounds} rounds, {fuzzer.silent} of them silent, "
          f"{total} findings")
    return 1 if total or not undamaged else 0


if __name__ == "__main__":
    sys.exit(main())

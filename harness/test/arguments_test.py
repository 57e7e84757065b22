#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Tests of every command of harness/ and of .ci/run: what a command does not
understand it refuses, with status 2 and its usage on standard error, and before
it has done anything. And of make help, which names all that there is.

The commands run in a copy of the repository, with a PATH where the programs that
install, build, fetch or change something only note that they were called.
Run it without arguments; -h lists unittest's options.
"""

import functools
import os
import re
import shutil
import subprocess
import tempfile
import unittest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
STUBS = """apt-get ccache cp cpio dpkg dpkg-query flock gcc genhtml git gnuplot install
ln make mkdir mv nm patch perl qemu-system-x86_64 rm setsid shellcheck sparse
sphinx-build tar touch""".split()
STUB = '#!/bin/sh\necho "${0##*/} $*" >>"$CALLED"\n'

# What the commands in shell take, whether their own text says so or not.
SHARED = {"V": "9.9", "JOBS": "abc", "KEEP_GOING": "x", "SKIP_DEPS": "0",
          "ACCEL": "x", "KDIR": "/nosuchfolder"}
# For a value to be looked at the arguments must be right.
RIGHT = {"boot": ["plain", "stress"], "collect": ["x"], "colour-bars": ["x"],
         "coverage.report": ["x"], "profile": ["export_put"],
         "users-judge": ["x", "x", "x"], "users-plan": ["x", "x", "x", "x:y:z"]}
# One word may be the name of any file or boot; of nine only collect takes all.
ANY_WORD = {"collect", "colour-bars", "coverage.report"}
ANY_WORDS = {"collect"}
# Variables of nobody's but the scripts' own
INTERNAL = {"HARNESS_START", "PATH", "DPKG_ADMINDIR"}


def commands():
    """Each executable file, by its path below TOP."""
    found = [".ci/run"]
    for name in sorted(os.listdir(os.path.join(TOP, "harness"))):
        path = os.path.join("harness", name)
        if os.path.isfile(os.path.join(TOP, path)) and \
                os.access(os.path.join(TOP, path), os.X_OK):
            found.append(path)
    return found


def is_python(command):
    """Whether a command is written in Python."""
    with open(os.path.join(TOP, command), "rb") as f:
        return f.readline().endswith(b"python3\n")


def snapshot(top):
    """Every file and folder, with its time."""
    return {os.path.join(d, n): os.lstat(os.path.join(d, n)).st_mtime_ns
            for d, folders, files in os.walk(top) for n in folders + files}


class Commands(unittest.TestCase):
    """Each command in a copy of the repository."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.top = os.path.join(cls.folder.name, "top")
        cls.called = os.path.join(cls.folder.name, "called")
        stubs = os.path.join(cls.folder.name, "stubs")
        for name in (".ci", "harness", "kernels", "tools/testing/selftests/dma-buf"):
            shutil.copytree(os.path.join(TOP, name), os.path.join(cls.top, name),
                            ignore=shutil.ignore_patterns("__pycache__"))
        os.mkdir(stubs)
        for name in STUBS:
            path = os.path.join(stubs, name)
            with open(path, "w", encoding="utf-8") as f:
                f.write(STUB)
            os.chmod(path, 0o755)
        cls.env = {"PATH": stubs + ":" + os.environ["PATH"], "CALLED": cls.called,
                   "PYTHONDONTWRITEBYTECODE": "1", "LC_ALL": "C"}

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def start(self, command, *args, **variables):
        """Run a command; what it did besides printing is a failure."""
        if os.path.exists(self.called):
            os.remove(self.called)
        before = snapshot(self.top)
        done = subprocess.run(
            [os.path.join(self.top, command), *args], capture_output=True, text=True,
            env={**self.env, **variables}, stdin=subprocess.DEVNULL, timeout=60,
            cwd=self.folder.name, check=False)
        if os.path.exists(self.called):
            with open(self.called, encoding="utf-8") as f:
                self.fail(f"it called: {f.read()}")
        self.assertEqual(before, snapshot(self.top), "it changed files")
        return done

    def refused(self, command, *args, says="", **variables):
        """Run a command that has to refuse."""
        with self.subTest(command=command, args=args, **variables):
            done = self.start(command, *args, **variables)
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertEqual(done.stdout, "")
            self.assertIn("usage: ", done.stderr)
            self.assertIn(": error: ", done.stderr)
            self.assertIn(says, done.stderr)

    @functools.cache
    def help(self, command):
        """What a command says of itself."""
        done = self.start(command, "--help")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertTrue(done.stdout.startswith("usage: "), done.stdout)
        return done.stdout

    def synopsis(self, command):
        """The usage line of a command, without what is optional."""
        text = self.help(command).split("\n\n" if is_python(command) else "\n")[0]
        needed = re.sub(r"^usage: \S+", "", text)
        while "[" in needed:
            needed, count = re.subn(r"\[[^][]*\]", "", needed)
            self.assertGreater(count, 0, text)
        return needed.split()

    def test_data(self):
        """What is executable is a script: data would be taken for a command."""
        for command in commands():
            with self.subTest(command=command), \
                    open(os.path.join(TOP, command), "rb") as f:
                self.assertEqual(f.read(2), b"#!")

    def test_help(self):
        self.assertGreaterEqual(len(commands()), 36)
        for command in commands():
            with self.subTest(command=command):
                self.help(command)

    def test_unknown_option(self):
        for command in commands():
            right = RIGHT.get(os.path.basename(command), [])
            self.refused(command, "--nosuch-option")
            self.refused(command, *right, "-Z", says="-Z")

    def test_unknown_word(self):
        for command in commands():
            if os.path.basename(command) not in ANY_WORD:
                self.refused(command, "nosuch-word")
            if os.path.basename(command) not in ANY_WORDS:
                self.refused(command, *["nosuch-word"] * 9)

    def test_missing_arguments(self):
        lacking = [c for c in commands() if self.synopsis(c)]
        self.assertIn("harness/build", lacking)
        self.assertIn("harness/boot", lacking)
        for command in lacking:
            self.refused(command)

    def test_unknown_names(self):
        for command in ("build", "bench-kernel", "kconfig", "modules", "symbols", "userspace"):
            self.refused(f"harness/{command}", "nosuchkernel", says="known: plain debug")
        self.refused("harness/boot", "nosuchkernel", "stress", says="plain")
        self.refused("harness/boot", "plain", "nosuchsuite", says="kselftest")
        self.refused("harness/initramfs", "plain", says="IMAGE")
        self.refused("harness/modules", "plain", "nosuch", says="tests, bench, samples")
        self.refused("harness/users", "--prove", says="--prove")
        self.refused("harness/mutate", "nosuchmutant", says="nosuchmutant")

    def test_variables(self):
        for command in commands():
            if command == ".ci/run":
                continue
            # One command stands for all that take these from lib.sh.
            wrong = dict(SHARED) if command == "harness/docs" else {"V": "9.9"}
            for name, kind in re.findall(r"^  ([A-Z_]+)=('[^']*'|\S+)",
                                         self.help(command), re.M):
                if kind not in ("DIR", "SED"):
                    wrong[name] = {"V": "9.9"}.get(name, "no/name" if kind == "GLOB" else "x")
            for name, value in wrong.items():
                self.refused(command, *RIGHT.get(os.path.basename(command), []),
                             **{name: value}, says=value)

    def test_documented_kinds(self):
        """What the words above are checked for is really in the texts."""
        for command, name, value in (
                ("check", "KERNELS", "plian"), ("check", "KERNELS", "plain stress"),
                ("check", "KERNELS", " "), ("stress", "KERNELS", "plain"),
                ("stress", "OPS", "0"), ("stress", "OPS", "010"), ("stress", "SEED", "x"),
                ("stress", "DEBUG_OPS", "1 2"), ("check-race", "SKIP", "x"),
                ("check-race", "OPS", "-1"), ("check-race", "BUILT", "nosuch"),
                ("run", "FRAMES", "x"), ("build", "JOBS", "0"), ("users", "JOBS", "1.5"),
                ("mutate", "JOBS", "abc"), ("lint", "V", ".."), ("overlay", "V", "..")):
            self.refused(f"harness/{command}", says=value, **{name: value})

    def test_several_words(self):
        """What is known is not refused: the texts' own values."""
        for name, value in (("KERNELS", "debug plain"), ("JOBS", "3"), ("SKIP_DEPS", "1"),
                            ("V", "6.12"), ("ACCEL", "tcg"), ("KERNELS", "")):
            done = self.start("harness/check", "--nosuch", **{name: value})
            self.assertIn("option '--nosuch'", done.stderr)


class Make(unittest.TestCase):
    """The Makefile says all that there is."""

    def make(self, *args):
        """What make says."""
        return subprocess.run(["make", "--no-print-directory", "-C", TOP, *args],
                              capture_output=True, text=True, check=False)

    def test_targets(self):
        with open(os.path.join(TOP, "Makefile"), encoding="utf-8") as f:
            targets = re.search(r"^\.PHONY: (.*)$", f.read(), re.M).group(1).split()
        text = self.make("help").stdout
        self.assertEqual(text, self.make().stdout)
        self.assertEqual(sorted(re.findall(r"^make ([\w-]+)  ", text, re.M)),
                         sorted(set(targets) - {"help"}))
        for target in set(targets) - {"help", "clean"}:
            self.assertIn(os.path.join("harness", target), commands())

    def test_variables(self):
        """Each that a command documents or reads is in make help."""
        wanted = set()
        for command in commands() + ["harness/lib/lib.sh", "harness/lib/__init__.py"]:
            with open(os.path.join(TOP, command), encoding="utf-8") as f:
                text = f.read()
            wanted |= set(re.findall(r"^  ([A-Z_]+)=", text, re.M))
            wanted |= set(re.findall(r"\$\{([A-Z][A-Z_]*):?[-+]", text))
            wanted |= set(re.findall(r'environ\.(?:get|setdefault)\("([A-Z_]+)"', text))
        self.assertIn("JOBS", wanted)
        said = set(re.findall(r"^([A-Z_]+)=", self.make("help").stdout, re.M))
        self.assertEqual(wanted - INTERNAL, said)

    def environment(self, *args):
        """The environment of what make runs, as sourcing lib.sh leaves it."""
        script = "print: ; @bash -c '. harness/lib/lib.sh; env'"
        env = {name: value for name, value in os.environ.items()
               if name in {"PATH", "HOME", "ARCH", "CROSS_COMPILE"}}
        done = subprocess.run(["make", "--no-print-directory", "-C", TOP, f"--eval={script}",
                               "print", *args],
                              capture_output=True, text=True, check=True, env=env)
        return dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)

    def test_environment(self):
        """Options reach the scripts; what would change a kernel's build does not."""
        env = self.environment()
        self.assertEqual([name for name, value in env.items() if not value], [])
        self.assertEqual(env["V"], "6.12")
        env = self.environment("SUITE=a", "KDIR=/b", "ARCH=um", "CROSS_COMPILE=c-")
        self.assertEqual((env["SUITE"], env["KDIR"]), ("a", "/b"))
        for name in ("ARCH", "CROSS_COMPILE", "MAKEFLAGS"):
            self.assertNotIn(name, env)

    def test_unknown_target(self):
        done = self.make("nosuchtarget")
        self.assertEqual(done.returncode, 2)
        self.assertIn("nosuchtarget", done.stderr)


if __name__ == "__main__":
    unittest.main()

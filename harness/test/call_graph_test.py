#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Tests of harness/call-graph: it draws what objects use, and fails on a loop.

Run it without arguments; -h lists unittest's options.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import unittest

HARNESS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
# Three layers: the first uses both others, one of them the other's variable.
SOURCES = {
    "dma-buf": "int poll(void); extern int count;\n"
               "int export(void) { return poll() + count; }\n",
    "dma-buf-poll": "extern int count; int printk(void);\n"
                    "static int own(void) { return 1; }\n"
                    "int poll(void) { return count + own() + printk(); }\n",
    "dma-buf-registry": "int count;\nstatic int own(void) { return 2; }\n"
                        "int list(void) { return own(); }\n",
}


class CallGraph(unittest.TestCase):
    """A small core, compiled."""

    def setUp(self):
        self.top = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.top)
        shutil.copytree(os.path.join(HARNESS, "lib"), os.path.join(self.top, "harness/lib"))
        shutil.copy(os.path.join(HARNESS, "call-graph"), os.path.join(self.top, "harness"))
        for folder in ("drivers/dma-buf", "kernels/1", "build/1/lint/drivers/dma-buf"):
            os.makedirs(os.path.join(self.top, folder))
        with open(os.path.join(self.top, "kernels/1/kernels"), "w", encoding="utf-8") as f:
            f.write("lint src common\n")
        for name, text in SOURCES.items():
            self.compile(name, text)

    def compile(self, name, text):
        """Make a file of the core, and its object."""
        path = os.path.join(self.top, "drivers/dma-buf", name + ".c")
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        subprocess.run(["gcc", "-w", "-O0", "-c", path, "-o", self.object(name)], check=True)

    def object(self, name):
        """The path of an object."""
        return os.path.join(self.top, "build/1/lint/drivers/dma-buf", name + ".o")

    def run_it(self, *options):
        """(exit status, what it said) of a run"""
        done = subprocess.run(
            [os.path.join(self.top, "harness/call-graph"), *options], check=False,
            capture_output=True, text=True, env=dict(os.environ, V="1"))
        return done.returncode, done.stdout + done.stderr

    def test_layers(self):
        status, out = self.run_it()
        self.assertEqual((status, out), (
            0, "dma-buf.c -> dma-buf-poll.c (1), dma-buf-registry.c (1)\n"
               "dma-buf-poll.c -> dma-buf-registry.c (1)\n"
               "dma-buf-registry.c\n"
               "call-graph: 3 files, 3 use another, 0 loops\n"))

    def test_loop(self):
        self.compile("dma-buf-registry", "int count; int poll(void);\n"
                                         "int list(void) { return poll(); }\n")
        status, out = self.run_it()
        self.assertEqual(status, 1, out)
        self.assertIn("loop: dma-buf-poll.c, dma-buf-registry.c\n"
                      "  dma-buf-poll.c -> dma-buf-registry.c: count\n"
                      "  dma-buf-registry.c -> dma-buf-poll.c: poll\n"
                      "call-graph: 3 files, 4 use another, 1 loops\n", out)

    def test_loop_of_three(self):
        self.compile("dma-buf-registry", "int export(void); int count;\n"
                                         "int (*call)(void) = export;\n")
        status, out = self.run_it()
        self.assertEqual(status, 1, out)
        self.assertIn("loop: dma-buf.c, dma-buf-poll.c, dma-buf-registry.c\n", out)
        self.assertIn("  dma-buf-registry.c -> dma-buf.c: export\n", out)

    def test_no_object(self):
        os.unlink(self.object("dma-buf-poll"))
        status, out = self.run_it()
        self.assertEqual(status, 1, out)
        self.assertIn("build/1/lint/drivers/dma-buf/dma-buf-poll.o is missing", out)

    def test_no_kernel(self):
        status, out = self.run_it("nonesuch")
        self.assertEqual(status, 2, out)


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    unittest.main()

#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Tests of harness/overlay: base fixes change what they name, and no more.

Run it without arguments; -h lists unittest's options.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import unittest

HARNESS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
STOCK = "".join(f"int line_{n};\n" for n in range(1, 9))
FIX = """From: Somebody <somebody@example.org>
Subject: [PATCH] driver: have the fifth line
 twice

Once is not enough.

---
--- a/drivers/stock.c
+++ b/drivers/stock.c
@@ -5,2 +5,3 @@
 int line_5;
+int line_5_again;
 int line_6;
"""


class Overlay(unittest.TestCase):
    """A small base, one file of ours, and patches."""

    def setUp(self):
        self.top = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.top)
        os.makedirs(os.path.join(self.top, "harness"))
        for name in ("overlay", "lib.py"):
            shutil.copy(os.path.join(HARNESS, name), os.path.join(self.top, "harness"))
        for name, text in (
                ("build/1/base/Kbuild", ""),
                ("build/1/base/drivers/stock.c", STOCK),
                ("build/1/base/drivers/core.c", "int theirs;\n"),
                ("build/1/base/drivers/old.c", "int old;\n"),
                ("drivers/core.c", "int ours;\n"),
                ("kernels/1/dropped", "file drivers/old.c ours does it\n")):
            self.put(name, text)

    def put(self, name, text):
        """Write a file below the top."""
        path = os.path.join(self.top, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)

    def get(self, name):
        """The contents of a file below the top."""
        with open(os.path.join(self.top, name), encoding="utf-8") as f:
            return f.read()

    def fix(self, text=FIX, name="fix.patch"):
        """Put a base fix in its place."""
        self.put("kernels/1/base-fixes/" + name, text)

    def run_it(self, *options):
        """(exit status, what it said) of a run"""
        done = subprocess.run(
            [os.path.join(self.top, "harness/overlay"), *options], check=False,
            capture_output=True, text=True, env=dict(os.environ, V="1"))
        return done.returncode, done.stdout + done.stderr

    def green(self, *texts):
        """It succeeds, and says all of that."""
        status, out = self.run_it()
        self.assertEqual(status, 0, out)
        for text in texts:
            self.assertIn(text, out)

    def red(self, *texts):
        """It fails, and says why."""
        status, out = self.run_it("-q")
        self.assertEqual(status, 1, out)
        for text in texts:
            self.assertIn(text, out)

    def test_without(self):
        self.green("2 differ from the pristine tree, all of them ours\n")
        self.assertEqual(self.get("build/1/src/drivers/stock.c"), STOCK)

    def test_applied_and_listed(self):
        self.fix()
        self.green("  mended  drivers/stock.c  +1 -0\n",
                   "  base-fixes/fix.patch: driver: have the fifth line twice\n",
                   "3 differ from the pristine tree, all of them ours but 1 that "
                   "1 base fixes mend\n")
        self.assertIn("line_5_again", self.get("build/1/src/drivers/stock.c"))
        self.assertEqual(self.get("build/1/base/drivers/stock.c"), STOCK)
        # What reads this list takes all in it for ours.
        self.assertEqual(self.get("build/1/src.list").split(), ["drivers/core.c"])
        self.green("overlay: 0 files brought up to date")

    def test_two_for_one_file(self):
        self.fix(name="b.patch")
        self.fix(FIX.replace("-5,2 +5,3", "-1,2 +1,3").replace("line_6", "line_2")
                 .replace("line_5", "line_1"), "a.patch")
        self.green("  mended  drivers/stock.c  +2 -0\n", "a.patch: ", "b.patch: ")

    def test_taken_away(self):
        self.fix()
        self.green()
        os.unlink(os.path.join(self.top, "kernels/1/base-fixes/fix.patch"))
        self.green("2 differ from the pristine tree, all of them ours\n")
        self.assertEqual(self.get("build/1/src/drivers/stock.c"), STOCK)

    def test_does_not_apply(self):
        for text in (FIX.replace(" int line_6", " int line_66"),
                     FIX.replace(" int line_5;", " int line_55;")):
            self.fix(text)
            self.red("kernels/1/base-fixes/fix.patch does not apply")

    def test_base_has_it(self):
        self.put("build/1/base/drivers/stock.c",
                 STOCK.replace("int line_6", "int line_5_again;\nint line_6"))
        self.fix()
        self.red("kernels/1/base-fixes/fix.patch does not apply")

    def test_two_that_undo_each_other(self):
        self.fix(name="a.patch")
        self.fix(FIX.replace("-5,2 +5,3", "-5,3 +5,2")
                 .replace("+int line_5_again", "-int line_5_again"), "b.patch")
        self.red("base-fixes/a.patch leaves drivers/stock.c as it is",
                 "base-fixes/b.patch leaves drivers/stock.c as it is")

    def test_what_is_not_the_base_s(self):
        for path, text in (("drivers/core.c", "which is not the base's"),
                           ("drivers/old.c", "which is not the base's"),
                           ("drivers/none.c", "which the base does not have")):
            self.fix(FIX.replace("drivers/stock.c", path))
            self.red(f"base-fixes/fix.patch changes {path}, {text}")

    def test_no_mail(self):
        self.fix(FIX[FIX.index("--- a/"):])
        self.red("base-fixes/fix.patch is no mail")

    def test_no_patch(self):
        self.fix(FIX[:FIX.index("--- a/")])
        self.red("base-fixes/fix.patch is no patch")

    def test_changed_by_hand(self):
        self.fix()
        self.green()
        path = os.path.join(self.top, "build/1/src/Kbuild")
        os.unlink(path)
        self.put("build/1/src/Kbuild", "obj-y += x.o\n")
        self.red("Kbuild differs from the pristine tree and is not ours")


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    unittest.main()

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

# The base's build files, and what is to be left of them
KCONFIG = """# comment
menu "Buffers"

config FENCE
	bool "Fences"
	help
	  Of devices.

	  And of programs.

config CORE_DEBUG
	bool "Checks"

menuconfig HEAPS
	bool "Heaps"

config OLD
	bool "Statistics"
	help
	  Of old.

	  Very old.

source "drivers/dma-buf/heaps/Kconfig"

endmenu
"""
MAKEFILE = """obj-y := core.o fence.o \\
	 resv.o
obj-$(CONFIG_HEAPS) += heaps/
obj-$(CONFIG_OLD) += old.o

tests-y := \\
	one.o
"""
KCONFIG_SED = """/^config CORE_DEBUG$/i\\
source "drivers/dma-buf/Kconfig.core"\\

/^config CORE_DEBUG$/,/^$/d
/^config OLD$/,/^source /{
	/^source /!d
}
"""
MAKEFILE_SED = """/^obj-$(CONFIG_OLD)/d
$a\\
include $(src)/Makefile.core
"""
BUILD_FILES = {
    "build/1/base/drivers/dma-buf/Kconfig": KCONFIG,
    "build/1/base/drivers/dma-buf/Makefile": MAKEFILE,
    "drivers/dma-buf/Kconfig.core": "config CORE_DEBUG\n\tbool \"Watch\"\n",
    "drivers/dma-buf/Makefile.core": "obj-y += file.o\nobj-$(CONFIG_BPF) += dma-buf-bpf.o\n",
    "kernels/1/build-files/Kconfig.sed": KCONFIG_SED,
    "kernels/1/build-files/Makefile.sed": MAKEFILE_SED,
    "kernels/1/dropped": "file drivers/old.c ours does it\n"
                         "config OLD is gone\nobject old.o is gone\n",
}


class Overlay(unittest.TestCase):
    """A small base, one file of ours, and patches."""

    def setUp(self):
        self.top = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.top)
        shutil.copytree(os.path.join(HARNESS, "lib"), os.path.join(self.top, "harness/lib"))
        shutil.copy(os.path.join(HARNESS, "overlay"), os.path.join(self.top, "harness"))
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

    def share(self, name=None, old="", new=""):
        """Have build files that the base and we share, after a change in one."""
        for path, text in BUILD_FILES.items():
            if path == name:
                self.assertIn(old, text)
                text = text.replace(old, new)
            self.put(path, text)

    def test_build_files(self):
        self.share()
        self.green("  edited  drivers/dma-buf/Kconfig  +1 -9\n",
                   "  edited  drivers/dma-buf/Makefile  +1 -1\n",
                   "all of them ours but 2 build files of the base\n")
        self.assertEqual(self.get("build/1/src/drivers/dma-buf/Makefile"), MAKEFILE.replace(
            "obj-$(CONFIG_OLD) += old.o\n", "") + "include $(src)/Makefile.core\n")
        text = self.get("build/1/src/drivers/dma-buf/Kconfig")
        self.assertIn("programs.\n\nsource \"drivers/dma-buf/Kconfig.core\"\n\nmenuconfig HEAPS",
                      text)
        self.assertIn('"Heaps"\n\nsource "drivers/dma-buf/heaps/Kconfig"\n\nendmenu\n', text)
        self.assertNotIn("drivers/dma-buf/Kconfig\n", self.get("build/1/src.list") + "\n")
        self.green("overlay: 0 files brought up to date")

    def test_another_line_changed(self):
        kconfig, makefile = (f"kernels/1/build-files/{name}.sed" for name in ("Kconfig", "Makefile"))
        for name, line, rule in (
                ("Kconfig", "-\tbool \"Fences\"", "s/Fences/Completions/"),
                ("Kconfig", "+\tbool \"Completions\"", "s/Fences/Completions/"),
                ("Kconfig", "-menuconfig HEAPS", "/^menuconfig HEAPS/,/^$/d"),
                ("Kconfig", "-source \"drivers/dma-buf/heaps/Kconfig\"", "/heaps/d"),
                ("Kconfig", "-# comment", "1d"),
                ("Kconfig", "+config MORE", "$a\\\nconfig MORE"),
                ("Makefile", "-obj-y := core.o fence.o \\", "s/fence.o//"),
                ("Makefile", "-obj-$(CONFIG_HEAPS) += heaps/", "/heaps/d"),
                ("Makefile", "+KCSAN_SANITIZE := y", "1i\\\nKCSAN_SANITIZE := y")):
            script = kconfig if name == "Kconfig" else makefile
            text = BUILD_FILES[script]
            self.share(script, text, text + rule + "\n")
            self.red(f"drivers/dma-buf/{name} differs from the base: {line}\n")

    def test_an_entry_left(self):
        self.share("kernels/1/build-files/Kconfig.sed", "/^config CORE_DEBUG$/,/^$/d\n")
        self.red("drivers/dma-buf/Kconfig differs from the base: +config CORE_DEBUG\n")
        self.share("kernels/1/build-files/Makefile.sed", "/^obj-$(CONFIG_OLD)/d\n")
        self.red("drivers/dma-buf/Makefile differs from the base: +obj-$(CONFIG_OLD) += old.o\n")

    def test_an_entry_lost(self):
        self.share("drivers/dma-buf/Kconfig.core", "CORE_DEBUG", "CORE_WATCH")
        self.red("drivers/dma-buf/Kconfig differs from the base: -config CORE_DEBUG\n")
        self.share("kernels/1/dropped", "object old.o is gone\n")
        self.red("drivers/dma-buf/Makefile differs from the base: -obj-$(CONFIG_OLD) += old.o\n")

    def test_ours_not_read(self):
        self.share("kernels/1/build-files/Makefile.sed", "include $(src)/Makefile.core", "")
        self.red("drivers/dma-buf/Makefile has the line 'include $(src)/Makefile.core' 0 times")
        self.share("kernels/1/build-files/Kconfig.sed", "Kconfig.core", "Kconfig.other")
        self.red("Kconfig has the line 'source \"drivers/dma-buf/Kconfig.core\"' 0 times")

    def test_object_that_the_base_has(self):
        self.share()
        self.put("build/1/base/kernel/bpf/dmabuf_iter.c", "int theirs;\n")
        self.red("Makefile.core names dma-buf-bpf.o, and the base has kernel/bpf/")
        # A rule for that kernel takes it out of ours.
        self.put("kernels/1/build-files/Makefile.core.sed", "/dma-buf-bpf/d\n")
        self.green()
        self.assertEqual(self.get("build/1/src/drivers/dma-buf/Makefile.core"),
                         "obj-y += file.o\n")

    def test_no_such_build_file(self):
        self.put("kernels/1/build-files/Kbuild.sed", "p\n")
        self.red("kernels/1/build-files/Kbuild.sed: there is no drivers/dma-buf/Kbuild")


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    unittest.main()

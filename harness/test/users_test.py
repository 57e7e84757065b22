#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Tests of harness/users-find and harness/users-judge: what they look for, and
whatever should keep a user from being counted, does.

Run it without arguments; -h lists unittest's options.
"""

import collections
import importlib.machinery
import importlib.util
import os
import sys
import tempfile
import unittest

# The scripts have no .py in their names, and need no cache file beside them.
sys.dont_write_bytecode = True
HARNESS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, HARNESS)


def load(name):
    """A script of the harness as a module."""
    loader = importlib.machinery.SourceFileLoader(
        name.replace("-", "_"), os.path.join(HARNESS, name))
    module = importlib.util.module_from_spec(
        importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module


find = load("users-find")
judge = load("users-judge")

TREE = {
    "drivers/a/direct.c": "#include <linux/dma-buf.h>\n",
    "drivers/a/spaced.c": "#  include  <linux/dma-buf.h> /* why */\n",
    "drivers/a/shared.h": "\t#include <linux/dma-buf.h>\n",
    "drivers/a/other.h": "struct dma_buf;\n",
    "drivers/a/calls.c": "int f(int fd) { return !dma_buf_get(fd); }\n",
    "drivers/a/type.c": "static struct\n\tdma_buf *kept;\n",
    "drivers/a/comment.c": "/* dma_buf_get(1) */ int x; // struct dma_buf\n",
    "drivers/a/string.c": "char *s = \"dma_buf_get() \\\" struct dma_buf\";\n",
    "drivers/a/quoted.c": "char q = '\"'; /* \" */ int f = dma_buf_get(1);\n",
    "drivers/a/variable.c": "int f(int dma_buf, int dma_buf_getter) { return dma_buf; }\n",
    "drivers/a/included.c": "#include \"dma_buf_get.h\"\n",
    "drivers/a/commented.c": "/*\n * #include <asm/x.h>\n */\n",
    "drivers/core/ours.c": "#include <linux/dma-buf.h>\n",
    "drivers/core/gone.c": "#include <linux/dma-buf.h>\n",
    "tools/test.c": "#include <linux/dma-buf.h>\n",
}
API = """#ifndef __DMA_BUF_H__
#define __DMA_BUF_H__
#define DEFINE_DMA_BUF_THING(x) struct dma_buf_thing x
struct dma_buf; /* and not dma_buf_comment() */
struct dma_buf *dma_buf_get(int fd);
#endif
"""


class Find(unittest.TestCase):
    """The rule by which the users are found."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        top = folder.name
        files = {f"build/{find.V}/base/{n}": t for n, t in TREE.items()}
        files |= {"include/linux/dma-buf.h": API, "drivers/core/ours.c": "",
                  f"kernels/{find.V}/dropped": "file\tdrivers/core/gone.c\twhy\n"}
        for name, text in files.items():
            os.makedirs(os.path.dirname(os.path.join(top, name)), exist_ok=True)
            with open(os.path.join(top, name), "w", encoding="utf-8") as f:
                f.write(text)
        saved = find.TOP, find.BASE, find.HEADER
        find.TOP, find.BASE = top, f"{top}/build/{find.V}/base"
        find.HEADER = f"{top}/include/linux/dma-buf.h"
        self.addCleanup(lambda: (setattr(find, "TOP", saved[0]),
                                 setattr(find, "BASE", saved[1]),
                                 setattr(find, "HEADER", saved[2])))

    def test_names(self):
        self.assertEqual(find.api(), {"struct dma_buf", "struct dma_buf_thing",
                                      "dma_buf_get", "DEFINE_DMA_BUF_THING"})

    def test_users(self):
        self.assertEqual(find.find(), {
            "drivers/a/direct.c": "direct", "drivers/a/spaced.c": "direct",
            "drivers/a/shared.h": "header", "drivers/a/calls.c": "further",
            "drivers/a/type.c": "further", "drivers/a/quoted.c": "further"})


LOG = """make[1]: Entering directory '/out'
  CC [M]  drivers/a/one.o
In file included from /tree/drivers/a/one.c:3:
/tree/include/linux/x.h:7:3: warning: unused variable 'x' [-Wunused-variable]
    7 |   int x;
make[3]: *** [/tree/scripts/Makefile.build:229: drivers/a/one.o] Error 1
nobody's warning: this
  CC      drivers/a/../b/two.o
  LD [M]  drivers/a/a.o
ld: warning: nothing of the compiler's
"""


class Said(unittest.TestCase):
    """Whose warning is whose."""

    def said(self, text, tree):
        """What is said of each target in a log with this text."""
        with tempfile.NamedTemporaryFile("w", encoding="utf-8") as f:
            f.write(text)
            f.flush()
            return judge.said(f.name, tree)

    def test_attributed(self):
        said = self.said(LOG, "/tree")
        self.assertEqual(said["drivers/a/one.o"].total(), 1)
        self.assertEqual(said["drivers/a/../b/two.o"].total(), 0)
        self.assertIn("drivers/a/../b/two.o", said)
        self.assertNotIn("drivers/a/three.o", said)

    def test_place_does_not_count(self):
        moved = LOG.replace("/tree", "/another").replace(":7:3:", ":99:1:")
        self.assertEqual(self.said(LOG, "/tree")["drivers/a/one.o"],
                         self.said(moved, "/another")["drivers/a/one.o"])

    def test_text_counts(self):
        changed = LOG.replace("variable 'x'", "variable 'y'")
        self.assertNotEqual(self.said(LOG, "/tree")["drivers/a/one.o"],
                            self.said(changed, "/tree")["drivers/a/one.o"])


class FakeSide:
    """A tree in which one object was compiled."""

    def __init__(self, *warnings, made=True, deps=("u.c", judge.HEADER)):
        self.said = {"u.o": collections.Counter(warnings)}
        self.is_made, self.files = made, set(deps)

    def made(self, _target):
        """As it was asked for."""
        return self.is_made

    def deps(self, _target):
        """As they were asked for."""
        return self.files


class Judge(unittest.TestCase):
    """When a user counts."""

    def verdict(self, stock, ours, refused=""):
        """The verdict on a user of these two sides."""
        user = {"file": "u.c", "arch": "x86", "target": "u.o", "module": "m.o"}
        posted = {w: {("x86", "m.o"): refused if w == "ours" else ""}
                  for w in ("stock", "ours")}
        return judge.judge(user, {("x86", "stock"): stock, ("x86", "ours"): ours},
                           posted)[2]

    def test_ok(self):
        self.assertEqual(self.verdict(FakeSide(), FakeSide()), "ok")
        self.assertEqual(self.verdict(FakeSide("a", "b"), FakeSide("b", "a")), "ok")
        self.assertEqual(self.verdict(FakeSide("a"), FakeSide()), "ok")

    def test_new_warning(self):
        self.assertEqual(self.verdict(FakeSide(), FakeSide("a")), "new warnings")
        # One more of the same, and another one instead, are new too.
        self.assertEqual(self.verdict(FakeSide("a"), FakeSide("a", "a")), "new warnings")
        self.assertEqual(self.verdict(FakeSide("a"), FakeSide("b")), "new warnings")

    def test_not_made(self):
        self.assertEqual(self.verdict(FakeSide(), FakeSide(made=False)), "ours: fails")
        self.assertEqual(self.verdict(FakeSide(made=False), FakeSide()), "stock: fails")

    def test_another_header(self):
        self.assertIn("does not read", self.verdict(FakeSide(), FakeSide(deps=["u.c"])))
        self.assertIn("does not read",
                      self.verdict(FakeSide(), FakeSide(deps=[judge.HEADER])))

    def test_modpost(self):
        self.assertEqual(self.verdict(FakeSide(), FakeSide(), "undefined"), "modpost")


if __name__ == "__main__":
    unittest.main()

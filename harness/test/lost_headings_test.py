#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Tests of harness/lost-headings: it finds each kind of reference, and no others.

Run it without arguments; -h lists unittest's options.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import unittest

HARNESS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PAGE = """Buffers
=======

.. _buffer_rules:

Rules of Buffers
----------------

Words.

.. kernel-doc:: drivers/fence.c
   :doc: what fences do

.. kernel-doc:: drivers/core.c
   :export:
"""
CORE = """/**
 * DOC: moving buffers
 *
 * How It Moves
 * ~~~~~~~~~~~~
 */
int moves;
"""
FENCE = """/**
 * DOC: moving fences
 */
"""
# What our files must have where something refers to it
OURS = {"Documentation/page.rst": PAGE, "drivers/core.c": CORE}


class LostHeadings(unittest.TestCase):
    """A small base, a page and a source that replace the base's."""

    def setUp(self):
        self.top = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.top)
        shutil.copytree(os.path.join(HARNESS, "lib"), os.path.join(self.top, "harness/lib"))
        shutil.copy(os.path.join(HARNESS, "lost-headings"), os.path.join(self.top, "harness"))
        self.put("harness/data/cited-headings", "# none\n")
        self.put("kernels/1/dropped", "file drivers/old.c ours does it\n")
        self.put("build/1/base/drivers/old.c", "/**\n * DOC: old ways\n */\n")
        self.put("build/1/base/drivers/fence.c", FENCE)
        for name, text in OURS.items():
            self.put("build/1/base/" + name, text)
        self.put("build/1/src.list", "\n".join(OURS))
        for name in OURS:
            self.put("build/1/src/" + name, "int ours;\n")
        self.put("build/1/src/Documentation/page.rst",
                 ".. kernel-doc:: drivers/fence.c\n   :doc: what fences do\n")

    def put(self, name, text):
        """Write a file below the top."""
        path = os.path.join(self.top, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)

    def run_it(self, *options):
        """(exit status, what it said) of a run"""
        done = subprocess.run(
            [os.path.join(self.top, "harness/lost-headings"), *options], check=False,
            capture_output=True, text=True, env=dict(os.environ, V="1"))
        return done.returncode, done.stdout + done.stderr

    def green(self):
        """It succeeds and prints the figure alone."""
        status, out = self.run_it()
        self.assertEqual(status, 0, out)
        self.assertEqual(out.count("\n"), 1, out)

    def red(self, *lines):
        """It fails and prints these lines before the figure."""
        status, out = self.run_it()
        self.assertEqual(status, 1, out)
        self.assertEqual(out.splitlines()[:-1], list(lines))

    def refer(self, text, name="Documentation/other.rst"):
        """Have another file of the base contain TEXT."""
        self.put("build/1/base/" + name, text)

    def test_nothing_refers(self):
        self.green()
        _, out = self.run_it("--all")
        for part in ("Documentation/page.rst: heading 'Buffers'",
                     "Documentation/page.rst: heading 'Rules of Buffers'",
                     "Documentation/page.rst: label 'buffer_rules'",
                     "drivers/core.c: DOC 'moving buffers'",
                     "drivers/core.c: heading 'How It Moves'",
                     "drivers/old.c: DOC 'old ways'"):
            self.assertIn(part + ": gone, nothing refers to it\n", out)
        self.assertIn("6 headings, labels and sections of the base, 0 referred to", out)

    def test_heading(self):
        for text in ("See Rules of Buffers there.\n",
                     "see 'Rules of\n  Buffers'.\n",
                     "/*\n * See Rules\n * of Buffers.\n */\n",
                     ":ref:`doc/page:Rules of Buffers`\n",
                     ":ref:`those <page:Rules of Buffers>`\n",
                     "https://example.org/page.html#rules-of-buffers\n"):
            self.refer(text)
            self.red("Documentation/page.rst: heading 'Rules of Buffers': lost, for "
                     "Documentation/other.rst")

    def test_heading_of_one_word(self):
        self.refer("Buffers are nice, and so is page.rst.\n")
        self.green()
        self.refer("See page.rst, the chapter 'Buffers'.\n")
        self.red("Documentation/page.rst: heading 'Buffers': lost, for "
                 "Documentation/other.rst")

    def test_label(self):
        for text in (":ref:`buffer_rules`\n", ":ref:`those <buffer_rules>`\n",
                     "See buffer_rules_ for more.\n"):
            self.refer(text)
            self.red("Documentation/page.rst: label 'buffer_rules': lost, for "
                     "Documentation/other.rst")
        self.refer("int buffer_rules; int buffer_rules_more;\n")
        self.green()

    def test_section(self):
        for text in (".. kernel-doc:: drivers/core.c\n   :doc: moving buffers\n",
                     "/* see DOC: moving buffers */\n",
                     "See core.c, 'moving buffers'.\n"):
            self.refer(text)
            self.red("drivers/core.c: DOC 'moving buffers': lost, for "
                     "Documentation/other.rst")
        for text in (".. kernel-doc:: drivers/else.c\n   :doc: moving buffers\n",
                     "/**\n * DOC: moving buffers\n */\n"):
            self.refer(text)
            self.green()

    def test_section_of_a_dropped_file(self):
        self.refer(".. kernel-doc:: drivers/old.c\n   :export:\n   :doc: old ways\n")
        self.red("drivers/old.c: DOC 'old ways': lost, for Documentation/other.rst")

    def test_ours_has_it(self):
        self.refer("See Rules of Buffers, :ref:`buffer_rules`, How It Moves.\n"
                   "/* DOC: moving buffers */\n")
        self.assertEqual(self.run_it()[0], 1)
        for name, text in OURS.items():
            self.put("build/1/src/" + name, text)
        self.green()

    def test_a_replaced_file_refers(self):
        self.put("build/1/base/drivers/old.c", "/* see Rules of Buffers */\n")
        self.green()

    def test_cited(self):
        self.put("harness/data/cited-headings", "Documentation/page.rst: Rules of Buffers\n")
        self.red("Documentation/page.rst: heading 'Rules of Buffers': lost, for "
                 "harness/data/cited-headings")
        self.put("harness/data/cited-headings", "Documentation/page.rst: No Such Heading\n")
        status, out = self.run_it()
        self.assertEqual(status, 1)
        self.assertIn("of the base has no heading 'No Such Heading'", out)

    def test_directive(self):
        self.put("build/1/src/Documentation/page.rst", "")
        self.red("Documentation/page.rst: kernel-doc of drivers/fence.c "
                 ":doc: what fences do: lost")


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    unittest.main()

#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Tests of harness/collect: whatever should turn a run red, does.

Run it without arguments; -h lists unittest's options.
"""

import importlib.machinery
import importlib.util
import os
import sys
import unittest

# The script has no .py in its name, and needs no cache file beside it.
sys.dont_write_bytecode = True
HARNESS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, HARNESS)
LOADER = importlib.machinery.SourceFileLoader(
    "collect", os.path.join(HARNESS, "collect"))
SPEC = importlib.util.spec_from_loader("collect", LOADER)
collect = importlib.util.module_from_spec(SPEC)
LOADER.exec_module(collect)

GOOD = """@init 6.12.0 1.00
KTAP version 1
1..2
# Subtest: one
    KTAP version 1
    1..2
    # Subtest: suite
        KTAP version 1
        1..2
        ok 1 first
        ok 2 second # SKIP no such device
    ok 1 suite
    ok 2 alone
ok 1 one
# one: status 0, 1 s
# Subtest: two
    TAP version 13
    1..1
    ok 1 last
ok 2 two
@tainted 0
@end
"""
QUIET = "[    0.100000] Linux version 6.12.0\n[    1.000000] vivid: registered\n"
WARNING = """[    2.000000] ------------[ cut here ]------------
[    2.000001] buffer 4 of vgem released while in use
[    2.000002] WARNING: CPU: 0 PID: 44 at lib/refcount.c:28 refcount_warn+0xbe/0x110
[    2.000003] Modules linked in:
[    2.000004] CPU: 0 UID: 0 PID: 44 Comm: test Not tainted 6.12.0
[    2.000005] Call Trace:
[    2.000006]  <TASK>
[    2.000007]  dma_buf_put+0x1/0x2
[    2.000008]  </TASK>
[    2.000009] ---[ end trace 0000000000000000 ]---
"""
LOCKDEP = """[    3.000000] ======================================================
[    3.000001] WARNING: possible circular locking dependency detected
[    3.000002] 6.12.0 Not tainted
[    3.000003] ------------------------------------------------------
[    3.000004] test/44 is trying to acquire lock:
[    3.000005] stack backtrace:
[    3.000006] CPU: 0 UID: 0 PID: 44 Comm: test Not tainted 6.12.0
[    3.000007] Call Trace:
[    3.000008]  <TASK>
[    3.000009]  lock_acquire+0x1/0x2
[    3.000010]  </TASK>
"""
KASAN = """[    4.000000] ==================================================================
[    4.000001] BUG: KASAN: slab-use-after-free in dma_buf_poll+0x1/0x2
[    4.000002] Read of size 8 at addr ffff888100000000 by task test/44
[    4.000003] Call Trace:
[    4.000004]  <TASK>
[    4.000005]  </TASK>
[    4.000006] Allocated by task 44:
[    4.000007] ==================================================================
"""
RACE = """[    4.500000] ==================================================================
[    4.500001] BUG: KCSAN: data-race in {one} / {two}
[    4.500002]
[    4.500003] write to 0xffff888004a3c0f8 of 8 bytes by task 60 on cpu 1:
[    4.500004]  {one}+0x71/0xd0
[    4.500005]  dma_buf_fd+0x10/0x20
[    4.500006]  do_syscall_64+0x5c/0x110
[    4.500007]
[    4.500008] read to 0xffff888004a3c0f8 of 8 bytes by task 61 on cpu 0:
[    4.500009]  {two}+0x10/0x20
[    4.500010]  {two_by}+0x89/0xd0
[    4.500011]  do_syscall_64+0x5c/0x110
[    4.500012]
[    4.500013] value changed: 0x0000000000000001 -> 0x0000000000000002
[    4.500014]
[    4.500015] Reported by Kernel Concurrency Sanitizer on:
[    4.500016] CPU: 0 UID: 0 PID: 61 Comm: test Not tainted 6.12.0
[    4.500017] ==================================================================
"""
FUNCTIONS = {
    "d_alloc": ["fs/dcache.c"],
    "d_walk": ["fs/dcache.c"],
    "strscpy": ["lib/string.c"],
    "vfs_poll": ["fs/select.c"],
    "dma_buf_fd": ["drivers/dma-buf/dma-buf.c"],
    "dma_buf_poll": ["drivers/dma-buf/dma-buf-poll.c"],
}
EXPECT = "[    1.500000] dmabuf-test: expect: {}\n"
SUITE = "[    1.200000] dmabuf-test: suite {} {}\n"
END = "[    5.000000] dmabuf-test: expect-end\n"


def run(ktap=GOOD, console=QUIET, allowed=()):
    """The tally of one boot."""
    return collect.collect("boot", ktap, console, allowed)


class Results(unittest.TestCase):
    """The KTAP document."""

    def test_good(self):
        tally = run()
        self.assertEqual(tally.failed, [])
        # first, alone, last, and the case of the console
        self.assertEqual(tally.passed, 4)
        self.assertEqual([why for _, why in tally.skipped], ["no such device"])

    def red(self, ktap, text):
        failed = run(ktap=ktap).failed
        self.assertTrue(any(text in name + ": " + why for name, why in failed), failed)

    def test_failed_case(self):
        self.red(GOOD.replace("ok 1 first", "not ok 1 first"), "boot / one / suite / first")
        failed = run(ktap=GOOD.replace("ok 1 first", "not ok 1 first")
                     .replace("ok 1 suite", "not ok 1 suite")
                     .replace("ok 1 one", "not ok 1 one")).failed
        self.assertEqual(len(failed), 1)

    def test_missing_end_marker(self):
        self.red(GOOD.replace("@end\n", ""), "end marker is missing")

    def test_missing_plan_entry(self):
        self.red(GOOD.replace("        ok 2 second # SKIP no such device\n", ""),
                 "no result for 2")
        self.red(GOOD.replace("    ok 2 alone\n", ""), "no result for 2")
        self.red(GOOD.replace("ok 2 two\n", ""), "no result for 2")

    def test_more_than_planned(self):
        self.red(GOOD.replace("    ok 2 alone\n", "    ok 2 alone\n    ok 3 more\n"),
                 "there is 3")

    def test_same_number_twice(self):
        self.red(GOOD.replace("    ok 2 alone\n", "    ok 1 alone\n"), "second result")

    def test_parameters(self):
        """KUnit gives the parameters of a case no plan."""
        inner = ("        # Subtest: first\n            KTAP version 1\n"
                 "            ok 1 a\n            ok 2 b\n        ok 1 first\n")
        tally = run(ktap=GOOD.replace("        ok 1 first\n", inner))
        self.assertEqual(tally.failed, [])
        self.assertEqual(tally.passed, 5)
        self.red(GOOD.replace("        ok 1 first\n", inner.replace(
            "            ok 1 a\n", "")), "missing")

    def test_missing_plan(self):
        self.red(GOOD.replace("    1..1\n", ""), "no plan")

    def test_suite_failed_alone(self):
        self.red(GOOD.replace("ok 2 two", "not ok 2 two"), "no case of it did")

    def test_ends_in_subtest(self):
        cut = GOOD[:GOOD.index("        ok 2 second")]
        self.red(cut, "the document ends within a subtest")

    def test_bail_out(self):
        self.red(GOOD.replace("        ok 2 second", "        Bail out! no memory\n"
                              "        ok 2 second"), "no memory")

    def test_names(self):
        """A suite that is named within its document, and one before it"""
        tally = collect.parse_ktap(
            "KTAP version 1\n1..2\n# Subtest: boot\n"
            "    KTAP version 1\n    1..1\n"
            "        KTAP version 1\n        # Subtest: suite\n        1..1\n"
            "        ok 1 case\n    ok 1 suite\nok 1 boot\n"
            "# Subtest: next\n    TAP version 13\n    1..1\n    ok 1 other\n"
            "ok 2 next\n", "x")
        self.assertEqual(tally.names,
                         ["x / boot / suite / case", "x / next / other"])
        self.assertEqual(tally.failed, [])

    def test_nothing(self):
        self.red("@init 6.12.0 1.00\n@end\n", "no results")
        self.assertTrue(collect.collect("boot", None, None, ()).failed)

    def test_skipped_as_a_whole(self):
        tally = run(ktap=GOOD.replace(
            "    1..1\n    ok 1 last\n", "    1..0 # SKIP no device\n"))
        self.assertEqual(tally.failed, [])
        self.assertEqual(len(tally.skipped), 2)


class Console(unittest.TestCase):
    """The kernel's log."""

    def complaints(self, console, allowed=()):
        return [why for _, why in run(console=QUIET + console, allowed=allowed).failed]

    def test_unexpected(self):
        for splat, text in ((WARNING, "released while in use"), (LOCKDEP, "possible circular"),
                            (KASAN, "slab-use-after-free")):
            why = self.complaints(splat)
            self.assertEqual(len(why), 1, why)
            self.assertIn(text, why[0])
            self.assertEqual(len(why[0].splitlines()), 1, "one splat, one complaint")

    def test_single_lines(self):
        for line in (
                "kmemleak: 3 new suspected memory leaks (see /sys/kernel/debug/kmemleak)",
                "INFO: task kworker/0:1:10 blocked for more than 60 seconds.",
                "rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:",
                "DMA-API: vgem vgem: device driver frees DMA memory with wrong size",
                "BUG: sleeping function called from invalid context at mm/slab.c:1",
                "UBSAN: array-index-out-of-bounds in drivers/dma-buf/dma-buf.c:1:2",
                "Oops: general protection fault, probably for non-canonical address"):
            self.assertEqual(len(self.complaints(f"[    9.000000] {line}\n")), 1, line)

    def test_harmless(self):
        for line in ("kmemleak: Kernel memory leak detector initialized (mem pool)",
                     "DMA-API: preallocated 65536 debug entries",
                     "DMA-API: debugging enabled by kernel config",
                     "DMA-API: switching off dma-debug driver filter",
                     "rcu: Preemptible hierarchical RCU implementation."):
            self.assertEqual(self.complaints(f"[    9.000000] {line}\n"), [], line)

    def test_expected(self):
        self.assertEqual(self.complaints(
            EXPECT.format("released while in use.*dma_buf_put") + WARNING + END), [])

    def test_expected_did_not_come(self):
        why = self.complaints(EXPECT.format("dma_buf_put") + END)
        self.assertEqual(len(why), 1)
        self.assertIn("did not come", why[0])

    def test_expected_was_another(self):
        why = self.complaints(EXPECT.format("dma_buf_put") + LOCKDEP + END)
        self.assertIn("possible circular", why[0])
        self.assertIn("did not come", why[0])

    def test_one_more_than_expected(self):
        why = self.complaints(EXPECT.format("dma_buf_put") + WARNING + END + WARNING)
        self.assertEqual(len(why), 1)
        why = self.complaints(EXPECT.format("dma_buf_put") + WARNING + LOCKDEP + END)
        self.assertIn("possible circular", why[0])

    def test_expectation_without_end(self):
        self.assertIn("no end", self.complaints(EXPECT.format("x") + QUIET)[0])

    def test_end_without_expectation(self):
        self.assertIn("never began", self.complaints(END)[0])

    def test_allowed(self):
        self.assertEqual(self.complaints(WARNING, [("lib/refcount.c:28", [])]), [])
        self.assertEqual(len(self.complaints(WARNING, [("lib/refcount.c:29", [])])), 1)

    def test_allowed_in_a_suite(self):
        allowed = [("lib/refcount.c:28", ["stress", "other"])]
        within = SUITE.format("stress", "begins") + WARNING
        self.assertEqual(self.complaints(within, allowed), [])
        for console in (WARNING,
                        within.replace("stress", "kselftest"),
                        within.replace("stress", "stressed"),
                        within + SUITE.format("stress", "ends, status 0") + WARNING,
                        within + SUITE.format("kselftest", "begins") + WARNING):
            why = self.complaints(console, allowed)
            self.assertEqual(len(why), 1, console)
            self.assertIn("allowed in stress, other alone", why[0])

    def test_allowed_twice(self):
        """One line more gives leave, and takes none"""
        allowed = [("lib/refcount.c:28", ["stress"]), ("refcount_warn", ["kselftest"])]
        for suite, count in (("stress", 0), ("kselftest", 0), ("samples", 1)):
            self.assertEqual(len(self.complaints(
                SUITE.format(suite, "begins") + WARNING, allowed)), count)

    def test_lists_as_they_are(self):
        """Each suite that is named exists."""
        folder = os.path.join(HARNESS, "guest", "suites")
        splats = collect.allowed_splats()
        self.assertTrue(splats)
        for _, suites in splats:
            for suite in suites:
                self.assertTrue(os.path.exists(os.path.join(folder, suite)), suite)

    def test_taint_without_splat(self):
        why = [w for _, w in run(ktap=GOOD.replace("@tainted 0", "@tainted 512")).failed]
        self.assertIn("tainted", why[0])


class Races(unittest.TestCase):
    """What KCSAN reports."""

    DCACHE = (("fs/dcache.c:d_alloc / fs/dcache.c:d_.*", "known"),)

    def judge(self, one, two, two_by="vfs_poll", rules=()):
        """(complaints, what was counted) of a log with one report."""
        races = collect.Races(rules, FUNCTIONS)
        report = RACE.format(one=one, two=two, two_by=two_by)
        return collect.check_console(QUIET + report + QUIET, (), races)[0], races

    def test_ours(self):
        why, races = self.judge("d_alloc", "dma_buf_poll")
        self.assertIn("dma_buf_poll+0x10", why[0])
        self.assertTrue(races.text().startswith("ours\t1\t"))

    def test_ours_with_suffix(self):
        self.assertTrue(self.judge("d_alloc", "dma_buf_poll.constprop.0")[0])

    def test_ours_through_library(self):
        why, _ = self.judge("d_alloc", "strscpy", "dma_buf_poll",
                            [(".*", "anything")])
        self.assertEqual(len(why), 1)

    def test_ours_cannot_be_allowed(self):
        why, _ = self.judge("d_alloc", "dma_buf_poll", rules=[(".*", "anything")])
        self.assertEqual(len(why), 1)

    def test_base_allowed(self):
        # That our core called is no fault of its own.
        why, races = self.judge("d_alloc", "d_walk", "dma_buf_poll", self.DCACHE)
        self.assertEqual(why, [])
        self.assertEqual(races.summary(),
                         ["allowed races: 1 reports in 1 places: known"])

    def test_base_not_listed(self):
        for rules in (), self.DCACHE, [("fs/dcache.c:d_alloc", "half of it")]:
            why, _ = self.judge("vfs_poll", "d_walk", rules=rules)
            self.assertIn("is not in kernels/", why[0])

    def test_unknown_function(self):
        self.assertIn("?:strange", self.judge("strange", "d_walk", rules=self.DCACHE)[0][0])

    def test_expectation_does_not_take_it(self):
        report = RACE.format(one="d_alloc", two="dma_buf_poll", two_by="vfs_poll")
        why = collect.check_console(EXPECT.format("KCSAN") + report + END, (),
                                    collect.Races((), FUNCTIONS))[0]
        self.assertEqual(len(why), 2)

    def test_what_follows_is_seen(self):
        races = collect.Races(self.DCACHE, FUNCTIONS)
        report = RACE.format(one="d_alloc", two="d_walk", two_by="vfs_poll")
        why = collect.check_console(report + WARNING, (), races)[0]
        self.assertEqual(len(why), 1)


if __name__ == "__main__":
    unittest.main()

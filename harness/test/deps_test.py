#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Tests of harness/deps: an interrupted command leaves apt-get alone until it is
done, and what a killed apt-get has left behind is said.

apt-get and dpkg-query are stubs here; nothing is installed.
Run it without arguments; -h lists unittest's options.
"""

import os
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
STUBS = {
    "id": "echo 0\n",
    # As the real one, it says of one package what is asked, and of all without a name.
    "dpkg-query": """case $# in
3) cat "$STATE/all" 2>/dev/null || true ;;
*) exit 1 ;;
esac
""",
    "apt-get": """echo "$*" >>"$STATE/called"
case " $* " in
*" install "*) ;;
*) exit 0 ;;
esac
for s in INT TERM HUP; do
	trap 'echo $s >>"$STATE/killed"; exit 1' $s
done
touch "$STATE/started"
i=0
while [ $i -lt 15 ]; do
	sleep 0.1
	i=$((i + 1))
done
touch "$STATE/done"
exit ${APT_STATUS:-0}
""",
}


class Deps(unittest.TestCase):
    """The command in a copy of the harness."""

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.top = os.path.join(self.folder.name, "top")
        for name in ("harness", "kernels"):
            shutil.copytree(os.path.join(TOP, name), os.path.join(self.top, name),
                            ignore=shutil.ignore_patterns("__pycache__"))
        stubs = os.path.join(self.folder.name, "stubs")
        os.mkdir(stubs)
        for name, text in STUBS.items():
            path = os.path.join(stubs, name)
            with open(path, "w", encoding="utf-8") as f:
                f.write("#!/bin/sh\n" + text)
            os.chmod(path, 0o755)
        os.makedirs(self.path("admin/updates"))
        self.env = {"PATH": stubs + ":" + os.environ["PATH"], "LC_ALL": "C",
                    "STATE": self.folder.name, "DPKG_ADMINDIR": self.path("admin")}

    def path(self, name):
        """Where the stubs leave what happened."""
        return os.path.join(self.folder.name, name)

    def start(self, command="deps", **variables):
        """The command, in a process group of its own as a terminal gives it."""
        return subprocess.Popen(
            [os.path.join(self.top, "harness", command)], start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True, env={**self.env, **variables})

    def interrupt(self, number, command="deps", **variables):
        """Send a signal to the whole group while apt-get is at work."""
        with self.start(command, **variables) as process:
            until = time.time() + 60
            while not os.path.exists(self.path("started")) and time.time() < until:
                time.sleep(0.05)
            os.killpg(process.pid, number)
            stdout, stderr = process.communicate(timeout=60)
        # The command may be gone before what it has started.
        until = time.time() + 30
        while not os.path.exists(self.path("done")) and \
                not os.path.exists(self.path("killed")) and time.time() < until:
            time.sleep(0.05)
        self.assertFalse(os.path.exists(self.path("killed")), "apt-get was killed")
        self.assertTrue(os.path.exists(self.path("done")))
        return process.returncode, stdout, stderr

    def test_signals(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            with self.subTest(signal=number):
                for name in ("started", "done", "killed"):
                    if os.path.exists(self.path(name)):
                        os.remove(self.path(name))
                status, stdout, _ = self.interrupt(number)
                self.assertEqual(status, -number)
                self.assertIn("stopping as soon as apt-get is done", stdout)
                self.assertIn("apt-get is done, stopping", stdout)
                self.assertNotIn("are there", stdout)

    def test_caller_stops(self):
        """The command that wanted the packages does not go on."""
        status, stdout, _ = self.interrupt(signal.SIGINT, "docs")
        self.assertNotEqual(status, 0)
        self.assertNotIn("base tree", stdout)
        self.assertFalse(os.path.exists(os.path.join(self.top, "build/6.12/base.tmp")))

    def test_interrupted_and_failed(self):
        status, _, stderr = self.interrupt(signal.SIGINT, APT_STATUS="100")
        self.assertEqual(status, -signal.SIGINT)
        self.assertIn("dpkg --configure -a", stderr)

    def finish(self, **variables):
        """What the command says when nobody interrupts it."""
        with self.start(**variables) as process:
            stdout, stderr = process.communicate(timeout=60)
        return process.returncode, stdout, stderr

    def test_success(self):
        status, stdout, stderr = self.finish()
        self.assertEqual((status, stderr), (0, ""))
        self.assertIn("are there", stdout)
        with open(self.path("called"), encoding="utf-8") as f:
            self.assertIn(" install -y --no-install-recommends build-essential ", f.read())

    def test_failure(self):
        status, _, stderr = self.finish(APT_STATUS="100")
        self.assertEqual(status, 1)
        self.assertIn("dpkg --configure -a", stderr)

    def test_half_configured(self):
        with open(self.path("all"), "w", encoding="utf-8") as f:
            f.write("installed bash\nhalf-configured ccache\nunpacked flex\n")
        status, _, stderr = self.finish()
        self.assertEqual(status, 1)
        self.assertIn("not finished with: ccache flex", stderr)
        self.assertIn("dpkg --configure -a", stderr)
        self.assertFalse(os.path.exists(self.path("called")))

    def test_journal(self):
        with open(self.path("admin/updates/0001"), "w", encoding="utf-8"):
            pass
        status, _, stderr = self.finish()
        self.assertEqual(status, 1)
        self.assertIn("dpkg --configure -a", stderr)
        self.assertFalse(os.path.exists(self.path("called")))


if __name__ == "__main__":
    unittest.main()

#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Tests of the samples: they repeat DMA_BUF_IOCTL_SYNC when they have to.

Each function of samples/dma-buf that makes the request is compiled with an ioctl()
that fails as an exporter may have it fail. The samples' own exporter has no EAGAIN.

Run it without arguments; -h lists unittest's options.
"""

import re
import subprocess
import tempfile
import unittest
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent.parent
SAMPLES = TOP / "samples/dma-buf"

# The function is put between these two.
BEFORE = """
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include "%s/include/uapi/linux/dma-buf.h"

static const int *errors;
static int calls;

static int failing_ioctl(int fd, unsigned long cmd, const struct dma_buf_sync *arg)
{
	if (fd != 5 || cmd != DMA_BUF_IOCTL_SYNC || arg->flags != DMA_BUF_SYNC_RW)
		exit(1);
	errno = errors[calls++];
	return errno ? -1 : 0;
}

#define ioctl failing_ioctl
#define complain(...) (-1)
""" % TOP
AFTER = """
static void run(const int *list)
{
	errors = list;
	calls = 0;
	printf("%d ", !!buffer_sync(5, DMA_BUF_SYNC_RW));
	printf("%d\\n", calls);
}

int main(void)
{
	run((const int []){ 0 });
	run((const int []){ EINTR, EINTR, 0 });
	run((const int []){ EAGAIN, EAGAIN, 0 });
	run((const int []){ EINTR, EAGAIN, EINTR, 0 });
	run((const int []){ EIO, 0 });
	run((const int []){ EAGAIN, EINVAL, 0 });
	return 0;
}
"""


class Sync(unittest.TestCase):
    """The loops around the request."""

    def test_repeats(self):
        """EINTR and EAGAIN have it repeated, and no other error has."""
        found = 0
        for path in sorted(SAMPLES.rglob("*.c")):
            text = path.read_text()
            if "ioctl(fd, DMA_BUF_IOCTL_SYNC" not in text:
                continue
            found += 1
            with self.subTest(path.name), tempfile.TemporaryDirectory() as tmp:
                function = re.search(r"^static int buffer_sync\(.*?^\}\n", text,
                                     re.M | re.S).group()
                source = Path(tmp, "sync.c")
                source.write_text(BEFORE + function + AFTER)
                program = Path(tmp, "sync")
                subprocess.run(["gcc", "-o", program, source], check=True)
                out = subprocess.run([program], check=True, text=True,
                                     stdout=subprocess.PIPE).stdout
                self.assertEqual(out.split("\n"), [
                    "0 1", "0 3", "0 3", "0 4", "1 1", "1 2", ""])
        self.assertEqual(found, 2)


if __name__ == "__main__":
    unittest.main()

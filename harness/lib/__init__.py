# SPDX-License-Identifier: GPL-2.0-only
"""Shared by all Python commands of the harness, as lib.sh by the shell scripts."""

import argparse
import os
import pathlib
import re
import sys
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
V = os.environ.get("V", "6.12")
BUILD = os.path.join(TOP, "build")
KBUILD = os.path.join(BUILD, V)
KDATA = os.path.join(TOP, "kernels", V)
LOGS = os.path.join(BUILD, "logs")
BASE = os.path.join(KBUILD, "base")
SRC = os.path.join(KBUILD, "src")
# For the commands that this one starts as well
START = int(os.environ.setdefault("HARNESS_START", str(int(time.time()))))
NUMBER = re.compile(r"[1-9][0-9]{0,11}")


def say(text):
    """Print a line of progress, with the time since the first command began."""
    seconds = int(time.time()) - START
    print(f"[{seconds // 60:2}:{seconds % 60:02}] {text}", flush=True)


def die(text, *hints):
    """Stop, saying what has failed and how to get it."""
    program = os.path.basename(sys.argv[0])
    for line in (f"{program}: error: {text}", *(f"    {hint}" for hint in hints)):
        print(line, file=sys.stderr)
    sys.exit(1)


def kernels(version):
    """The names that kernels/$V/kernels lists."""
    with open(os.path.join(TOP, "kernels", version, "kernels"), encoding="utf-8") as f:
        return [line.split()[0] for line in f
                if line.strip() and not line.startswith("#")]


def core_sources():
    """The C files of the core itself, without its tests, as paths."""
    folder = pathlib.Path(TOP, "drivers/dma-buf")
    return sorted(path for path in folder.glob("dma-buf*.c")
                  if not re.match(r"dma-buf-(test|mock|bench)", path.name))


class Parser(argparse.ArgumentParser):
    """Parse the arguments of a command whose description is TEXT.

    Also refuses unknown values of V, and of the other variables that TEXT names in
    lines like "  JOBS=N  how many jobs". The kinds of values are those of
    check_value() in lib.sh: N is a number from 1 on, 'A B' is a set of words.
    """

    def __init__(self, text):
        super().__init__(description=text, allow_abbrev=False,
                         formatter_class=argparse.RawDescriptionHelpFormatter)

    def parse_args(self, args=None, namespace=None):
        result = super().parse_args(args, namespace)
        self.among(V, os.listdir(os.path.join(TOP, "kernels")),
                   "there is no kernels/")
        for name, kind in re.findall(r"^  ([A-Z_]+)=('[^']*'|\S+)", self.description, re.M):
            value = os.environ.get(name)
            if value and kind == "N" and not NUMBER.fullmatch(value):
                self.error(f"{name}={value}: a number from 1 on is needed")
            if value and kind.startswith("'"):
                for word in value.split():
                    self.among(word, kind.strip("'").split(), f"{name}={value}: unknown: ")
        return result

    def among(self, word, known, complaint):
        """Refuse WORD if the list KNOWN does not have it."""
        if word not in known:
            self.error(f"{complaint}{word}; known: {' '.join(sorted(known))}")

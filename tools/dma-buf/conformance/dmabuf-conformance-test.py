#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Tests of dmabuf-conformance's command line, output and man page. Prints KTAP.

    dmabuf-conformance-test.py [PATH-OF-DMABUF-CONFORMANCE]

No buffers, no rights and no particular kernel are needed. It does not test that the
program finds what is wrong with an exporter.
"""

import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
PROGRAM = os.path.join(HERE, "dmabuf-conformance")
TESTS = []


class Skip(Exception):
    """A test that needs what is not there."""


def test(function):
    """Functions with this are tests; their first line of text says of what."""
    TESTS.append(function)
    return function


def run(*args, **kwargs):
    """Run the program; text comes back."""
    return subprocess.run([PROGRAM, *args], check=False, timeout=60, text=True,
                          **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE,
                             "stdin": subprocess.DEVNULL, **kwargs})


def refused(words, *args, **kwargs):
    """It must end with status 2 and say this; nothing may be on standard output."""
    done = run(*args, **kwargs)
    seen = f"{args}: status {done.returncode}, {done.stdout!r}, {done.stderr!r}"
    assert done.returncode == 2, seen
    assert not done.stdout, seen
    assert words in done.stderr, f"{seen}, wanted {words!r}"
    return done.stderr


def names(listing):
    """The names of the checks that --list prints."""
    return re.findall(r"^([a-z_]+\.[a-z_0-9]+)$", listing, re.M)


def options():
    """Each long option that --help has."""
    return sorted(set(re.findall(r"--([a-z0-9-]+)", run("--help").stdout)) - {"help"})


@test
def write_errors():
    """what cannot be written is an error"""
    for args in (["--list"], ["--help"], ["--list", "--check", "fd.magic"]):
        with open("/dev/full", "w", encoding="utf-8") as full:
            done = run(*args, stdout=full)
        assert done.returncode == 2, f"{args}: status {done.returncode}"
        assert "No space left on device" in done.stderr, f"{args}: {done.stderr!r}"
    done = subprocess.run(["/bin/sh", "-c", 'exec "$0" --list >&-', PROGRAM], check=False,
                          timeout=60, capture_output=True, text=True)
    assert done.returncode == 2 and "output is closed" in done.stderr, done


@test
def listing():
    """--list has each check once, with its rule, and their number"""
    done = run("--list")
    assert done.returncode == 0 and not done.stderr, done
    found = names(done.stdout)
    assert len(found) > 100 and len(set(found)) == len(found), len(found)
    assert done.stdout.endswith(f"\n{len(found)} checks\n"), done.stdout[-40:]
    for line, rule in zip(done.stdout.splitlines(), done.stdout.splitlines()[1:]):
        if names(line):
            assert rule.startswith("#   "), f"{line}: {rule}"


@test
def several_checks():
    """--check adds up: each of its patterns selects checks"""
    def listed(*globs):
        args = [a for g in globs for a in ("--check", g)]
        return names(run("--list", *args).stdout)

    assert listed("fd.magic") == ["fd.magic"]
    assert listed("name.*", "fd.magic") == ["fd.magic"] + listed("name.*")
    assert listed("fd.magic", "fd.m*", "fd.magic") == ["fd.magic"]
    assert len(listed("fd.*", "*")) == len(names(run("--list").stdout))
    assert len(listed(*["fd.magic"] * 32)) == 1
    refused("more than 32", "--list", *["--check=fd.magic"] * 33)
    refused("more than 32", "--heap", "x", *["-xfd.magic"] * 33)


@test
def arguments():
    """what is not known is refused, before anything is done"""
    for args in (["--nonesuch"], ["word"], ["-z"], ["--heap"], ["--list", "word"],
                 ["--help", "word"], ["--help", "--nonesuch"], ["--udmabuf", "word"],
                 ["--udmabuf=x"], ["--heap", "system", "--udmabuf"], [],
                 ["--list", "--heap", "system"], ["--list", "--one-buffer"],
                 ["--list", "-x", "fd.magic"], ["--list", "--verbose"], ["--list", "-t", "5"],
                 ["--list", "--check", "nonesuch"], ["--list", "-c", "fd.*", "-c", "no.*"],
                 ["--heap", "x", "-x", "nonesuch"], ["--list", "--check", ""],
                 *(["--heap", "x", "--timeout", t]
                   for t in ("0", "", "x", "1x", " 5", "+5", "-5", "3601", "9" * 30))):
        assert "usage: dmabuf-conformance" in refused("", *args), args
    assert "no.*" in refused("fits no check", "--list", "-c", "fd.*", "-c", "no.*")


@test
def exporters():
    """an exporter that is none ends the run, with the reason and not with failures"""
    for name in ("", ".", "..", "a/b", "../null"):
        refused("wants a heap's name", "--heap", name)
    refused("cannot open /dev/dma_heap/nonesuch:", "--heap", "nonesuch")
    refused("cannot open /dev/dma_heap/" + "x" * 300 + ":", "--heap", "x" * 300)
    with tempfile.TemporaryDirectory() as top:
        fifo = os.path.join(top, "fifo")
        os.mkfifo(fifo)
        for option in ("--drm", "--v4l2"):
            for path in (top, fifo, __file__):
                refused(f"{path} is no character device", option, path)
            refused(f"cannot open {top}/nonesuch:", option, top + "/nonesuch")
            refused("cannot open :", option, "")
        refused("/dev/null is not a DRM device", "--drm", "/dev/null")
        refused("/dev/null is not a V4L2 device", "--v4l2", "/dev/null")
    if not os.path.exists("/dev/udmabuf"):
        refused("cannot open /dev/udmabuf:", "--udmabuf")
    for mode in ("", "nonesuch", "Good"):
        refused("leaks-if-full", "--testdev", mode)


@test
def descriptors():
    """--fd takes the number of a buffer's descriptor, and nothing else"""
    for text in ("", "x", "-1", " 5", "+5", "5x", "0x5", "9" * 10, "9" * 30):
        refused("wants the number", "--fd", text)
    for text in ("1", "2"):
        refused("another descriptor than the output's", "--fd", text)
    refused("descriptor 999 is not open", "--fd", "999")
    refused("descriptor 0 is no dma-buf", "--fd", "0")


@test
def long_paths():
    """a path may be of any length"""
    with tempfile.TemporaryDirectory() as top:
        folder = os.path.join(top, "a" * 200, "b" * 200)
        os.makedirs(folder)
        link = os.path.join(folder, "null")
        os.symlink("/dev/null", link)
        refused(f"{link} is not a V4L2 device", "--v4l2", link)
        refused(f"{link} is not a DRM device", "--drm", link)


@test
def descriptor_limit():
    """too few descriptors are the limit's fault, not the exporter's"""
    def limited(soft, hard):
        return {"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))}

    for limit in (4, 20, 127):
        refused(f"RLIMIT_NOFILE is {limit}", "--heap", "nonesuch", **limited(limit, limit))
    # What the user may raise is raised.
    refused("cannot open /dev/dma_heap/nonesuch:", "--heap", "nonesuch", **limited(20, 512))


@test
def man_page():
    """the man page is rendered as it is meant, and knows each option"""
    groff = shutil.which("groff")
    if not groff:
        raise Skip("groff is not installed")
    done = subprocess.run([groff, "-man", "-ww", "-Tascii", "-P-c", "-rLL=200n",
                           os.path.join(HERE, "dmabuf-conformance.1")],
                          check=True, timeout=60, capture_output=True, text=True)
    assert not done.stderr, done.stderr
    # Bold and underlined as on a typewriter
    text = re.sub(r"\s+", " ", re.sub(".\b", "", done.stdout))
    for wanted in ('execlp("dmabuf-conformance", "dmabuf-conformance", "--fd", "5", NULL);',
                   "--check 'poll.*' --v4l2 /dev/video0", "for instance 'mmap.*'.",
                   "[--check GLOB]...", "good No fault.", "that check's failure"):
        assert wanted in text, wanted
    for option in options():
        assert "--" + option in text, option
    with open(os.path.join(HERE, "dmabuf-conformance.1"), encoding="utf-8") as f:
        for line in f:
            assert not line.startswith("'"), f"roff drops this line: {line}"
            assert not re.match(r'\.[A-Z]+ .*[^\s"]"[^\s"]', line), f"roff eats a quote: {line}"


@test
def completion():
    """bash completes options, checks and modes"""
    bash = shutil.which("bash")
    if not bash:
        raise Skip("bash is not installed")
    script = """
. "$1" && complete -p dmabuf-conformance >/dev/null || exit
shift
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
_dmabuf_conformance
printf '%s\\n' "${COMPREPLY[@]}"
"""
    def completed(*words):
        done = subprocess.run(
            [bash, "-c", script, "bash", os.path.join(HERE, "dmabuf-conformance.bash-completion"),
             PROGRAM, *words], capture_output=True, check=False, timeout=60, text=True)
        assert done.returncode == 0 and not done.stderr, done
        return done.stdout.split()

    assert set(options()) <= {w[2:] for w in completed("--")}
    assert completed("--che") == ["--check"]
    every = names(run("--list").stdout)
    for words in (["--check", ""], ["-x", ""], ["--expect-failure", "="], ["-1", "-c", ""]):
        assert completed(*words) == every, words
    assert completed("--check", "=", "fd.mag") == ["fd.magic"]
    assert completed("--testdev", "leaks-b") == ["leaks-buffers"]
    assert completed("--fd", "") == []


# Reads a file in place of bufinfo, and prints how many lines a buffer has there.
BUFINFO_LINES = r"""
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "conformance.h"

static const char *file;

FILE *__real_fopen(const char *path, const char *mode);

FILE *__wrap_fopen(const char *path, const char *mode)
{
	return __real_fopen(strcmp(path, "/sys/kernel/debug/dma_buf/bufinfo") ? path : file, mode);
}

void failed(const char *format, ...)
{
	(void)format;
	abort();
}

void stop(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	exit(0);
}

void skip(const char *format, ...)
{
	(void)format;
	abort();
}

bool has_failed(void)
{
	return false;
}

int main(int argc, char **argv)
{
	file = argv[argc - 2];
	printf("%d", bufinfo_lines(atoi(argv[argc - 1])));
	return 0;
}
"""

BUFINFO = """
Dma-buf Objects:
size    \tflags   \tmode    \tcount   \texp_name\tino     \tname
00004096\t00080002\t00060007\t00000001\tsystem\t00000042\tframe
\twrite fence:vivid 0-out seq 4 unsignalled
\tAttached Devices:
\tvkms
Total 1 devices attached

00008192\t00080002\t00060007\t00000003\tan exporter\t00000043\t<none>
\tAttached Devices:
Total 0 devices attached


Total 2 objects, 12288 bytes
"""


@test
def bufinfo():
    """bufinfo is read strictly: a line counts in its place, and damage is an error"""
    compiler = shutil.which("gcc")
    if not compiler:
        raise Skip("gcc is not installed")
    with tempfile.TemporaryDirectory() as top:
        os.mkdir(f"{top}/linux")
        os.symlink(os.path.join(HERE, "../../../include/uapi/linux/dma-buf.h"),
                   f"{top}/linux/dma-buf.h")
        with open(f"{top}/lines.c", "w", encoding="utf-8") as f:
            f.write(BUFINFO_LINES)
        sources = [os.path.join(HERE, name) for name in ("util.c", "../bufinfo.c")]
        subprocess.run([compiler, "-std=gnu11", "-D_GNU_SOURCE", f"-I{top}", f"-I{HERE}", "-pthread",
                        "-Wl,--wrap=fopen", "-o", f"{top}/lines", f"{top}/lines.c", *sources],
                       check=True, timeout=60)

        def lines(text, ino):
            with open(f"{top}/bufinfo", "w", encoding="utf-8") as f:
                f.write(text)
            done = subprocess.run([f"{top}/lines", f"{top}/bufinfo", str(ino)], check=True,
                                  timeout=60, capture_output=True, text=True)
            return done.stdout.removeprefix("/sys/kernel/debug/dma_buf/bufinfo: ")

        assert [lines(BUFINFO, ino) for ino in (42, 43, 44)] == ["1", "1", "0"]
        # Five columns and a number are no line of a buffer, wherever they are.
        for forged in ("a\tb\tc\td\te\t44", "1\t2\t3\t4\te\t44\tn",
                       "0000000x\t00080002\t00060007\t00000001\te\t00000044\tn",
                       "00004096\t00080002\t00060007\t00000001\te\t00000044"):
            for before in ("frame\n", "devices attached\n\n"):
                text = BUFINFO.replace(before, f"{before}{forged}\n", 1)
                # The first may be the rest of a short name, which has no buffer either.
                found = lines(text, 44)
                assert text != BUFINFO and (found == "0" or "not understood" in found), text
            # In a device's name, with the tab that the kernel puts before it
            text = BUFINFO.replace("\tvkms\n", f"\t{forged}\n")
            assert lines(text, 44) == "0", forged
        # A name that a kernel has printed with its newline
        assert lines(BUFINFO.replace("frame", "a\nb\tc"), 42) == "1"
        for old, new, why in (
                ("Dma-buf Objects:", "Objects:", "heading"),
                ("exp_name", "name", "heading"),
                ("\nTotal 1 devices", "\nTotal  1 devices", "not understood"),
                ("Total 1 devices", "Total 1 device", "not understood"),
                ("\nTotal 2", "\nnonsense\nTotal 2", "not understood"),
                ("Total 2 objects", "Total 3 objects", "totals"),
                ("12288", "12289", "totals"),
                ("12288 bytes\n", "12288 bytes", "cut short"),
                ("vkms", "vk\0ms", "NUL"),
                ("\nTotal 2 objects, 12288 bytes\n", "", "end is missing"),
                ("bytes\n", "bytes\nmore\n", "not understood")):
            assert old in BUFINFO
            assert why in lines(BUFINFO.replace(old, new), 42), (old, new)
        assert "heading" in lines("nothing of the kind\n", 42)
        assert "end is missing" in lines("", 42)


@test
def installation():
    """make install puts both programs, their man pages and completions in their places"""
    with tempfile.TemporaryDirectory() as top:
        subprocess.run(["make", "-C", os.path.dirname(HERE), f"O={top}/out", f"DESTDIR={top}/root", "prefix=/usr",
                        "install"], check=True, timeout=600, capture_output=True)
        for name in ("dmabuf-conformance", "lsdmabuf"):
            for path in (f"bin/{name}", f"share/man/man1/{name}.1",
                         f"share/bash-completion/completions/{name}"):
                assert os.path.isfile(f"{top}/root/usr/{path}"), path


def main():
    """Run the tests; the status is 0 if none has failed, 2 if none could run."""
    global PROGRAM  # pylint: disable=global-statement
    if len(sys.argv) > 2 or sys.argv[1:2] in (["-h"], ["--help"]):
        print(__doc__, file=sys.stdout if len(sys.argv) == 2 else sys.stderr)
        return 0 if len(sys.argv) == 2 else 2
    PROGRAM = os.path.abspath(sys.argv[1] if len(sys.argv) == 2 else PROGRAM)
    if not os.access(PROGRAM, os.X_OK) or not os.path.isfile(PROGRAM):
        print(f"{sys.argv[0]}: {PROGRAM} is no program; build it with make -C tools/dma-buf/conformance",
              file=sys.stderr)
        return 2
    failed = 0
    print(f"KTAP version 1\n1..{len(TESTS)}")
    for number, function in enumerate(TESTS, 1):
        name = f"{number} {function.__name__}: {function.__doc__}"
        try:
            function()
        except Skip as reason:
            print(f"ok {name} # SKIP {reason}")
        except Exception:  # pylint: disable=broad-exception-caught
            failed += 1
            print("".join(f"# {line}\n" for line in traceback.format_exc().splitlines()), end="")
            print(f"not ok {name}")
        else:
            print(f"ok {name}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

# SPDX-License-Identifier: GPL-2.0-only
# Entry points only: each is a script in harness/.

V ?= 6.12
# What is given on the command line make exports by itself. An option that is not given
# must not be exported: kbuild fails with an empty ARCH.
export V

help:
	@echo 'make run          show the core at work: camera frames on a display in a'
	@echo '                  virtual machine; picture in build/run/frame.png'
	@echo 'make kunit        the KUnit suites alone: after a change, in a minute or so'
	@echo 'make check        build two kernels with the core, run every test on them'
	@echo 'make check-race   run the tests on a kernel that looks for data races (KCSAN)'
	@echo 'make coverage     show which lines and branches of the core the tests reach'
	@echo 'make mutate       break the core in many ways, and count how many its KUnit'
	@echo '                  suite notices'
	@echo 'make compare      the same tests on the stock core and on ours, side by side'
	@echo 'make stress       millions of random operations on shared buffers, on two'
	@echo '                  kernels that watch'
	@echo 'make bench        count the instructions of operations on buffers, on the stock'
	@echo '                  core and on ours; picture in build/bench/results.png'
	@echo 'make bench-scale  measure operations of several processors at the same time, and'
	@echo '                  the locks that they wait for, on both cores'
	@echo 'make docs         build the pages about buffers as HTML, in build/docs/html, and'
	@echo '                  check the names in them'
	@echo 'make lint         run checkpatch, sparse, W=1, kernel-doc, shellcheck and more'
	@echo 'make users        compile every driver that uses dma-buf with our header and'
	@echo '                  the stock one, and compare the warnings'
	@echo 'make v4l2-expect  write the list of results of v4l2-compliance on the stock core'
	@echo 'make clean        remove build/'
	@echo
	@echo 'V=6.12            which kernel (a directory below kernels/)'
	@echo 'KDIR=DIR          a clean kernel source tree, instead of the package'
	@echo '                  linux-source-$$V'
	@echo 'JOBS=N            how many compilers at once (one more than processors), and'
	@echo '                  how many guests make mutate boots at once (2)'
	@echo 'KEEP_GOING=1      after an error, build what can still be built'
	@echo 'SKIP_DEPS=1       do not install packages: everything is there'
	@echo 'ACCEL=tcg         emulate, even if KVM works (kvm: try KVM, the default)'
	@echo 'CCACHE_DIR=DIR    the cache of compiled objects (build/ccache)'
	@echo 'CCACHE_MAXSIZE=N  the size of this cache (5G)'
	@echo
	@echo 'FRAMES=N          how many frames make run shows (300)'
	@echo 'SUITE=GLOB        have make kunit run the suites of such a name alone'
	@echo 'CASE=GLOB         the same with cases: make kunit CASE=test_poll_batches'
	@echo 'ARCH=um           have make kunit run them without an emulator'
	@echo 'KERNELS=plain     have make check or make stress do just one of its kernels'
	@echo 'OPS=N             how many operations make stress (10000000) and make check-race'
	@echo '                  (40000) do'
	@echo 'DEBUG_OPS=N       how many make stress does on the kernel debug (OPS / 10)'
	@echo 'SEED=N            repeat the operations of an earlier make stress'
	@echo 'SKIP=N            accesses between two that make check-race watches (50)'
	@echo 'BUILT=NAME        a kernel that make check-race boots instead of its own'
	@echo
	@echo 'Each command ends with its figure in one line. Logs are in build/logs/.'

run kunit bench bench-scale check check-race compare coverage docs lint mutate stress users v4l2-expect:
	@harness/$@

clean:
	rm -rf build
	@echo 'clean: build/ is gone'

.PHONY: help run kunit bench bench-scale check check-race compare coverage docs lint mutate stress users v4l2-expect clean

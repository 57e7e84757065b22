# SPDX-License-Identifier: GPL-2.0-only
# Entry points only; each is a script of harness/ of its own.

V ?= 6.12
export V KDIR FRAMES KERNELS

help:
	@echo 'make run          show the core at work: camera frames on a display in a'
	@echo '                  virtual machine; picture in build/run/frame.png'
	@echo 'make check        build two kernels with the core, run every test on them'
	@echo 'make lint         checkpatch, sparse, W=1, kernel-doc, shellcheck'
	@echo 'make v4l2-expect  make the list again of what v4l2-compliance says on the'
	@echo '                  stock core'
	@echo 'make clean        remove build/'
	@echo
	@echo 'V=6.12            which kernel (a directory below kernels/)'
	@echo 'KDIR=DIR          a clean kernel source tree, instead of the package'
	@echo '                  linux-source-$$V'
	@echo 'FRAMES=N          how many frames make run shows (300)'
	@echo 'KERNELS=plain     have make check build and boot just one of its kernels'
	@echo
	@echo 'Each ends with one line that is its figure. Logs are in build/logs/.'

run check lint v4l2-expect:
	@harness/$@

clean:
	rm -rf build
	@echo 'clean: build/ is gone'

.PHONY: help run check lint v4l2-expect clean

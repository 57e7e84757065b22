# SPDX-License-Identifier: GPL-2.0-only
# Variables of kbuild for the kernel gcov, see harness/build.

# Count in the core's objects, dma-buf*.o of drivers/dma-buf. Those of the trace events
# are made of macros, and there is nothing to count.
GCOV_PROFILE=$(if $(filter-out %-trace,$(filter drivers/dma-buf/dma-buf%,$(obj)/$(target-stem))),y)

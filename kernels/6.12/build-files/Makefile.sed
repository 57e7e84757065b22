# SPDX-License-Identifier: GPL-2.0-only
# drivers/dma-buf/Makefile: the core's objects, but dma-buf.o, are in Makefile.core.
/^obj-\$(CONFIG_DMABUF_SYSFS_STATS)/d
$a\
\
include $(src)/Makefile.core

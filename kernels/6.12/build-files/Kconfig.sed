# SPDX-License-Identifier: GPL-2.0-only
# drivers/dma-buf/Kconfig: the core's options are in Kconfig.core, in the place of the
# first of them.
/^config DMABUF_MOVE_NOTIFY$/i\
source "drivers/dma-buf/Kconfig.core"\

/^config DMABUF_MOVE_NOTIFY$/,/^$/d
/^config DMABUF_DEBUG$/,/^$/d
/^menuconfig DMABUF_SYSFS_STATS$/,/^source /{
	/^source /!d
}

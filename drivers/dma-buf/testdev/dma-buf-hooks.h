/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * dma-buf: the hooks of an exporter, as the logs of test exporters name them.
 *
 * Shared by KUnit's mock exporter, the test device, and the programs that
 * read the device's log.
 */
#ifndef _DMA_BUF_HOOKS_H
#define _DMA_BUF_HOOKS_H

/* By the names of struct dma_buf_ops; 0 is no hook. */
enum dma_buf_hook {
	HOOK_ATTACH = 1,
	HOOK_DETACH,
	HOOK_PIN,
	HOOK_UNPIN,
	HOOK_MAP,
	HOOK_UNMAP,
	HOOK_BEGIN,
	HOOK_END,
	HOOK_MMAP,
	HOOK_VMAP,
	HOOK_VUNMAP,
	HOOK_RELEASE,
	HOOKS,
};

#endif /* _DMA_BUF_HOOKS_H */

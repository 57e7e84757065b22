/* SPDX-License-Identifier: GPL-2.0-only */
/* What the BPF programs of dmabuf_iter.bpf.c hand to iter_test.c. */
#ifndef SELFTESTS_DMA_BUF_BPF_DMABUF_ITER_H
#define SELFTESTS_DMA_BUF_BPF_DMABUF_ITER_H

#define TEXT_LEN	32	/* a name has up to 31 bytes */
#define WALK_MAX	4096	/* buffers that a walk keeps */

/* A buffer, as a BPF program saw it; one of the test's or any other */
struct record {
	unsigned long long ino;
	unsigned long long size;
	long long count;	/* references, but for the walk's own */
	int named;
	char exporter[TEXT_LEN];
	char name[TEXT_LEN];
};

#endif

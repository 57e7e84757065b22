/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * dma-buf: ioctls of /dev/dma_buf_test, the test device.
 *
 * This is no stable interface: the tests of the tree that the kernel was built
 * from are its only users. It is versioned by size like a stable one, so that a
 * test which is older or newer than the kernel gets an error and not garbage.
 *
 * Each open file is a session. A session numbers the objects that it creates,
 * from 1 on, and frees them when the file is closed; descriptors of buffers
 * that it has handed out stay valid.
 *
 * The argument of each ioctl points to a structure whose first member is its
 * size as the caller knows it. A structure that is shorter than the kernel's is
 * filled up with zeros, unless it is shorter than the first version of the
 * structure, which is -EINVAL; a longer one is accepted if all that the kernel
 * does not know is zero, else -E2BIG. Results are written back only when the
 * call succeeds.
 *
 * Errors that every ioctl may return: -EFAULT (pointer), -EINVAL (size, unknown
 * bits, members that must be zero), -E2BIG, -ENOMEM, -ENOTTY (unknown number);
 * with an
 * @id, -ENOENT (no such number, or something of another kind); with an @fd of a
 *	buffer, -EBADF and -EINVAL like dma_buf_get(). Errors of the core and
 *	of exporters are passed on.
 */
#ifndef _DMA_BUF_TEST_DEVICE_H
#define _DMA_BUF_TEST_DEVICE_H

#include <linux/ioctl.h>
#include <linux/types.h>

#include "dma-buf-hooks.h"

#define DMA_BUF_TEST_DEVICE	"/dev/dma_buf_test"
#define DMA_BUF_TEST_BASE	'T'

/* Largest buffer with memory of its own; larger ones must be lazy. */
#define DMA_BUF_TEST_MEMORY_MAX	(16U << 20)
/* Content of the memory while a move that takes time is under way */
#define DMA_BUF_TEST_POISON	0x6b
/* A reservation is held no longer than this, so that no test hangs for ever */
#define DMA_BUF_TEST_HOLD_MAX_MS	20000U
/* Largest number of mappings of one importer */
#define DMA_BUF_TEST_MAPPINGS	8U
/* Calls that an exporter logs; later ones are only counted */
#define DMA_BUF_TEST_LOG_LEN	64U

/* Kinds of exporter, in combination; 0 has every hook but pin and unpin. */
#define DMA_BUF_TEST_DYNAMIC		0x0001 /* pin and unpin; can migrate */
#define DMA_BUF_TEST_CACHED		0x0002 /* cache_sgt_mapping; not with DYNAMIC */
#define DMA_BUF_TEST_BARE		0x0004 /* only map, unmap and release */
/* No memory before the first map, mmap or vmap; may have any length */
#define DMA_BUF_TEST_LAZY		0x0008
/*
 * The CPU has a copy of its own, like a cache that is not coherent: begin of a
 * read access copies from the device's memory, end of a write access copies
 * back. mmap and vmap show the copy.
 */
#define DMA_BUF_TEST_NONCOHERENT	0x0010
/* One reservation, shared by all buffers of the session that have this flag */
#define DMA_BUF_TEST_SHARED_RESV	0x0020
#define DMA_BUF_TEST_KINDS		(0x0040 - 1)

/*
 * Faults that exporters are known to have, in combination. A test of exporters must
 * find them; nothing else asks for them.
 *
 * The session keeps the buffers that the first two leak, and drops them when its
 * file is closed. The tables that the third leaks stay allocated for good.
 */
/* If no descriptor is free, the buffer has been exported already and is leaked */
#define DMA_BUF_TEST_LEAKS_IF_FULL	0x0001
/* A descriptor's last close does not release the buffer */
#define DMA_BUF_TEST_LEAKS_BUFFERS	0x0002
/*
 * The first CPU access makes a table of the pages, without a lock: if several
 * first accesses run at the same time, each makes a table, and all but one are
 * leaked. Needs the begin hook, so not with BARE
 */
#define DMA_BUF_TEST_LEAKS_TABLES	0x0004
#define DMA_BUF_TEST_FAULTS		(0x0008 - 1)

/**
 * struct dma_buf_test_create - export a new buffer
 * @size: of this structure
 * @kind: DMA_BUF_TEST_DYNAMIC and so on
 * @length: size of the buffer in bytes, passed to dma_buf_export() unchanged;
 *	its memory is whole pages
 * @fd_flags: O_CLOEXEC and an access mode
 * @fd: result, descriptor of the buffer
 * @id: result, the exporter; outlives the buffer, so that its log can be read
 * @faults: DMA_BUF_TEST_LEAKS_IF_FULL and so on, or 0
 *
 * -ENOMEM for a @length above DMA_BUF_TEST_MEMORY_MAX that is not lazy.
 */
struct dma_buf_test_create {
	__u32 size;
	__u32 kind;
	__u64 length;
	__u32 fd_flags;
	__s32 fd;
	__u32 id;
	__u32 faults;
};

/* struct dma_buf_test_set_op: flags */
#define DMA_BUF_TEST_NULL	0x0001 /* map returns NULL */
#define DMA_BUF_TEST_ASYNC	0x0002 /* see @delay_ms; map and begin only */

/**
 * struct dma_buf_test_set_op - change what a hook does
 * @size: of this structure
 * @id: exporter
 * @op: hook, enum dma_buf_hook
 * @error: negative errno to return, or 0; must be 0 for hooks that return
 *	nothing
 * @skip: number of calls that behave as usual first
 * @count: number of calls that are changed after these; 0: all
 * @delay_ms: how long the hook sleeps, at most 10000; a signal ends the sleep
 *	of map, begin and end with -ERESTARTSYS. With DMA_BUF_TEST_ASYNC the
 *	hook does not sleep, but adds a fence of usage KERNEL that signals
 *	after the delay, like a hook that migrates the memory. Until then the
 *	memory is filled with DMA_BUF_TEST_POISON; after begin the CPU's copy
 *	is too, if the buffer is not coherent. While an earlier move is under
 *	way, no other one starts
 * @flags: DMA_BUF_TEST_NULL, DMA_BUF_TEST_ASYNC
 */
struct dma_buf_test_set_op {
	__u32 size;
	__u32 id;
	__u32 op;
	__s32 error;
	__u32 skip;
	__u32 count;
	__u32 delay_ms;
	__u32 flags;
};

/**
 * struct dma_buf_test_call - one call of a hook
 * @op: hook, enum dma_buf_hook
 * @result: value that it returned
 * @dir: enum dma_data_direction, for hooks that have one
 * @importer: number of the importer, 0 for one of another session
 */
struct dma_buf_test_call {
	__u32 op;
	__s32 result;
	__u32 dir;
	__u32 importer;
};

/* struct dma_buf_test_log: flags */
#define DMA_BUF_TEST_CLEAR	0x0001 /* forget what was read, and the count of lost calls */

/**
 * struct dma_buf_test_log - read the log of an exporter's hooks, oldest first
 * @size: of this structure
 * @id: exporter
 * @flags: DMA_BUF_TEST_CLEAR
 * @count: room in @calls; result: number of calls written there
 * @calls: pointer to an array of struct dma_buf_test_call
 * @lost: result, number of calls that found the log full
 * @reserved: 0
 */
struct dma_buf_test_log {
	__u32 size;
	__u32 id;
	__u32 flags;
	__u32 count;
	__u64 calls;
	__u32 lost;
	__u32 reserved;
};

/**
 * struct dma_buf_test_exporter_info - the state of an exporter
 * @size: of this structure
 * @id: exporter
 * @attached: result, number of attachments
 * @mapped: result, number of mappings
 * @pinned: result, number of pins
 * @vmapped: result, number of vmaps
 * @has_memory: result, whether the memory has been allocated
 * @store: result, which of the two stores is in use, 0 or 1
 * @released: result, number of calls of the release hook
 * @file_ok: result, whether the release hook found the buffer's own file, closed
 */
struct dma_buf_test_exporter_info {
	__u32 size;
	__u32 id;
	__u32 attached;
	__u32 mapped;
	__u32 pinned;
	__u32 vmapped;
	__u32 has_memory;
	__u32 store;
	__u32 released;
	__u32 file_ok;
};

/**
 * struct dma_buf_test_migrate - move a dynamic exporter's memory to its other store
 * @size: of this structure
 * @id: exporter
 * @delay_ms: duration of the move, at most 10000. With 0, the move is done when
 *	the call returns; else a fence of usage KERNEL signals after the delay,
 *	and the new store does not have the content before that
 * @reserved: 0
 *
 * Notifies importers, then waits for all fences of the buffer, which a signal
 * interrupts. Mappings that importers keep show the old store from then on.
 * -EBUSY while pinned or vmapped, or while an earlier move is under way;
 * -EINVAL for an exporter that is not dynamic, -ENODEV if it has no memory or
 * its buffer has been released.
 */
struct dma_buf_test_migrate {
	__u32 size;
	__u32 id;
	__u32 delay_ms;
	__u32 reserved;
};

/**
 * struct dma_buf_test_hold - hold the reservation of a buffer
 * @size: of this structure
 * @fd: buffer of any exporter
 * @id: result, the hold; freeing it releases the reservation. Holds a reference
 *	to the buffer
 * @reserved: 0
 *
 * Returns when the reservation is held; a signal interrupts the wait. The
 * reservation is released after DMA_BUF_TEST_HOLD_MAX_MS at the latest.
 */
struct dma_buf_test_hold {
	__u32 size;
	__s32 fd;
	__u32 id;
	__u32 reserved;
};

/* struct dma_buf_test_fence: usage, as enum dma_resv_usage */
#define DMA_BUF_TEST_KERNEL	0U
#define DMA_BUF_TEST_WRITE	1U
#define DMA_BUF_TEST_READ	2U
#define DMA_BUF_TEST_BOOKKEEP	3U

/**
 * struct dma_buf_test_fence - add a fence of a new timeline to a buffer
 * @size: of this structure
 * @fd: buffer of any exporter
 * @usage: DMA_BUF_TEST_KERNEL and so on
 * @delay_ms: time until the fence signals, at most 10000; 0: until
 *	DMA_BUF_TEST_SIGNAL
 * @id: result, the fence; freeing it signals it. Holds no reference to the
 *	buffer
 * @reserved: 0
 */
struct dma_buf_test_fence {
	__u32 size;
	__s32 fd;
	__u32 usage;
	__u32 delay_ms;
	__u32 id;
	__u32 reserved;
};

/**
 * struct dma_buf_test_signal - signal a fence
 * @size: of this structure
 * @id: fence
 * @error: negative errno that the fence fails with, or 0
 * @reserved: 0
 *
 * -EALREADY if it has signalled.
 */
struct dma_buf_test_signal {
	__u32 size;
	__u32 id;
	__s32 error;
	__u32 reserved;
};

/* struct dma_buf_test_attach: flags */
#define DMA_BUF_TEST_IMPORTER_DYNAMIC	0x0001
/* A dynamic importer without the callback */
#define DMA_BUF_TEST_IMPORTER_DEAF	0x0002
#define DMA_BUF_TEST_IMPORTER_PEER2PEER	0x0004
/* The callback undoes all mappings and pins of this importer */
#define DMA_BUF_TEST_IMPORTER_LETS_GO	0x0008
#define DMA_BUF_TEST_IMPORTER_FLAGS	(0x0010 - 1)

/**
 * struct dma_buf_test_attach - import: attach the test device to a buffer
 * @size: of this structure
 * @fd: buffer of any exporter
 * @flags: DMA_BUF_TEST_IMPORTER_DYNAMIC and so on; the other flags require that
 *	one
 * @id: result, the importer. It holds a reference to the buffer. Freeing it unmaps,
 *	unpins and detaches
 */
struct dma_buf_test_attach {
	__u32 size;
	__s32 fd;
	__u32 flags;
	__u32 id;
};

/**
 * struct dma_buf_test_map - map a buffer for the test device
 * @size: of this structure
 * @id: importer
 * @dir: as enum dma_data_direction: 0 both ways, 1 the device reads, 2 the
 *	device writes; passed to the core unchanged
 * @nents: result, number of entries of the table
 * @length: result, sum of their lengths in bytes
 *
 * -ENOSPC if the importer has DMA_BUF_TEST_MAPPINGS already.
 */
struct dma_buf_test_map {
	__u32 size;
	__u32 id;
	__u32 dir;
	__u32 nents;
	__u64 length;
};

/**
 * struct dma_buf_test_id - argument of UNMAP, PIN, UNPIN and FREE
 * @size: of this structure
 * @id: importer; for FREE any object
 *
 * UNMAP undoes the newest mapping, -ENOENT if there is none. UNPIN calls the
 * core even if nothing was pinned; -EINVAL for PIN and UNPIN of a static
 * importer.
 */
struct dma_buf_test_id {
	__u32 size;
	__u32 id;
};

/* struct dma_buf_test_rw: flags */
#define DMA_BUF_TEST_RW_WRITE	0x0001

/**
 * struct dma_buf_test_rw - access the memory as the device does, or through a vmap
 * @size: of this structure
 * @id: importer, of which the newest mapping is used, or vmap
 * @offset: first byte
 * @length: number of bytes, at most 1 MiB
 * @data: pointer to the caller's data
 * @flags: DMA_BUF_TEST_RW_WRITE; without it, read
 * @reserved: 0
 *
 * -ENOENT without a mapping, -ERANGE past its end, -EACCES if it was mapped for
 * the other direction, -ESTALE if the memory has moved since, -EOPNOTSUPP for
 * memory that the test device cannot access.
 */
struct dma_buf_test_rw {
	__u32 size;
	__u32 id;
	__u64 offset;
	__u64 length;
	__u64 data;
	__u32 flags;
	__u32 reserved;
};

/**
 * struct dma_buf_test_importer_info - the state of an importer
 * @size: of this structure
 * @id: importer
 * @notified: result, number of calls of its move callback
 * @mapped: result, number of its mappings
 * @pinned: result, number of its pins that the core granted
 * @peer2peer: result, whether the attachment's flag is still set
 */
struct dma_buf_test_importer_info {
	__u32 size;
	__u32 id;
	__u32 notified;
	__u32 mapped;
	__u32 pinned;
	__u32 peer2peer;
};

/**
 * struct dma_buf_test_vmap - map a buffer into the kernel's address space
 * @size: of this structure
 * @fd: buffer of any exporter
 * @id: result, the vmap; holds a reference to the buffer, freeing it unmaps
 * @reserved: 0
 */
struct dma_buf_test_vmap {
	__u32 size;
	__s32 fd;
	__u32 id;
	__u32 reserved;
};

/**
 * struct dma_buf_test_mmap - choose the buffer that mmap() of this session maps
 * @size: of this structure
 * @fd: buffer of any exporter, or -1 for none: mmap() then fails with -ENODEV
 *
 * The session holds a reference to the buffer.
 */
struct dma_buf_test_mmap {
	__u32 size;
	__s32 fd;
};

#define DMA_BUF_TEST_CREATE		_IO(DMA_BUF_TEST_BASE, 0)
#define DMA_BUF_TEST_SET_OP		_IO(DMA_BUF_TEST_BASE, 1)
#define DMA_BUF_TEST_LOG		_IO(DMA_BUF_TEST_BASE, 2)
#define DMA_BUF_TEST_EXPORTER_INFO	_IO(DMA_BUF_TEST_BASE, 3)
#define DMA_BUF_TEST_MIGRATE		_IO(DMA_BUF_TEST_BASE, 4)
#define DMA_BUF_TEST_HOLD		_IO(DMA_BUF_TEST_BASE, 5)
#define DMA_BUF_TEST_FENCE		_IO(DMA_BUF_TEST_BASE, 6)
#define DMA_BUF_TEST_SIGNAL		_IO(DMA_BUF_TEST_BASE, 7)
#define DMA_BUF_TEST_ATTACH		_IO(DMA_BUF_TEST_BASE, 8)
#define DMA_BUF_TEST_MAP		_IO(DMA_BUF_TEST_BASE, 9)
#define DMA_BUF_TEST_UNMAP		_IO(DMA_BUF_TEST_BASE, 10)
#define DMA_BUF_TEST_PIN		_IO(DMA_BUF_TEST_BASE, 11)
#define DMA_BUF_TEST_UNPIN		_IO(DMA_BUF_TEST_BASE, 12)
#define DMA_BUF_TEST_RW			_IO(DMA_BUF_TEST_BASE, 13)
#define DMA_BUF_TEST_IMPORTER_INFO	_IO(DMA_BUF_TEST_BASE, 14)
#define DMA_BUF_TEST_VMAP		_IO(DMA_BUF_TEST_BASE, 15)
#define DMA_BUF_TEST_MMAP		_IO(DMA_BUF_TEST_BASE, 16)
#define DMA_BUF_TEST_FREE		_IO(DMA_BUF_TEST_BASE, 17)

#endif /* _DMA_BUF_TEST_DEVICE_H */

/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * dma-buf: what tests say to /dev/dma_buf_test.
 *
 * This is no stable interface: the tests of the tree that the kernel was built
 * from are its only users. It is shaped like one all the same, so that a test
 * which is older or newer than the kernel gets an error and no garbage.
 *
 * Each open file is a session. What a session makes, it names by numbers of its
 * own, from 1 on, and loses when the file is closed; descriptors of buffers that
 * it handed out live on.
 *
 * The argument of each ioctl points at a structure whose first member is its size
 * as the caller knows it. One that is shorter than the structure once became is
 * filled up with zeros, but one shorter than it has ever been is -EINVAL; a longer
 * one is taken if zeros are all that the kernel does not know, else -E2BIG. Results are
 * written back only when the call succeeds.
 *
 * Errors that each may return: -EFAULT (pointer), -EINVAL (size, unknown bits,
 * members that must be zero), -E2BIG, -ENOMEM, -ENOTTY (unknown number); with an
 * @id, -ENOENT (no such number, or something of another kind); with an @fd of a
 * buffer, -EBADF and -EINVAL like dma_buf_get(). What the core or an exporter
 * returns is passed on.
 */
#ifndef _DMA_BUF_TEST_DEVICE_H
#define _DMA_BUF_TEST_DEVICE_H

#include <linux/ioctl.h>
#include <linux/types.h>

#include "dma-buf-hooks.h"

#define DMA_BUF_TEST_DEVICE	"/dev/dma_buf_test"
#define DMA_BUF_TEST_BASE	'T'

/* Buffers have real memory up to this size; above it, they must be lazy. */
#define DMA_BUF_TEST_MEMORY_MAX	(16U << 20)
/* What the memory holds while a move that takes time is under way */
#define DMA_BUF_TEST_POISON	0x6b
/* A reservation is held no longer than this, so that no test hangs for good */
#define DMA_BUF_TEST_HOLD_MAX_MS	20000U
/* Mappings of one importer at a time */
#define DMA_BUF_TEST_MAPPINGS	8U
/* Calls that an exporter remembers; what comes after is only counted */
#define DMA_BUF_TEST_LOG_LEN	64U

/* Kinds of exporter, in combination; 0 has every hook but pin and unpin. */
#define DMA_BUF_TEST_DYNAMIC		0x0001 /* pin and unpin; can migrate */
#define DMA_BUF_TEST_CACHED		0x0002 /* cache_sgt_mapping; not with DYNAMIC */
#define DMA_BUF_TEST_BARE		0x0004 /* only map, unmap and release */
/* Has no memory before the first map, mmap or vmap; any length can be asked for */
#define DMA_BUF_TEST_LAZY		0x0008
/*
 * The CPU has a copy of its own, as behind a cache that nothing snoops: begin of an
 * access that reads copies from the device's memory, end of one that writes copies
 * back. Maps and vmaps show the copy.
 */
#define DMA_BUF_TEST_NONCOHERENT	0x0010
/* Reservation shared by all the buffers of the session that say so */
#define DMA_BUF_TEST_SHARED_RESV	0x0020
#define DMA_BUF_TEST_KINDS		(0x0040 - 1)

/*
 * Faults that exporters are known to have, in combination. A test of exporters must
 * find them; nothing else asks for them.
 *
 * The session keeps the buffers that the first two leak, and drops them when its
 * file is closed. The tables that the third leaks stay allocated for good.
 */
/* If no descriptor is free, the buffer was exported already, and is not dropped */
#define DMA_BUF_TEST_LEAKS_IF_FULL	0x0001
/* A descriptor's last close does not release the buffer */
#define DMA_BUF_TEST_LEAKS_BUFFERS	0x0002
/*
 * The first access of the CPU makes a table of the pages, without a lock: each of
 * several first ones makes its own, and all but one of these are forgotten. Needs
 * the hook, so not with BARE
 */
#define DMA_BUF_TEST_LEAKS_TABLES	0x0004
#define DMA_BUF_TEST_FAULTS		(0x0008 - 1)

/**
 * struct dma_buf_test_create - make a buffer
 * @size: of this structure
 * @kind: DMA_BUF_TEST_DYNAMIC and so on
 * @length: bytes that the exporter says it has. Handed to dma_buf_export() as it
 *	is; memory is in whole pages
 * @fd_flags: O_CLOEXEC and an access mode
 * @fd: result, descriptor of the buffer
 * @id: result, the exporter; lives on after the buffer, for its log
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
 * @error: negative errno to return, or 0. Hooks that return nothing take 0 only
 * @skip: calls that behave as usual first
 * @count: calls that are changed after these; 0: all
 * @delay_ms: how long the hook sleeps, at most 10000; a signal ends the sleep of
 *	map, begin and end with -ERESTARTSYS. With DMA_BUF_TEST_ASYNC the hook does
 *	not sleep but leaves a fence of usage KERNEL that signals that much later, as
 *	a hook does that migrates the memory. Until then the memory is full of
 *	DMA_BUF_TEST_POISON, and after begin so is the CPU's copy of one that is not
 *	coherent. Nothing new happens while an earlier move is under way
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
 * @result: that it returned
 * @dir: enum dma_data_direction, for those that have one
 * @importer: number of the importer, 0 for one that is not this session's
 */
struct dma_buf_test_call {
	__u32 op;
	__s32 result;
	__u32 dir;
	__u32 importer;
};

/* struct dma_buf_test_log: flags */
#define DMA_BUF_TEST_CLEAR	0x0001 /* forget what was read, and what was lost */

/**
 * struct dma_buf_test_log - which hooks were called, oldest first
 * @size: of this structure
 * @id: exporter
 * @flags: DMA_BUF_TEST_CLEAR
 * @count: room in @calls; result: how many were written there
 * @calls: pointer to an array of struct dma_buf_test_call
 * @lost: result, calls that found the log full
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
 * @attached: result, attachments that it knows
 * @mapped: result, mappings
 * @pinned: result, pins
 * @vmapped: result, vmaps
 * @has_memory: result, whether it has any yet
 * @store: result, which of its two stores the memory is, 0 or 1
 * @released: result, how often the release hook was called
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
 * @delay_ms: how long that takes, at most 10000: 0, and it is done when the call
 *	returns; else a fence of usage KERNEL signals that much later, and the new
 *	store has its content no sooner
 * @reserved: 0
 *
 * Importers are notified first, and all fences of the buffer waited for, which a
 * signal ends. Mappings that somebody keeps show the old store from then on. -EBUSY
 * while pinned or vmapped, or while an earlier move is under way; -EINVAL for one
 * that is not dynamic, -ENODEV if it has no memory or its buffer is gone.
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
 * @fd: buffer, of whatever exporter
 * @id: result; freeing it lets go. The buffer lives at least as long
 * @reserved: 0
 *
 * Returns when the reservation is held. A signal ends the wait for it. It is let go
 * after DMA_BUF_TEST_HOLD_MAX_MS at the latest.
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
 * struct dma_buf_test_fence - add a fence of a timeline of its own to a buffer
 * @size: of this structure
 * @fd: buffer, of whatever exporter
 * @usage: DMA_BUF_TEST_KERNEL and so on
 * @delay_ms: when it signals, at most 10000; 0: when told
 * @id: result; freeing it signals. The fence does not keep the buffer
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
 * @error: negative errno that it fails with, or 0
 * @reserved: 0
 *
 * -EALREADY if it has signaled.
 */
struct dma_buf_test_signal {
	__u32 size;
	__u32 id;
	__s32 error;
	__u32 reserved;
};

/* struct dma_buf_test_attach: flags */
#define DMA_BUF_TEST_IMPORTER_DYNAMIC	0x0001
/* A dynamic one without the callback */
#define DMA_BUF_TEST_IMPORTER_DEAF	0x0002
#define DMA_BUF_TEST_IMPORTER_PEER2PEER	0x0004
/* The callback unmaps and unpins whatever this importer has */
#define DMA_BUF_TEST_IMPORTER_LETS_GO	0x0008
#define DMA_BUF_TEST_IMPORTER_FLAGS	(0x0010 - 1)

/**
 * struct dma_buf_test_attach - import: attach the test device to a buffer
 * @size: of this structure
 * @fd: buffer, of whatever exporter
 * @flags: DMA_BUF_TEST_IMPORTER_DYNAMIC and so on; the others but for that one
 *	want it
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
 * @dir: as enum dma_data_direction: 0 both ways, 1 the device reads, 2 the device
 *	writes; goes to the core as it is
 * @nents: result, entries of the table
 * @length: result, bytes in them
 *
 * -ENOSPC with DMA_BUF_TEST_MAPPINGS already.
 */
struct dma_buf_test_map {
	__u32 size;
	__u32 id;
	__u32 dir;
	__u32 nents;
	__u64 length;
};

/**
 * struct dma_buf_test_id - UNMAP, PIN, UNPIN and FREE
 * @size: of this structure
 * @id: importer; for FREE whatever has a number
 *
 * UNMAP takes the newest mapping, -ENOENT without any. UNPIN goes to the core as
 * it is, whatever was pinned; -EINVAL for PIN and UNPIN of a static importer.
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
 * @id: importer, whose newest mapping is used, or vmap
 * @offset: first byte
 * @length: how many, at most 1 MiB
 * @data: pointer to where they go, or come from
 * @flags: DMA_BUF_TEST_RW_WRITE; without it, read
 * @reserved: 0
 *
 * -ENOENT without a mapping, -ERANGE past its end, -EACCES if it was mapped for the
 * other direction, -ESTALE if the memory moved away since, -EOPNOTSUPP if it is
 * no memory that the test device can reach.
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
 * @notified: result, how often it was told that the buffer moves
 * @mapped: result, its mappings
 * @pinned: result, its pins that the core granted
 * @peer2peer: result, whether the attachment still says so
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
 * struct dma_buf_test_vmap - have the kernel map a buffer for itself
 * @size: of this structure
 * @fd: buffer, of whatever exporter
 * @id: result; holds a reference to the buffer, freeing it unmaps
 * @reserved: 0
 */
struct dma_buf_test_vmap {
	__u32 size;
	__s32 fd;
	__u32 id;
	__u32 reserved;
};

/**
 * struct dma_buf_test_mmap - choose the buffer that mmap() of this session reaches
 * @size: of this structure
 * @fd: buffer, of whatever exporter, or -1 for none: -ENODEV then
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

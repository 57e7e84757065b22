// SPDX-License-Identifier: GPL-2.0-only
/*
 * Programs that look at every live buffer: through the iterator target, which runs
 * them once for each, and by a loop of their own.
 */
#include <linux/bpf.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "dmabuf_iter.h"

char LICENSE[] SEC("license") = "GPL";

/*
 * The kernel's types, as far as they are used; where the members are is looked up in
 * the BTF of the kernel that the programs are loaded into.
 */
#define KERNEL __attribute__((preserve_access_index))

struct seq_file;

struct bpf_iter_meta {
	struct seq_file *seq;
} KERNEL;

struct inode {
	unsigned long i_ino;
} KERNEL;

/* A counter of one kind, and of the kind that came later */
struct file {
	struct {
		long counter;
	} f_count;
	struct inode *f_inode;
} KERNEL;

struct file___newer {
	struct {
		struct {
			long counter;
		} refcnt;
	} f_ref;
} KERNEL;

struct dma_buf {
	__SIZE_TYPE__ size;
	struct file *file;
	const char *exp_name;
	const char *name;
} KERNEL;

struct bpf_iter__dmabuf {
	struct bpf_iter_meta *meta;
	struct dma_buf *dmabuf;
} KERNEL;

struct bpf_iter_dmabuf {
	__u64 state;
};

extern int bpf_iter_dmabuf_new(struct bpf_iter_dmabuf *it) __ksym;
extern struct dma_buf *bpf_iter_dmabuf_next(struct bpf_iter_dmabuf *it) __ksym;
extern void bpf_iter_dmabuf_destroy(struct bpf_iter_dmabuf *it) __ksym;

/* What the programs were told, and what they found */
unsigned int leave_after;	/* walk_some: buffers until it leaves its loop */
unsigned int target_runs;	/* with a buffer */
unsigned int target_ends;	/* without one */
unsigned int table_lines;
unsigned int walked;		/* buffers that a loop met */
unsigned int walked_twice;	/* of them, those that it had met before */
unsigned long long past_end;	/* what was returned after the end, or-ed */

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, WALK_MAX);
	__type(key, unsigned long long);
	__type(value, struct record);
} walk_records SEC(".maps");

static long long references(struct file *file)
{
	struct file___newer *newer = (void *)file;

	/* One less is what the newer ones count; the walk has one, too. */
	if (bpf_core_field_exists(newer->f_ref))
		return BPF_CORE_READ(newer, f_ref.refcnt.counter);
	return BPF_CORE_READ(file, f_count.counter) - 1;
}

static void look(struct dma_buf *dmabuf, struct record *record)
{
	const char *name = dmabuf->name;
	struct file *file = dmabuf->file;

	record->ino = file->f_inode->i_ino;
	record->size = dmabuf->size;
	record->count = references(file);
	bpf_probe_read_kernel_str(record->exporter, TEXT_LEN, dmabuf->exp_name);
	record->named = !!name;
	if (name)
		bpf_probe_read_kernel_str(record->name, TEXT_LEN, name);
}

/* Writes a record for each buffer. */
SEC("iter/dmabuf")
int write_records(struct bpf_iter__dmabuf *ctx)
{
	struct dma_buf *dmabuf = ctx->dmabuf;
	struct record record = {};

	if (!dmabuf) {
		target_ends++;
		return 0;
	}
	target_runs++;
	look(dmabuf, &record);
	bpf_seq_write(ctx->meta->seq, &record, sizeof(record));
	return 0;
}

/* Write lines for human readers. */
SEC("iter/dmabuf")
int write_table(struct bpf_iter__dmabuf *ctx)
{
	struct dma_buf *dmabuf = ctx->dmabuf;
	struct seq_file *m = ctx->meta->seq;

	if (!dmabuf) {
		BPF_SEQ_PRINTF(m, "total %u\n", table_lines);
		return 0;
	}
	table_lines++;
	BPF_SEQ_PRINTF(m, "%lu\t%lu\t%s\n", dmabuf->file->f_inode->i_ino,
		       dmabuf->size, dmabuf->exp_name);
	return 0;
}

/* Keeps a record of each buffer. */
SEC("syscall")
int walk_all(void *ctx)
{
	struct bpf_iter_dmabuf it;
	struct dma_buf *dmabuf;

	bpf_iter_dmabuf_new(&it);
	while ((dmabuf = bpf_iter_dmabuf_next(&it))) {
		struct record record = {};

		look(dmabuf, &record);
		walked++;
		if (bpf_map_update_elem(&walk_records, &record.ino, &record,
					BPF_NOEXIST))
			walked_twice++;
	}
	/* The verifier takes it for 0 and drops any test of it, so it is stored. */
	past_end |= (unsigned long)bpf_iter_dmabuf_next(&it);
	past_end |= (unsigned long)bpf_iter_dmabuf_next(&it);
	bpf_iter_dmabuf_destroy(&it);
	return 0;
}

/* Leaves in the middle, or before the first. */
SEC("syscall")
int walk_some(void *ctx)
{
	struct bpf_iter_dmabuf it;

	bpf_iter_dmabuf_new(&it);
	while (walked < leave_after && bpf_iter_dmabuf_next(&it))
		walked++;
	bpf_iter_dmabuf_destroy(&it);
	return 0;
}

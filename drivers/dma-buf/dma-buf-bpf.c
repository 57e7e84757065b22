// SPDX-License-Identifier: GPL-2.0-only
/*
 * dma-buf: all live buffers for BPF programs, in two ways.
 *
 *  - The iterator target "dmabuf": the kernel runs a program once for each
 *    buffer, and the program writes any text to a file. The permissions of that
 *    file decide which tasks may read the text.
 *  - The open-coded iterator: a program that may sleep walks over the buffers
 *    itself, with bpf_for_each(dmabuf, d).
 *
 * Both are walkers of the registry. A program gets each buffer with a
 * reference, which also keeps the module that exp_name belongs to. A program
 * reads all other members by probing, without a lock.
 *
 * Newer kernels bring both of these as kernel/bpf/dmabuf_iter.c. The Makefile
 * leaves this file out in such a kernel.
 */
#include <linux/bpf.h>
#include <linux/btf.h>
#include <linux/btf_ids.h>
#include <linux/build_bug.h>
#include <linux/dma-buf.h>
#include <linux/err.h>
#include <linux/init.h>
#include <linux/seq_file.h>

#include "dma-buf-internal.h"

BTF_ID_LIST_SINGLE(dma_buf_btf_id, struct, dma_buf)

/* Context of a program of the target; programs use its name and members. */
struct bpf_iter__dmabuf {
	__bpf_md_ptr(struct bpf_iter_meta *, meta);
	__bpf_md_ptr(struct dma_buf *, dmabuf);
};

DEFINE_BPF_ITER_FUNC(dmabuf, struct bpf_iter_meta *meta, struct dma_buf *dmabuf)

/**
 * struct dma_buf_bpf_reader - state of one open file of the target
 * @cursor: stands before the buffer that is being shown or comes next
 * @begun: the walk has started
 */
struct dma_buf_bpf_reader {
	struct dma_buf_cursor cursor;
	bool begun;
};

/*
 * As in bufinfo, a cursor remembers the position between two read() calls
 * without a reference. *pos cannot tell whether the walk has started: it is 0
 * also after the end, if there was no buffer. No reader can seek.
 */
static void *dma_buf_bpf_start(struct seq_file *m, loff_t *pos)
{
	struct dma_buf_bpf_reader *reader = m->private;

	if (!reader->begun)
		dma_buf_cursor_rewind(&reader->cursor);
	reader->begun = true;

	return dma_buf_cursor_get(&reader->cursor);
}

static void *dma_buf_bpf_next(struct seq_file *m, void *record, loff_t *pos)
{
	struct dma_buf_bpf_reader *reader = m->private;
	struct dma_buf *dmabuf = record;

	++*pos;
	record = dma_buf_cursor_get_next(&reader->cursor, dmabuf);
	dma_buf_put(dmabuf);
	return record;
}

static int dma_buf_bpf_run(struct seq_file *m, struct dma_buf *dmabuf)
{
	struct bpf_iter_meta meta = { .seq = m };
	struct bpf_iter__dmabuf ctx = { .meta = &meta, .dmabuf = dmabuf };
	struct bpf_prog *prog = bpf_iter_get_info(&meta, !dmabuf);

	return prog ? bpf_iter_run_prog(prog, &ctx) : 0;
}

static int dma_buf_bpf_show(struct seq_file *m, void *record)
{
	return dma_buf_bpf_run(m, record);
}

/* At the end the program runs once without a buffer, to write totals. */
static void dma_buf_bpf_stop(struct seq_file *m, void *record)
{
	if (record)
		dma_buf_put(record);
	else
		dma_buf_bpf_run(m, NULL);
}

static const struct seq_operations dma_buf_bpf_sops = {
	.start	= dma_buf_bpf_start,
	.next	= dma_buf_bpf_next,
	.stop	= dma_buf_bpf_stop,
	.show	= dma_buf_bpf_show,
};

static int dma_buf_bpf_init_seq(void *private, struct bpf_iter_aux_info *aux)
{
	struct dma_buf_bpf_reader *reader = private;

	dma_buf_cursor_init(&reader->cursor);
	reader->begun = false;
	return 0;
}

static void dma_buf_bpf_fini_seq(void *private)
{
	struct dma_buf_bpf_reader *reader = private;

	dma_buf_cursor_end(&reader->cursor);
}

static const struct bpf_iter_seq_info dma_buf_bpf_seq_info = {
	.seq_ops		= &dma_buf_bpf_sops,
	.init_seq_private	= dma_buf_bpf_init_seq,
	.fini_seq_private	= dma_buf_bpf_fini_seq,
	.seq_priv_size		= sizeof(struct dma_buf_bpf_reader),
};

static struct bpf_iter_reg dma_buf_bpf_target = {
	.target			= "dmabuf",
	.feature		= BPF_ITER_RESCHED,
	.ctx_arg_info_size	= 1,
	.ctx_arg_info		= {
		{ offsetof(struct bpf_iter__dmabuf, dmabuf),
		  PTR_TO_BTF_ID_OR_NULL | PTR_TRUSTED },
	},
	.seq_info		= &dma_buf_bpf_seq_info,
};

/*
 * The open-coded iterator: the opaque type that programs see, whose size they
 * get from the kernel's BTF, and the state in it.
 */
struct bpf_iter_dmabuf {
	__u64 __opaque[1];
} __aligned(8);

/**
 * struct dma_buf_bpf_walk - state of the open-coded iterator
 * @dmabuf: the buffer that was returned last, with a reference; NULL before the
 *	first buffer, an error pointer after the last one
 */
struct dma_buf_bpf_walk {
	struct dma_buf *dmabuf;
} __aligned(8);

#define DMA_BUF_BPF_AT_END	ERR_PTR(-ENODATA)

__bpf_kfunc_start_defs();

/**
 * bpf_iter_dmabuf_new - start a walk over all live buffers
 * @it: iterator, in memory of the program
 *
 * Context: Programs that may sleep.
 * Return: 0, always.
 */
__bpf_kfunc int bpf_iter_dmabuf_new(struct bpf_iter_dmabuf *it)
{
	struct dma_buf_bpf_walk *walk = (void *)it;

	BUILD_BUG_ON(sizeof(*walk) != sizeof(*it));
	BUILD_BUG_ON(__alignof__(*walk) != __alignof__(*it));

	walk->dmabuf = NULL;
	return 0;
}

/**
 * bpf_iter_dmabuf_next - continue a walk with the next buffer
 * @it: iterator
 *
 * A buffer that lives through the whole walk is returned exactly once.
 *
 * Context: Programs that may sleep.
 * Return: a buffer, or NULL at the end and in every call after that, as the
 * verifier requires. The program may use the buffer until its next call with
 * @it. The verifier of 6.12 does not stop a program that uses the buffer
 * longer.
 */
__bpf_kfunc struct dma_buf *bpf_iter_dmabuf_next(struct bpf_iter_dmabuf *it)
{
	struct dma_buf_bpf_walk *walk = (void *)it;
	struct dma_buf *dmabuf = walk->dmabuf;

	if (IS_ERR(dmabuf))
		return NULL;

	dmabuf = dmabuf ? dma_buf_iter_next(dmabuf) : dma_buf_iter_begin();
	walk->dmabuf = dmabuf ?: DMA_BUF_BPF_AT_END;
	return dmabuf;
}

/**
 * bpf_iter_dmabuf_destroy - end a walk at any point
 * @it: iterator
 *
 * Context: Programs that may sleep.
 */
__bpf_kfunc void bpf_iter_dmabuf_destroy(struct bpf_iter_dmabuf *it)
{
	struct dma_buf_bpf_walk *walk = (void *)it;

	if (!IS_ERR_OR_NULL(walk->dmabuf))
		dma_buf_put(walk->dmabuf);
}

__bpf_kfunc_end_defs();

BTF_KFUNCS_START(dma_buf_bpf_kfuncs)
BTF_ID_FLAGS(func, bpf_iter_dmabuf_new, KF_ITER_NEW | KF_SLEEPABLE)
BTF_ID_FLAGS(func, bpf_iter_dmabuf_next, KF_ITER_NEXT | KF_RET_NULL | KF_SLEEPABLE)
BTF_ID_FLAGS(func, bpf_iter_dmabuf_destroy, KF_ITER_DESTROY | KF_SLEEPABLE)
BTF_KFUNCS_END(dma_buf_bpf_kfuncs)

static const struct btf_kfunc_id_set dma_buf_bpf_kfunc_set = {
	.owner	= THIS_MODULE,
	.set	= &dma_buf_bpf_kfuncs,
};

static int __init dma_buf_bpf_init(void)
{
	int ret;

	dma_buf_bpf_target.ctx_arg_info[0].btf_id = dma_buf_btf_id[0];
	ret = bpf_iter_reg_target(&dma_buf_bpf_target);
	if (ret)
		return ret;

	/* For programs of every type; KF_SLEEPABLE excludes atomic ones. */
	return register_btf_kfunc_id_set(BPF_PROG_TYPE_UNSPEC,
					 &dma_buf_bpf_kfunc_set);
}
late_initcall(dma_buf_bpf_init);

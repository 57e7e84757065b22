// SPDX-License-Identifier: GPL-2.0-only
/*
 * dma-buf: KUnit tests of what a buffer's descriptor does for user space, and
 * of fdinfo and bufinfo, which are for debugging.
 *
 * The tests call the file's operations as the VFS does, with user memory.
 */
#include <kunit/device.h>
#include <linux/anon_inodes.h>
#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/dma-fence-array.h>
#include <linux/dma-resv.h>
#include <linux/completion.h>
#include <linux/fdtable.h>
#include <linux/file.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/sync_file.h>
#include <linux/uaccess.h>
#include <uapi/linux/dma-buf.h>

#include "util.h"

/* No mapping is ever at this address. */
#define TEST_BAD_ADDRESS	((void __user *)(TASK_SIZE - PAGE_SIZE))

static long test_ioctl(struct dma_buf *dmabuf, unsigned int cmd,
		       void __user *arg)
{
	return dmabuf->file->f_op->unlocked_ioctl(dmabuf->file, cmd,
						  (unsigned long)arg);
}

static void test_to_user(struct kunit *test, void __user *to, const void *from,
			 size_t size)
{
	KUNIT_ASSERT_EQ(test, 0UL, copy_to_user(to, from, size));
}

/* DMA_BUF_IOCTL_SYNC */

struct sync_param {
	const char *name;
	u64 flags;
	enum dma_buf_hook hook; /* 0: refused */
	enum dma_data_direction dir;
};

static const struct sync_param sync_params[] = {
	{ "begin, read", DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ, HOOK_BEGIN,
	  DMA_FROM_DEVICE },
	{ "begin, write", DMA_BUF_SYNC_START | DMA_BUF_SYNC_WRITE, HOOK_BEGIN,
	  DMA_TO_DEVICE },
	{ "begin, both", DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW, HOOK_BEGIN,
	  DMA_BIDIRECTIONAL },
	{ "end, read", DMA_BUF_SYNC_END | DMA_BUF_SYNC_READ, HOOK_END,
	  DMA_FROM_DEVICE },
	{ "end, write", DMA_BUF_SYNC_END | DMA_BUF_SYNC_WRITE, HOOK_END,
	  DMA_TO_DEVICE },
	{ "end, both", DMA_BUF_SYNC_END | DMA_BUF_SYNC_RW, HOOK_END,
	  DMA_BIDIRECTIONAL },
	{ "begin, neither", DMA_BUF_SYNC_START },
	{ "end, neither", DMA_BUF_SYNC_END },
	{ "an unknown bit", DMA_BUF_SYNC_RW | 8 },
	{ "an unknown bit of the upper half", DMA_BUF_SYNC_RW | BIT_ULL(32) },
	{ "all bits", U64_MAX },
};

KUNIT_ARRAY_PARAM_DESC(sync, sync_params, name);

static void test_sync(struct kunit *test)
{
	const struct sync_param *param = test->param_value;
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_PLAIN);
	struct dma_buf_sync arg = { .flags = param->flags };
	struct dma_buf *dmabuf = mock_export(mock);
	void __user *uarg = test_user_memory(test, sizeof(arg));

	test_to_user(test, uarg, &arg, sizeof(arg));
	if (!param->hook) {
		KUNIT_EXPECT_EQ(test, test_ioctl(dmabuf, DMA_BUF_IOCTL_SYNC, uarg),
				-EINVAL);
		mock_expect_ops(mock);
		mock_put(mock, dmabuf);
		return;
	}

	KUNIT_EXPECT_EQ(test, test_ioctl(dmabuf, DMA_BUF_IOCTL_SYNC, uarg), 0);
	KUNIT_EXPECT_EQ(test, mock->log_len, 1U);
	KUNIT_EXPECT_EQ(test, mock_count(mock, param->hook), 1U);
	KUNIT_EXPECT_EQ(test, mock->dir, param->dir);

	/* What the exporter says is what the program gets. */
	mock->error[param->hook] = -EIO;
	KUNIT_EXPECT_EQ(test, test_ioctl(dmabuf, DMA_BUF_IOCTL_SYNC, uarg), -EIO);
	KUNIT_EXPECT_EQ(test, test_ioctl(dmabuf, DMA_BUF_IOCTL_SYNC,
					 TEST_BAD_ADDRESS), -EFAULT);
	KUNIT_EXPECT_EQ(test, mock_count(mock, param->hook), 2U);
	mock->log_len = 0;
	mock_put(mock, dmabuf);
}

/* A read waits for writers only, a write for readers as well. */
static void test_sync_waits(struct kunit *test)
{
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_PLAIN);
	struct dma_buf *dmabuf = mock_export(mock);
	struct dma_fence *fence = mock_fence_create(test);
	struct dma_buf_sync arg = { .flags = DMA_BUF_SYNC_WRITE };
	void __user *uarg = test_user_memory(test, sizeof(arg));

	test_to_user(test, uarg, &arg, sizeof(arg));
	mock_add_fence(dmabuf, fence, DMA_RESV_USAGE_READ);
	mock_fence_signal_later(fence, MOCK_NEVER_MS);
	mock_signal_begin();
	KUNIT_EXPECT_EQ(test, test_ioctl(dmabuf, DMA_BUF_IOCTL_SYNC, uarg),
			-ERESTARTSYS);
	mock_signal_end();
	mock_expect_ops(mock);

	arg.flags = DMA_BUF_SYNC_READ;
	test_to_user(test, uarg, &arg, sizeof(arg));
	KUNIT_EXPECT_EQ(test, test_ioctl(dmabuf, DMA_BUF_IOCTL_SYNC, uarg), 0);
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(fence));
	mock_expect_ops(mock, HOOK_BEGIN);
	mock_put(mock, dmabuf);
}

static void test_ioctl_unknown(struct kunit *test)
{
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_PLAIN);
	struct dma_buf *dmabuf = mock_export(mock);
	void __user *uarg = test_user_memory(test, 64);

	KUNIT_EXPECT_EQ(test, test_ioctl(dmabuf, _IO(DMA_BUF_BASE, 0), uarg),
			-ENOTTY);
	KUNIT_EXPECT_EQ(test, test_ioctl(dmabuf, _IOW(DMA_BUF_BASE, 4, u64), uarg),
			-ENOTTY);
	/* A size that is not the argument's makes it another command. */
	KUNIT_EXPECT_EQ(test, test_ioctl(dmabuf, _IOW(DMA_BUF_BASE, 0, u32), uarg),
			-ENOTTY);
	mock_expect_ops(mock);
	mock_put(mock, dmabuf);
}

/* Names */

static long test_set_name(struct kunit *test, struct dma_buf *dmabuf,
			  const char *name)
{
	char __user *uarg = test_user_memory(test, strlen(name) + 1);

	test_to_user(test, uarg, name, strlen(name) + 1);
	return test_ioctl(dmabuf, DMA_BUF_SET_NAME_B, uarg);
}

static void test_name(struct kunit *test)
{
	static const char longest[] = "an-eye-of-a-needle-31-long-name";
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_PLAIN);
	struct dma_buf *dmabuf = mock_export(mock);
	char __user *uarg = test_user_memory(test, 8);
	char path[64];

	BUILD_BUG_ON(sizeof(longest) != DMA_BUF_NAME_LEN);

	KUNIT_EXPECT_EQ(test, test_set_name(test, dmabuf, "first"), 0);
	KUNIT_EXPECT_STREQ(test, dmabuf->name, "first");
	KUNIT_EXPECT_STREQ(test, d_path(&dmabuf->file->f_path, path, sizeof(path)),
			   "/dmabuf:first");
	/* At any time, and as long as fits with its end. */
	KUNIT_EXPECT_EQ(test, test_set_name(test, dmabuf, longest), 0);
	KUNIT_EXPECT_STREQ(test, dmabuf->name, longest);
	KUNIT_EXPECT_STREQ(test, d_path(&dmabuf->file->f_path, path, sizeof(path)),
			   "/dmabuf:an-eye-of-a-needle-31-long-name");

	/* The old one stays. */
	KUNIT_EXPECT_EQ(test, test_set_name(test, dmabuf,
					    "an-eye-of-a-needle-32-long-names"),
			-EINVAL);
	KUNIT_EXPECT_EQ(test, test_ioctl(dmabuf, DMA_BUF_SET_NAME_B,
					 TEST_BAD_ADDRESS), -EFAULT);
	KUNIT_EXPECT_STREQ(test, dmabuf->name, longest);

	/* The number that 32-bit programs were given first. */
	test_to_user(test, uarg, "other", 6);
	KUNIT_EXPECT_EQ(test, test_ioctl(dmabuf, DMA_BUF_SET_NAME_A, uarg), 0);
	KUNIT_EXPECT_STREQ(test, dmabuf->name, "other");
	mock_expect_ops(mock);
	mock_put(mock, dmabuf);
}

/* What /proc/PID/fdinfo shows of a buffer. The reader itself holds a reference. */
static const char *test_fdinfo_sized(struct kunit *test, struct dma_buf *dmabuf,
				     size_t size)
{
	struct seq_file m = { .size = size };

	m.buf = kunit_kzalloc(test, m.size, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, m.buf);
	get_dma_buf(dmabuf);
	dmabuf->file->f_op->show_fdinfo(&m, dmabuf->file);
	dma_buf_put(dmabuf);
	KUNIT_ASSERT_LT(test, m.count, m.size);
	return m.buf;
}

static const char *test_fdinfo(struct kunit *test, struct dma_buf *dmabuf)
{
	return test_fdinfo_sized(test, dmabuf, 512);
}

static void test_fdinfo_keys(struct kunit *test)
{
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_PLAIN);
	struct dma_buf *dmabuf;
	const char *text;
	char size[32];

	mock->size = 3 * PAGE_SIZE + 5;
	dmabuf = mock_export(mock);
	text = test_fdinfo(test, dmabuf);
	snprintf(size, sizeof(size), "size:\t%zu\n", mock->size);
	KUNIT_EXPECT_NOT_NULL(test, strstr(text, size));
	KUNIT_EXPECT_NOT_NULL(test, strstr(text, "\ncount:\t1\n"));
	KUNIT_EXPECT_NOT_NULL(test, strstr(text, "\nexp_name:\t" KBUILD_MODNAME "\n"));
	KUNIT_EXPECT_NULL(test, strstr(text, "\nname:"));

	get_dma_buf(dmabuf);
	KUNIT_EXPECT_EQ(test, test_set_name(test, dmabuf, "left eye"), 0);
	text = test_fdinfo(test, dmabuf);
	KUNIT_EXPECT_NOT_NULL(test, strstr(text, "\ncount:\t2\n"));
	KUNIT_EXPECT_NOT_NULL(test, strstr(text, "\nname:\tleft eye\n"));

	/* An empty name is a name. */
	KUNIT_EXPECT_EQ(test, test_set_name(test, dmabuf, ""), 0);
	text = test_fdinfo(test, dmabuf);
	KUNIT_EXPECT_NOT_NULL(test, strstr(text, "\nname:\t\n"));
	dma_buf_put(dmabuf);
	mock_put(mock, dmabuf);
}

/* A program must not be able to forge a key of fdinfo by naming a buffer. */
static void test_fdinfo_users(struct kunit *test)
{
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_PLAIN);
	struct device *dev = test_device(test);
	struct dma_buf_attachment *attach;
	struct dma_buf *dmabuf = mock_export(mock);
	struct iosys_map map;
	struct sg_table *sgt, *second;
	char expected[160];
	const char *text;

	text = test_fdinfo(test, dmabuf);
	KUNIT_EXPECT_NOT_NULL(test, strstr(text, "\nattachments:\t0\nmappings:\t0\n"
					   "pinned:\t0\nvmaps:\t0\n"));
	KUNIT_EXPECT_NULL(test, strstr(text, "\nattached:"));

	attach = dma_buf_attach(dmabuf, dev);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, attach);
	sgt = test_dma_map(test, attach, DMA_BIDIRECTIONAL);
	second = test_dma_map(test, attach, DMA_BIDIRECTIONAL);
	KUNIT_ASSERT_EQ(test, dma_buf_vmap_unlocked(dmabuf, &map), 0);
	snprintf(expected, sizeof(expected), "\nattachments:\t1\nmappings:\t2\n"
		 "pinned:\t0\nvmaps:\t1\nattached:\t%s %s\n",
		 dev_driver_string(dev), dev_name(dev));
	text = test_fdinfo(test, dmabuf);
	KUNIT_EXPECT_NOT_NULL(test, strstr(text, expected));

	dma_buf_vunmap_unlocked(dmabuf, &map);
	dma_buf_unmap_attachment_unlocked(attach, second, DMA_BIDIRECTIONAL);
	dma_buf_unmap_attachment_unlocked(attach, sgt, DMA_BIDIRECTIONAL);
	dma_buf_detach(dmabuf, attach);
	text = test_fdinfo(test, dmabuf);
	KUNIT_EXPECT_NOT_NULL(test, strstr(text, "\nattachments:\t0\nmappings:\t0\n"
					   "pinned:\t0\nvmaps:\t0\n"));
	mock_put(mock, dmabuf);
}

/* How often a line stands in what fdinfo says */
static unsigned int test_count_lines(const char *text, const char *line)
{
	unsigned int count = 0;

	for (; (text = strstr(text, line)); text++)
		count++;
	return count;
}

/* A thread that reads fdinfo in a loop */
struct test_fdinfo_read {
	struct dma_buf *dmabuf;
	struct seq_file m;
	char line[64];
	unsigned int expected; /* times that @line stands in it */
	unsigned int wrong;
	bool stop;
	struct completion done;
};

static int test_fdinfo_reader(void *data)
{
	struct test_fdinfo_read *read = data;
	int i;

	for (i = 0; i < 200 || !READ_ONCE(read->stop); i++) {
		struct seq_file *m = &read->m;

		m->count = 0;
		read->dmabuf->file->f_op->show_fdinfo(m, read->dmabuf->file);
		m->buf[min(m->count, m->size - 1)] = '\0';
		if (test_count_lines(m->buf, read->line) != read->expected)
			read->wrong++;
		cond_resched();
	}
	/* Not into the module any more: it may be gone. */
	kthread_complete_and_exit(&read->done, 0);
}

static struct test_fdinfo_read *test_fdinfo_read_alloc(struct kunit *test)
{
	struct test_fdinfo_read *read = kunit_kzalloc(test, sizeof(*read), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, read);
	read->m.size = 64 * 1024;
	read->m.buf = kunit_kzalloc(test, read->m.size, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, read->m.buf);
	return read;
}

/* Starts to read, and to expect @count attachments of @dev each time */
static void test_fdinfo_read_start(struct kunit *test, struct test_fdinfo_read *read,
				   struct dma_buf *dmabuf, struct device *dev,
				   unsigned int count)
{
	struct task_struct *task;

	snprintf(read->line, sizeof(read->line), "\nattached:\t%s %s\n",
		 dev_driver_string(dev), dev_name(dev));
	read->expected = count;
	read->dmabuf = dmabuf;
	init_completion(&read->done);
	task = kthread_run(test_fdinfo_reader, read, "dma-buf-fdinfo");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, task);
}

static void test_fdinfo_read_stop(struct kunit *test, struct test_fdinfo_read *read)
{
	WRITE_ONCE(read->stop, true);
	wait_for_completion(&read->done);
	KUNIT_EXPECT_EQ(test, read->wrong, 0U);
}

/*
 * With many attachments the lock is released on the way, and others come and go
 * meanwhile. What is attached all the time is shown once.
 */
static void test_fdinfo_many_users(struct kunit *test)
{
	enum { STAY = 100, PASS = 100 };
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_BARE);
	struct dma_buf_attachment **stay, **pass;
	struct device *dev = test_device(test), *other = test_device(test);
	struct dma_buf *dmabuf = mock_export(mock);
	struct test_fdinfo_read *read = test_fdinfo_read_alloc(test);
	char expected[64];
	int i, rounds;

	stay = kunit_kcalloc(test, STAY, sizeof(*stay), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, stay);
	pass = kunit_kcalloc(test, PASS, sizeof(*pass), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, pass);
	for (i = 0; i < PASS; i++) {
		pass[i] = dma_buf_attach(dmabuf, other);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, pass[i]);
		if (i < STAY) {
			stay[i] = dma_buf_attach(dmabuf, dev);
			KUNIT_ASSERT_NOT_ERR_OR_NULL(test, stay[i]);
		}
	}
	snprintf(expected, sizeof(expected), "\nattachments:\t%d\n", STAY + PASS);
	KUNIT_EXPECT_EQ(test, 1U, test_count_lines(test_fdinfo_sized(test, dmabuf, 64 * 1024),
						   expected));

	test_fdinfo_read_start(test, read, dmabuf, dev, STAY);
	for (rounds = 0; rounds < 20 * PASS; rounds++) {
		i = rounds % PASS;
		dma_buf_detach(dmabuf, pass[i]);
		pass[i] = dma_buf_attach(dmabuf, other);
		if (IS_ERR(pass[i]))
			break;
		cond_resched();
	}
	test_fdinfo_read_stop(test, read);
	KUNIT_ASSERT_EQ(test, rounds, 20 * PASS);

	/* What finds no room ends there. It is shown again, with more. */
	read->m.size = 512;
	read->m.count = 0;
	dmabuf->file->f_op->show_fdinfo(&read->m, dmabuf->file);
	KUNIT_EXPECT_TRUE(test, seq_has_overflowed(&read->m));

	for (i = 0; i < PASS; i++)
		dma_buf_detach(dmabuf, pass[i]);
	for (i = 0; i < STAY; i++)
		dma_buf_detach(dmabuf, stay[i]);
	mock_put(mock, dmabuf);
}

/* Which attachment is detached; also the name of the case */
static const void *test_pause_gen_params(const void *prev, char *desc)
{
	static const char newest[] = "newest", oldest[] = "oldest";
	const char *next = !prev ? newest : prev == newest ? oldest : NULL;

	if (next)
		strscpy(desc, next, KUNIT_PARAM_DESC_SIZE);
	return next;
}

/*
 * A walk over more than 32 attachments remembers where it goes on whenever it
 * releases the lock: before it begins, that is the newest attachment, which is
 * first in the list, and after the first batch the 33rd. With 33 attachments the
 * 33rd is the oldest. The test detaches the newest or the oldest while the reader
 * holds the lock or is about to take it, so the detach often gets the lock when the
 * walk has stopped right there. The memory then rests before it is used again: a
 * walk that goes on through freed memory must not find a new attachment there.
 */
static void test_fdinfo_detach_at_pause(struct kunit *test)
{
	enum { COUNT = 33, ROUNDS = 500, READ_US = 400, REST_US = 100 };
	const char *which = test->param_value;
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_BARE);
	struct device *dev = test_device(test), *other = test_device(test);
	struct test_fdinfo_read *read = test_fdinfo_read_alloc(test);
	struct dma_buf_attachment *attach[COUNT];
	struct dma_buf *dmabuf = mock_export(mock);
	bool newest = !strcmp(which, "newest");
	int i, round;

	/* attach[0] is the oldest. Nobody may miss those of @dev, which stay. */
	for (i = 0; i < COUNT; i++) {
		attach[i] = dma_buf_attach(dmabuf, newest && i < COUNT - 1 ? dev : other);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, attach[i]);
	}
	test_fdinfo_read_start(test, read, dmabuf, dev, newest ? COUNT - 1 : 0);
	for (round = 0; round < ROUNDS; round++) {
		/* What is attached again becomes the newest. */
		i = newest ? COUNT - 1 : round % COUNT;
		/* Detach at any time of the next read, which takes about READ_US. */
		udelay(round * 7 % READ_US);
		dma_buf_detach(dmabuf, attach[i]);
		udelay(REST_US);
		attach[i] = dma_buf_attach(dmabuf, other);
		if (IS_ERR(attach[i]))
			break;
		cond_resched();
	}
	test_fdinfo_read_stop(test, read);
	KUNIT_EXPECT_EQ(test, round, ROUNDS);

	for (i = 0; i < COUNT; i++)
		if (!IS_ERR(attach[i]))
			dma_buf_detach(dmabuf, attach[i]);
	mock_put(mock, dmabuf);
}

static void test_fdinfo_escapes(struct kunit *test)
{
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_PLAIN);
	struct dma_buf *dmabuf = mock_export(mock);

	KUNIT_EXPECT_EQ(test, test_set_name(test, dmabuf, "a\nsize:\t1\r\033[2J\177\\b"),
			0);
	KUNIT_EXPECT_NOT_NULL(test,
			      strstr(test_fdinfo(test, dmabuf),
				     "\nname:\ta\\012size:\\0111\\015\\033[2J\\177\\134b\n"));
	mock_put(mock, dmabuf);
}

/* Position */

struct seek_param {
	const char *name;
	loff_t offset;
	int whence;
	loff_t ret;
};

static const struct seek_param seek_params[] = {
	{ "start", 0, SEEK_SET, 0 },
	{ "end", 0, SEEK_END, PAGE_SIZE },
	{ "here", 0, SEEK_CUR, -EINVAL },
	{ "data", 0, SEEK_DATA, -EINVAL },
	{ "hole", 0, SEEK_HOLE, -EINVAL },
	{ "behind the start", 1, SEEK_SET, -EINVAL },
	{ "before the end", -1, SEEK_END, -EINVAL },
	{ "behind the end", 1, SEEK_END, -EINVAL },
};

KUNIT_ARRAY_PARAM_DESC(seek, seek_params, name);

static void test_seek(struct kunit *test)
{
	const struct seek_param *param = test->param_value;
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_BARE);
	struct dma_buf *dmabuf = mock_export(mock);

	KUNIT_EXPECT_EQ(test, vfs_llseek(dmabuf->file, param->offset, param->whence),
			param->ret);
	mock_put(mock, dmabuf);
}

/* Sync files */

static long test_export_fence(struct kunit *test, struct dma_buf *dmabuf,
			      u32 flags, int *fd)
{
	struct dma_buf_export_sync_file arg = { .flags = flags, .fd = -1 };
	void __user *uarg = test_user_memory(test, sizeof(arg));
	long ret;

	test_to_user(test, uarg, &arg, sizeof(arg));
	ret = test_ioctl(dmabuf, DMA_BUF_IOCTL_EXPORT_SYNC_FILE, uarg);
	KUNIT_ASSERT_EQ(test, 0UL, copy_from_user(&arg, uarg, sizeof(arg)));
	*fd = arg.fd;
	return ret;
}

static long test_import_fd(struct kunit *test, struct dma_buf *dmabuf,
			   u32 flags, int fd)
{
	struct dma_buf_import_sync_file arg = { .flags = flags, .fd = fd };
	void __user *uarg = test_user_memory(test, sizeof(arg));

	test_to_user(test, uarg, &arg, sizeof(arg));
	return test_ioctl(dmabuf, DMA_BUF_IOCTL_IMPORT_SYNC_FILE, uarg);
}

struct fence_file_param {
	const char *name;
	enum dma_resv_usage usage;
	u32 flags;
	bool waits;
};

static const struct fence_file_param fence_file_params[] = {
	{ "kernel fence, read", DMA_RESV_USAGE_KERNEL, DMA_BUF_SYNC_READ, true },
	{ "write fence, read", DMA_RESV_USAGE_WRITE, DMA_BUF_SYNC_READ, true },
	{ "write fence, write", DMA_RESV_USAGE_WRITE, DMA_BUF_SYNC_WRITE, true },
	{ "write fence, both", DMA_RESV_USAGE_WRITE, DMA_BUF_SYNC_RW, true },
	{ "read fence, read", DMA_RESV_USAGE_READ, DMA_BUF_SYNC_READ, false },
	{ "read fence, write", DMA_RESV_USAGE_READ, DMA_BUF_SYNC_WRITE, true },
	{ "read fence, both", DMA_RESV_USAGE_READ, DMA_BUF_SYNC_RW, true },
	{ "bookkeep fence, write", DMA_RESV_USAGE_BOOKKEEP, DMA_BUF_SYNC_WRITE,
	  false },
};

KUNIT_ARRAY_PARAM_DESC(fence_file, fence_file_params, name);

static void test_sync_file_export(struct kunit *test)
{
	const struct fence_file_param *param = test->param_value;
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_PLAIN);
	struct dma_buf *dmabuf;
	struct dma_fence *fence = mock_fence_create(test), *got;
	int fd;

	if (!IS_ENABLED(CONFIG_SYNC_FILE))
		kunit_skip(test, "a kernel without sync files");

	dmabuf = mock_export(mock);
	mock_add_fence(dmabuf, fence, param->usage);
	KUNIT_ASSERT_EQ(test, test_export_fence(test, dmabuf, param->flags, &fd), 0);
	KUNIT_ASSERT_GE(test, fd, 0);
	KUNIT_EXPECT_TRUE(test, test_close_on_exec(fd));

	got = sync_file_get_fence(fd);
	KUNIT_ASSERT_NOT_NULL(test, got);
	KUNIT_EXPECT_EQ(test, dma_fence_is_signaled(got), !param->waits);
	mock_fence_signal(fence);
	KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled(got));
	dma_fence_put(got);

	KUNIT_EXPECT_EQ(test, 0, close_fd(fd));
	mock_put(mock, dmabuf);
	/* The test's is the last reference. */
	mock_fence_wait_refs(fence, 1);
}

static void test_sync_file_export_idle(struct kunit *test)
{
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_PLAIN);
	struct dma_buf *dmabuf;
	struct dma_fence *got;
	int fd;

	if (!IS_ENABLED(CONFIG_SYNC_FILE))
		kunit_skip(test, "a kernel without sync files");

	dmabuf = mock_export(mock);
	KUNIT_ASSERT_EQ(test, 0, test_export_fence(test, dmabuf, DMA_BUF_SYNC_RW,
						   &fd));
	got = sync_file_get_fence(fd);
	KUNIT_ASSERT_NOT_NULL(test, got);
	KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled(got));
	dma_fence_put(got);
	KUNIT_EXPECT_EQ(test, 0, close_fd(fd));
	mock_put(mock, dmabuf);
}

static void test_sync_file_flags(struct kunit *test)
{
	static const u32 bad[] = { 0, DMA_BUF_SYNC_END, DMA_BUF_SYNC_RW |
				   DMA_BUF_SYNC_END, 8, BIT(31) | 1, U32_MAX };
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_PLAIN);
	struct dma_buf *dmabuf;
	struct dma_fence *fence = mock_fence_create(test);
	int fd, good, i, before;

	if (!IS_ENABLED(CONFIG_SYNC_FILE))
		kunit_skip(test, "a kernel without sync files");

	dmabuf = mock_export(mock);
	mock_add_fence(dmabuf, fence, DMA_RESV_USAGE_WRITE);
	KUNIT_ASSERT_EQ(test, 0, test_export_fence(test, dmabuf, DMA_BUF_SYNC_READ,
						   &good));
	before = test_lowest_fd(test);
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		KUNIT_EXPECT_EQ(test, -EINVAL,
				test_export_fence(test, dmabuf, bad[i], &fd));
		KUNIT_EXPECT_EQ(test, fd, -1);
		KUNIT_EXPECT_EQ(test, -EINVAL,
				test_import_fd(test, dmabuf, bad[i], good));
	}
	KUNIT_EXPECT_EQ(test, test_lowest_fd(test), before);
	KUNIT_EXPECT_EQ(test, 0, close_fd(good));
	mock_put(mock, dmabuf);
}

/* The result cannot be copied out: neither descriptor nor fence may leak. */
static void test_sync_file_export_fault(struct kunit *test)
{
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_PLAIN);
	struct dma_buf *dmabuf;
	struct dma_fence *fence = mock_fence_create(test);
	char __user *page = test_user_memory(test, PAGE_SIZE);
	u32 flags = DMA_BUF_SYNC_WRITE;
	unsigned int held;
	int before;

	if (!IS_ENABLED(CONFIG_SYNC_FILE))
		kunit_skip(test, "a kernel without sync files");

	dmabuf = mock_export(mock);
	mock_add_fence(dmabuf, fence, DMA_RESV_USAGE_WRITE);
	held = kref_read(&fence->refcount);
	before = test_lowest_fd(test);
	/* The flags are the last thing in the page, the answer's place is not. */
	page += PAGE_SIZE - sizeof(flags);
	test_to_user(test, page, &flags, sizeof(flags));
	KUNIT_EXPECT_EQ(test, -EFAULT,
			test_ioctl(dmabuf, DMA_BUF_IOCTL_EXPORT_SYNC_FILE, page));
	KUNIT_EXPECT_EQ(test, -EFAULT,
			test_ioctl(dmabuf, DMA_BUF_IOCTL_EXPORT_SYNC_FILE,
				   TEST_BAD_ADDRESS));
	KUNIT_EXPECT_EQ(test, -EFAULT,
			test_ioctl(dmabuf, DMA_BUF_IOCTL_IMPORT_SYNC_FILE,
				   TEST_BAD_ADDRESS));
	KUNIT_EXPECT_EQ(test, test_lowest_fd(test), before);
	mock_fence_wait_refs(fence, held);
	mock_put(mock, dmabuf);
}

static int test_fence_fd(struct kunit *test, struct dma_fence *fence)
{
	struct sync_file *sync_file = sync_file_create(fence);
	int fd = get_unused_fd_flags(O_CLOEXEC);

	KUNIT_ASSERT_NOT_NULL(test, sync_file);
	KUNIT_ASSERT_GE(test, fd, 0);
	fd_install(fd, sync_file->file);
	return fd;
}

static const struct fence_file_param import_params[] = {
	{ "read", DMA_RESV_USAGE_READ, DMA_BUF_SYNC_READ },
	{ "write", DMA_RESV_USAGE_WRITE, DMA_BUF_SYNC_WRITE },
	{ "both", DMA_RESV_USAGE_WRITE, DMA_BUF_SYNC_RW },
};

KUNIT_ARRAY_PARAM_DESC(import, import_params, name);

/* Number of fences that have exactly this usage */
static unsigned int test_count_fences(struct dma_buf *dmabuf,
				      enum dma_resv_usage usage)
{
	struct dma_resv_iter cursor;
	struct dma_fence *fence;
	unsigned int count = 0;

	dma_resv_lock(dmabuf->resv, NULL);
	dma_resv_for_each_fence(&cursor, dmabuf->resv, DMA_RESV_USAGE_BOOKKEEP,
				fence)
		count += dma_resv_iter_usage(&cursor) == usage;
	dma_resv_unlock(dmabuf->resv);
	return count;
}

static void test_sync_file_import(struct kunit *test)
{
	const struct fence_file_param *param = test->param_value;
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_PLAIN);
	struct dma_buf *dmabuf;
	struct dma_fence *fence = mock_fence_create(test);
	enum dma_resv_usage usage;
	int fd;

	if (!IS_ENABLED(CONFIG_SYNC_FILE))
		kunit_skip(test, "a kernel without sync files");

	dmabuf = mock_export(mock);
	fd = test_fence_fd(test, fence);
	KUNIT_EXPECT_EQ(test, 0, test_import_fd(test, dmabuf, param->flags, fd));
	KUNIT_EXPECT_EQ(test, 0, close_fd(fd));
	for (usage = DMA_RESV_USAGE_KERNEL; usage <= DMA_RESV_USAGE_BOOKKEEP; usage++)
		KUNIT_EXPECT_EQ(test, test_count_fences(dmabuf, usage),
				usage == param->usage ? 1U : 0U);
	mock_put(mock, dmabuf);
	mock_fence_wait_refs(fence, 1);
}

static void test_sync_file_import_wrong(struct kunit *test)
{
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_PLAIN);
	struct dma_buf *dmabuf;
	int fd;

	if (!IS_ENABLED(CONFIG_SYNC_FILE))
		kunit_skip(test, "a kernel without sync files");

	dmabuf = mock_export(mock);
	KUNIT_EXPECT_EQ(test, -EINVAL, test_import_fd(test, dmabuf,
						      DMA_BUF_SYNC_READ, -1));
	/* A descriptor, but of something else. */
	get_dma_buf(dmabuf);
	fd = dma_buf_fd(dmabuf, O_CLOEXEC);
	KUNIT_ASSERT_GE(test, fd, 0);
	KUNIT_EXPECT_EQ(test, -EINVAL, test_import_fd(test, dmabuf,
						      DMA_BUF_SYNC_READ, fd));
	KUNIT_EXPECT_EQ(test, 0, close_fd(fd));
	mock_put(mock, dmabuf);
}

/*
 * Reservations accept no containers of fences: each fence of one is added by
 * itself.
 */
static void test_sync_file_import_array(struct kunit *test)
{
	enum { COUNT = 3 };
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_PLAIN);
	struct dma_buf *dmabuf;
	struct dma_fence *fence[COUNT], **members;
	struct dma_fence_array *array;
	int fd, i;

	if (!IS_ENABLED(CONFIG_SYNC_FILE))
		kunit_skip(test, "a kernel without sync files");

	dmabuf = mock_export(mock);
	members = kmalloc_array(COUNT, sizeof(*members), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, members);
	for (i = 0; i < COUNT; i++) {
		fence[i] = mock_fence_create(test);
		members[i] = dma_fence_get(fence[i]);
	}
	/* Takes over the members, references and all. */
	array = dma_fence_array_create(COUNT, members, dma_fence_context_alloc(1),
				       1, false);
	KUNIT_ASSERT_NOT_NULL(test, array);
	fd = test_fence_fd(test, &array->base);
	dma_fence_put(&array->base);

	/* One of them is done, and adds nothing. */
	mock_fence_signal(fence[1]);
	KUNIT_EXPECT_EQ(test, 0, test_import_fd(test, dmabuf, DMA_BUF_SYNC_WRITE, fd));
	KUNIT_EXPECT_EQ(test, 2U, test_count_fences(dmabuf, DMA_RESV_USAGE_WRITE));
	mock_fence_signal(fence[0]);
	KUNIT_EXPECT_FALSE(test, dma_resv_test_signaled(dmabuf->resv,
							DMA_RESV_USAGE_WRITE));
	mock_fence_signal(fence[2]);
	KUNIT_EXPECT_TRUE(test, dma_resv_test_signaled(dmabuf->resv,
						       DMA_RESV_USAGE_WRITE));
	/* All of them are: nothing to add, which is no error. */
	KUNIT_EXPECT_EQ(test, 0, test_import_fd(test, dmabuf, DMA_BUF_SYNC_WRITE, fd));
	KUNIT_EXPECT_EQ(test, 0, close_fd(fd));
	mock_put(mock, dmabuf);
}

/* bufinfo */

enum { BUFINFO_SIZE = 64 * 1024 };

/* The line of a buffer as programs parse it; NULL if there is none. */
static const char *test_bufinfo_line(struct kunit *test, const char *text,
				     struct dma_buf *dmabuf, const char *name)
{
	struct file *file = dmabuf->file;
	char *line;

	line = kunit_kzalloc(test, 256, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, line);
	snprintf(line, 256, "\n%08zu\t%08x\t%08x\t%08ld\t%s\t%08lu\t%s\n",
		 dmabuf->size, file->f_flags, (__force unsigned int)file->f_mode,
		 (long)file_count(file), dmabuf->exp_name,
		 file_inode(file)->i_ino, name);
	return strstr(text, line);
}

static void test_bufinfo(struct kunit *test)
{
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_PLAIN);
	struct mock_exporter *other = mock_exporter_create(test, MOCK_PLAIN);
	struct device *dev = test_device(test);
	struct dma_buf_attachment *attach;
	struct dma_buf *dmabuf, *second;
	const char *text, *line, *end;
	char expected[96];

	test_debugfs_need(test, "dma_buf/bufinfo");
	dmabuf = mock_export(mock);
	second = mock_export(other);
	attach = dma_buf_attach(dmabuf, dev);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, attach);
	get_dma_buf(dmabuf);
	mock_add_fence(dmabuf, mock_fence_create(test), DMA_RESV_USAGE_WRITE);
	KUNIT_EXPECT_EQ(test, test_set_name(test, second, "right eye"), 0);

	text = test_debugfs_read(test, "dma_buf/bufinfo", BUFINFO_SIZE, PAGE_SIZE);
	KUNIT_EXPECT_NOT_NULL(test, strstr(text, "Dma-buf Objects:\n"));
	line = test_bufinfo_line(test, text, dmabuf, "<none>");
	KUNIT_ASSERT_NOT_NULL(test, line);
	end = strstr(line, " devices attached\n");
	KUNIT_ASSERT_NOT_NULL(test, end);
	KUNIT_EXPECT_NOT_NULL(test, strnstr(line, " fence:", end - line));
	snprintf(expected, sizeof(expected),
		 "\tAttached Devices:\n\t%s\nTotal 1 devices attached\n",
		 dev_name(dev));
	KUNIT_EXPECT_NOT_NULL(test, strstr(line, expected));

	line = test_bufinfo_line(test, text, second, "right eye");
	KUNIT_ASSERT_NOT_NULL(test, line);
	end = strstr(line, "Total ");
	KUNIT_ASSERT_NOT_NULL(test, end);
	KUNIT_EXPECT_TRUE(test, strstarts(end, "Total 0 devices attached\n"));

	/* Reading has kept nothing. */
	KUNIT_EXPECT_EQ(test, file_count(dmabuf->file), 2);
	KUNIT_EXPECT_EQ(test, file_count(second->file), 1);
	dma_buf_detach(dmabuf, attach);
	dma_buf_put(dmabuf);
	mock_put(mock, dmabuf);
	mock_put(other, second);
}

/*
 * A fence that signals when it has been asked so often whether it has. The answer
 * to the last question is no.
 */
struct test_asked_fence {
	struct dma_fence base;
	spinlock_t lock; /* of @base */
	unsigned int asked, pending_for;
	unsigned int named, named_unguarded;
};

static const char *test_asked_name(struct dma_fence *fence)
{
	struct test_asked_fence *asked = container_of(fence, typeof(*asked), base);

	asked->named++;
	/* Always true without lockdep: only its kernels tell. */
	if (!rcu_read_lock_held())
		asked->named_unguarded++;
	return "asked";
}

static bool test_asked_signaled(struct dma_fence *fence)
{
	struct test_asked_fence *asked = container_of(fence, typeof(*asked), base);

	/* Done, but the answer was on its way already. */
	if (++asked->asked > asked->pending_for)
		dma_fence_signal(fence);
	return false;
}

static const struct dma_fence_ops test_asked_ops = {
	.get_driver_name	= test_asked_name,
	.get_timeline_name	= test_asked_name,
	.signaled		= test_asked_signaled,
};

static struct test_asked_fence *
test_asked_fence_add(struct kunit *test, struct dma_buf *dmabuf, unsigned int pending_for)
{
	struct test_asked_fence *asked = kzalloc(sizeof(*asked), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, asked);
	asked->pending_for = pending_for;
	spin_lock_init(&asked->lock);
	dma_fence_init(&asked->base, &test_asked_ops, &asked->lock,
		       dma_fence_context_alloc(1), 1);
	mock_add_fence(dmabuf, &asked->base, DMA_RESV_USAGE_WRITE);
	return asked;
}

/*
 * A driver may free the names of a fence once the fence has signalled and an
 * RCU grace period has passed: bufinfo may ask for them only while the fence is
 * pending, within a read-side section.
 */
static void test_bufinfo_fence_names(struct kunit *test)
{
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_PLAIN);
	struct test_asked_fence *pending, *passing;
	const char *text, *line, *end;
	struct dma_buf *dmabuf;

	test_debugfs_need(test, "dma_buf/bufinfo");
	dmabuf = mock_export(mock);
	pending = test_asked_fence_add(test, dmabuf, UINT_MAX);
	/* It signals between a look at it and the next step. */
	passing = test_asked_fence_add(test, dmabuf, 0);

	text = test_debugfs_read(test, "dma_buf/bufinfo", BUFINFO_SIZE, PAGE_SIZE);
	line = test_bufinfo_line(test, text, dmabuf, "<none>");
	KUNIT_ASSERT_NOT_NULL(test, line);
	end = strstr(line, "Attached Devices:");
	KUNIT_ASSERT_NOT_NULL(test, end);
	line = strnstr(line, "\twrite fence:asked asked seq 1 unsignalled\n", end - line);
	KUNIT_ASSERT_NOT_NULL(test, line);
	line = strchr(line, '\n');
	KUNIT_EXPECT_NULL(test, strnstr(line, " fence:", end - line));

	KUNIT_EXPECT_GT(test, pending->named, 0U);
	KUNIT_EXPECT_EQ(test, pending->named_unguarded, 0U);
	KUNIT_EXPECT_GT(test, passing->asked, 0U);
	KUNIT_EXPECT_EQ(test, passing->named, 0U);

	dma_fence_put(&pending->base);
	dma_fence_put(&passing->base);
	mock_put(mock, dmabuf);
}

/*
 * While this fence is being described, the list that it stands in is replaced by
 * an empty one, as when all fences have signalled and one is to be added.
 */
struct test_last_fence {
	struct dma_fence base;
	spinlock_t lock; /* of @base */
	struct dma_resv *resv;
	struct dma_resv empty;
	struct dma_resv_list *list;
};

static const char *test_last_name(struct dma_fence *fence)
{
	struct test_last_fence *last = container_of(fence, typeof(*last), base);

	if (last->resv && !last->list)
		last->list = rcu_replace_pointer(last->resv->fences,
						 rcu_access_pointer(last->empty.fences),
						 true);
	return "last";
}

static const struct dma_fence_ops test_last_ops = {
	.get_driver_name	= test_last_name,
	.get_timeline_name	= test_last_name,
};

static void test_bufinfo_last_fence(struct kunit *test)
{
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_PLAIN);
	struct test_last_fence *last;
	struct dma_buf *dmabuf;
	const char *text;

	test_debugfs_need(test, "dma_buf/bufinfo");
	dmabuf = mock_export(mock);
	last = kzalloc(sizeof(*last), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, last);
	spin_lock_init(&last->lock);
	dma_fence_init(&last->base, &test_last_ops, &last->lock,
		       dma_fence_context_alloc(1), 1);
	mock_add_fence(dmabuf, &last->base, DMA_RESV_USAGE_WRITE);
	dma_resv_init(&last->empty);
	dma_resv_lock(&last->empty, NULL);
	KUNIT_EXPECT_EQ(test, dma_resv_reserve_fences(&last->empty, 1), 0);
	dma_resv_unlock(&last->empty);
	last->resv = dmabuf->resv;

	text = test_debugfs_read(test, "dma_buf/bufinfo", BUFINFO_SIZE, PAGE_SIZE);
	KUNIT_EXPECT_NOT_NULL(test, last->list);
	text = test_bufinfo_line(test, text, dmabuf, "<none>");
	KUNIT_ASSERT_NOT_NULL(test, text);
	text = strchr(text + 1, '\n');
	KUNIT_EXPECT_TRUE(test, strstarts(text, "\n\tAttached Devices:\n"));

	if (last->list)
		rcu_assign_pointer(dmabuf->resv->fences, last->list);
	dma_resv_fini(&last->empty);
	dma_fence_signal(&last->base);
	dma_fence_put(&last->base);
	mock_put(mock, dmabuf);
}

/* i915, nouveau, amdgpu and sw_sync name timelines after the program. */
static const char *test_forger_driver(struct dma_fence *fence)
{
	return "gpu\033[2J\\";
}

static const char *test_forger_timeline(struct dma_fence *fence)
{
	return "a\n00004096\t\177\n\nTotal 7 objects";
}

static const struct dma_fence_ops test_forger_ops = {
	.get_driver_name	= test_forger_driver,
	.get_timeline_name	= test_forger_timeline,
};

static const char *test_nameless(struct dma_fence *fence)
{
	return NULL;
}

static const struct dma_fence_ops test_nameless_ops = {
	.get_driver_name	= test_nameless,
	.get_timeline_name	= test_nameless,
};

static struct dma_fence *test_fence_add(struct kunit *test, struct dma_buf *dmabuf,
					const struct dma_fence_ops *ops,
					spinlock_t *lock)
{
	struct dma_fence *fence = kzalloc(sizeof(*fence), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, fence);
	dma_fence_init(fence, ops, lock, dma_fence_context_alloc(1), 5);
	mock_add_fence(dmabuf, fence, DMA_RESV_USAGE_READ);
	return fence;
}

/* Neither fences nor devices can forge a line, or reach the reader's terminal. */
static void test_bufinfo_escapes(struct kunit *test)
{
	/* Fences as dma_fence_describe() has them, but for the escapes */
	static const char expected[] = "\n"
		"\tread fence:gpu\\033[2J\\134 a\\01200004096\\011\\177\\012\\012Total 7 objects seq 5 unsignalled\n"
		"\tread fence:(null) (null) seq 5 unsignalled\n"
		"\tAttached Devices:\n"
		"\ttest_bufinfo_escapes.escape\\033[2J\\012\\012Total 8 objects\n"
		"Total 1 devices attached\n";
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_PLAIN);
	static DEFINE_SPINLOCK(lock);
	struct dma_buf_attachment *attach;
	struct dma_fence *forger, *nameless;
	const char *text, *p;
	struct dma_buf *dmabuf;
	struct device *dev;

	test_debugfs_need(test, "dma_buf/bufinfo");
	dev = kunit_device_register(test, "escape\033[2J\n\nTotal 8 objects");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dev);
	dmabuf = mock_export(mock);
	attach = dma_buf_attach(dmabuf, dev);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, attach);
	forger = test_fence_add(test, dmabuf, &test_forger_ops, &lock);
	nameless = test_fence_add(test, dmabuf, &test_nameless_ops, &lock);
	KUNIT_EXPECT_EQ(test, test_set_name(test, dmabuf, "\t\\"), 0);

	text = test_debugfs_read(test, "dma_buf/bufinfo", BUFINFO_SIZE, PAGE_SIZE);
	text = test_bufinfo_line(test, text, dmabuf, "\\011\\134");
	KUNIT_EXPECT_NOT_NULL(test, text);
	p = text ? strchr(text + 1, '\n') : "";
	KUNIT_EXPECT_TRUE(test, strstarts(p, expected));

	/* And so does fdinfo say which device it is. */
	text = strstr(test_fdinfo(test, dmabuf), "\nattached:\t");
	KUNIT_EXPECT_NOT_NULL(test, text);
	if (text)
		KUNIT_EXPECT_NOT_NULL(test, strstr(text, "escape\\033[2J\\012\\012Total 8"));

	dma_buf_detach(dmabuf, attach);
	dma_fence_signal(forger);
	dma_fence_signal(nameless);
	dma_fence_put(forger);
	dma_fence_put(nameless);
	mock_put(mock, dmabuf);
}

/*
 * Add up the sizes in the lines of buffers, the only lines that begin with a
 * digit.
 */
static void test_bufinfo_sum(const char *text, unsigned long *objects,
			     unsigned long *bytes)
{
	const char *line = text;

	*objects = 0;
	*bytes = 0;
	while ((line = strchr(line, '\n'))) {
		unsigned int flags;
		unsigned long size;

		line++;
		if (*line < '0' || *line > '9' ||
		    sscanf(line, "%lu %x", &size, &flags) != 2)
			continue;
		*bytes += size;
		++*objects;
	}
}

/* A reader with a small buffer needs several reads, and continues in the middle. */
static void test_bufinfo_pieces(struct kunit *test)
{
	enum { COUNT = 60 };
	struct mock_exporter *mock[COUNT];
	struct dma_buf *dmabuf[COUNT];
	unsigned long objects, bytes;
	char expected[64];
	const char *text;
	int i;

	test_debugfs_need(test, "dma_buf/bufinfo");
	for (i = 0; i < COUNT; i++) {
		mock[i] = mock_exporter_create(test, MOCK_BARE);
		mock[i]->size = (i + 1) * PAGE_SIZE;
		dmabuf[i] = mock_export(mock[i]);
	}
	text = test_debugfs_read(test, "dma_buf/bufinfo", BUFINFO_SIZE, 300);
	for (i = 0; i < COUNT; i++) {
		const char *line = test_bufinfo_line(test, text, dmabuf[i], "<none>");

		KUNIT_EXPECT_NOT_NULL(test, line);
		/* Once. */
		if (line)
			KUNIT_EXPECT_NULL(test, test_bufinfo_line(test, line + 1,
								  dmabuf[i], "<none>"));
		KUNIT_EXPECT_EQ(test, file_count(dmabuf[i]->file), 1);
	}

	test_bufinfo_sum(text, &objects, &bytes);
	KUNIT_EXPECT_GE(test, objects, (unsigned long)COUNT);
	snprintf(expected, sizeof(expected), "\nTotal %lu objects, %lu bytes\n",
		 objects, bytes);
	KUNIT_EXPECT_NOT_NULL(test, strstr(text, expected));
	for (i = 0; i < COUNT; i++)
		mock_put(mock[i], dmabuf[i]);
}

/* How often text contains a word, up to an end */
static unsigned int test_count_text(const char *text, const char *end, const char *what)
{
	unsigned int count = 0;

	while ((text = strnstr(text, what, end - text))) {
		text++;
		count++;
	}
	return count;
}

/* More text than fits into the page that seq_file allocates first */
static void test_bufinfo_long(struct kunit *test)
{
	enum { COUNT = 400, FENCES = 200 };
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_BARE);
	struct dma_buf_attachment **attach;
	struct device *dev = test_device(test);
	const char *text, *line;
	struct dma_buf *dmabuf;
	int i;

	test_debugfs_need(test, "dma_buf/bufinfo");
	dmabuf = mock_export(mock);
	for (i = 0; i < FENCES; i++)
		mock_add_fence(dmabuf, mock_fence_create(test), DMA_RESV_USAGE_WRITE);
	attach = kunit_kcalloc(test, COUNT, sizeof(*attach), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, attach);
	for (i = 0; i < COUNT; i++) {
		attach[i] = dma_buf_attach(dmabuf, dev);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, attach[i]);
	}

	text = test_debugfs_read(test, "dma_buf/bufinfo", BUFINFO_SIZE, PAGE_SIZE);
	line = test_bufinfo_line(test, text, dmabuf, "<none>");
	KUNIT_EXPECT_NOT_NULL(test, line);
	if (line) {
		const char *end = strstr(line, "Total 400 devices attached\n");

		KUNIT_ASSERT_NOT_NULL(test, end);
		/* Each once, though printing began anew with more room. */
		KUNIT_EXPECT_EQ(test, test_count_text(line, end, " fence:"), FENCES);
		KUNIT_EXPECT_EQ(test, test_count_text(line, end, dev_name(dev)), COUNT);
		KUNIT_EXPECT_NULL(test, test_bufinfo_line(test, end, dmabuf, "<none>"));
	}
	for (i = 0; i < COUNT; i++)
		dma_buf_detach(dmabuf, attach[i]);
	mock_put(mock, dmabuf);
}

/* Between two reads, the buffer that was shown last is closed. */
static void test_bufinfo_closed(struct kunit *test)
{
	enum { COUNT = 3 };
	struct mock_exporter *mock[COUNT];
	struct dma_buf *dmabuf[COUNT];
	char __user *memory = test_user_memory(test, 64);
	bool open[COUNT] = { true, true, true };
	struct file *file;
	loff_t pos = 0;
	ssize_t got;
	char *text;
	int i;

	text = kunit_kzalloc(test, BUFINFO_SIZE, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, text);
	file = test_debugfs_open("dma_buf/bufinfo", O_RDONLY);
	if (IS_ERR(file))
		kunit_skip(test, "no bufinfo");

	/*
	 * Export on several CPUs: the walk must go on after the last buffer of
	 * one.
	 */
	for (i = 0; i < COUNT; i++) {
		mock[i] = mock_exporter_create(test, MOCK_BARE);
		if (cpu_online(i % nr_cpu_ids))
			set_cpus_allowed_ptr(current, cpumask_of(i % nr_cpu_ids));
		dmabuf[i] = mock_export(mock[i]);
	}
	set_cpus_allowed_ptr(current, cpu_possible_mask);
	do {
		/* Less than one buffer's line */
		got = test_read_on(file, memory, 16, text, &pos);
		for (i = 0; i < COUNT; i++) {
			if (open[i] && test_bufinfo_line(test, text, dmabuf[i],
							 "<none>")) {
				mock_put(mock[i], dmabuf[i]);
				open[i] = false;
			}
		}
	} while (got > 0 && pos < BUFINFO_SIZE - 64);
	fput(file);
	KUNIT_EXPECT_EQ(test, got, 0);
	/* Each buffer was shown, and the reader reached the end. */
	for (i = 0; i < COUNT; i++) {
		KUNIT_EXPECT_FALSE(test, open[i]);
		if (open[i])
			mock_put(mock[i], dmabuf[i]);
	}
	KUNIT_EXPECT_NOT_NULL(test, strstr(text, " objects, "));
}

/* Between two reads, the buffers that would be shown next are closed. */
static void test_bufinfo_closed_ahead(struct kunit *test)
{
	enum { COUNT = 5, FIRST = COUNT - 1, LAST = 0 };
	struct mock_exporter *mock[COUNT];
	struct dma_buf *dmabuf[COUNT];
	char __user *memory = test_user_memory(test, 64);
	struct file *file;
	loff_t pos = 0;
	ssize_t got;
	char *text;
	int i;

	text = kunit_kzalloc(test, BUFINFO_SIZE, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, text);
	file = test_debugfs_open("dma_buf/bufinfo", O_RDONLY);
	if (IS_ERR(file))
		kunit_skip(test, "no bufinfo");

	/* Export on one CPU, whose buffers are shown newest first. */
	set_cpus_allowed_ptr(current, cpumask_of(raw_smp_processor_id()));
	for (i = 0; i < COUNT; i++) {
		mock[i] = mock_exporter_create(test, MOCK_BARE);
		dmabuf[i] = mock_export(mock[i]);
	}
	set_cpus_allowed_ptr(current, cpu_possible_mask);
	do {
		got = test_read_on(file, memory, 16, text, &pos);
	} while (got > 0 && pos < BUFINFO_SIZE - 64 &&
		 !test_bufinfo_line(test, text, dmabuf[FIRST], "<none>"));

	/* Close the buffer at which the reader will continue, and those after it. */
	for (i = FIRST - 1; i > LAST; i--)
		mock_put(mock[i], dmabuf[i]);
	while (got > 0 && pos < BUFINFO_SIZE - 64)
		got = test_read_on(file, memory, 16, text, &pos);
	fput(file);
	KUNIT_EXPECT_EQ(test, got, 0);
	KUNIT_EXPECT_NOT_NULL(test, test_bufinfo_line(test, text, dmabuf[LAST],
						      "<none>"));
	KUNIT_EXPECT_NOT_NULL(test, strstr(text, " objects, "));
	mock_put(mock[FIRST], dmabuf[FIRST]);
	mock_put(mock[LAST], dmabuf[LAST]);
}

/*
 * Many readers have stopped at the same place. The buffers after that place are
 * closed; each reader must still reach the end, and see each remaining buffer
 * once.
 */
static void test_bufinfo_many_readers(struct kunit *test)
{
	enum { BUFFERS = 5, READERS = 150 };
	struct mock_exporter *mock[BUFFERS];
	struct dma_buf *dmabuf[BUFFERS];
	char __user *memory = test_user_memory(test, BUFINFO_SIZE);
	struct file **file;
	char *text;
	loff_t *pos;
	int i;

	test_debugfs_need(test, "dma_buf/bufinfo");
	text = kunit_kzalloc(test, BUFINFO_SIZE, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, text);
	file = kunit_kcalloc(test, READERS, sizeof(*file), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, file);
	pos = kunit_kcalloc(test, READERS, sizeof(*pos), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, pos);
	/* Export on one CPU, whose buffers are shown newest first. */
	set_cpus_allowed_ptr(current, cpumask_of(raw_smp_processor_id()));
	for (i = 0; i < BUFFERS; i++) {
		mock[i] = mock_exporter_create(test, MOCK_BARE);
		dmabuf[i] = mock_export(mock[i]);
	}
	set_cpus_allowed_ptr(current, cpu_possible_mask);

	for (i = 0; i < READERS; i++) {
		file[i] = test_debugfs_open("dma_buf/bufinfo", O_RDONLY);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, file[i]);
		memset(text, 0, BUFINFO_SIZE);
		/* Up to and including the first of this test's buffers */
		while (!test_bufinfo_line(test, text, dmabuf[BUFFERS - 1], "<none>"))
			KUNIT_ASSERT_GT(test, test_read_on(file[i], memory, 16, text,
							   &pos[i]), 0);
	}

	/* Where they stand now, and the one after that */
	mock_put(mock[BUFFERS - 1], dmabuf[BUFFERS - 1]);
	mock_put(mock[BUFFERS - 2], dmabuf[BUFFERS - 2]);
	for (i = 0; i < READERS; i++) {
		size_t at = pos[i];
		const char *line;

		memset(text, 0, BUFINFO_SIZE);
		while (test_read_on(file[i], memory, 4096, text, &pos[i]) > 0)
			;
		line = test_bufinfo_line(test, text + at, dmabuf[0], "<none>");
		KUNIT_EXPECT_NOT_NULL(test, line);
		if (line)
			KUNIT_EXPECT_NULL(test, test_bufinfo_line(test, line + 1, dmabuf[0],
								  "<none>"));
		KUNIT_EXPECT_NOT_NULL(test, strstr(text + at, " objects, "));
		fput(file[i]);
	}
	for (i = 0; i < BUFFERS - 2; i++)
		mock_put(mock[i], dmabuf[i]);
}

/* A very large number of buffers with one exporter */
struct test_crowd {
	struct dma_buf_ops ops;
	atomic_t left;
	struct completion released;
};

static void test_crowd_release(struct dma_buf *dmabuf)
{
	struct test_crowd *crowd = dmabuf->priv;

	if (atomic_dec_and_test(&crowd->left))
		complete(&crowd->released);
}

/* Read bufinfo to its end and count the buffers; the last line goes to @line. */
static unsigned long test_bufinfo_count(struct kunit *test, struct file *file,
					char *line, size_t size)
{
	enum { STEP = 16384 };
	char __user *memory = test_user_memory(test, STEP);
	char *text = kunit_kzalloc(test, STEP, GFP_KERNEL);
	unsigned long count = 0;
	char last = '\n';
	size_t len = 0;
	loff_t pos = 0;
	ssize_t got, i;

	KUNIT_ASSERT_NOT_NULL(test, text);
	while ((got = file->f_op->read(file, memory, STEP, &pos)) > 0) {
		KUNIT_ASSERT_EQ(test, copy_from_user(text, memory, got), 0UL);
		for (i = 0; i < got; i++) {
			if (last == '\n') {
				count += text[i] >= '0' && text[i] <= '9';
				len = 0;
			}
			last = text[i];
			if (len < size - 1)
				line[len++] = last;
		}
	}
	line[len] = '\0';
	KUNIT_EXPECT_EQ(test, got, 0);
	return count;
}

/* So many buffers that their text fits into no buffer of a single read */
static void test_bufinfo_crowd(struct kunit *test)
{
	/* A kernel that watches each access to memory needs more of it, and time. */
	const int count = IS_ENABLED(CONFIG_KASAN) || IS_ENABLED(CONFIG_KCSAN) ?
			  10000 : 100000;
	struct mock_exporter *mock = mock_exporter_create(test, MOCK_BARE);
	DEFINE_DMA_BUF_EXPORT_INFO(info);
	char expected[64], line[64];
	struct dma_buf **dmabuf;
	struct test_crowd *crowd;
	struct seq_file *m;
	struct file *file;
	unsigned long seen;
	int i, made;

	file = test_debugfs_open("dma_buf/bufinfo", O_RDONLY);
	if (IS_ERR(file))
		kunit_skip(test, "no bufinfo");
	crowd = kunit_kzalloc(test, sizeof(*crowd), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, crowd);
	dmabuf = kvcalloc(count, sizeof(*dmabuf), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, dmabuf);
	init_completion(&crowd->released);
	atomic_set(&crowd->left, 1);
	crowd->ops = mock->ops;
	crowd->ops.release = test_crowd_release;
	info.ops = &crowd->ops;
	info.size = PAGE_SIZE;
	info.flags = O_RDWR;
	info.priv = crowd;
	for (made = 0; made < count; made++) {
		dmabuf[made] = dma_buf_export(&info);
		if (IS_ERR(dmabuf[made]))
			break;
		atomic_inc(&crowd->left);
	}
	KUNIT_EXPECT_EQ(test, made, count);

	seen = test_bufinfo_count(test, file, line, sizeof(line));
	KUNIT_EXPECT_GE(test, seen, (unsigned long)made);
	snprintf(expected, sizeof(expected), "Total %lu objects, ", seen);
	KUNIT_EXPECT_EQ(test, strncmp(line, expected, strlen(expected)), 0);
	/* It was shown in pieces, none of them larger than the usual one. */
	m = file->private_data;
	KUNIT_EXPECT_EQ(test, m->size, PAGE_SIZE);

	fput(file);
	for (i = 0; i < made; i++)
		dma_buf_put(dmabuf[i]);
	if (!atomic_dec_and_test(&crowd->left))
		wait_for_completion(&crowd->released);
	kvfree(dmabuf);
}

static struct kunit_case dma_buf_file_test_cases[] = {
	KUNIT_CASE_PARAM(test_sync, sync_gen_params),
	KUNIT_CASE(test_sync_waits),
	KUNIT_CASE(test_ioctl_unknown),
	KUNIT_CASE(test_name),
	KUNIT_CASE(test_fdinfo_keys),
	KUNIT_CASE(test_fdinfo_users),
	KUNIT_CASE(test_fdinfo_many_users),
	KUNIT_CASE_PARAM(test_fdinfo_detach_at_pause, test_pause_gen_params),
	KUNIT_CASE(test_fdinfo_escapes),
	KUNIT_CASE_PARAM(test_seek, seek_gen_params),
	KUNIT_CASE_PARAM(test_sync_file_export, fence_file_gen_params),
	KUNIT_CASE(test_sync_file_export_idle),
	KUNIT_CASE(test_sync_file_flags),
	KUNIT_CASE(test_sync_file_export_fault),
	KUNIT_CASE_PARAM(test_sync_file_import, import_gen_params),
	KUNIT_CASE(test_sync_file_import_wrong),
	KUNIT_CASE(test_sync_file_import_array),
	KUNIT_CASE(test_bufinfo),
	KUNIT_CASE(test_bufinfo_fence_names),
	KUNIT_CASE(test_bufinfo_last_fence),
	KUNIT_CASE(test_bufinfo_escapes),
	KUNIT_CASE(test_bufinfo_pieces),
	KUNIT_CASE(test_bufinfo_long),
	KUNIT_CASE(test_bufinfo_closed),
	KUNIT_CASE(test_bufinfo_closed_ahead),
	KUNIT_CASE(test_bufinfo_many_readers),
	KUNIT_CASE_SLOW(test_bufinfo_crowd),
	{}
};

static struct kunit_suite dma_buf_file_test_suite = {
	.name = "dma_buf_file",
	.init = test_init,
	.test_cases = dma_buf_file_test_cases,
};

kunit_test_suite(dma_buf_file_test_suite);

// SPDX-License-Identifier: GPL-2.0-only
/*
 * dma-buf: helpers of the core's KUnit suites.
 */
#include <kunit/device.h>
#include <linux/anon_inodes.h>
#include <linux/dma-resv.h>
#include <linux/fdtable.h>
#include <linux/mman.h>
#include <linux/module.h>
#include <linux/mount.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "util.h"

/* Expected warnings */

/**
 * test_init - prepare a test
 * @test: test
 *
 * Lets warnings that the kernel prints once per boot come in each test, so that
 * each test can announce those that it provokes. Does nothing on a kernel
 * without debugfs.
 *
 * Return: 0
 */
int test_init(struct kunit *test)
{
	test_debugfs_write(test, "clear_warn_once", "1");
	return 0;
}

/**
 * expect_warning - announce a warning in the kernel log
 * @regex: at least one warning that matches must come before expect_end(), and
 *	no other
 */
void expect_warning(const char *regex)
{
	pr_info("dmabuf-test: expect: %s\n", regex);
}

/**
 * expect_end - end what expect_warning() began
 */
void expect_end(void)
{
	pr_info("dmabuf-test: expect-end\n");
}

/* Importers */

/**
 * test_device - create a device for an importer
 * @test: test
 *
 * Return: a device, unregistered when the test ends.
 */
struct device *test_device(struct kunit *test)
{
	static atomic_t number;
	struct device *dev;
	char *name;

	/* A test may need several devices, and names are unique on their bus. */
	name = kunit_kzalloc(test, 24, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, name);
	snprintf(name, 24, "importer%d", atomic_inc_return(&number));
	dev = kunit_device_register(test, name);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dev);
	return dev;
}

/**
 * test_attach - attach a new device to a buffer
 * @test: test; its private pointer may point to a count of notifications
 * @dmabuf: buffer
 * @ops: of a dynamic importer, NULL for a static one
 *
 * Return: an attachment; the test fails if there is none.
 */
struct dma_buf_attachment *test_attach(struct kunit *test,
				       struct dma_buf *dmabuf,
				       const struct dma_buf_attach_ops *ops)
{
	struct dma_buf_attachment *attach;

	attach = dma_buf_dynamic_attach(dmabuf, test_device(test), ops, test);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, attach);
	return attach;
}

/**
 * test_dma_map - map a buffer for a device
 * @test: test
 * @attach: the device's attachment; the reservation is not held
 * @dir: direction
 *
 * Return: the mapping's table; the test fails if there is none.
 */
struct sg_table *test_dma_map(struct kunit *test,
			      struct dma_buf_attachment *attach,
			      enum dma_data_direction dir)
{
	struct sg_table *sgt = dma_buf_map_attachment_unlocked(attach, dir);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, sgt);
	return sgt;
}

static void test_move_notify(struct dma_buf_attachment *attach)
{
	struct kunit *test = attach->importer_priv;

	dma_resv_assert_held(attach->dmabuf->resv);
	if (test->priv)
		++*(unsigned int *)test->priv;
}

const struct dma_buf_attach_ops test_dynamic = {
	.allow_peer2peer = true,
	.move_notify = test_move_notify,
};

static int test_importer_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct test_importer *importer = file->private_data;

	importer->ret = dma_buf_mmap(importer->dmabuf, vma, importer->pgoff);
	return importer->ret;
}

static const struct file_operations test_importer_fops = {
	.mmap = test_importer_mmap,
};

static void test_fput(void *file)
{
	fput(file);
}

/**
 * test_importer_file - create an importer's own file
 * @test: test
 * @importer: importer
 *
 * Return: a file, closed when the test ends.
 */
struct file *test_importer_file(struct kunit *test,
				struct test_importer *importer)
{
	struct file *file;

	file = anon_inode_getfile("importer", &test_importer_fops, importer,
				  O_RDWR);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, file);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, test_fput, file));
	return file;
}

/**
 * test_map_file - map a file as a process does
 * @test: test
 * @file: file
 * @pages: number of pages
 *
 * Return: the address, or an error as IS_ERR_VALUE() knows it.
 */
unsigned long test_map_file(struct kunit *test, struct file *file,
			    unsigned int pages)
{
	return kunit_vm_mmap(test, file, 0, pages * PAGE_SIZE,
			     PROT_READ | PROT_WRITE, MAP_SHARED, 0);
}

/* User space */

/**
 * test_user_memory - allocate memory of the test's address space
 * @test: test
 * @size: bytes
 *
 * Return: zeroed memory, unmapped when the test ends. The page after it is not
 * mapped.
 */
char __user *test_user_memory(struct kunit *test, size_t size)
{
	unsigned long len = PAGE_ALIGN(size);
	unsigned long addr;

	addr = kunit_vm_mmap(test, NULL, 0, len + PAGE_SIZE,
			     PROT_READ | PROT_WRITE,
			     MAP_ANONYMOUS | MAP_PRIVATE, 0);
	KUNIT_ASSERT_FALSE(test, !addr || IS_ERR_VALUE(addr));
	KUNIT_ASSERT_EQ(test, 0, vm_munmap(addr + len, PAGE_SIZE));
	return (char __user *)addr;
}

/**
 * test_close_on_exec - check whether exec would close a descriptor
 * @fd: descriptor
 *
 * Return: true if it would.
 */
bool test_close_on_exec(int fd)
{
	bool set;

	rcu_read_lock();
	set = close_on_exec(fd, current->files);
	rcu_read_unlock();
	return set;
}

/**
 * test_lowest_fd - find the lowest free descriptor
 * @test: test
 *
 * Return: a number that is higher than before if a descriptor has leaked.
 */
int test_lowest_fd(struct kunit *test)
{
	int fd = get_unused_fd_flags(0);

	KUNIT_ASSERT_GE(test, fd, 0);
	put_unused_fd(fd);
	return fd;
}

/* A mount of the tests' own: debugfs may be mounted nowhere, or anywhere. */
static struct vfsmount *test_debugfs;

static void __exit test_exit(void)
{
	if (!IS_ERR_OR_NULL(test_debugfs))
		kern_unmount(test_debugfs);
}
module_exit(test_exit);

/**
 * test_debugfs_open - open a file of debugfs
 * @name: file
 * @flags: as for open()
 *
 * Return: a file, to be closed with fput(), or an ERR_PTR().
 */
struct file *test_debugfs_open(const char *name, int flags)
{
	struct file_system_type *type = get_fs_type("debugfs");
	struct path root;

	if (!type)
		return ERR_PTR(-ENODEV);
	if (IS_ERR_OR_NULL(test_debugfs))
		test_debugfs = kern_mount(type);
	if (IS_ERR(test_debugfs))
		return ERR_CAST(test_debugfs);

	root.mnt = test_debugfs;
	root.dentry = test_debugfs->mnt_root;
	return file_open_root(&root, name, flags, 0);
}

/**
 * test_read_on - read a piece of a file as a program does
 * @file: file
 * @memory: of the program, @len bytes
 * @len: number of bytes to read at most
 * @text: what was read so far; the new piece is added at its end
 * @pos: number of bytes in @text; is advanced
 *
 * Return: bytes that were read, 0 at the end, or an error.
 */
ssize_t test_read_on(struct file *file, char __user *memory, size_t len,
		     char *text, loff_t *pos)
{
	size_t at = *pos;
	ssize_t got;

	got = file->f_op->read(file, memory, len, pos);
	if (got > 0 && copy_from_user(text + at, memory, got))
		return -EFAULT;
	return got;
}

/**
 * test_debugfs_need - skip the test if debugfs has no such file
 * @test: test; must not hold anything yet that a skip would leak
 * @name: file
 */
void test_debugfs_need(struct kunit *test, const char *name)
{
	struct file *file = test_debugfs_open(name, O_RDONLY);

	if (IS_ERR(file))
		kunit_skip(test, "no %s in debugfs", name);
	fput(file);
}

/**
 * test_debugfs_read - read a file of debugfs as a program does
 * @test: test; is skipped if there is no such file
 * @name: file
 * @size: bytes that it may have
 * @step: bytes to read at a time
 *
 * Return: its text.
 */
char *test_debugfs_read(struct kunit *test, const char *name, size_t size,
			size_t step)
{
	char __user *memory = test_user_memory(test, step);
	char *text = kunit_kzalloc(test, size + 1, GFP_KERNEL);
	struct file *file;
	loff_t pos = 0;
	ssize_t got;

	KUNIT_ASSERT_NOT_NULL(test, text);
	file = test_debugfs_open(name, O_RDONLY);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, file);

	do {
		got = test_read_on(file, memory, min(step, (size_t)(size - pos)),
				   text, &pos);
	} while (got > 0 && pos < size);
	fput(file);
	KUNIT_EXPECT_EQ(test, got, 0);
	return text;
}

/**
 * test_debugfs_write - write a file of debugfs as a program does
 * @test: test
 * @name: file
 * @text: text
 *
 * Return: true if it went well.
 */
bool test_debugfs_write(struct kunit *test, const char *name, const char *text)
{
	size_t len = strlen(text);
	char __user *memory;
	struct file *file;
	ssize_t put = 0;
	loff_t pos = 0;

	memory = test_user_memory(test, len);
	file = test_debugfs_open(name, O_WRONLY);
	if (IS_ERR(file))
		return false;

	if (!copy_to_user(memory, text, len))
		put = file->f_op->write(file, memory, len, &pos);
	fput(file);
	return put == len;
}

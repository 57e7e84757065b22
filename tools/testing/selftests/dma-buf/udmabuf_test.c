// SPDX-License-Identifier: GPL-2.0-only
/*
 * udmabuf as an exporter: how it maps its pages for CPU access, and which pages
 * the kernel's own mapping shows. The other programs use udmabuf as one exporter
 * among several; this one tests what only udmabuf does.
 */
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fixture.h"
#include "testdev.h"

#define DMA_API		"/sys/kernel/debug/dma-api/"
#define BOUNCES		"/sys/kernel/debug/swiotlb/io_tlb_used"
#define NR_HUGEPAGES	"/proc/sys/vm/nr_hugepages"

/* The first number of a file, after key where that is given, or -1 */
static long number_in(const char *path, const char *key)
{
	FILE *f = fopen(path, "re");
	long number = -1;
	char line[128];

	if (!f)
		return -1;
	while (fgets(line, sizeof(line), f)) {
		if (key && strncmp(line, key, strlen(key)))
			continue;
		if (sscanf(line + (key ? strlen(key) : 0), "%ld", &number) == 1)
			break;
	}
	fclose(f);
	return number;
}

static void set_number(const char *path, long number)
{
	FILE *f = fopen(path, "we");

	if (!f)
		return;
	fprintf(f, "%ld", number);
	fclose(f);
}

static bool booted_with(const char *word)
{
	FILE *f = fopen("/proc/cmdline", "re");
	char line[4096] = "";

	if (!f)
		return false;
	if (!fgets(line, sizeof(line), f))
		line[0] = '\0';
	fclose(f);
	return strstr(line, word);
}

/*
 * Mappings that the kernel counts, or -1 where it does not: it does with DMA
 * debugging, or where each of them needs a bounce buffer.
 */
static long mappings(void)
{
	long all = number_in(DMA_API "nr_total_entries", NULL);
	long unused = number_in(DMA_API "num_free_entries", NULL);

	if (all > 0 && unused >= 0)
		return all - unused;
	if (booted_with("swiotlb=force"))
		return number_in(BOUNCES, NULL);
	return -1;
}

/*
 * The first DMA_BUF_IOCTL_SYNC of a buffer makes the scatter table that every
 * later one uses. First calls that meet must not make a table each, as only one
 * of them is freed with the buffer.
 */

#define THREADS		8
#define BUFFERS		10
/* Makes a table slow to build, so that the calls meet */
#define TABLE_PAGES	2000

struct crowd {
	pthread_t threads[THREADS];
	pthread_barrier_t end;
	struct source source;
	unsigned int round;
	int fd;			/* of this round's buffer, or -1 if there is none */
	unsigned int failed;
};

static void *sync_main(void *arg)
{
	struct crowd *crowd = arg;
	unsigned int round;

	for (round = 1; ; round++) {
		/* Sleepers would be woken one after the other. */
		while (__atomic_load_n(&crowd->round, __ATOMIC_ACQUIRE) != round)
			sched_yield();
		if (crowd->fd < 0)
			return NULL;
		if (buffer_sync(crowd->fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW) ||
		    buffer_sync(crowd->fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_RW))
			__atomic_add_fetch(&crowd->failed, 1, __ATOMIC_RELAXED);
		pthread_barrier_wait(&crowd->end);
	}
}

/* Number of mappings that creating and closing BUFFERS buffers leaks */
static long mappings_left(struct __test_metadata *_metadata, struct crowd *crowd,
			  unsigned int threads)
{
	long before;
	int i;

	crowd->round = 0;
	ASSERT_EQ(0, pthread_barrier_init(&crowd->end, NULL, threads + 1));
	for (i = 0; i < threads; i++)
		ASSERT_EQ(0, pthread_create(&crowd->threads[i], NULL, sync_main, crowd));

	before = mappings();
	for (i = 1; i <= BUFFERS; i++) {
		crowd->fd = source_export(&crowd->source, O_CLOEXEC);
		ASSERT_LE(0, crowd->fd);
		__atomic_store_n(&crowd->round, i, __ATOMIC_RELEASE);
		pthread_barrier_wait(&crowd->end);
		close(crowd->fd);
	}
	crowd->fd = -1;
	__atomic_store_n(&crowd->round, i, __ATOMIC_RELEASE);
	for (i = 0; i < threads; i++)
		pthread_join(crowd->threads[i], NULL);
	pthread_barrier_destroy(&crowd->end);
	return mappings() - before;
}

FIXTURE(table) {
	struct crowd crowd;
};

FIXTURE_SETUP(table)
{
	int err;

	if (mappings() < 0)
		SKIP_TEST("needs debugfs, and CONFIG_DMA_API_DEBUG or swiotlb=force");
	err = source_open(&self->crowd.source, UDMABUF,
			  TABLE_PAGES * getpagesize());
	need_exporter(_metadata, UDMABUF, err);
}

FIXTURE_TEARDOWN(table)
{
	source_close(&self->crowd.source);
}

TEST_F_TIMEOUT(table, one_for_first_syncs, 120)
{
	/* Without others that map meanwhile, or the figures mean nothing */
	ASSERT_EQ(0, mappings_left(_metadata, &self->crowd, 1));
	EXPECT_EQ(0, mappings_left(_metadata, &self->crowd, THREADS));
	EXPECT_EQ(0, self->crowd.failed);
}

/*
 * A memfd of huge pages: every page of the buffer is its own in the kernel's
 * mapping too, and not the first one of the huge page.
 */
TEST(vmap_of_huge_pages)
{
	long huge = number_in("/proc/meminfo", "Hugepagesize:") * 1024;
	size_t page = getpagesize();
	struct source source;
	int testdev, memfd, i, err, fd, id;
	long reserved;
	char *map, byte;

	testdev = need_testdev(_metadata);
	if (huge <= 0)
		SKIP_TEST("needs CONFIG_HUGETLBFS");
	err = source_open(&source, UDMABUF, TEST_PAGES * page);
	need_exporter(_metadata, UDMABUF, err);

	/* One more than there are, if root runs this */
	reserved = number_in(NR_HUGEPAGES, NULL);
	set_number(NR_HUGEPAGES, reserved + 1);
	memfd = memfd_create("huge", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_HUGETLB);
	ASSERT_LE(0, memfd);
	ASSERT_EQ(0, ftruncate(memfd, huge));
	map = mmap(NULL, huge, PROT_READ | PROT_WRITE, MAP_SHARED, memfd, 0);
	if (map == MAP_FAILED) {
		err = errno;
		set_number(NR_HUGEPAGES, reserved);
		SKIP_TEST("a huge page: %s", strerror(err));
	}
	for (i = 0; i < TEST_PAGES; i++)
		map[i * page] = 'a' + i;
	ASSERT_EQ(0, fcntl(memfd, F_ADD_SEALS, F_SEAL_SHRINK));

	close(source.memfd);
	source.memfd = memfd;
	fd = source_export(&source, O_CLOEXEC);
	ASSERT_LE(0, fd);
	id = testdev_vmap(testdev, fd);
	ASSERT_LT(0, id);
	for (i = 0; i < TEST_PAGES; i++) {
		ASSERT_EQ(0, testdev_read(testdev, id, i * page, &byte, 1));
		EXPECT_EQ('a' + i, byte)
			TH_LOG("page %d", i);
	}
	EXPECT_EQ(0, testdev_free(testdev, id));

	close(fd);
	munmap(map, huge);
	source_close(&source);
	set_number(NR_HUGEPAGES, reserved);
	close(testdev);
}

TEST_HARNESS_MAIN

// SPDX-License-Identifier: GPL-2.0-only
/*
 * The BPF iterators: each live buffer is seen once, with what it is, through the
 * iterator target as by a program's own loop; bufinfo and lsdmabuf say the same.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <bpf/bpf.h>

#include "../fixture.h"
#include "../testdev.h"
#include "dmabuf_iter.h"
#include "dmabuf_iter.skel.h"

#define KERNEL_BTF	"/sys/kernel/btf/vmlinux"
#define MANY		1000
#define SOME		20

/* What one of the ways to look has shown, sorted by number */
struct view {
	struct record records[WALK_MAX];
	size_t count;
};

static int by_ino(const void *a, const void *b)
{
	const struct record *x = a, *y = b;

	return (x->ino > y->ino) - (x->ino < y->ino);
}

static void view_sort(struct view *view)
{
	qsort(view->records, view->count, sizeof(*view->records), by_ino);
}

/* Number of times that a buffer occurs */
static int view_has(const struct view *view, ino_t ino)
{
	int times = 0;
	size_t i;

	for (i = 0; i < view->count; i++)
		times += view->records[i].ino == ino;
	return times;
}

static struct record *view_add(struct view *view)
{
	struct record *record;

	if (view->count == WALK_MAX)
		return NULL;
	record = &view->records[view->count++];
	memset(record, 0, sizeof(*record));
	return record;
}

/* Opens the target's file: an iterator with that program. */
static int target_open(struct bpf_program *prog)
{
	struct bpf_link *link = bpf_program__attach_iter(prog, NULL);
	int fd;

	if (!link)
		return -errno;
	fd = bpf_iter_create(bpf_link__fd(link));
	if (fd < 0)
		fd = -errno;
	bpf_link__destroy(link);
	return fd;
}

/* Adds what is left to be read, so many bytes at a time. */
static int records_read(int fd, struct view *view, size_t chunk)
{
	size_t room = sizeof(view->records), at = view->count * sizeof(struct record);
	ssize_t got = 0;

	while (at < room) {
		got = read(fd, (char *)view->records + at,
			   room - at < chunk ? room - at : chunk);
		if (got <= 0)
			break;
		at += got;
	}
	if (got < 0)
		return -errno;
	if (at % sizeof(struct record))
		return -EIO;
	view->count = at / sizeof(struct record);
	return at < room ? 0 : -E2BIG;
}

/* By the iterator target */
static int view_target(struct view *view, struct dmabuf_iter *skel, size_t chunk)
{
	int fd = target_open(skel->progs.write_records);
	int ret;

	if (fd < 0)
		return fd;
	view->count = 0;
	ret = records_read(fd, view, chunk);
	close(fd);
	view_sort(view);
	return ret;
}

static int prog_run(struct bpf_program *prog)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);

	if (bpf_prog_test_run_opts(bpf_program__fd(prog), &opts))
		return -errno;
	return opts.retval;
}

/* By a loop in a program; empties the map. */
static int view_walk(struct view *view, struct dmabuf_iter *skel)
{
	int map = bpf_map__fd(skel->maps.walk_records);
	unsigned long long ino;
	int ret;

	skel->bss->walked = 0;
	skel->bss->walked_twice = 0;
	skel->bss->past_end = 0;
	ret = prog_run(skel->progs.walk_all);
	if (ret)
		return ret;

	view->count = 0;
	while (!bpf_map_get_next_key(map, NULL, &ino)) {
		struct record *record = view_add(view);

		if (!record || bpf_map_lookup_and_delete_elem(map, &ino, record))
			return -EIO;
	}
	view_sort(view);
	return 0;
}

/* What bufinfo escaped: control characters and backslashes, in octal */
static void unescape(char *to, const char *from, size_t len)
{
	char *end = to + TEXT_LEN - 1;
	unsigned int c;

	while (len && to < end) {
		size_t step = 1;

		if (len >= 4 && *from == '\\' && sscanf(from + 1, "%3o", &c) == 1) {
			*to++ = c;
			step = 4;
		} else {
			*to++ = *from;
		}
		from += step;
		len -= step;
	}
	*to = '\0';
}

static int view_bufinfo(struct view *view)
{
	char line[1024];
	FILE *f = fopen(BUFINFO, "re");

	if (!f)
		return -errno;
	view->count = 0;
	while (fgets(line, sizeof(line), f)) {
		struct record record = {}, *new;
		int at = 0;

		/* Then one tab, and the name. */
		if (line[0] < '0' || line[0] > '9' ||
		    sscanf(line, "%llu\t%*x\t%*x\t%lld\t%31[^\t]\t%llu%n",
			   &record.size, &record.count, record.exporter,
			   &record.ino, &at) != 4 ||
		    line[at++] != '\t')
			continue;
		new = view_add(view);
		if (!new) {
			fclose(f);
			return -E2BIG;
		}
		line[strcspn(line, "\n")] = '\0';
		record.named = !!strcmp(line + at, "<none>");
		if (record.named)
			unescape(record.name, line + at, strlen(line + at));
		*new = record;
	}
	fclose(f);
	view_sort(view);
	return 0;
}

/* Write a character as UTF-8 of up to four bytes; returns their number. */
static int put_utf8(char *to, unsigned int c)
{
	if (c < 0x80) {
		to[0] = c;
		return 1;
	}
	if (c < 0x800) {
		to[0] = 0xc0 | c >> 6;
		to[1] = 0x80 | (c & 0x3f);
		return 2;
	}
	if (c < 0x10000) {
		to[0] = 0xe0 | c >> 12;
		to[1] = 0x80 | (c >> 6 & 0x3f);
		to[2] = 0x80 | (c & 0x3f);
		return 3;
	}
	to[0] = 0xf0 | c >> 18;
	to[1] = 0x80 | (c >> 12 & 0x3f);
	to[2] = 0x80 | (c >> 6 & 0x3f);
	to[3] = 0x80 | (c & 0x3f);
	return 4;
}

/* After "\u": four digits, or a pair of these for a character of more than 16 bits */
static unsigned int json_unicode(const char **at)
{
	unsigned int c = 0, low;

	if (sscanf(*at, "%4x", &c) != 1)
		return '?';
	*at += 4;
	if (c >= 0xd800 && c < 0xdc00 && sscanf(*at, "\\u%4x", &low) == 1) {
		*at += 6;
		c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
	}
	return c;
}

/* Parse a JSON string, as far as lsdmabuf writes them; *at is moved past its end. */
static bool json_string(const char **at, char *to)
{
	const char *p = *at;
	char *end = to + TEXT_LEN - 1;

	if (*p++ != '"')
		return false;
	while (*p && *p != '"') {
		char bytes[4] = { *p++ };
		int i, n = 1;

		if (bytes[0] == '\\') {
			bytes[0] = *p++;
			if (bytes[0] == 'u')
				n = put_utf8(bytes, json_unicode(&p));
		}
		/* Too long if bytes were replaced: those are in the _hex key. */
		for (i = 0; i < n && to < end; i++)
			*to++ = bytes[i];
	}
	*to = '\0';
	*at = p + 1;
	return *p == '"';
}

static bool json_record(const char *line, struct record *record)
{
	const char *p;
	unsigned int c;
	char *to;
	int at = 0;

	if (sscanf(line, " {\"ino\": %llu, \"size\": %llu, \"size_exact\": true, \"exporter\": %n",
		   &record->ino, &record->size, &at) != 2 || !at)
		return false;
	p = line + at;
	if (!json_string(&p, record->exporter) || strncmp(p, ", \"name\": ", 10))
		return false;
	p += 10;
	record->named = *p == '"';
	if (record->named && !json_string(&p, record->name))
		return false;
	if (!strncmp(p, ", \"name_hex\": \"", 15)) {
		to = record->name;
		for (p += 15; sscanf(p, "%2x", &c) == 1; p += 2)
			*to++ = c;
		*to = '\0';
	}
	p = strstr(p, "\"count\": ");
	return p && sscanf(p, "\"count\": %lld", &record->count) == 1;
}

static int view_lsdmabuf(struct view *view)
{
	FILE *f = popen("exec lsdmabuf --json", "re");
	char *line = NULL;
	size_t size = 0;
	int ret = 0;

	if (!f)
		return -errno;
	view->count = 0;
	while (getline(&line, &size, f) >= 0) {
		struct record *record;

		if (strncmp(line, "  {\"ino\": ", 10))
			continue;
		record = view_add(view);
		if (!record || !json_record(line, record))
			ret = -EBADMSG;
	}
	free(line);
	if (pclose(f))
		return -EPIPE;
	view_sort(view);
	return ret;
}

static void expect_same(struct __test_metadata *_metadata, const char *what,
			const struct view *view, const struct view *want)
{
	size_t i;

	ASSERT_EQ(want->count, view->count)
		TH_LOG("%s: number of buffers", what);
	for (i = 0; i < want->count; i++) {
		const struct record *got = &view->records[i], *is = &want->records[i];

		ASSERT_EQ(is->ino, got->ino)
			TH_LOG("%s: buffer %zu", what, i);
		EXPECT_EQ(is->size, got->size)
			TH_LOG("%s: size of %llu", what, is->ino);
		EXPECT_EQ(is->count, got->count)
			TH_LOG("%s: references of %llu", what, is->ino);
		EXPECT_STREQ(is->exporter, got->exporter)
			TH_LOG("%s: exporter of %llu", what, is->ino);
		EXPECT_EQ(is->named, got->named)
			TH_LOG("%s: has %llu a name?", what, is->ino);
		EXPECT_STREQ(is->name, got->name)
			TH_LOG("%s: name of %llu", what, is->ino);
	}
}

FIXTURE(iter) {
	struct dmabuf_iter *skel;
	struct view *view, *other;
	int testdev;
};

FIXTURE_SETUP(iter)
{
	struct rlimit files = { 4 * MANY, 4 * MANY };

	if (access(KERNEL_BTF, R_OK))
		SKIP_TEST("%s: needs CONFIG_DEBUG_INFO_BTF", KERNEL_BTF);
	self->testdev = need_testdev(_metadata);
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &files));
	self->view = calloc(1, sizeof(*self->view));
	self->other = calloc(1, sizeof(*self->other));
	ASSERT_TRUE(self->view && self->other);
	self->skel = dmabuf_iter__open_and_load();
	ASSERT_NE(NULL, self->skel)
		TH_LOG("the kernel does not take the programs: %s", strerror(errno));
}

FIXTURE_TEARDOWN(iter)
{
	dmabuf_iter__destroy(self->skel);
	free(self->view);
	free(self->other);
	close(self->testdev);
}

static int buffer(struct __test_metadata *_metadata, int testdev, size_t size)
{
	int fd = testdev_create(testdev, 0, size, &(__u32){ 0 });

	ASSERT_LE(0, fd);
	return fd;
}

/* Whether the record matches the buffer that the test made. */
static void expect_buffer(struct __test_metadata *_metadata, const struct view *view,
			  int fd, size_t size, const char *name)
{
	struct record *record, key = { .ino = buffer_ino(fd) };

	ASSERT_EQ(1, view_has(view, key.ino));
	record = bsearch(&key, view->records, view->count, sizeof(key), by_ino);
	ASSERT_NE(NULL, record);
	EXPECT_EQ(size, record->size);
	EXPECT_EQ(1, record->count);
	EXPECT_STREQ(exporter_exp_name(TESTDEV), record->exporter);
	EXPECT_EQ(!!name, record->named);
	EXPECT_STREQ(name ?: "", record->name);
}

TEST_F(iter, target_shows_each_once)
{
	const size_t page = getpagesize();
	int fds[SOME], i;

	for (i = 0; i < SOME; i++)
		fds[i] = buffer(_metadata, self->testdev, (i + 1) * page);
	ASSERT_EQ(0, buffer_set_name(fds[0], "with a name"));
	ASSERT_EQ(0, buffer_set_name(fds[1], ""));

	ASSERT_EQ(0, view_target(self->view, self->skel, 65536));
	EXPECT_LE(SOME, self->view->count);
	for (i = 0; i < SOME; i++)
		expect_buffer(_metadata, self->view, fds[i], (i + 1) * page,
			      i == 0 ? "with a name" : i == 1 ? "" : NULL);

	/* The program ran as often, and once more at the end. */
	EXPECT_EQ(self->view->count, self->skel->bss->target_runs);
	EXPECT_EQ(1, self->skel->bss->target_ends);
	for (i = 0; i < SOME; i++)
		close(fds[i]);
}

/* At the end a program may write totals, also if there was no buffer. */
TEST_F(iter, target_runs_at_the_end)
{
	int buf = buffer(_metadata, self->testdev, getpagesize());
	char text[512] = "", *line, *rest;
	unsigned int lines_told;
	size_t lines = 0;
	int fd;

	ASSERT_EQ(0, view_target(self->view, self->skel, 65536));
	fd = target_open(self->skel->progs.write_table);
	ASSERT_LE(0, fd);
	ASSERT_LT(0, read(fd, text, sizeof(text) - 1));
	EXPECT_EQ(0, read(fd, &(char){ 0 }, 1));
	close(fd);
	close(buf);

	for (line = strtok_r(text, "\n", &rest); line;
	     line = strtok_r(NULL, "\n", &rest)) {
		if (sscanf(line, "total %u", &lines_told) == 1)
			break;
		lines++;
	}
	ASSERT_NE(NULL, line);
	EXPECT_EQ(NULL, strtok_r(NULL, "\n", &rest));
	EXPECT_EQ(self->view->count, lines);
	EXPECT_EQ(self->view->count, lines_told);
}

/* The end is the end, though there was nothing before it: totals come last. */
TEST_F(iter, target_ends_once)
{
	char text[64] = "";
	int fd, buf;

	ASSERT_EQ(0, view_target(self->view, self->skel, 65536));
	if (self->view->count)
		SKIP_TEST("needs a system without buffers, here are %zu",
			  self->view->count);
	fd = target_open(self->skel->progs.write_table);
	ASSERT_LE(0, fd);
	ASSERT_LT(0, read(fd, text, sizeof(text) - 1));
	EXPECT_STREQ("total 0\n", text);

	buf = buffer(_metadata, self->testdev, getpagesize());
	EXPECT_EQ(0, read(fd, text, sizeof(text)));
	close(buf);
	close(fd);
}

/* The place is kept between two reads, however short, and needs no buffer. */
TEST_F(iter, target_read_in_pieces)
{
	int fds[SOME], fd, i;
	ino_t inos[SOME];

	for (i = 0; i < SOME; i++)
		fds[i] = buffer(_metadata, self->testdev, getpagesize());
	ASSERT_EQ(0, view_target(self->view, self->skel, 65536));
	ASSERT_EQ(0, view_target(self->other, self->skel, 7));
	expect_same(_metadata, "in pieces", self->other, self->view);

	fd = target_open(self->skel->progs.write_records);
	ASSERT_LE(0, fd);
	self->view->count = 0;
	ASSERT_EQ(sizeof(struct record),
		  read(fd, self->view->records, sizeof(struct record)));
	self->view->count = 1;
	for (i = 0; i < SOME; i++) {
		inos[i] = buffer_ino(fds[i]);
		close(fds[i]);
		EXPECT_EQ(0, bufinfo_lines(inos[i]));
	}
	ASSERT_EQ(0, records_read(fd, self->view, sizeof(struct record)));
	for (i = 0; i < SOME; i++)
		EXPECT_EQ(inos[i] == self->view->records[0].ino,
			  view_has(self->view, inos[i]));
	close(fd);
}

/* A reader that stops in the middle leaves no cursor in the core's lists. */
TEST_F(iter, target_closed_early)
{
	int fds[SOME], fd, i;

	for (i = 0; i < SOME; i++) {
		fds[i] = buffer(_metadata, self->testdev, getpagesize());
		fd = target_open(self->skel->progs.write_records);
		ASSERT_LE(0, fd);
		ASSERT_EQ(sizeof(struct record),
			  read(fd, self->view->records, sizeof(struct record)));
		close(fd);
	}
	for (i = 0; i < SOME; i++)
		close(fds[i]);
	EXPECT_EQ(0, view_target(self->view, self->skel, 65536));
}

/* Much more than the buffer that the kernel gathers output in */
TEST_F(iter, target_longer_than_a_read)
{
	int i, missing = 0;
	static int fds[MANY];

	for (i = 0; i < MANY; i++)
		fds[i] = buffer(_metadata, self->testdev, getpagesize());
	ASSERT_EQ(0, view_target(self->view, self->skel, 1 << 20));
	for (i = 0; i < MANY; i++)
		missing += view_has(self->view, buffer_ino(fds[i])) != 1;
	EXPECT_EQ(0, missing);
	for (i = 0; i < MANY; i++)
		close(fds[i]);
}

/* Root may let any user read what root's program shows. */
TEST_F(iter, target_pinned_for_others)
{
	char dir[] = "/tmp/dmabuf-iter-XXXXXX", path[64];
	struct bpf_link *link;
	int fd, status;
	pid_t child;

	fd = buffer(_metadata, self->testdev, getpagesize());
	ASSERT_NE(NULL, mkdtemp(dir));
	ASSERT_EQ(0, mount("bpf", dir, "bpf", 0, "mode=0755"));
	snprintf(path, sizeof(path), "%s/dmabuf", dir);
	link = bpf_program__attach_iter(self->skel->progs.write_records, NULL);
	ASSERT_NE(NULL, link);
	ASSERT_EQ(0, bpf_link__pin(link, path));
	ASSERT_EQ(0, chmod(path, 0444));
	ASSERT_EQ(0, chmod(dir, 0755));

	child = fork();
	ASSERT_LE(0, child);
	if (!child) {
		int in;

		if (setgid(65534) || setuid(65534))
			_exit(10);
		in = open(path, O_RDONLY);
		if (in < 0 || records_read(in, self->view, 65536))
			_exit(11);
		_exit(view_has(self->view, buffer_ino(fd)) == 1 ? 0 : 12);
	}
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);

	bpf_link__unpin(link);
	bpf_link__destroy(link);
	umount(dir);
	rmdir(dir);
	close(fd);
}

TEST_F(iter, loop_shows_each_once)
{
	int fds[SOME], i;

	for (i = 0; i < SOME; i++)
		fds[i] = buffer(_metadata, self->testdev, (i + 1) * getpagesize());
	ASSERT_EQ(0, buffer_set_name(fds[0], "with a name"));

	ASSERT_EQ(0, view_walk(self->view, self->skel));
	for (i = 0; i < SOME; i++)
		expect_buffer(_metadata, self->view, fds[i], (i + 1) * getpagesize(),
			      i ? NULL : "with a name");
	EXPECT_EQ(self->view->count, self->skel->bss->walked);
	EXPECT_EQ(0, self->skel->bss->walked_twice);
	/* It does not begin again. */
	EXPECT_EQ(0, self->skel->bss->past_end);

	ASSERT_EQ(0, view_target(self->other, self->skel, 65536));
	expect_same(_metadata, "the target", self->other, self->view);
	for (i = 0; i < SOME; i++)
		close(fds[i]);
}

/* A program that leaves its loop keeps nothing: nor one that never entered it. */
TEST_F(iter, loop_left_early)
{
	int fds[SOME], i, j;
	ino_t ino;

	for (i = 0; i < SOME; i++) {
		for (j = 0; j < SOME; j++)
			fds[j] = buffer(_metadata, self->testdev, getpagesize());
		self->skel->bss->walked = 0;
		self->skel->bss->leave_after = i;
		ASSERT_EQ(0, prog_run(self->skel->progs.walk_some));
		EXPECT_EQ(i, self->skel->bss->walked);
		for (j = 0; j < SOME; j++) {
			ino = buffer_ino(fds[j]);
			EXPECT_EQ(1, fdinfo_count(fds[j]));
			close(fds[j]);
			EXPECT_EQ(0, bufinfo_lines(ino));
		}
	}
}

struct churn {
	pthread_t thread;
	int testdev;
	atomic_bool stop;
	unsigned int rounds;
};

static void *churn_main(void *arg)
{
	struct churn *churn = arg;
	int fds[8], i;

	for (i = 0; i < 8; i++)
		fds[i] = -1;
	for (; !atomic_load(&churn->stop); churn->rounds++) {
		i = churn->rounds % 8;
		if (fds[i] >= 0)
			close(fds[i]);
		fds[i] = testdev_create(churn->testdev, 0, getpagesize(), &(__u32){ 0 });
		/* The device keeps a record of each. */
		if (churn->rounds % 64 == 63) {
			close(churn->testdev);
			churn->testdev = testdev_open();
		}
	}
	for (i = 0; i < 8; i++)
		close(fds[i]);
	close(churn->testdev);
	return NULL;
}

/* What is there all the time is seen once, whatever comes and goes meanwhile. */
TEST_F(iter, while_others_export)
{
	struct churn churns[2] = {};
	int fds[SOME], i, round;

	for (i = 0; i < SOME; i++)
		fds[i] = buffer(_metadata, self->testdev, getpagesize());
	for (i = 0; i < 2; i++) {
		churns[i].testdev = testdev_open();
		ASSERT_LE(0, churns[i].testdev);
		ASSERT_EQ(0, pthread_create(&churns[i].thread, NULL, churn_main,
					    &churns[i]));
	}
	for (round = 0; round < 50; round++) {
		ASSERT_EQ(0, view_target(self->view, self->skel,
					 sizeof(struct record) * (1 + round % 5)));
		ASSERT_EQ(0, view_walk(self->other, self->skel));
		EXPECT_EQ(0, self->skel->bss->walked_twice);
		for (i = 0; i < SOME; i++) {
			EXPECT_EQ(1, view_has(self->view, buffer_ino(fds[i])));
			EXPECT_EQ(1, view_has(self->other, buffer_ino(fds[i])));
		}
	}
	for (i = 0; i < 2; i++) {
		atomic_store(&churns[i].stop, true);
		pthread_join(churns[i].thread, NULL);
		EXPECT_LT(0, churns[i].rounds);
	}
	for (i = 0; i < SOME; i++)
		close(fds[i]);
}

/* A name of any bytes, or none */
static void random_name(struct __test_metadata *_metadata, int fd)
{
	char name[TEXT_LEN];
	int len = random() % TEXT_LEN, i;

	if (random() % 3 == 0)
		return;
	for (i = 0; i < len; i++)
		name[i] = random() % 2 ? ' ' + random() % 95 : 1 + random() % 255;
	name[len] = '\0';
	ASSERT_EQ(0, buffer_set_name(fd, name));
}

/*
 * Buffers of every exporter that has any number of them, and of any size; with and
 * without names, devices, maps and further descriptors, held by one process, by two
 * or by none.
 */
static pid_t random_buffers(struct __test_metadata *_metadata, int testdev)
{
	static const enum exporter exporters[] = { SYSTEM_HEAP, UDMABUF, VGEM, TESTDEV };
	static int fds[MANY];
	int i;
	pid_t child;

	for (i = 0; i < MANY; i++) {
		size_t size = (1 + random() % 8) * getpagesize();

		fds[i] = exporter_alloc(exporters[random() % 4], &size,
					O_RDWR | O_CLOEXEC);
		ASSERT_LE(0, fds[i])
			TH_LOG("buffer %d: %s", i, strerror(-fds[i]));
		random_name(_metadata, fds[i]);
		if (random() % 4 == 0)
			ASSERT_LE(0, testdev_attach(testdev, fds[i], 0));
		if (random() % 4 == 0)
			ASSERT_LE(0, fcntl(fds[i], F_DUPFD_CLOEXEC, 0));
		if (random() % 4 == 0)
			ASSERT_NE(MAP_FAILED, mmap(NULL, getpagesize(), PROT_READ,
						   MAP_SHARED, fds[i], 0));
	}

	/* Control characters that take two bytes, and four */
	ASSERT_EQ(0, buffer_set_name(fds[0], "next\xc2\x85line \xf3\xa0\x80\x81"));

	child = fork();
	ASSERT_LE(0, child);
	if (!child) {
		pause();
		_exit(0);
	}
	/* These are left to the child, if it was not only a device's. */
	for (i = 0; i < MANY; i++)
		if (random() % 3 == 0)
			close(fds[i]);
	return child;
}

TEST_F(iter, same_as_bufinfo_and_lsdmabuf)
{
	unsigned int seed = time(NULL);
	pid_t child;

	need_bufinfo(_metadata);
	if (system("lsdmabuf --version >/dev/null 2>&1"))
		SKIP_TEST("lsdmabuf is not installed");
	TH_LOG("seed %u", seed);
	srandom(seed);
	child = random_buffers(_metadata, self->testdev);

	ASSERT_EQ(0, view_target(self->view, self->skel, 65536));
	EXPECT_LE(MANY, self->view->count);
	ASSERT_EQ(0, view_walk(self->other, self->skel));
	expect_same(_metadata, "the loop", self->other, self->view);
	ASSERT_EQ(0, view_bufinfo(self->other));
	expect_same(_metadata, "bufinfo", self->other, self->view);
	ASSERT_EQ(0, view_lsdmabuf(self->other));
	expect_same(_metadata, "lsdmabuf", self->other, self->view);

	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

TEST_HARNESS_MAIN

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stress: many threads and processes carry out random operations on the same
 * buffers.
 *
 * Each worker, a thread of the first process or the only one of a further
 * process, carries out a fixed number of random operations (stress-ops.c,
 * stress-devices.c) on a pool of descriptors that all workers of its process
 * share; buffers are passed between processes as well. What an operation does
 * is drawn from a generator that is seeded with the seed and the worker's
 * number and used for nothing else: the same seed and options repeat each
 * worker's sequence. How the sequences interleave depends on the machine.
 *
 * A run fails if a call returns an errno that it must not return, if a buffer
 * that one worker keeps to itself has other data than that worker wrote, if no
 * worker makes progress for a long time, or if anything is left at the end.
 * Errors that the kernel itself detects are in its log.
 *
 * In each process a further thread, the clock, makes every software fence
 * signal soon, and interrupts waits with signals.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "../kselftest.h"
#include "util.h"
#include "stress.h"

/* How long things may take that happen a little later, as inodes freed by RCU */
#define SETTLE_MS	20000

struct log_entry {
	struct draw draw;
	int result;
	int op;
};

/* What processes have in common: what each worker has done, what went wrong */
struct shared {
	bool go;
	bool stop;
	pid_t pids[MAX_PROCESSES];
	unsigned int failures;
	char failed[MAX_FAILURES][320];
	struct {
		pid_t tid;
		unsigned long long done;
		unsigned long long ok[MAX_OPS], refused[MAX_OPS];
		double took[MAX_OPS];
		struct log_entry log[LOG_LEN];
	} workers[MAX_WORKERS];
};

/* What may not have grown when all is over */
struct left {
	long buffers;
	long objects;
	long files;
};

static struct {
	unsigned long long seed;
	unsigned long long ops;
	unsigned int threads;
	unsigned int processes;
	unsigned int log;
	unsigned int stall;
	bool times;
} options = {
	.ops = 100000,
	.threads = 4,
	.processes = 2,
	.log = 8,
	.stall = 120,
};

int channels[CHANNELS][2];

static struct shared *shared;
static unsigned int weights[MAX_OPS], weight_sum;
static __thread struct worker *self;

pid_t process_pid(unsigned int process)
{
	return shared->pids[process];
}

unsigned int process_count(void)
{
	return 1 + options.processes;
}

/* Workers of the first process come first */
static unsigned int worker_count(void)
{
	return options.threads + options.processes;
}

/* Something that must not be: the run ends, each worker with its operation. */
void fail(struct worker *w, const char *fmt, ...)
{
	unsigned int i = __atomic_fetch_add(&shared->failures, 1, __ATOMIC_RELAXED);
	char *text;
	va_list ap;
	int n;

	__atomic_store_n(&shared->stop, true, __ATOMIC_RELAXED);
	if (i >= MAX_FAILURES)
		return;
	text = shared->failed[i];
	n = snprintf(text, sizeof(shared->failed[i]),
		     "worker %u, operation %llu, %s(%#x %#x %#x %#x): ", w->number,
		     shared->workers[w->number].done, w->op ? w->op->name : "start",
		     w->draw.slot, w->draw.other, w->draw.arg, w->draw.extra);
	va_start(ap, fmt);
	vsnprintf(text + n, sizeof(shared->failed[i]) - n, fmt, ap);
	va_end(ap);
}

int allow(struct worker *w, const char *call, int ret, const int *errnos)
{
	if (ret >= 0)
		return ret;
	for (; *errnos; errnos++)
		if (ret == -*errnos)
			return ret;
	fail(w, "%s: %s (%d)", call, strerror(-ret), ret);
	return ret;
}

static double seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

/*
 * Chance
 */

static __u64 next_random(__u64 *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1dULL;
}

/* Far apart for seeds and numbers that are close, and never 0 */
static __u64 worker_random(unsigned long long seed, unsigned int number)
{
	__u64 z = seed + (number + 1) * 0x9e3779b97f4a7c15ULL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	z ^= z >> 31;
	return z ?: 1;
}

/* Always three numbers, whatever the operation */
static int worker_draw(struct worker *w)
{
	__u64 a = next_random(&w->random), b = next_random(&w->random);
	unsigned int i, which = (next_random(&w->random) >> 32) % weight_sum;

	w->draw = (struct draw) {
		.slot = a >> 32,
		.other = a,
		.arg = b >> 32,
		.extra = b,
	};
	for (i = 0; which >= weights[i]; i++)
		which -= weights[i];
	return i;
}

/*
 * Workers
 */

/* Memory of a buffer that cannot be accessed; nothing else may fault. */
static void on_fault(int sig)
{
	if (self && self->fault)
		siglongjmp(*self->fault, sig);
	signal(sig, SIG_DFL);
}

/* To interrupt a wait */
static void on_wake(int sig)
{
}

static void *worker_main(void *arg)
{
	struct worker *w = arg;
	struct log_entry *entry;
	double began;
	int i, ret;

	self = w;
	shared->workers[w->number].tid = syscall(SYS_gettid);
	worker_open(w);
	while (shared->workers[w->number].done < w->ops &&
	       !__atomic_load_n(&shared->stop, __ATOMIC_RELAXED)) {
		i = worker_draw(w);
		w->op = &ops[i];
		entry = &shared->workers[w->number].log[shared->workers[w->number].done % LOG_LEN];
		*entry = (struct log_entry) { .draw = w->draw, .op = i, .result = 1 };
		began = options.times ? seconds() : 0;
		ret = w->op->run(w, &w->draw);
		entry->result = ret;
		if (options.times)
			shared->workers[w->number].took[i] += seconds() - began;
		if (ret < 0)
			shared->workers[w->number].refused[i]++;
		else
			shared->workers[w->number].ok[i]++;
		__atomic_add_fetch(&shared->workers[w->number].done, 1, __ATOMIC_RELEASE);
	}
	worker_close(w);
	return NULL;
}

/*
 * A process: its workers, its clock, its pool
 */

struct clock {
	pthread_t thread;
	struct worker *workers;
	unsigned int count;
	bool stop;
};

static void *clock_main(void *arg)
{
	struct clock *c = arg;
	unsigned int tick, i;

	for (tick = 0; !__atomic_load_n(&c->stop, __ATOMIC_ACQUIRE); tick++) {
		sleep_ms(2);
		for (i = 0; i < c->count; i++) {
			struct timeline *t = &c->workers[i].timeline;

			pthread_mutex_lock(&t->lock);
			stress_advance(t, (t->made - t->done + 1) / 2);
			pthread_mutex_unlock(&t->lock);
		}
		if (!(tick % 16))
			pthread_kill(c->workers[tick / 16 % c->count].thread, SIGUSR1);
	}
	return NULL;
}

/* The workers first to first + count - 1 of all */
static int process_main(unsigned int process, unsigned int first, unsigned int count)
{
	struct clock clock = { .count = count };
	unsigned int i, sum = worker_count();
	struct worker *workers;
	sigset_t wake;

	workers = calloc(count, sizeof(*workers));
	if (!workers)
		return 1;
	for (i = 0; i < EPOLLS; i++)
		slot_put(epoll_create1(EPOLL_CLOEXEC), EPOLL_BASE + i, true);

	/* For the workers alone */
	sigemptyset(&wake);
	sigaddset(&wake, SIGUSR1);
	for (i = 0; i < count; i++) {
		struct worker *w = &workers[i];

		w->number = first + i;
		w->process = process;
		w->random = worker_random(options.seed, w->number);
		w->ops = options.ops / sum + (w->number < options.ops % sum);
		w->timeline.fd = -1;
		pthread_mutex_init(&w->timeline.lock, NULL);
		if (pthread_create(&w->thread, NULL, worker_main, w)) {
			__atomic_store_n(&shared->stop, true, __ATOMIC_RELAXED);
			fprintf(stderr, "pthread_create: %m\n");
			_exit(1);
		}
	}
	pthread_sigmask(SIG_BLOCK, &wake, NULL);
	clock.workers = workers;
	if (pthread_create(&clock.thread, NULL, clock_main, &clock))
		_exit(1);
	for (i = 0; i < count; i++)
		pthread_join(workers[i].thread, NULL);
	__atomic_store_n(&clock.stop, true, __ATOMIC_RELEASE);
	pthread_join(clock.thread, NULL);

	/* The timelines last, see struct timeline: the pool refers to the fences */
	for (i = 0; i < count; i++)
		stress_advance(&workers[i].timeline, FENCES);
	for (i = SLOT_BASE; i < POOL_END; i++)
		close(i);
	for (i = 0; i < count; i++)
		timeline_end(&workers[i].timeline);
	free(workers);
	return 0;
}

/*
 * What is left
 */

static long number_in(const char *path)
{
	char text[64];
	long n = -1;
	FILE *f;

	f = fopen(path, "re");
	if (!f)
		return -1;
	if (fgets(text, sizeof(text), f))
		n = strtol(text, NULL, 10);
	fclose(f);
	return n;
}

/* Objects of a slab cache that are in use */
static long slab_objects(const char *cache)
{
	char path[64];
	FILE *f;

	/* What lists of processors have counts as used, unless they are emptied */
	snprintf(path, sizeof(path), "/sys/kernel/slab/%s/shrink", cache);
	f = fopen(path, "we");
	if (!f)
		return -1;
	fputs("1\n", f);
	fclose(f);
	snprintf(path, sizeof(path), "/sys/kernel/slab/%s/objects", cache);
	return number_in(path);
}

static void look(struct left *left)
{
	long long bytes;

	if (bufinfo_total(&left->buffers, &bytes))
		left->buffers = -1;
	left->objects = slab_objects("dma_buf");
	/* Sync files and everything else that is one; file-nr is no exact count */
	left->files = slab_objects("filp");
}

/*
 * Some resources are freed a little later: by workers of io_uring, of sockets,
 * of RCU.
 */
static void settle(struct left *now, const struct left *before)
{
	int ms;

	for (ms = 0; ms < SETTLE_MS; ms += 100) {
		look(now);
		if (now->buffers <= before->buffers && now->objects <= before->objects &&
		    now->files <= before->files)
			break;
		sleep_ms(100);
	}
}

static unsigned int report_left(const char *what, long before, long after)
{
	if (before < 0) {
		ksft_test_result_skip("%s: this kernel does not tell\n", what);
		return 0;
	}
	ksft_test_result(after <= before, "%s: %ld before, %ld after\n", what, before, after);
	return after > before ? after - before : 0;
}

/*
 * The run
 */

static unsigned long long done(void)
{
	unsigned long long sum = 0;
	unsigned int i;

	for (i = 0; i < worker_count(); i++)
		sum += __atomic_load_n(&shared->workers[i].done, __ATOMIC_ACQUIRE);
	return sum;
}

/* Megabytes that are free, so that a loss of pages can be seen coming */
static long free_megabytes(void)
{
	return sysconf(_SC_AVPHYS_PAGES) / (1024 * 1024 / sysconf(_SC_PAGESIZE));
}

static void print_file(const char *path)
{
	char line[256];
	FILE *f = fopen(path, "re");

	while (f && fgets(line, sizeof(line), f))
		ksft_print_msg("    %s", line);
	if (f)
		fclose(f);
}

/* The last operations of each worker, and where it is if it is stuck */
static void print_log(bool stuck)
{
	unsigned long long last, n;
	unsigned int i;
	char path[64];

	for (i = 0; i < worker_count(); i++) {
		last = shared->workers[i].done;
		ksft_print_msg("worker %u, %llu operations:\n", i, last);
		/* The one that is not counted yet has begun, if it has a result of 1 */
		n = last >= options.log ? last - options.log : 0;
		for (; n <= last; n++) {
			struct log_entry *e = &shared->workers[i].log[n % LOG_LEN];

			if (n == last && e->result <= 0)
				break;
			ksft_print_msg("  %llu %s(%#x %#x %#x %#x) = %s\n", n, ops[e->op].name,
				       e->draw.slot, e->draw.other, e->draw.arg, e->draw.extra,
				       e->result > 0 ? "..." : e->result ?
				       strerror(-e->result) : "0");
		}
		if (!stuck)
			continue;
		snprintf(path, sizeof(path), "/proc/%d/stack", shared->workers[i].tid);
		print_file(path);
	}
}

/* Watches till the other processes and the workers' thread are through. */
static void watch(pthread_t runner)
{
	double began = seconds(), moved = began, told = began, now;
	unsigned long long count, before = 0;

	while (pthread_tryjoin_np(runner, NULL)) {
		sleep_ms(100);
		now = seconds();
		count = done();
		if (count != before)
			moved = now;
		before = count;
		if (now - told >= 30) {
			ksft_print_msg("%llu operations, %.0f a second, %ld MB free\n", count,
				       count / (now - began), free_megabytes());
			told = now;
		}
		if (now - moved < options.stall)
			continue;
		ksft_print_msg("no operation has ended for %u s\n", options.stall);
		print_log(true);
		ksft_test_result_fail("every operation ends\n");
		/* No worker can be waited for any more */
		ksft_exit_fail();
	}
}

static void *runner_main(void *unused)
{
	process_main(0, 0, options.threads);
	return NULL;
}

/* The other processes, each with one worker; they start when all are there. */
static void start_processes(void)
{
	pid_t parent = getpid(), pid;
	unsigned int i;

	shared->pids[0] = parent;
	for (i = 1; i <= options.processes; i++) {
		fflush(stdout);
		pid = fork();
		if (pid < 0)
			ksft_exit_fail_msg("fork: %m\n");
		if (!pid) {
			/* If the first process is killed, the others end too */
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			while (!__atomic_load_n(&shared->go, __ATOMIC_ACQUIRE) &&
			       getppid() == parent)
				sleep_ms(1);
			_exit(process_main(i, options.threads + i - 1, 1));
		}
		shared->pids[i] = pid;
	}
	__atomic_store_n(&shared->go, true, __ATOMIC_RELEASE);
}

static unsigned int end_processes(void)
{
	unsigned int i, bad = 0;
	int status;

	for (i = 1; i <= options.processes; i++) {
		while (waitpid(shared->pids[i], &status, 0) < 0 && errno == EINTR)
			;
		if (!status)
			continue;
		ksft_print_msg("process %u ended with status %#x\n", i, status);
		bad++;
	}
	return bad;
}

static void print_counts(double took)
{
	unsigned long long ok, refused, sum = done();
	unsigned int i, j;
	char time[32];
	double all;

	for (i = 0; i < op_count; i++) {
		ok = 0;
		refused = 0;
		all = 0;
		for (j = 0; j < worker_count(); j++) {
			ok += shared->workers[j].ok[i];
			refused += shared->workers[j].refused[i];
			all += shared->workers[j].took[i];
		}
		if (!(ok + refused))
			continue;
		time[0] = '\0';
		if (options.times)
			snprintf(time, sizeof(time), " %8.0f us %6.1f s",
				 all / (ok + refused) * 1e6, all);
		ksft_print_msg("%-14s %9llu ok %9llu refused%s\n", ops[i].name, ok, refused,
			       time);
	}
	ksft_print_msg("%llu operations, %.0f a second\n", sum, sum / took);
}

static int run(void)
{
	unsigned int i, bad, left = 0;
	struct left before, after;
	unsigned long long sum;
	pthread_t runner;
	double began;

	/* Whatever is made at the first use shall not count as left */
	fclose(fopen("/dev/null", "re"));
	look(&before);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		ksft_exit_fail_msg("mmap: %m\n");
	for (i = 0; i < CHANNELS; i++)
		if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, channels[i]))
			ksft_exit_fail_msg("socketpair: %m\n");

	ksft_print_msg("--seed %llu --ops %llu --threads %u --processes %u\n", options.seed,
		       options.ops, options.threads, options.processes);
	began = seconds();
	start_processes();
	if (pthread_create(&runner, NULL, runner_main, NULL))
		ksft_exit_fail_msg("pthread_create: %m\n");
	watch(runner);
	bad = end_processes();
	for (i = 0; i < CHANNELS; i++) {
		close(channels[i][0]);
		close(channels[i][1]);
	}
	print_counts(seconds() - began);

	for (i = 0; i < shared->failures && i < MAX_FAILURES; i++)
		ksft_print_msg("%s\n", shared->failed[i]);
	if (shared->failures && options.log)
		print_log(false);
	bad += shared->failures;
	sum = done();
	ksft_test_result(!bad && sum == options.ops,
			 "each of %llu operations says what it may say\n", options.ops);

	munmap(shared, sizeof(*shared));
	settle(&after, &before);
	left += report_left("buffers", before.buffers, after.buffers);
	left += report_left("objects of the core", before.objects, after.objects);
	left += report_left("open files", before.files, after.files);
	ksft_print_msg("%ld MB free\n", free_megabytes());
	ksft_print_msg("result: %llu operations, %u failures, %u left, seed %llu\n",
		       sum, bad, left, options.seed);
	ksft_finished();
}

/*
 * Options
 */

static void print_usage(FILE *to)
{
	fprintf(to,
		"usage: stress [--ops N] [--seed S] [--threads T] [--processes P]\n"
		"              [--only OP[,OP]...] [--log N] [--stall SECONDS] [--times] [--list]\n"
		"Do random operations on shared dma-bufs and check what they say.\n"
		"  --ops N        operations of all workers together (100000)\n"
		"  --seed S       repeat the sequences of a run (default: of the clock)\n"
		"  --threads T    workers in the first process (4)\n"
		"  --processes P  further processes, a worker each (2)\n"
		"  --only OP,...  these operations only; those that make what they work on\n"
		"                 have to be named as well\n"
		"  --log N        after a failure, show the last N operations of each\n"
		"                 worker, up to %d (8)\n"
		"  --times        show how long each operation takes, waits included\n"
		"  --stall S      give up when none has ended for so long (120)\n"
		"  --list         show the operations and how frequent they are\n",
		LOG_LEN - 1);
}

static unsigned long long parse_number(const char *option, const char *text,
				       unsigned long long least,
				       unsigned long long most)
{
	unsigned long long n;
	char *end;

	errno = 0;
	n = strtoull(text, &end, 0);
	if (errno || *end || !isdigit((unsigned char)*text) || n < least || n > most) {
		fprintf(stderr, "stress: --%s: '%s' is not from %llu to %llu\n",
			option, text, least, most);
		exit(2);
	}
	return n;
}

static void choose_only(char *list)
{
	char *name, *rest;
	unsigned int i;

	memset(weights, 0, sizeof(weights));
	for (name = strtok_r(list, ",", &rest); name; name = strtok_r(NULL, ",", &rest)) {
		for (i = 0; i < op_count && strcmp(name, ops[i].name); i++)
			;
		if (i == op_count) {
			fprintf(stderr, "stress: there is no operation '%s'; see --list\n", name);
			exit(2);
		}
		weights[i] = ops[i].weight;
	}
}

static void parse(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "ops", required_argument, NULL, 'o' },
		{ "seed", required_argument, NULL, 's' },
		{ "threads", required_argument, NULL, 't' },
		{ "processes", required_argument, NULL, 'p' },
		{ "only", required_argument, NULL, 'O' },
		{ "log", required_argument, NULL, 'l' },
		{ "stall", required_argument, NULL, 'S' },
		{ "times", no_argument, NULL, 'T' },
		{ "list", no_argument, NULL, 'L' },
		{ "help", no_argument, NULL, 'h' },
		{}
	};
	unsigned int i;
	int c;

	while ((c = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
		switch (c) {
		case 'o':
			options.ops = parse_number("ops", optarg, 1, 1ULL << 40);
			break;
		case 's':
			options.seed = parse_number("seed", optarg, 0, ~0ULL);
			break;
		case 't':
			options.threads = parse_number("threads", optarg, 1,
						       MAX_WORKERS - MAX_PROCESSES);
			break;
		case 'p':
			options.processes = parse_number("processes", optarg, 0, MAX_PROCESSES - 1);
			break;
		case 'O':
			choose_only(optarg);
			break;
		case 'l':
			options.log = parse_number("log", optarg, 0, LOG_LEN - 1);
			break;
		case 'S':
			options.stall = parse_number("stall", optarg, 1, 100000);
			break;
		case 'T':
			options.times = true;
			break;
		case 'L':
			for (i = 0; i < op_count; i++)
				printf("%-14s %u\n", ops[i].name, ops[i].weight);
			exit(0);
		case 'h':
			print_usage(stdout);
			exit(0);
		default:
			print_usage(stderr);
			exit(2);
		}
	}
	if (optind < argc) {
		fprintf(stderr, "stress: '%s' is not understood\n", argv[optind]);
		print_usage(stderr);
		exit(2);
	}
}

/* Descriptors above the pool's, and a handler for what maps may do */
static void prepare(void)
{
	struct rlimit limit = { .rlim_cur = 4096, .rlim_max = 4096 };
	struct sigaction fault = { .sa_handler = on_fault }, wake = { .sa_handler = on_wake };

	if (setrlimit(RLIMIT_NOFILE, &limit))
		ksft_exit_skip("the limit of open files cannot be set to 4096: %m\n");
	sigaction(SIGBUS, &fault, NULL);
	sigaction(SIGSEGV, &fault, NULL);
	/* No SA_RESTART: what waits has to give up */
	sigaction(SIGUSR1, &wake, NULL);
}

int main(int argc, char **argv)
{
	unsigned int i;

	if (argc == 3 && !strcmp(argv[1], "--held"))
		return held(argc, argv);

	for (i = 0; i < op_count; i++)
		weights[i] = ops[i].weight;
	options.seed = time(NULL);
	parse(argc, argv);

	probe();
	for (i = 0; i < op_count; i++) {
		if (ops[i].present && !ops[i].present())
			weights[i] = 0;
		weight_sum += weights[i];
	}

	ksft_print_header();
	prepare();
	if (!(have & (HAVE_HEAP | HAVE_UDMABUF | HAVE_VGEM | HAVE_TESTDEV)))
		ksft_exit_skip("no exporter: no heap, udmabuf, vgem, test device\n");
	if (!weight_sum)
		ksft_exit_skip("what these operations need is not there\n");
	ksft_set_plan(4);
	ksft_print_msg("exporters:%s%s%s%s, importers:%s%s%s, %s%s\n",
		       have & HAVE_HEAP ? " system" : "", have & HAVE_UDMABUF ? " udmabuf" : "",
		       have & HAVE_VGEM ? " vgem" : "", have & HAVE_TESTDEV ? " testdev" : "",
		       have & HAVE_VGEM ? " vgem" : "", have & HAVE_VKMS ? " vkms" : "",
		       have & HAVE_TESTDEV ? " testdev" : "",
		       have & HAVE_SW_SYNC ? "sw_sync" : "no sw_sync",
		       have & HAVE_URING ? ", io_uring" : "");
	return run();
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * writer DEVICE THREADS MIB SECONDS INTERVAL_MS: each thread writes 4 KiB at random within the first MIB and fsyncs, again
 * and again. Prints for each interval: ms since the start, how many ended in it, and the us that they took: median, 99th
 * percentile, longest. What has not ended yet counts for the longest with its age, so a stall is seen while it lasts.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define BLOCK		4096
#define THREADS_MAX	64
#define SAMPLES		(1u << 20)	/* of an interval */

static struct interval {
	atomic_uint n;
	uint32_t us[SAMPLES];
} intervals[2];

static _Atomic(struct interval *) now_filled = &intervals[0];
static struct thread {
	pthread_t id;
	uint64_t random;
	_Atomic uint64_t since;		/* us; when its write began */
} threads[THREADS_MAX];
static uint64_t blocks;
static int fd;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static uint64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000ull + t.tv_nsec / 1000;
}

static uint64_t draw(uint64_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	*x ^= *x << 17;
	return *x;
}

static void *run(void *arg)
{
	struct thread *t = arg;
	uint64_t *block;

	if (posix_memalign((void **)&block, BLOCK, BLOCK))
		die("memory");
	for (;;) {
		struct interval *in;
		unsigned int i;

		for (i = 0; i < BLOCK / sizeof(*block); i++)
			block[i] = draw(&t->random);
		t->since = now_us();
		if (pwrite(fd, block, BLOCK, draw(&t->random) % blocks * BLOCK) != BLOCK || fdatasync(fd))
			die("write");
		in = now_filled;
		i = in->n++;
		if (i < SAMPLES)
			in->us[i] = now_us() - t->since;
	}
	return NULL;
}

static int by_value(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static void tell(uint64_t ms, struct interval *in, uint64_t oldest)
{
	unsigned int n = in->n;

	qsort(in->us, n, sizeof(*in->us), by_value);
	if (n && in->us[n - 1] > oldest)
		oldest = in->us[n - 1];
	printf("%llu %u %u %u %llu\n", (unsigned long long)ms, n, n ? in->us[n / 2] : 0, n ? in->us[n - 1 - n / 100] : 0,
	       (unsigned long long)oldest);
	fflush(stdout);
	in->n = 0;
}

int main(int argc, char **argv)
{
	uint64_t begin, end, next, step;
	int nr, i;

	if (argc != 6 || (nr = atoi(argv[2])) < 1 || nr > THREADS_MAX)
		return 2;
	fd = open(argv[1], O_RDWR | O_DIRECT);
	if (fd < 0)
		die(argv[1]);
	blocks = strtoull(argv[3], NULL, 10) * (1048576 / BLOCK);
	step = strtoull(argv[5], NULL, 10) * 1000;
	begin = now_us();
	end = begin + strtoull(argv[4], NULL, 10) * 1000000;
	for (i = 0; i < nr; i++) {
		threads[i].random = 0x9e3779b97f4a7c15ull * (i + 1);
		threads[i].since = begin;
		if (pthread_create(&threads[i].id, NULL, run, &threads[i]))
			die("thread");
	}
	for (next = begin + step; next <= end; next += step) {
		struct interval *in = now_filled;
		uint64_t now = now_us(), oldest = 0;

		if (now < next)
			usleep(next - now);
		now = now_us();
		now_filled = in == &intervals[0] ? &intervals[1] : &intervals[0];
		for (i = 0; i < nr; i++)
			if (now - threads[i].since > oldest)
				oldest = now - threads[i].since;
		tell((next - begin) / 1000, in, oldest);
	}
	_exit(0);
}

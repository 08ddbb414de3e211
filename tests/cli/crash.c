// SPDX-License-Identifier: GPL-2.0-only
//
// Preloaded into jbdctl: end the process at the CRASH_AT-th write, hole or flush,
// counted from 1, in place of doing it; a write is half done before.
//
// Always true: everything before that call has been done, nothing after it.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static int crash_now(void)
{
	static int left = -1;

	if (left < 0)
		left = atoi(getenv("CRASH_AT"));
	return --left == 0;
}

ssize_t pwrite64(int fd, const void *data, size_t bytes, off64_t at)
{
	ssize_t (*next)(int, const void *, size_t, off64_t) = dlsym(RTLD_NEXT, "pwrite64");

	if (crash_now()) {
		next(fd, data, bytes / 1024 * 512, at);
		_exit(99);
	}
	return next(fd, data, bytes, at);
}

int fallocate64(int fd, int mode, off64_t at, off64_t len)
{
	int (*next)(int, int, off64_t, off64_t) = dlsym(RTLD_NEXT, "fallocate64");

	if (crash_now())
		_exit(99);
	return next(fd, mode, at, len);
}

int fdatasync(int fd)
{
	int (*next)(int) = dlsym(RTLD_NEXT, "fdatasync");

	if (crash_now())
		_exit(99);
	return next(fd);
}

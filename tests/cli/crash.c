// SPDX-License-Identifier: GPL-2.0-only
//
// Preloaded into jbdctl: end the process at the CRASH_AT-th write, hole or flush,
// counted from 1, in place of doing it; a write is half done before. With CRASH_LOSES
// set, what no flush of the same file has covered is then undone, also when the process
// ends by itself: the device's volatile cache is lost. With CRASH_FAILS set, that call
// fails with EIO instead, and no other.
//
// Always true: everything before that call has been done, nothing after it.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

struct undo {
	struct undo *next;	/* written before it */
	int fd, own;		/* own: still open when the process ends */
	off64_t at;
	size_t bytes;
	unsigned char was[];
};

static struct undo *undo;

static int crash_now(void)
{
	static int calls;

	return ++calls == atoi(getenv("CRASH_AT"));
}

static void remember(int fd, size_t bytes, off64_t at)
{
	struct undo *u;

	if (!getenv("CRASH_LOSES"))
		return;
	u = malloc(sizeof(*u) + bytes);
	if (!u || pread64(fd, u->was, bytes, at) != (ssize_t)bytes)
		abort();
	u->next = undo;
	u->fd = fd;
	u->own = dup(fd);
	u->at = at;
	u->bytes = bytes;
	undo = u;
}

static ssize_t write_now(int fd, const void *data, size_t bytes, off64_t at)
{
	ssize_t (*next)(int, const void *, size_t, off64_t) = dlsym(RTLD_NEXT, "pwrite64");

	return next(fd, data, bytes, at);
}

__attribute__((destructor)) static void lose(void)
{
	for (; undo; undo = undo->next)
		write_now(undo->own, undo->was, undo->bytes, undo->at);
}

/* Returns what the call is to return, or does not. */
static int crash(void)
{
	if (getenv("CRASH_FAILS")) {
		errno = EIO;
		return -1;
	}
	lose();
	_exit(99);
}

ssize_t pwrite64(int fd, const void *data, size_t bytes, off64_t at)
{
	remember(fd, bytes, at);
	if (crash_now()) {
		write_now(fd, data, bytes / 1024 * 512, at);
		return crash();
	}
	return write_now(fd, data, bytes, at);
}

int fallocate64(int fd, int mode, off64_t at, off64_t len)
{
	int (*next)(int, int, off64_t, off64_t) = dlsym(RTLD_NEXT, "fallocate64");

	remember(fd, (size_t)len, at);
	return crash_now() ? crash() : next(fd, mode, at, len);
}

int fdatasync(int fd)
{
	int (*next)(int) = dlsym(RTLD_NEXT, "fdatasync");
	struct undo **u = &undo;

	if (crash_now())
		return crash();
	while (*u) {
		if ((*u)->fd == fd) {
			close((*u)->own);
			*u = (*u)->next;
		} else {
			u = &(*u)->next;
		}
	}
	return next(fd);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * The machine's memory.
 *
 * Always true: all of it goes at once, with the machine; until then nothing that was freed is given out again.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "simk.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#endif

#define ARENA_BYTES	(512ul << 20)
#define PAGE		4096

#if defined(__SANITIZE_ADDRESS__)
static void **blocks;
static size_t nr_blocks, cap_blocks;

void *simk_alloc(size_t bytes, size_t align, bool zero)
{
	void *p = aligned_alloc(align < 16 ? 16 : align, (bytes + align - 1) / align * align + align);

	if (zero)
		memset(p, 0, bytes);
	if (nr_blocks == cap_blocks) {
		cap_blocks = cap_blocks ? 2 * cap_blocks : 1024;
		blocks = realloc(blocks, cap_blocks * sizeof(*blocks));
	}
	blocks[nr_blocks++] = p;
	return p;
}

/* Freed memory stays poisoned until the machine goes. */
void simk_free(const void *p)
{
	if (p)
		__asan_poison_memory_region(p, 16);
}

void simk_memory_reset(void)
{
	while (nr_blocks) {
		__asan_unpoison_memory_region(blocks[--nr_blocks], 16);
		free(blocks[nr_blocks]);
	}
}
#else
static char *arena;
static size_t arena_used;

void *simk_alloc(size_t bytes, size_t align, bool zero)
{
	size_t at;

	(void)zero;		/* all of it is, until used */
	if (align < 16)
		align = 16;
	if (!arena) {
		arena = mmap(NULL, ARENA_BYTES, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (arena == MAP_FAILED)
			abort();
	}
	at = (arena_used + align - 1) & ~(align - 1);
	/* it is used up by what never comes to an end */
	if (at + bytes > ARENA_BYTES)
		simk_fail("P5 the machine needs more than its memory");
	arena_used = at + bytes;
	return arena + at;
}

void simk_free(const void *p)
{
	(void)p;
}

void simk_memory_reset(void)
{
	if (arena_used)
		madvise(arena, (arena_used + PAGE - 1) & ~(size_t)(PAGE - 1), MADV_DONTNEED);
	arena_used = 0;
}
#endif

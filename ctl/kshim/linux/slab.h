/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef KSHIM_LINUX_SLAB_H
#define KSHIM_LINUX_SLAB_H

#include <stdlib.h>
#include <string.h>
#include <linux/types.h>

#define GFP_KERNEL	1u
#define GFP_NOWAIT	2u
#define __GFP_NOWARN	4u

static inline void *kmalloc(size_t size, gfp_t gfp) { (void)gfp; return malloc(size); }

/* aligned as the kernel's allocator aligns objects of this size */
static inline void *kvzalloc(size_t size, gfp_t gfp)
{
	void *p = aligned_alloc(64, (size + 63) & ~(size_t)63);

	(void)gfp;
	return p ? memset(p, 0, size) : NULL;
}

static inline void kfree(const void *p) { free((void *)p); }
static inline void kvfree(const void *p) { free((void *)p); }

#endif

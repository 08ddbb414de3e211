/* SPDX-License-Identifier: GPL-2.0-only */
/* Memory of the simulated machine. */
#ifndef SIM_LINUX_SLAB_H
#define SIM_LINUX_SLAB_H

#include <linux/types.h>

#include "../simk.h"

#define GFP_KERNEL	1u
#define GFP_NOWAIT	2u
#define GFP_NOIO	8u
#define __GFP_NOWARN	4u
#define __GFP_COMP	0u
#define __GFP_ZERO	16u

static inline void *simk_kmalloc(size_t bytes, gfp_t gfp, bool zero)
{
	if (gfp & (GFP_KERNEL | GFP_NOIO))
		simk_may_sleep("kmalloc");
	return simk_alloc(bytes, bytes >= 4096 ? 64 : 16, zero);
}

static inline void *kmalloc(size_t size, gfp_t gfp) { return simk_kmalloc(size, gfp, false); }
static inline void *kzalloc(size_t size, gfp_t gfp) { return simk_kmalloc(size, gfp, true); }
static inline void *kvzalloc(size_t size, gfp_t gfp)
{
	(void)gfp;
	return simk_alloc((size + 63) & ~(size_t)63, 64, true);
}

static inline void *kmalloc_array(size_t n, size_t size, gfp_t gfp) { return kmalloc(n * size, gfp); }
static inline void *kcalloc(size_t n, size_t size, gfp_t gfp) { return kzalloc(n * size, gfp); }
static inline void *kvcalloc(size_t n, size_t size, gfp_t gfp) { return kzalloc(n * size, gfp); }
static inline void *kvmalloc_array(size_t n, size_t size, gfp_t gfp) { return kvzalloc(n * size, gfp); }
static inline void kfree(const void *p) { simk_free(p); }
static inline void kvfree(const void *p) { simk_free(p); }

#endif

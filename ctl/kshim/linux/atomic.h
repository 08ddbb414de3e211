/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef KSHIM_LINUX_ATOMIC_H
#define KSHIM_LINUX_ATOMIC_H

#include <linux/types.h>

typedef struct { long v; } atomic_long_t;

static inline long atomic_long_read(const atomic_long_t *a)
{
	return __atomic_load_n(&a->v, __ATOMIC_RELAXED);
}

static inline void atomic_long_set(atomic_long_t *a, long v)
{
	__atomic_store_n(&a->v, v, __ATOMIC_RELAXED);
}

static inline long atomic_long_add_return(long n, atomic_long_t *a)
{
	return __atomic_add_fetch(&a->v, n, __ATOMIC_SEQ_CST);
}

static inline long atomic_long_xchg(atomic_long_t *a, long v)
{
	return __atomic_exchange_n(&a->v, v, __ATOMIC_SEQ_CST);
}

static inline long atomic_long_sub_return(long n, atomic_long_t *a)
{
	return atomic_long_add_return(-n, a);
}

static inline long atomic_long_dec_return(atomic_long_t *a) { return atomic_long_sub_return(1, a); }
static inline void atomic_long_add(long n, atomic_long_t *a) { atomic_long_add_return(n, a); }
static inline void atomic_long_inc(atomic_long_t *a) { atomic_long_add_return(1, a); }
static inline void atomic_long_dec(atomic_long_t *a) { atomic_long_add_return(-1, a); }

#endif

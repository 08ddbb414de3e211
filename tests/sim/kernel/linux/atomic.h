/* SPDX-License-Identifier: GPL-2.0-only */
/* Atomics: one fiber runs at a time, so they are plain; each change may be followed by a switch. */
#ifndef SIM_LINUX_ATOMIC_H
#define SIM_LINUX_ATOMIC_H

#include <linux/types.h>

#include "../simk.h"

#define SIM_ATOMIC(type, name, word)								\
typedef struct { word v; } type;								\
static inline word name##_read(const type *a) { return a->v; }					\
static inline word name##_read_acquire(const type *a) { return a->v; }				\
static inline void name##_set(type *a, word v) { a->v = v; }					\
static inline word name##_add_return(word n, type *a) { a->v += n; word r = a->v; simk_preempt(); return r; }	\
static inline word name##_sub_return(word n, type *a) { return name##_add_return(-n, a); }	\
static inline word name##_inc_return(type *a) { return name##_add_return(1, a); }		\
static inline word name##_dec_return(type *a) { return name##_add_return(-1, a); }		\
static inline void name##_add(word n, type *a) { name##_add_return(n, a); }			\
static inline void name##_inc(type *a) { name##_add_return(1, a); }				\
static inline void name##_dec(type *a) { name##_add_return(-1, a); }				\
static inline bool name##_dec_and_test(type *a) { return !name##_add_return(-1, a); }		\
static inline word name##_xchg(type *a, word v) { word r = a->v; a->v = v; simk_preempt(); return r; }

#define cmpxchg(p, old, new)				\
	({ __typeof__(*(p)) __was = *(p); if (__was == (old)) *(p) = (new); __was; })

SIM_ATOMIC(atomic_t, atomic, int)
SIM_ATOMIC(atomic_long_t, atomic_long, long)
SIM_ATOMIC(atomic64_t, atomic64, long long)

#endif

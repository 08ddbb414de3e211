/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The two address spaces and the arithmetic of the ring.
 *
 * Always true: a home sector and a log position are different types, so one is
 * never taken for the other. Positions only grow; the ring is position modulo
 * area_len, and nothing else knows that.
 */
#ifndef JBD_RING_H
#define JBD_RING_H

#ifdef __KERNEL__
#include <linux/math64.h>
#endif

#include "format.h"

struct jsec { __u64 v; };		/* home sector */
struct jpos { __u64 v; };		/* log position, sectors ever handed out */

static inline struct jsec jsec(__u64 v)
{
	struct jsec s = { v };

	return s;
}

static inline struct jpos jpos(__u64 v)
{
	struct jpos p = { v };

	return p;
}

static inline struct jpos jpos_add(struct jpos p, __u64 sectors)
{
	return jpos(p.v + sectors);
}

/* What every reader and writer of a log has to know about it; fixed at format. */
struct jgeo {
	__u64	nonce;
	__u64	area_start;		/* device sector */
	__u64	area_len;		/* sectors */
	__u32	unit;			/* sectors */
	__u32	record_max;		/* sectors */
	__u64	home_len;		/* sectors */
};

/* 64-bit remainder without the compiler's helper, which kernels for 32 bits lack */
static inline __u64 jring_rem(__u64 v, __u64 m)
{
#ifdef __KERNEL__
	__u64 r;

	div64_u64_rem(v, m, &r);
	return r;
#else
	return v % m;
#endif
}

/* offset of @p in the area */
static inline __u64 jring_off(const struct jgeo *g, struct jpos p)
{
	return jring_rem(p.v, g->area_len);
}

/* device sector of @p */
static inline __u64 jring_dev(const struct jgeo *g, struct jpos p)
{
	return g->area_start + jring_off(g, p);
}

/* sectors from @p to the end of its lap; never 0 */
static inline __u64 jring_left(const struct jgeo *g, struct jpos p)
{
	return g->area_len - jring_off(g, p);
}

/* where the next lap starts */
static inline struct jpos jring_next_lap(const struct jgeo *g, struct jpos p)
{
	return jpos_add(p, jring_left(g, p));
}

static inline __u32 jround_unit(const struct jgeo *g, __u32 sectors)
{
	return (sectors + g->unit - 1) & ~(g->unit - 1);
}

/* how many extents fit in the header of a record and in a further descriptor */
static inline __u32 jgeo_header_extents(const struct jgeo *g)
{
	return (g->unit * JFMT_SECTOR - sizeof(struct jfmt_record)) /
		sizeof(struct jfmt_extent);
}

static inline __u32 jgeo_desc_extents(const struct jgeo *g)
{
	return (g->unit * JFMT_SECTOR - sizeof(struct jfmt_desc)) /
		sizeof(struct jfmt_extent);
}

/*
 * The smallest area that works: while one record waits for its checkpoint, one
 * is written, one fills, and one is lost at the end of the lap.
 */
static inline __u64 jgeo_area_min(__u32 record_max)
{
	return 4ull * record_max;
}

#endif

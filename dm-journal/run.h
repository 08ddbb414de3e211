/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Runs: what the index, which is the only one to include this, knows of one stretch of the home, packed into an entry
 * of its tree or taken apart; how runs are cut and joined, and which of two is the newer.
 *
 * Always true: a run lies within one region; it has a check only while it is exactly one inserted extent.
 *
 * It is memory only: a crash leaves nothing of it.
 */
#ifndef JBD_RUN_H
#define JBD_RUN_H

#include <linux/kernel.h>

#include "btree.h"
#include "index.h"

/* The home is hashed to shards by regions of 4 MiB. */
#define REGION_SHIFT	13
#define REGION		(1u << REGION_SHIFT)

/*
 * An entry: key = home (44 bits), length (14), kind (2), unused (3), has_check (1);
 * val = position modulo 2^46, check (16). A larger home sector is a larger key.
 */
#define KEY_HOME_SHIFT	JBT_KEY_SHIFT
#define KEY_LEN_SHIFT	6
#define KEY_KIND_SHIFT	4
#define KEY_CHECK	1ull
#define KEY_LEN_MASK	((1ull << (KEY_HOME_SHIFT - KEY_LEN_SHIFT)) - 1)
#define VAL_POS_SHIFT	16
#define POS_BITS	46
#define POS_MASK	((1ull << POS_BITS) - 1)

/* An extent within one region, or an entry taken apart. */
struct jrun {
	__u64		home, end;		/* sectors */
	enum jfmt_kind	kind;
	__u64		pos;			/* modulo 2^46 if it comes from an entry */
	bool		has_check;
	__u16		check;
};

static inline struct jrun run_of(const struct jbt_entry *e)
{
	struct jrun r = {
		.home = e->key >> KEY_HOME_SHIFT,
		.kind = (enum jfmt_kind)(e->key >> KEY_KIND_SHIFT & 3),
		.pos = e->val >> VAL_POS_SHIFT,
		.has_check = e->key & KEY_CHECK,
		.check = (__u16)e->val,
	};

	r.end = r.home + (e->key >> KEY_LEN_SHIFT & KEY_LEN_MASK);
	return r;
}

static inline struct jbt_entry entry_of(const struct jrun *r)
{
	struct jbt_entry e = {
		.key = r->home << KEY_HOME_SHIFT | (r->end - r->home) << KEY_LEN_SHIFT |
		       (__u64)r->kind << KEY_KIND_SHIFT | (r->has_check ? KEY_CHECK : 0),
		.val = (r->pos & POS_MASK) << VAL_POS_SHIFT | (r->has_check ? r->check : 0),
	};

	return e;
}

/* The part [home, end) of @r. */
static inline struct jrun run_cut(const struct jrun *r, __u64 home, __u64 end)
{
	struct jrun part = *r;

	part.home = home;
	part.end = end;
	if (r->kind == JFMT_DATA)
		part.pos += home - r->home;
	part.has_check = r->has_check && home == r->home && end == r->end;
	return part;
}

/* Are they one run, @b right behind @a? The test that most fail is the first. */
static inline bool run_joins(const struct jrun *a, const struct jrun *b)
{
	if (a->end != b->home || !(a->end % REGION) || a->kind != b->kind)
		return false;
	return !((a->pos + (a->kind == JFMT_DATA ? a->end - a->home : 0) - b->pos) & POS_MASK);
}

/* @p - @q, for positions that are less than 2^45 apart */
static inline __s64 pos_diff(__u64 p, __u64 q)
{
	return (__s64)((p - q) << (64 - POS_BITS)) >> (64 - POS_BITS);
}

/* Which sectors of @old does @new hide? False: none. */
static inline bool run_hides(const struct jrun *new, const struct jrun *old, __u64 *from, __u64 *to)
{
	/* how far new is ahead if they met at the sector where new starts */
	__s64 ahead = pos_diff(new->pos, old->pos);
	__s64 low = max(new->home, old->home), high = min(new->end, old->end);

	if (new->kind == JFMT_DATA && old->kind == JFMT_DATA) {
		if (ahead + (__s64)(old->home - new->home) < 0)
			return false;
	} else if (new->kind == JFMT_DATA) {
		low = max(low, (__s64)new->home - ahead);
	} else if (old->kind == JFMT_DATA) {
		high = min(high, (__s64)old->home + ahead);
	} else if (ahead < 0) {
		return false;
	}
	*from = low;
	*to = high;
	return low < high;
}

#endif

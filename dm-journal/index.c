// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The index: regions and shards, and what happens to older runs when a newer
 * one arrives. What it promises stands in index.h.
 *
 * Always true, whenever the lock of a shard is free: the entries of its tree
 * are disjoint and none crosses the border of a region; all entries of a region
 * are in one shard; every position is less than JINDEX_AREA_MAX below the
 * shard's newest, so that its lower bits say all.
 *
 * It is memory only: a crash leaves nothing of it.
 */
#include <linux/bug.h>
#include <linux/cache.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "btree.h"
#include "index.h"
#include "run.h"

struct jshard {
	spinlock_t	lock;
	struct jbt	tree;			/* [lock] */
	__u64		newest;			/* no position is above; all 64 bits [lock] */
	__u64		entries;		/* [lock] */
	__u64		sectors[3];		/* by kind [lock] */
} ____cacheline_aligned_in_smp;

struct jindex {
	struct jbt_pool	pool;
	/*
	 * A long extent is not promised a node for each piece that newer ones can
	 * cut it into. They lend it some instead: while a long one is promised,
	 * each insertion leaves JBT_DEPTH nodes of its promise to it.
	 */
	atomic_long_t	longs;			/* promises to long extents */
	atomic_long_t	lent;			/* nodes */
	unsigned int	nr_shards;
	struct jshard	shard[];
};

static void shard_count(struct jshard *sh, const struct jrun *r, int sign)
{
	sh->entries += sign;
	sh->sectors[r->kind] += sign * (__s64)(r->end - r->home);
}

static void shard_put(struct jshard *sh, struct jbt_cursor *c, const struct jrun *r)
{
	jbt_put(&sh->tree, c, entry_of(r));
	shard_count(sh, r, 1);
}

/* Remove @count entries of the leaf from the cursor on; the caller counts them off. */
static void shard_del(struct jshard *sh, struct jbt_cursor *c, unsigned int count)
{
	if (count)
		jbt_del(&sh->tree, c, count);
}

/* To the last entry that starts at @home or before, as far as there is one in its leaf. */
static void shard_seek(const struct jshard *sh, struct jbt_cursor *c, __u64 home)
{
	jbt_seek(&sh->tree, c, home << KEY_HOME_SHIFT);
}

/*
 * Replace the entry at the cursor, which is @old, by @new, which lies between the
 * same neighbours. A later start may belong to the next leaf, unless the leaf
 * has an entry behind it.
 */
static void shard_set(struct jshard *sh, struct jbt_cursor *c, const struct jrun *old,
		      const struct jrun *new)
{
	shard_count(sh, old, -1);
	if (new->home == old->home || c->slot[0] + 1 < (int)c->node[0]->nr) {
		*jbt_at(c) = entry_of(new);
		shard_count(sh, new, 1);
	} else {
		shard_del(sh, c, 1);
		shard_seek(sh, c, new->home);
		shard_put(sh, c, new);
	}
}

/* The entry that holds @home or else the first behind it. False: neither. */
static bool shard_find(const struct jshard *sh, struct jbt_cursor *c, __u64 home, struct jrun *r)
{
	shard_seek(sh, c, home);
	if (c->slot[0] >= 0 || jbt_step(&sh->tree, c, -1)) {
		*r = run_of(jbt_at(c));
		if (r->end > home)
			return true;
	}
	if (!jbt_step(&sh->tree, c, 1))
		return false;
	*r = run_of(jbt_at(c));
	return true;
}

/* The entry @skip behind the cursor, if it is in the same leaf. */
static bool shard_leaf_entry(const struct jbt_cursor *c, unsigned int skip, struct jrun *r)
{
	if (c->slot[0] + skip >= c->node[0]->nr)
		return false;
	*r = run_of(jbt_at(c) + skip);
	return true;
}

/* Take what @new hides out of the entries. */
static void shard_carve(struct jshard *sh, const struct jrun *new)
{
	__u64 at = new->home, from, to;
	struct jbt_cursor c;
	struct jrun old, part;
	unsigned int count;

	while (at < new->end && shard_find(sh, &c, at, &old) && old.home < new->end) {
		at = old.end;
		if (!run_hides(new, &old, &from, &to))
			continue;
		if (from > old.home) {
			part = run_cut(&old, old.home, from);
			shard_set(sh, &c, &old, &part);
			if (to < old.end) {
				part = run_cut(&old, to, old.end);
				shard_seek(sh, &c, to);
				shard_put(sh, &c, &part);
			}
			continue;
		}
		if (to < old.end) {
			part = run_cut(&old, to, old.end);
			shard_set(sh, &c, &old, &part);
			continue;
		}
		for (count = 0; shard_leaf_entry(&c, count, &old); count++) {
			if (old.home >= new->end || !run_hides(new, &old, &from, &to) ||
			    from > old.home || to < old.end)
				break;
			shard_count(sh, &old, -1);
			at = old.end;
		}
		shard_del(sh, &c, count);
	}
}

/*
 * Put @new between two entries or in the place of just one that is older, if it joins neither neighbour: so it is
 * with most random writes. False: it is not so, or one leaf does not tell, and nothing has happened.
 */
static bool shard_fill_alone(struct jshard *sh, const struct jrun *new)
{
	struct jbt_node *leaf;
	struct jbt_entry *e;
	struct jrun old, near;
	__u64 above, from, to;
	int slot;

	leaf = jbt_leaf(&sh->tree, new->home << KEY_HOME_SHIFT, &slot, &above);
	if (!leaf || slot < 0)
		return false;
	e = &leaf->e[slot];
	if (slot + 1 < (int)leaf->nr) {
		near = run_of(e + 1);
		if (near.home < new->end || run_joins(new, &near))
			return false;
	} else if (above >> KEY_HOME_SHIFT <= new->end) {
		return false;
	}
	old = run_of(e);
	if (old.end <= new->home) {
		if (run_joins(&old, new) || !jbt_leaf_put(leaf, slot, entry_of(new)))
			return false;
		shard_count(sh, new, 1);
		return true;
	}
	if (!slot || old.home != new->home || old.end != new->end ||
	    !run_hides(new, &old, &from, &to) || to - from != new->end - new->home)
		return false;
	near = run_of(e - 1);
	if (run_joins(&near, new))
		return false;
	*e = entry_of(new);
	shard_count(sh, &old, -1);
	shard_count(sh, new, 1);
	return true;
}

/*
 * Put @part, whose start the cursor is at, where nothing is, joined with @left, the entry at @before, and @right,
 * the one at @after. NULL: it does not join that one.
 */
static void shard_fill_gap(struct jshard *sh, struct jbt_cursor *c, struct jrun part,
			   struct jbt_cursor *before, const struct jrun *left,
			   struct jbt_cursor *after, const struct jrun *right)
{
	if (right) {
		part.end = right->end;
		part.has_check = false;
		shard_count(sh, right, -1);
	}
	if (left) {
		part.home = left->home;
		part.pos = left->pos;
		part.has_check = false;
		shard_set(sh, before, left, &part);
	}
	if (right)
		shard_del(sh, after, 1);
	if (right && !left)
		shard_seek(sh, c, part.home);
	if (!left)
		shard_put(sh, c, &part);
}

/*
 * Put @new where no newer entry is. What it hides is taken out first; most writes hide nothing. Not inlined:
 * its caller would pay for these cursors, which the kernel has its compiler set to zero.
 */
static noinline void shard_fill(struct jshard *sh, const struct jrun *new)
{
	struct jbt_cursor c, before, after;
	struct jrun left, right, part;
	__u64 at = new->home;
	bool carved = false;

	while (at < new->end) {
		bool has_left, has_right;

		shard_seek(sh, &c, at);
		before = c;
		has_left = c.slot[0] >= 0 || jbt_step(&sh->tree, &before, -1);
		if (has_left)
			left = run_of(jbt_at(&before));
		after = c;
		has_right = jbt_step(&sh->tree, &after, 1);
		if (has_right)
			right = run_of(jbt_at(&after));
		if (!carved && ((has_left && left.end > at) || (has_right && right.home < new->end))) {
			shard_carve(sh, new);
			carved = true;
		} else if (has_left && left.end > at) {
			at = left.end;
		} else {
			part = run_cut(new, at, has_right ? min(new->end, right.home) : new->end);
			at = part.end;
			shard_fill_gap(sh, &c, part,
				       &before, has_left && run_joins(&left, &part) ? &left : NULL,
				       &after, has_right && run_joins(&part, &right) ? &right : NULL);
		}
	}
}

static struct jshard *shard_of(struct jindex *ix, __u64 home)
{
	__u64 hash = (home >> REGION_SHIFT) * 0x61c8864680b583ebull;

	return &ix->shard[(hash >> 40) & (ix->nr_shards - 1)];
}

/* End of the part of [@home, @end) that is in one region. */
static __u64 region_end(__u64 home, __u64 end)
{
	return min(end, ((home >> REGION_SHIFT) + 1) << REGION_SHIFT);
}

/* The 64 bits of an entry's position. */
static __u64 shard_pos(const struct jshard *sh, __u64 pos)
{
	return sh->newest - ((sh->newest - pos) & POS_MASK);
}

struct jindex *jindex_create(unsigned int shards, __u64 cap_bytes)
{
	struct jindex *ix;
	unsigned int i;

	if (WARN_ON_ONCE(!shards || shards & (shards - 1)))
		return NULL;
	ix = kvzalloc(sizeof(*ix) + shards * sizeof(ix->shard[0]), GFP_KERNEL);
	if (!ix)
		return NULL;
	cap_bytes = max_t(__u64, JINDEX_CAP_MIN, min_t(__u64, JINDEX_CAP_MAX, cap_bytes));
	jbt_pool_init(&ix->pool, cap_bytes / JBT_NODE_BYTES);
	ix->nr_shards = shards;
	for (i = 0; i < shards; i++) {
		spin_lock_init(&ix->shard[i].lock);
		ix->shard[i].tree.pool = &ix->pool;
	}
	if (jbt_pool_fill(&ix->pool)) {
		jindex_destroy(ix);
		return NULL;
	}
	return ix;
}

void jindex_clear(struct jindex *ix)
{
	unsigned int i;

	for (i = 0; i < ix->nr_shards; i++) {
		struct jshard *sh = &ix->shard[i];
		struct jbt old;

		spin_lock(&sh->lock);
		old = sh->tree;
		sh->tree.root = NULL;
		sh->tree.depth = 0;
		sh->newest = 0;
		sh->entries = 0;
		memset(sh->sectors, 0, sizeof(sh->sectors));
		spin_unlock(&sh->lock);
		jbt_free(&ix->pool, old.root, old.depth);
	}
}

void jindex_destroy(struct jindex *ix)
{
	if (!ix)
		return;
	jindex_clear(ix);
	jbt_pool_exit(&ix->pool);
	kvfree(ix);
}

static bool jindex_long(__u32 len)
{
	return len > REGION;
}

/*
 * How many nodes the insertion of @len sectors takes at most; JBT_DEPTH of them to lend.
 *
 * A short extent lies in at most two regions. It is inserted in at most len / 2 + 1
 * pieces, since a newer entry stands between any two, and puts anew at most two
 * entries that it splits or trims. By the rule in btree.c, with the nodes that may be full
 * at the start (in each region four at the edges, and those filled by up to len
 * entries), a region splits at most 5 + 3 * len / 64 leaves, 4 nodes and a
 * sixteenth of the splits below on each of 5 further levels, and the root:
 * less than 64 + len / 16 for both.
 *
 * Of a long extent that nothing newer cuts each region gets one entry; with the
 * two trimmed ones, each of them splits each level at most once. Each newer
 * extent cuts it in one place at most, is inserted after the long one has its
 * promise, and so lends for that place.
 */
static long jindex_need(__u32 len)
{
	if (!jindex_long(len))
		return JBT_DEPTH + 64 + len / 16;
	return JBT_DEPTH + (len / REGION + 4) * JBT_DEPTH;
}

int jindex_reserve(struct jindex *ix, __u32 len)
{
	int r = jbt_pool_promise(&ix->pool, jindex_need(len));

	if (!r && jindex_long(len))
		atomic_long_inc(&ix->longs);
	return r;
}

static void jindex_settle(struct jindex *ix, __u32 len, long left)
{
	if (jindex_long(len) && !atomic_long_dec_return(&ix->longs))
		left += atomic_long_xchg(&ix->lent, 0);
	jbt_pool_return(&ix->pool, left);
}

void jindex_unreserve(struct jindex *ix, __u32 len)
{
	jindex_settle(ix, len, jindex_need(len));
}

void jindex_insert(struct jindex *ix, const struct jmap *m)
{
	struct jrun part = {
		.home = m->home.v, .kind = m->kind, .pos = m->pos.v, .check = m->check,
	};
	__u64 end = m->home.v + m->len, newest = m->pos.v;
	long left = jindex_need(m->len);

	if (m->kind == JFMT_DATA)
		newest += m->len;
	if (atomic_long_read(&ix->longs)) {
		atomic_long_add(JBT_DEPTH, &ix->lent);
		left -= JBT_DEPTH;
	}
	if (WARN_ON_ONCE(end > JINDEX_HOME_MAX))
		end = part.home;
	for (; part.home < end; part.home = part.end) {
		struct jshard *sh = shard_of(ix, part.home);
		long taken;

		part.end = region_end(part.home, end);
		part.has_check = m->has_check && part.end - part.home == m->len;
		spin_lock(&sh->lock);
		taken = sh->tree.taken;
		sh->newest = max(sh->newest, newest);
		if (!shard_fill_alone(sh, &part))
			shard_fill(sh, &part);
		left -= sh->tree.taken - taken;
		spin_unlock(&sh->lock);
		if (part.kind == JFMT_DATA)
			part.pos += part.end - part.home;
	}
	WARN_ON_ONCE(left < 0 && !jindex_long(m->len));
	jindex_settle(ix, m->len, left);
}

/* Fill in @out for the part [home, end) of the entry @r. */
static void jindex_answer(const struct jshard *sh, const struct jrun *r, __u64 home, __u64 end,
			  struct jmap *out)
{
	struct jrun part = run_cut(r, home, end);

	*out = (struct jmap) {
		.home = jsec(home), .len = end - home, .kind = part.kind, .mapped = true,
		.pos = jpos(shard_pos(sh, part.pos)),
		.has_check = part.has_check, .check = part.check,
	};
}

void jindex_lookup(struct jindex *ix, struct jsec home, __u32 len, struct jmap *out)
{
	struct jshard *sh = shard_of(ix, home.v);
	__u64 end = region_end(home.v, home.v + len);
	struct jbt_cursor c;
	struct jrun r;

	spin_lock(&sh->lock);
	if (!shard_find(sh, &c, home.v, &r))
		*out = (struct jmap) { .home = home, .len = end - home.v };
	else if (r.home > home.v)
		*out = (struct jmap) { .home = home, .len = min(end, r.home) - home.v };
	else
		jindex_answer(sh, &r, home.v, min(end, r.end), out);
	spin_unlock(&sh->lock);
}

/* An extent without payload is before the contents at its own position. */
static bool shard_is_below(const struct jshard *sh, const struct jrun *r, struct jpos below)
{
	__u64 pos = shard_pos(sh, r->pos);

	return r->kind == JFMT_DATA ? pos < below.v : pos <= below.v;
}

static void shard_drop(struct jshard *sh, __u64 at, __u64 end, struct jpos below)
{
	struct jbt_cursor c;
	struct jrun r;

	while (at < end && shard_find(sh, &c, at, &r) && r.home < end) {
		unsigned int count = 0;

		at = r.end;
		while (r.home < end && shard_is_below(sh, &r, below)) {
			shard_count(sh, &r, -1);
			at = r.end;
			if (!shard_leaf_entry(&c, ++count, &r))
				break;
		}
		shard_del(sh, &c, count);
	}
}

void jindex_drop(struct jindex *ix, struct jsec home, __u32 len, struct jpos below)
{
	__u64 at, end, last = home.v + len;

	for (at = home.v; at < last; at = end) {
		struct jshard *sh = shard_of(ix, at);

		end = region_end(at, last);
		spin_lock(&sh->lock);
		shard_drop(sh, at, end, below);
		spin_unlock(&sh->lock);
	}
}

bool jindex_next(struct jindex *ix, struct jsec home, struct jmap *out)
{
	struct jshard *sh = &ix->shard[0];
	struct jbt_cursor c;
	struct jrun r;
	bool found;

	if (WARN_ON_ONCE(ix->nr_shards > 1))
		return false;
	spin_lock(&sh->lock);
	found = shard_find(sh, &c, home.v, &r);
	if (found)
		jindex_answer(sh, &r, max(home.v, r.home), r.end, out);
	spin_unlock(&sh->lock);
	return found;
}

bool jindex_is_tight(const struct jindex *ix)
{
	return atomic_long_read(&ix->pool.nodes) > ix->pool.cap - ix->pool.cap / 8;
}

void jindex_stats(struct jindex *ix, struct jindex_stats *st)
{
	unsigned int i, kind;

	*st = (struct jindex_stats) {
		.bytes = (__u64)atomic_long_read(&ix->pool.nodes) * JBT_NODE_BYTES,
		.cap_bytes = (__u64)ix->pool.cap * JBT_NODE_BYTES,
	};
	for (i = 0; i < ix->nr_shards; i++) {
		struct jshard *sh = &ix->shard[i];

		spin_lock(&sh->lock);
		st->entries += sh->entries;
		for (kind = 0; kind < 3; kind++)
			st->sectors[kind] += sh->sectors[kind];
		spin_unlock(&sh->lock);
	}
}

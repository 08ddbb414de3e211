// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The tree under the index. What is always true of it stands in btree.h.
 *
 * How many nodes a series of insertions takes. Let the weight of a node be the
 * number of its entries above JBT_MERGE. An insertion adds at most 1 to the sum
 * of the weights, removing and evening out add nothing, a merge makes a node of
 * weight 0, and a split turns a full node (weight 16) into two of weight 0.
 * So a level splits at most (weights at the start + insertions) / 16 times,
 * where only the nodes that the series reaches and their neighbours count.
 */
#include <linux/bug.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "btree.h"

/* Spare nodes kept when nothing is promised, and how many are allocated at once. */
#define JBT_POOL_KEEP	512
#define JBT_POOL_BATCH	32
/* A neighbour with fewer free slots is not worth evening out with. */
#define JBT_SHIFT_MIN	8

static struct jbt_node *jbt_child(const struct jbt_node *n, int slot)
{
	return (struct jbt_node *)(unsigned long)n->e[slot].val;
}

static struct jbt_entry jbt_entry_of(__u64 key, struct jbt_node *child)
{
	struct jbt_entry e = { .key = key, .val = (unsigned long)child };

	return e;
}

void jbt_pool_init(struct jbt_pool *p, long cap)
{
	spin_lock_init(&p->lock);
	p->spare = NULL;
	atomic_long_set(&p->avail, 0);
	atomic_long_set(&p->nodes, 0);
	p->cap = cap;
}

static void jbt_pool_push(struct jbt_pool *p, struct jbt_node *n)
{
	spin_lock(&p->lock);
	n->next = p->spare;
	p->spare = n;
	spin_unlock(&p->lock);
}

static struct jbt_node *jbt_pool_pop(struct jbt_pool *p)
{
	struct jbt_node *n;

	spin_lock(&p->lock);
	n = p->spare;
	if (n)
		p->spare = n->next;
	spin_unlock(&p->lock);
	return n;
}

static void jbt_pool_free(struct jbt_pool *p, struct jbt_node *n)
{
	kfree(n);
	atomic_long_dec(&p->nodes);
}

/* Add nodes until @want are available. */
static int jbt_pool_grow(struct jbt_pool *p, long want, gfp_t gfp)
{
	while (atomic_long_read(&p->avail) < want) {
		struct jbt_node *n = NULL;
		int r = -ENOSPC;

		if (atomic_long_add_return(1, &p->nodes) <= p->cap) {
			n = kmalloc(sizeof(*n), gfp);
			r = -ENOMEM;
		}
		if (!n) {
			atomic_long_dec(&p->nodes);
			return r;
		}
		jbt_pool_push(p, n);
		atomic_long_inc(&p->avail);
	}
	return 0;
}

static void jbt_pool_trim(struct jbt_pool *p)
{
	struct jbt_node *n;

	while (atomic_long_read(&p->avail) > JBT_POOL_KEEP) {
		if (atomic_long_dec_return(&p->avail) < JBT_POOL_KEEP) {
			atomic_long_inc(&p->avail);
			return;
		}
		n = jbt_pool_pop(p);
		if (n)
			jbt_pool_free(p, n);
	}
}

void jbt_pool_exit(struct jbt_pool *p)
{
	struct jbt_node *n;

	while ((n = jbt_pool_pop(p)))
		jbt_pool_free(p, n);
}

int jbt_pool_fill(struct jbt_pool *p)
{
	return jbt_pool_grow(p, min_t(long, JBT_POOL_KEEP, p->cap), GFP_KERNEL);
}

int jbt_pool_promise(struct jbt_pool *p, long nodes)
{
	int r;

	if (atomic_long_sub_return(nodes, &p->avail) >= 0)
		return 0;
	r = jbt_pool_grow(p, JBT_POOL_BATCH, GFP_NOWAIT | __GFP_NOWARN);
	/* it is enough to get out of the red */
	if (!r || atomic_long_read(&p->avail) >= 0)
		return 0;
	jbt_pool_return(p, nodes);
	return r;
}

void jbt_pool_return(struct jbt_pool *p, long nodes)
{
	if (atomic_long_add_return(nodes, &p->avail) > 2 * JBT_POOL_KEEP)
		jbt_pool_trim(p);
}

static struct jbt_node *jbt_node_get(struct jbt *t)
{
	struct jbt_node *n = jbt_pool_pop(t->pool);

	if (!WARN_ON_ONCE(!n))
		t->taken++;
	return n;
}

static void jbt_node_put(struct jbt_pool *p, struct jbt_node *n)
{
	if (atomic_long_read(&p->avail) >= JBT_POOL_KEEP) {
		jbt_pool_free(p, n);
	} else {
		jbt_pool_push(p, n);
		atomic_long_inc(&p->avail);
	}
}

/* The last slot whose key is not above @key, or -1. */
static __always_inline int jbt_search(const struct jbt_node *n, __u64 key)
{
	unsigned int found = 0, step;

#pragma GCC unroll 6
	for (step = (JBT_FAN + 1) / 2; step; step /= 2)
		if (found + step <= n->nr && n->e[found + step - 1].key <= key)
			found += step;
	return (int)found - 1;
}

void jbt_seek(const struct jbt *t, struct jbt_cursor *c, __u64 key)
{
	struct jbt_node *n = t->root;
	unsigned int level = t->depth;

	if (!n) {
		c->slot[0] = -1;
		return;
	}
	key |= (1ull << JBT_KEY_SHIFT) - 1;
	while (level--) {
		c->node[level] = n;
		c->slot[level] = jbt_search(n, key);
		if (!level)
			break;
		if (c->slot[level] < 0)
			c->slot[level] = 0;
		n = jbt_child(n, c->slot[level]);
	}
}

struct jbt_node *jbt_leaf(const struct jbt *t, __u64 key, int *slot, __u64 *above)
{
	struct jbt_node *n = t->root;
	unsigned int level;

	if (!n)
		return NULL;
	key |= (1ull << JBT_KEY_SHIFT) - 1;
	*above = ~0ull;
	for (level = t->depth - 1; level; level--) {
		int at = max(jbt_search(n, key), 0);

		if (at + 1 < (int)n->nr)
			*above = n->e[at + 1].key;
		n = jbt_child(n, at);
	}
	*slot = jbt_search(n, key);
	return n;
}

bool jbt_step(const struct jbt *t, struct jbt_cursor *c, int dir)
{
	unsigned int level;

	for (level = 0; level < t->depth; level++) {
		int slot = c->slot[level] + dir;

		if (slot < 0 || slot >= (int)c->node[level]->nr)
			continue;
		c->slot[level] = slot;
		while (level--) {
			c->node[level] = jbt_child(c->node[level + 1], c->slot[level + 1]);
			c->slot[level] = dir > 0 ? 0 : (int)c->node[level]->nr - 1;
		}
		return true;
	}
	return false;
}

static void jbt_move(struct jbt_node *to, unsigned int at, const struct jbt_node *from,
		     unsigned int slot, unsigned int count)
{
	memmove(&to->e[at], &from->e[slot], count * sizeof(struct jbt_entry));
}

static void jbt_insert_at(struct jbt_node *n, unsigned int slot, struct jbt_entry e)
{
	jbt_move(n, slot + 1, n, slot, n->nr - slot);
	n->e[slot] = e;
	n->nr++;
}

bool jbt_leaf_put(struct jbt_node *leaf, int slot, struct jbt_entry e)
{
	if (leaf->nr == JBT_FAN)
		return false;
	jbt_insert_at(leaf, slot + 1, e);
	return true;
}

/*
 * Even out the full child @ps of @parent with a neighbour and insert @e at what
 * was its @slot. False: both neighbours are as good as full.
 */
static bool jbt_shift(struct jbt_node *parent, int ps, unsigned int slot, struct jbt_entry e)
{
	struct jbt_node *n = jbt_child(parent, ps), *to;
	unsigned int count;

	to = ps > 0 ? jbt_child(parent, ps - 1) : NULL;
	if (to && to->nr + JBT_SHIFT_MIN <= JBT_FAN) {
		count = (JBT_FAN - to->nr + 1) / 2;
		jbt_move(to, to->nr, n, 0, count);
		jbt_move(n, 0, n, count, n->nr - count);
		to->nr += count;
		n->nr -= count;
		parent->e[ps].key = n->e[0].key;
		if (slot <= count)
			jbt_insert_at(to, to->nr - count + slot, e);
		else
			jbt_insert_at(n, slot - count, e);
		return true;
	}
	to = ps + 1 < (int)parent->nr ? jbt_child(parent, ps + 1) : NULL;
	if (to && to->nr + JBT_SHIFT_MIN <= JBT_FAN) {
		count = (JBT_FAN - to->nr + 1) / 2;
		jbt_move(to, count, to, 0, to->nr);
		jbt_move(to, 0, n, n->nr - count, count);
		to->nr += count;
		n->nr -= count;
		parent->e[ps + 1].key = to->e[0].key;
		if (slot <= n->nr)
			jbt_insert_at(n, slot, e);
		else
			jbt_insert_at(to, slot - n->nr, e);
		return true;
	}
	return false;
}

static bool jbt_grow_root(struct jbt *t, struct jbt_cursor *c, struct jbt_entry first)
{
	struct jbt_node *n;

	if (WARN_ON_ONCE(t->depth == JBT_DEPTH))
		return false;
	n = jbt_node_get(t);
	if (!n)
		return false;
	n->nr = 1;
	n->e[0] = first;
	c->node[t->depth] = n;
	c->slot[t->depth] = 0;
	t->root = n;
	t->depth++;
	return true;
}

void jbt_put(struct jbt *t, struct jbt_cursor *c, struct jbt_entry e)
{
	unsigned int level, slot;

	if (!t->depth) {
		jbt_grow_root(t, c, e);
		return;
	}
	slot = c->slot[0] + 1;
	for (level = 0; c->node[level]->nr == JBT_FAN; level++) {
		struct jbt_node *n = c->node[level], *right;
		int ps;

		if (level + 1 == t->depth && !jbt_grow_root(t, c, jbt_entry_of(0, n)))
			return;
		ps = c->slot[level + 1];
		if (jbt_shift(c->node[level + 1], ps, slot, e))
			return;
		right = jbt_node_get(t);
		if (!right)
			return;
		right->nr = JBT_FAN - JBT_FAN / 2;
		n->nr = JBT_FAN / 2;
		jbt_move(right, 0, n, n->nr, right->nr);
		if (slot <= n->nr)
			jbt_insert_at(n, slot, e);
		else
			jbt_insert_at(right, slot - n->nr, e);
		e = jbt_entry_of(right->e[0].key, right);
		slot = ps + 1;
	}
	jbt_insert_at(c->node[level], slot, e);
}

static void jbt_remove(struct jbt_node *n, unsigned int slot, unsigned int count)
{
	n->nr -= count;
	jbt_move(n, slot, n, slot + count, n->nr - slot);
}

/* Remove the child @slot of the inner node @n; the next one inherits its bound. */
static void jbt_remove_child(struct jbt_node *n, unsigned int slot)
{
	__u64 bound = n->e[slot].key;

	jbt_remove(n, slot, 1);
	if (!slot && n->nr)
		n->e[0].key = bound;
}

/* Append the child @slot + 1 of @parent to the child @slot, if that is worth while. */
static bool jbt_merge(struct jbt *t, struct jbt_node *parent, int slot)
{
	struct jbt_node *left, *right;

	if (slot < 0 || slot + 1 >= (int)parent->nr)
		return false;
	left = jbt_child(parent, slot);
	right = jbt_child(parent, slot + 1);
	if (left->nr + right->nr > JBT_MERGE)
		return false;
	jbt_move(left, left->nr, right, 0, right->nr);
	left->nr += right->nr;
	jbt_remove_child(parent, slot + 1);
	jbt_node_put(t->pool, right);
	return true;
}

void jbt_del(struct jbt *t, struct jbt_cursor *c, unsigned int count)
{
	unsigned int level;

	jbt_remove(c->node[0], c->slot[0], count);
	for (level = 0; level + 1 < t->depth; level++) {
		struct jbt_node *parent = c->node[level + 1];
		int ps = c->slot[level + 1];

		if (!c->node[level]->nr) {
			jbt_remove_child(parent, ps);
			jbt_node_put(t->pool, c->node[level]);
		} else if (!jbt_merge(t, parent, ps - 1) && !jbt_merge(t, parent, ps)) {
			return;
		}
	}
	/* the root: gone when empty, skipped when it has one child only */
	while (t->depth && t->root->nr <= (t->depth > 1)) {
		struct jbt_node *n = t->root;

		t->root = n->nr ? jbt_child(n, 0) : NULL;
		t->depth = n->nr ? t->depth - 1 : 0;
		jbt_node_put(t->pool, n);
	}
}

void jbt_free(struct jbt_pool *p, struct jbt_node *root, unsigned int depth)
{
	struct jbt_node *path[JBT_DEPTH];
	unsigned int level = 0;

	if (!depth)
		return;
	path[0] = root;
	/* level counts from the root here; children are freed from the last to the first */
	for (;;) {
		struct jbt_node *n = path[level];

		if (level + 1 < depth && n->nr) {
			path[++level] = jbt_child(n, --n->nr);
			continue;
		}
		jbt_node_put(p, n);
		if (!level--)
			return;
		cond_resched();
	}
}

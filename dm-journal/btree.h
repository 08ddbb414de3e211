/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The tree under the index: a B+tree of 16-byte entries in nodes of 1 KiB, and
 * the pool that its nodes come from. It knows keys, not what they stand for,
 * and of a key only the bits above JBT_KEY_SHIFT; those below are the caller's.
 *
 * Always true of a tree: the keys of the entries ascend; the key of an inner
 * entry is not above any key below its child, and is above all keys below the
 * children before it; no node is empty.
 *
 * Always true of a pool: every promise is covered by a spare node, so taking
 * a promised node cannot fail and asks no allocator.
 *
 * It is memory only: a crash leaves nothing of it.
 */
#ifndef JBD_BTREE_H
#define JBD_BTREE_H

#include <linux/atomic.h>
#include <linux/spinlock.h>
#include <linux/types.h>

#define JBT_KEY_SHIFT	20
#define JBT_NODE_BYTES	1024
#define JBT_FAN		63
/* Neighbours are merged when they hold this many entries or fewer together. */
#define JBT_MERGE	47
/* Levels. A tree that needs one more is beyond any cap: see JINDEX_CAP_MAX. */
#define JBT_DEPTH	7

struct jbt_entry {
	__u64		key;
	__u64		val;			/* inner node: the child */
};

struct jbt_node {
	struct jbt_node	*next;			/* while it is spare */
	__u32		nr;
	struct jbt_entry e[JBT_FAN];
};

struct jbt_pool {
	spinlock_t	lock;
	struct jbt_node	*spare;			/* [lock] */
	atomic_long_t	avail;			/* spare nodes not promised; below 0: a promise is being made */
	atomic_long_t	nodes;			/* all nodes, in trees and spare */
	long		cap;
};

struct jbt {
	struct jbt_node	*root;			/* NULL: empty */
	unsigned int	depth;			/* levels; 0: empty */
	struct jbt_pool	*pool;
	long		taken;			/* nodes ever taken from the pool */
};

/*
 * A place in a tree, as the path to it; level 0 is the leaf. slot[0] is -1 before
 * the first entry of a leaf. Any change of the tree but through the cursor ends it.
 */
struct jbt_cursor {
	struct jbt_node	*node[JBT_DEPTH];
	int		slot[JBT_DEPTH];
};

void jbt_pool_init(struct jbt_pool *p, long cap);
void jbt_pool_exit(struct jbt_pool *p);		/* the trees are empty */
int jbt_pool_fill(struct jbt_pool *p);		/* to JBT_POOL_KEEP or the cap; may sleep */
int jbt_pool_promise(struct jbt_pool *p, long nodes);	/* 0, -ENOSPC: the cap, or -ENOMEM */
void jbt_pool_return(struct jbt_pool *p, long nodes);	/* of a promise; below 0: more was taken */

/*
 * The last entry whose key is not above @key, as far as the leaf where @key
 * belongs has one: else slot[0] is -1 and jbt_step() finds the neighbours, if
 * there are any. In an empty tree no node[] is set.
 */
void jbt_seek(const struct jbt *t, struct jbt_cursor *c, __u64 key);

/* To the next (@dir 1) or the former (-1) entry. False: none; the cursor stays. */
bool jbt_step(const struct jbt *t, struct jbt_cursor *c, int dir);

/*
 * Insert @e, whose key jbt_seek() went for. Takes at most JBT_DEPTH promised nodes.
 * Ends the cursor.
 */
void jbt_put(struct jbt *t, struct jbt_cursor *c, struct jbt_entry e);

/* Remove @count entries from the cursor on, all in its leaf. Ends the cursor. */
void jbt_del(struct jbt *t, struct jbt_cursor *c, unsigned int count);

/*
 * The leaf where @key belongs, without the way there; NULL: the tree is empty. In @slot its last entry whose
 * key is not above @key, or -1; in @above a key that no entry of a later leaf is below.
 */
struct jbt_node *jbt_leaf(const struct jbt *t, __u64 key, int *slot, __u64 *above);

/* Insert @e behind @slot of @leaf, where it belongs by its key. False: the leaf is full. */
bool jbt_leaf_put(struct jbt_node *leaf, int slot, struct jbt_entry e);

/* Free all nodes of the tree that @root was the root of. May sleep. */
void jbt_free(struct jbt_pool *p, struct jbt_node *root, unsigned int depth);

static inline struct jbt_entry *jbt_at(const struct jbt_cursor *c)
{
	return &c->node[0]->e[c->slot[0]];
}

#endif

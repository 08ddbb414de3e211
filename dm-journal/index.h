/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The index: home sectors -> what the log holds for them.
 *
 * Always true: for each home sector the index names the newest record contents
 * that were inserted and not dropped, whatever the order of the insertions.
 * Newer is decided by position: contents of a sector at position q hide those
 * at r if q > r. An extent without payload (discard, zeroes) stands at the
 * position at which the next payload is placed: it hides contents at r if
 * its position p > r, and is hidden by contents at q if q >= p. Of two extents
 * without payload the one with p >= r hides the other.
 *
 * The index is memory only: after a crash recovery builds it again.
 */
#ifndef JBD_INDEX_H
#define JBD_INDEX_H

#include "ring.h"

/* What an entry has room for: callers refuse a larger home (8 PiB) or log area. */
#define JINDEX_HOME_MAX		(1ull << 44)	/* sectors */
#define JINDEX_AREA_MAX		(1ull << 45)	/* sectors */

/* A cap outside these is taken as the nearest of them. */
#define JINDEX_CAP_MIN		(4ull << 20)	/* room for the largest reservation, twice */
#define JINDEX_CAP_MAX		(64ull << 30)

/* A run of home sectors with one answer. */
struct jmap {
	struct jsec	home;
	__u32		len;		/* sectors */
	enum jfmt_kind	kind;
	bool		mapped;		/* false: the log knows nothing, ask the home; pos, kind undefined */
	struct jpos	pos;		/* JFMT_DATA: of the first sector; else of the extent */
	bool		has_check;	/* the run is one whole inserted extent, and check is of it */
	__u16		check;		/* jindex_check() of the extent's crc */
};

struct jindex;

#define JINDEX_SHARDS	128	/* trees, each with its lock, of all that a volume's log holds */

/* 16 bits of a payload crc: what an index entry has room for */
static inline __u16 jindex_check(__u32 crc)
{
	return (__u16)(crc ^ (crc >> 16));
}

/*
 * @shards: power of two; 1 makes jindex_next() run in home order over all.
 * @cap_bytes: nodes beyond this are refused. May sleep. NULL: out of memory.
 */
struct jindex *jindex_create(unsigned int shards, __u64 cap_bytes);
void jindex_destroy(struct jindex *ix);		/* may sleep */

/*
 * Set aside nodes for the insertion of one extent of @len sectors, so that the
 * insertion cannot fail. 0, -ENOSPC (the cap) or -ENOMEM; never sleeps.
 * What was set aside is handed to the insertion, or given back. The position of
 * the extent is drawn after this.
 */
int jindex_reserve(struct jindex *ix, __u32 len);
void jindex_unreserve(struct jindex *ix, __u32 len);

/*
 * Insert @m (mapped; has_check/check as known), for which jindex_reserve(m->len)
 * holds and is consumed. Never sleeps, never fails; any process context.
 */
void jindex_insert(struct jindex *ix, const struct jmap *m);

/*
 * The answer for the run that starts at @home, at most @len sectors (> 0):
 * out->len says how far it holds; never beyond a multiple of 4 MiB. Any process
 * context.
 */
void jindex_lookup(struct jindex *ix, struct jsec home, __u32 len, struct jmap *out);

/*
 * Forget every entry that overlaps [@home, @home + @len) and whose position is
 * below @below, the start of a record; an extent without payload is below the
 * contents at its own position. Entries are dropped whole: what lies below a
 * tail is dead in all its sectors. Frees nodes, allocates none.
 */
void jindex_drop(struct jindex *ix, struct jsec home, __u32 len, struct jpos below);

/* The first mapped run at or behind *@home, in home order (one shard only). false: none. */
bool jindex_next(struct jindex *ix, struct jsec home, struct jmap *out);

/* Forget everything, keep some nodes for the next use. May sleep. */
void jindex_clear(struct jindex *ix);

struct jindex_stats {
	__u64	entries;
	__u64	bytes;			/* nodes in use and set aside */
	__u64	cap_bytes;
	__u64	sectors[3];		/* by kind: sectors mapped now */
};

void jindex_stats(struct jindex *ix, struct jindex_stats *st);

/* Is 7/8 of its memory used up? Takes no lock. */
bool jindex_is_tight(const struct jindex *ix);

#endif

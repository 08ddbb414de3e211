/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What spindle's two files share: target.c takes bios and gives them back, disk.c is the disk: arm, platter, cache.
 */
#ifndef SPINDLE_H
#define SPINDLE_H

#include <linux/device-mapper.h>
#include <linux/hrtimer.h>
#include <linux/list.h>
#include <linux/rbtree.h>
#include <linux/spinlock.h>

/* A bio whose data is on dev already, and whose time has not come. */
struct sp_io {
	struct list_head list;
	sector_t start;
	unsigned int len;		/* sectors; 0: a flush */
	bool write, fua, timed;		/* timed: it has waited, and is to be given back */
	u64 arrived;			/* ns */
};

/* Sectors that are in the cache and not yet on the platter. */
struct sp_extent {
	struct rb_node node;		/* in a tree; else list, of the free ones */
	struct list_head list;
	sector_t start, end;
};

struct sp_tree {
	struct rb_root root;
	unsigned int count;
};

struct sp_stats {
	u64 reads, writes, flushes;	/* bios */
	u64 cache_hits;			/* reads that needed no access */
	u64 accesses[2];		/* of the platter, to read and to write */
	u64 sectors[2];			/* that they moved */
	u64 seeks;			/* accesses that moved the arm */
	u64 busy;			/* ns of the arm */
	u64 fua;			/* of the writes */
};

struct sp_disk {
	/* set once */
	sector_t sectors;
	unsigned int rpm, seek_min_us, seek_max_us, rate_mib, cache_mib, queue;
	u64 rev_ns, tracks;
	unsigned int track_sectors, cache_sectors;
	struct sp_extent *extents;

	spinlock_t lock;		/* all below */
	struct hrtimer timer;		/* runs while busy */
	u64 free_at;			/* ns: the access under way ends, or the last one ended */
	u64 head;			/* track under it */
	sector_t read_end;		/* where the last read access ended */
	bool busy;
	struct sp_io *serving;		/* the access is for this one; NULL: from the cache */
	unsigned int serving_sectors;
	struct list_head accesses;	/* sp_io that need the platter */
	struct list_head blocked;	/* writes for which the cache has no room */
	/*
	 * What the cache holds. A flush waits until the first tree is empty; what is written
	 * meanwhile goes to the second one.
	 */
	struct sp_tree dirty, later;
	struct list_head flushes, flushes_later;
	struct list_head free;		/* extents */
	unsigned int cached;		/* sectors, with the access under way */
	struct sp_stats stats;
};

int sp_disk_init(struct sp_disk *d);		/* sectors to queue are filled in; may sleep; -ENOMEM */
void sp_disk_exit(struct sp_disk *d);		/* nothing waits any more; may sleep */
/* The bio of @io has done its I/O; any context. It is given back by sp_give_back(). */
void sp_disk_add(struct sp_disk *d, struct sp_io *io);
void sp_give_back(struct sp_io *io);		/* target.c; softirq, no lock held */

#endif

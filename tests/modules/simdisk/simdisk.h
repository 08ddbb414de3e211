/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What simdisk's two files share: target.c serves bios and cuts the power, cache.c holds what dev lacks.
 */
#ifndef SIMDISK_H
#define SIMDISK_H

#include <linux/bio.h>
#include <linux/blkdev.h>
#include <linux/device-mapper.h>
#include <linux/prandom.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

#define BLOCK_SECTORS	PAGE_SECTORS
#define FULL		((u8)GENMASK(BLOCK_SECTORS - 1, 0))

/* The cached sectors of one page-sized, page-aligned piece of the disk. Bit n is the piece's sector n. */
struct sd_block {
	u8 cached;
	u8 zero;	/* subset of cached: the content is zeroes, data does not hold it */
	void *data;	/* one page, or NULL as long as no cached sector needs it */
};

/* Operations that can be made to fail. */
enum sd_op { SD_READ, SD_WRITE, SD_FLUSH, SD_DISCARD, SD_OPS };

struct sd_fault {
	u64 skip;	/* operations until the first that fails */
	u64 count;	/* how many fail; U64_MAX is for ever */
};

struct simdisk {
	struct dm_dev *dev;
	struct workqueue_struct *wq;
	struct work_struct work;
	struct list_head list;		/* [sd_power] in sd_disks */

	spinlock_t lock;
	struct bio_list queued;		/* [lock] */
	struct sd_fault faults[SD_OPS];	/* [lock] */
	unsigned int hung;		/* [lock] BIT(sd_op) of the operations that hang, */
	u64 passes[SD_OPS];		/* [lock] after so many that do not */

	/* The worker, holding sd_power for reading, or whoever holds it for writing. */
	struct xarray blocks;		/* of struct sd_block */
	struct rnd_state coin;
	bool dead;
	u64 ops[SD_OPS];
	u64 fua, sectors, cached;

	u64 seed;
	unsigned int keep;
	unsigned int unit;		/* sectors that a cut does not tear */
};

/* All of cache.c sleeps, and is called by the worker or with sd_power held for writing. */
void simdisk_cache_bio(struct simdisk *sd, struct bio *bio);
void simdisk_overlay(struct simdisk *sd, struct bio *bio);
void simdisk_drop_all(struct simdisk *sd);
blk_status_t simdisk_write_back(struct simdisk *sd, sector_t start, sector_t end, bool coins);

#endif

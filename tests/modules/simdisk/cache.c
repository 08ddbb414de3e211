// SPDX-License-Identifier: GPL-2.0-only
/*
 * simdisk's volatile cache. A sector that is in it is newer than dev's, or as new; a sector leaves it only when it is on
 * dev, or when the power is cut. A crash of the machine is such a cut.
 */
#include <linux/completion.h>
#include <linux/slab.h>

#include "simdisk.h"

#define SD_GFP		(GFP_NOIO | __GFP_NOFAIL)

/* The sectors of the block at index that lie in [start, end). */
static u8 block_mask(unsigned long index, sector_t start, sector_t end)
{
	sector_t first = (sector_t)index * BLOCK_SECTORS;
	unsigned int lo = start > first ? start - first : 0;
	unsigned int hi = min_t(sector_t, end - first, BLOCK_SECTORS);

	return GENMASK(hi - 1, lo);
}

/* Throw the coin for each unit of mask, or once for a block of zeroes; return the sectors for which it fell. */
static u8 throw_coins(struct simdisk *sd, struct sd_block *block, u8 mask)
{
	unsigned int units = (mask & block->zero) == FULL ? BLOCK_SECTORS : sd->unit;
	u8 unit = GENMASK(units - 1, 0), kept = 0;
	unsigned int i;

	for (i = 0; i < BLOCK_SECTORS; i += units)
		if (mask & (unit << i) && prandom_u32_state(&sd->coin) % 1000 < sd->keep)
			kept |= unit << i;
	return kept & mask;
}

/*----------------------------------------------------------------
 * The cache
 *--------------------------------------------------------------*/

static struct sd_block *get_block(struct simdisk *sd, unsigned long index)
{
	struct sd_block *block = xa_load(&sd->blocks, index);

	if (!block) {
		block = kzalloc(sizeof(*block), SD_GFP);
		xa_store(&sd->blocks, index, block, SD_GFP);
	}
	return block;
}

/* These sectors of the block are on dev, or lost. */
static void drop(struct simdisk *sd, unsigned long index, struct sd_block *block, u8 mask)
{
	sd->cached -= hweight8(block->cached & mask);
	block->cached &= ~mask;
	block->zero &= ~mask;
	if (block->cached)
		return;
	xa_erase(&sd->blocks, index);
	free_page((unsigned long)block->data);
	kfree(block);
}

void simdisk_drop_all(struct simdisk *sd)
{
	struct sd_block *block;
	unsigned long index;

	xa_for_each(&sd->blocks, index, block)
		drop(sd, index, block, block->cached);
}

/* Put the sectors of a write, or the zeroes of a discard, into the cache. */
void simdisk_cache_bio(struct simdisk *sd, struct bio *bio)
{
	sector_t start = bio->bi_iter.bi_sector, end = bio_end_sector(bio);
	unsigned long index, last = (end - 1) / BLOCK_SECTORS;
	bool zero = bio_op(bio) != REQ_OP_WRITE;
	struct bvec_iter iter;
	struct bio_vec bv;
	loff_t pos = start << SECTOR_SHIFT;

	for (index = start / BLOCK_SECTORS; index <= last; index++) {
		struct sd_block *block = get_block(sd, index);
		u8 mask = block_mask(index, start, end);

		sd->cached += hweight8(mask & ~block->cached);
		block->cached |= mask;
		if (zero) {
			block->zero |= mask;
			continue;
		}
		block->zero &= ~mask;
		if (!block->data)
			block->data = (void *)__get_free_page(SD_GFP);
	}
	if (zero)
		return;

	bio_for_each_segment(bv, bio, iter) {
		char *from = bvec_kmap_local(&bv);
		unsigned int done = 0;

		while (done < bv.bv_len) {
			struct sd_block *block = xa_load(&sd->blocks, pos >> PAGE_SHIFT);
			unsigned int len = min_t(unsigned int, bv.bv_len - done, PAGE_SIZE - offset_in_page(pos));

			memcpy(block->data + offset_in_page(pos), from + done, len);
			done += len;
			pos += len;
		}
		kunmap_local(from);
	}
}

/* Put what is cached over what a read got from dev. */
void simdisk_overlay(struct simdisk *sd, struct bio *bio)
{
	loff_t pos = bio->bi_iter.bi_sector << SECTOR_SHIFT;
	struct bvec_iter iter;
	struct bio_vec bv;

	bio_for_each_segment(bv, bio, iter) {
		char *to = bvec_kmap_local(&bv);
		unsigned int done = 0;

		while (done < bv.bv_len) {
			struct sd_block *block = xa_load(&sd->blocks, pos >> PAGE_SHIFT);
			unsigned int in_sector = pos & (SECTOR_SIZE - 1);
			unsigned int len = min_t(unsigned int, bv.bv_len - done, SECTOR_SIZE - in_sector);
			u8 bit = 1 << (offset_in_page(pos) >> SECTOR_SHIFT);

			if (block && block->zero & bit)
				memset(to + done, 0, len);
			else if (block && block->cached & bit)
				memcpy(to + done, block->data + offset_in_page(pos), len);
			done += len;
			pos += len;
		}
		kunmap_local(to);
	}
}

/*----------------------------------------------------------------
 * From the cache to dev
 *--------------------------------------------------------------*/

/* Writes in flight; complete when the last one and the submitter have let go. */
struct sd_batch {
	atomic_t pending;
	blk_status_t status;
	struct completion done;
};

static void batch_put(struct sd_batch *batch)
{
	if (atomic_dec_and_test(&batch->pending))
		complete(&batch->done);
}

static void batch_endio(struct bio *bio)
{
	struct sd_batch *batch = bio->bi_private;

	if (bio->bi_status)
		WRITE_ONCE(batch->status, bio->bi_status);
	bio_put(bio);
	batch_put(batch);
}

/* Submit the block's sectors in mask, which are cached, as few bios. */
static void write_block(struct simdisk *sd, struct sd_batch *batch, unsigned long index, struct sd_block *block,
			u8 mask)
{
	unsigned int i = 0, len;

	for (; i < BLOCK_SECTORS; i += len) {
		bool zero = block->zero & (1 << i);
		struct bio *bio;

		for (len = 1; i + len < BLOCK_SECTORS; len++)
			if (!(mask & (1 << (i + len))) != !(mask & (1 << i)) ||
			    !(block->zero & (1 << (i + len))) != !zero)
				break;
		if (!(mask & (1 << i)))
			continue;

		bio = bio_alloc(sd->dev->bdev, 1, REQ_OP_WRITE, GFP_NOIO);
		bio->bi_iter.bi_sector = (sector_t)index * BLOCK_SECTORS + i;
		__bio_add_page(bio, zero ? ZERO_PAGE(0) : virt_to_page(block->data), len << SECTOR_SHIFT,
			       i << SECTOR_SHIFT);
		bio->bi_private = batch;
		bio->bi_end_io = batch_endio;
		atomic_inc(&batch->pending);
		submit_bio(bio);
	}
}

/*
 * Write cached sectors of [start, end) to dev, all of them or, with coins, those that the coin chooses; those that
 * were written leave the cache. After an error all stay there: what dev holds of them is older or the same.
 */
blk_status_t simdisk_write_back(struct simdisk *sd, sector_t start, sector_t end, bool coins)
{
	struct sd_batch batch = { .pending = ATOMIC_INIT(1), .done = COMPLETION_INITIALIZER_ONSTACK(batch.done) };
	unsigned long index, last = (end - 1) / BLOCK_SECTORS;
	struct sd_block *block;
	struct blk_plug plug;
	struct rnd_state coin;

	coin = sd->coin;
	blk_start_plug(&plug);
	xa_for_each_range(&sd->blocks, index, block, start / BLOCK_SECTORS, last) {
		u8 mask = block->cached & block_mask(index, start, end);

		write_block(sd, &batch, index, block, coins ? throw_coins(sd, block, mask) : mask);
	}
	blk_finish_plug(&plug);
	batch_put(&batch);
	wait_for_completion_io(&batch.done);
	if (batch.status)
		return batch.status;

	/* The same coins again, now to drop what they chose. */
	sd->coin = coin;
	xa_for_each_range(&sd->blocks, index, block, start / BLOCK_SECTORS, last) {
		u8 mask = block->cached & block_mask(index, start, end);

		if (coins)
			mask = throw_coins(sd, block, mask);
		if (mask)
			drop(sd, index, block, mask);
	}
	return BLK_STS_OK;
}

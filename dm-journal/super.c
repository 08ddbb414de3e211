// SPDX-License-Identifier: GPL-2.0-only
/*
 * The superblock slots of the log device.
 *
 * Always true: a superblock is written with FUA to the slot that does not hold
 * the newest one, so a crash while it is written leaves the one before.
 */
#include <linux/slab.h>

#include "journal.h"

/* One synchronous bio to the log device. @page: physically contiguous. */
int journal_log_io(struct block_device *log, blk_opf_t opf, sector_t sector, struct page *page,
		   unsigned int bytes)
{
	struct bio_vec vec;
	struct bio bio;
	int r;

	might_sleep();
	bio_init(&bio, log, &vec, 1, opf | REQ_SYNC | REQ_IDLE | REQ_META);
	bio.bi_iter.bi_sector = sector;
	__bio_add_page(&bio, page, bytes, 0);
	r = submit_bio_wait(&bio);
	bio_uninit(&bio);
	return r;
}

static sector_t super_sector(u64 slot)
{
	return slot * (JFMT_SUPER_STRIDE / JFMT_SECTOR);
}

/*
 * Read both slots, give the newest valid superblock. -EIO, -EBADMSG, ...: *@why
 * says in words what is wrong and what to do.
 */
int journal_super_read(struct block_device *log, struct jsuper *out, const char **why)
{
	struct jsuper *sb = kmalloc_array(JFMT_SUPER_SLOTS, sizeof(*sb), GFP_NOIO);
	struct page *page = alloc_page(GFP_NOIO);
	enum jsuper_verdict v[JFMT_SUPER_SLOTS] = { JSUPER_UNREADABLE, JSUPER_UNREADABLE };
	int best = -1;
	unsigned int i;

	*why = "out of memory";
	if (!sb || !page) {
		best = -ENOMEM;
		goto out;
	}
	for (i = 0; i < JFMT_SUPER_SLOTS; i++)
		if (!journal_log_io(log, REQ_OP_READ, super_sector(i), page, JFMT_SUPER_SIZE))
			v[i] = jsuper_decode(page_address(page), bdev_nr_sectors(log), &sb[i]);
	best = jsuper_choose(v, sb);
	if (best >= 0)
		*out = sb[best];
out:
	if (page)
		__free_page(page);
	kfree(sb);
	if (best >= 0)
		return 0;
	if (best == -ENOMEM)
		return best;

	/* the slot that tells most */
	i = v[0] == JSUPER_FOREIGN || v[0] == JSUPER_UNREADABLE ? 1 : 0;
	if (v[i] == JSUPER_FOREIGN)
		i = 0;
	*why = jsuper_verdict_text(v[i]);
	return v[i] == JSUPER_UNREADABLE ? -EIO : -EBADMSG;
}

/* Write j->super as the next generation. super_lock is held; -EIO latches the log's error. */
int journal_super_write(struct journal *j, blk_opf_t opf)
{
	int r;

	lockdep_assert_held(&j->super_lock);
	if (READ_ONCE(j->error))
		return -EIO;
	j->super.generation++;
	jsuper_encode(&j->super, page_address(j->super_page));
	r = journal_log_io(j->log, REQ_OP_WRITE | REQ_FUA | opf,
			   super_sector(j->super.generation % JFMT_SUPER_SLOTS),
			   j->super_page, JFMT_SUPER_SIZE);
	if (opf & REQ_PREFLUSH)
		this_cpu_inc(j->stats->log_preflushes);
	if (r) {
		this_cpu_inc(j->stats->log_errors);
		journal_fail(j, "log-superblock", r);
	}
	return r;
}

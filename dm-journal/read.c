// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reads: from staging, from the log, or from the home.
 *
 * Always true: a read is split where the answer changes, so each clone has one
 * source; one that goes to the log holds a pin from before it asks the index
 * until its end, and log space is reused only after the pins that could see it
 * are gone; a checksum that does not match is read again into own pages before
 * it is called an error, because callers may scribble on their buffers.
 *
 * A crash leaves nothing behind: reads change nothing.
 */
#include "journal.h"
#include "trace.h"

/* Reads in own pages are cut into pieces of this size (sectors). */
#define READ_BOUNCE	((u32)(PAGE_SIZE << JOURNAL_BOUNCE_ORDER) / JFMT_SECTOR)
/* Longer ones are not checked in interrupt context. */
#define READ_CHECK_INLINE	64

void journal_pins_init(struct journal_pins *p)
{
	atomic_set(&p->count[0], 0);
	atomic_set(&p->count[1], 0);
	p->current_count = 0;
	init_waitqueue_head(&p->wait);
}

static int pin_get(struct journal_pins *p)
{
	int i = READ_ONCE(p->current_count);

	atomic_inc(&p->count[i]);
	/* count before the index is asked; pairs with journal_pins_drain() */
	smp_mb__after_atomic();
	return i;
}

static void pin_put(struct journal_pins *p, int i)
{
	if (atomic_dec_and_test(&p->count[i]))
		wake_up(&p->wait);
}

/*
 * Wait until every read that could have seen an index entry dropped before has
 * ended. A read takes the counter that was current a moment ago, so both are
 * waited for, each while new reads use the other, as sleepable RCU does.
 */
void journal_pins_drain(struct journal_pins *p)
{
	int n;

	might_sleep();
	for (n = 0; n < 2; n++) {
		int old = p->current_count;

		WRITE_ONCE(p->current_count, !old);
		/* the drop and the flip before the count; pairs with pin_get() */
		smp_mb();
		wait_event(p->wait, !atomic_read(&p->count[old]));
	}
}

/* Is @pos in staging when the head is at @head? If @head is older than @pos, it is. */
static bool read_is_staged(const struct journal *j, struct jpos pos, u64 head)
{
	return pos.v >= j->staging_low.v && (s64)(head - pos.v) <= (s64)j->staging.sectors;
}

/* R3: from staging, if it is still there when the copy is done. */
static bool read_staging(struct journal *j, struct bio *bio, struct jpos pos)
{
	if (!read_is_staged(j, pos, READ_ONCE(j->head.v)))
		return false;
	jwin_copy_to_bio(&j->staging, pos, bio);
	/* the copy before the head; pairs with space_set_head() */
	smp_rmb();
	return read_is_staged(j, pos, READ_ONCE(j->head.v));
}

/* May @bio be sent to the log device as it is? The checksum needs its sectors whole, too. */
static bool read_can_remap(struct journal *j, struct bio *bio, struct jpos pos)
{
	u32 lbs = bdev_logical_block_size(j->log);
	u32 align = (lbs - 1) | bdev_dma_alignment(j->log) | (JFMT_SECTOR - 1);
	struct bvec_iter iter;
	struct bio_vec bv;

	if ((jring_dev(&j->geo, pos) * JFMT_SECTOR) & (lbs - 1))
		return false;
	bio_for_each_bvec(bv, bio, iter)
		if ((bv.bv_offset | bv.bv_len) & align)
			return false;
	return true;
}

static u32 read_crc(struct journal *j, struct bio *bio, struct bvec_iter start)
{
	u32 crc = jpayload_seed(&j->geo);
	struct bvec_iter iter;
	struct bio_vec bv;

	__bio_for_each_segment(bv, bio, iter, start) {
		void *p = bvec_kmap_local(&bv);

		crc = jpayload_crc(crc, p, bv.bv_len);
		kunmap_local(p);
	}
	return crc;
}

static bool read_matches(const struct jmap *m, u32 crc)
{
	return !m->has_check || jindex_check(crc) == m->check;
}

static void read_copy(struct bio *bio, struct bvec_iter *iter, char *from, u32 bytes)
{
	while (bytes) {
		struct bio_vec bv = bio_iter_iovec(bio, *iter);

		bv.bv_len = min(bv.bv_len, bytes);
		memcpy_to_bvec(&bv, from);
		bio_advance_iter(bio, iter, bv.bv_len);
		from += bv.bv_len;
		bytes -= bv.bv_len;
	}
}

/* R5: read into own pages, check, copy. */
static blk_status_t read_bounce(struct journal *j, struct bio *bio, const struct jbio *b)
{
	u32 unit = bdev_logical_block_size(j->log) / JFMT_SECTOR;
	struct page *page = mempool_alloc(&j->bounce_pages, GFP_NOIO);
	u64 sector = jring_dev(&j->geo, b->map.pos);
	u32 crc = jpayload_seed(&j->geo), left = b->map.len;
	struct bvec_iter iter = b->iter;
	int r = 0;

	while (left) {
		u32 skip = sector % unit;
		u32 n = min(left, READ_BOUNCE - unit);
		char *data = page_address(page) + skip * JFMT_SECTOR;

		r = journal_log_io(j->log, REQ_OP_READ, sector - skip, page,
				   round_up(skip + n, unit) * JFMT_SECTOR);
		if (r)
			break;
		crc = jpayload_crc(crc, data, n * JFMT_SECTOR);
		read_copy(bio, &iter, data, n * JFMT_SECTOR);
		sector += n;
		left -= n;
	}
	mempool_free(page, &j->bounce_pages);
	if (r)
		return errno_to_blk_status(r);
	if (!read_matches(&b->map, crc)) {
		DMERR_LIMIT("%s: log sector %llu (volume sector %llu) fails its checksum; run jbdctl log verify",
			    journal_name(j), jring_dev(&j->geo, b->map.pos), b->map.home.v);
		return BLK_STS_IOERR;
	}
	return BLK_STS_OK;
}

/* Ends a read that has no page of its own yet, or whose checksum is still to be judged. */
static void read_work(struct work_struct *work)
{
	struct jbio *b = container_of(work, struct jbio, work);
	struct bio *bio = bio_of(b);
	blk_status_t status = BLK_STS_OK;

	if (!b->remapped || !read_matches(&b->map, read_crc(b->j, bio, b->iter)))
		status = read_bounce(b->j, bio, b);
	b->remapped = false;
	journal_end(bio, status);
}

static void read_unpin(struct journal *j, struct jbio *b)
{
	pin_put(&j->pins, b->pin);				/* R6 */
	b->pin = -1;
}

/* R1-R4 */
int journal_read(struct journal *j, struct bio *bio)
{
	struct jsec home = journal_home_sector(j, bio);
	struct jbio *b = jbio_of(bio);
	struct jmap *m = &b->map;
	u64 head;

	this_cpu_inc(j->stats->reads);
	b->pin = pin_get(&j->pins);				/* R1 */
again:
	head = smp_load_acquire(&j->head.v);
	jindex_lookup(j->index, home, bio_sectors(bio), m);
	if (m->len < bio_sectors(bio))
		dm_accept_partial_bio(bio, m->len);
	trace_journal_read(j, m);

	if (!m->mapped) {					/* R2 */
		read_unpin(j, b);
		bio_set_dev(bio, j->home);
		bio->bi_iter.bi_sector = home.v;
		return DM_MAPIO_REMAPPED;
	}
	if (m->kind != JFMT_DATA) {
		zero_fill_bio(bio);
		bio_endio(bio);
		return DM_MAPIO_SUBMITTED;
	}
	if (read_staging(j, bio, m->pos)) {			/* R3 */
		this_cpu_inc(j->stats->reads_staging);
		bio_endio(bio);
		return DM_MAPIO_SUBMITTED;
	}
	/*
	 * What was in staging before it was looked up may have been overwritten in place since, and have
	 * another checksum; not any more, now that it has left staging.
	 */
	if (read_is_staged(j, m->pos, head))
		goto again;
	this_cpu_inc(j->stats->reads_log);
	b->iter = bio->bi_iter;
	if (!read_can_remap(j, bio, m->pos)) {
		INIT_WORK(&b->work, read_work);
		queue_work(j->read_wq, &b->work);
		return DM_MAPIO_SUBMITTED;
	}
	b->remapped = true;					/* R4 */
	bio_set_dev(bio, j->log);
	bio->bi_iter.bi_sector = jring_dev(&j->geo, m->pos);
	return DM_MAPIO_REMAPPED;
}

int journal_read_end(struct journal *j, struct bio *bio, blk_status_t status)
{
	struct jbio *b = jbio_of(bio);

	if (b->remapped && !status && b->map.has_check &&
	    (b->map.len > READ_CHECK_INLINE || !read_matches(&b->map, read_crc(j, bio, b->iter)))) {
		INIT_WORK(&b->work, read_work);
		queue_work(j->read_wq, &b->work);
		return DM_ENDIO_INCOMPLETE;
	}
	read_unpin(j, b);
	return DM_ENDIO_DONE;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Writes: copied into the open record, indexed, acknowledged.
 *
 * Always true: a write gets its place in the log, and with it its order among
 * overlapping writes, in one step under the lock; it is in the index before it
 * is acknowledged; a checksum is made of the copy in staging, never of the
 * caller's pages. Deferred writes are admitted in order of arrival, and later
 * ones queue behind them.
 *
 * A crash loses writes that no flush or FUA has covered, as with the volatile
 * cache of a disk, and always whole records of them from the end.
 */
#include <linux/hash.h>

#include "journal.h"
#include "trace.h"

/* Overwrites up to this size are looked for in the open record (sectors). */
#define WRITE_ABSORB_MAX	16

static u64 *write_filter(struct jrec *rec, struct jsec home, u64 *bit)
{
	u32 h = hash_64(home.v / 8, 11);

	*bit = 1ull << (h % 64);
	return &rec->seen[h / 64];
}

/* The extent of @rec whose payload holds @pos; its start in *@start. The index knows of it. */
static struct jfmt_extent *write_find_extent(struct journal *j, struct jrec *rec,
					     struct jpos pos, struct jpos *start)
{
	struct jfmt_record *h = rec->header;
	struct jfmt_extent *x = h->extent;
	u32 left = jgeo_header_extents(&j->geo), next = le32_to_cpu(READ_ONCE(h->next_desc));
	u32 at = j->geo.unit;

	for (;;) {
		u32 len = (le64_to_cpu(x->where) >> JFMT_HOME_BITS) == JFMT_DATA ?
			  le32_to_cpu(x->len) : 0;

		if (pos.v < rec->pos.v + at + len) {
			*start = jpos_add(rec->pos, at);
			return x;
		}
		at += len;
		x++;
		if (!--left) {
			struct jfmt_desc *d = jwin_at(&j->staging, jpos_add(rec->pos, next));

			at = next + j->geo.unit;
			x = d->extent;
			left = jgeo_desc_extents(&j->geo);
			next = le32_to_cpu(READ_ONCE(d->next_desc));
		}
	}
}

/*
 * Overwrite in place what @rec already holds. The caller counts as a writer of
 * @rec, so it is not sealed; absorb_lock makes one overwrite follow the other.
 */
static bool write_absorb(struct journal *j, struct jrec *rec, struct bio *bio, struct jsec home,
			 u32 len)
{
	struct jfmt_extent *x;
	struct jpos start;
	struct jmap m;
	bool found;

	spin_lock(&j->absorb_lock);
	jindex_lookup(j->index, home, len, &m);
	found = m.mapped && m.kind == JFMT_DATA && m.len == len && m.pos.v >= rec->pos.v &&
		m.pos.v < rec->pos.v + READ_ONCE(rec->len);
	if (found) {
		x = write_find_extent(j, rec, m.pos, &start);
		found = m.pos.v + len <= start.v + le32_to_cpu(x->len) &&
			le32_to_cpu(x->len) <= WRITE_ABSORB_MAX;
	}
	if (found) {
		u32 crc;

		jwin_copy_from_bio(&j->staging, m.pos, bio);
		crc = jwin_crc(&j->staging, start, le32_to_cpu(x->len),
			       jpayload_seed(&j->geo));
		x->crc = cpu_to_le32(crc);
		m.has_check = le32_to_cpu(x->len) == len;
		m.check = jindex_check(crc);
		jindex_insert(j->index, &m);
	}
	spin_unlock(&j->absorb_lock);
	return found;
}

/* W6: acknowledge, or with FUA wait for the record. The copy still counts as under way. */
void journal_write_end(struct journal *j, struct bio *bio, struct jslot *slot)
{
	bool wait = bio->bi_opf & REQ_FUA;

	if (wait) {
		spin_lock_irq(&j->lock);
		if (j->error)
			wait = false;
		else
			journal_wait_commit(j, bio, slot->rec->seq);	/* space_put() comes */
		spin_unlock_irq(&j->lock);
		if (!wait)
			journal_end(bio, BLK_STS_IOERR);
	} else {
		journal_end(bio, BLK_STS_OK);
	}
	space_put(slot, wait);
}

/*
 * What a write into @rec means for flushes and epochs. The epoch of a FUA write ends with its
 * record. Not only where it begins to wait: until then the next record may have opened, and
 * it takes writes that come after the FUA was acknowledged. [lock]
 */
void journal_write_order(struct journal *j, const struct bio *bio, const struct jrec *rec)
{
	if (bio->bi_opf & REQ_FUA)
		j->epoch++;
	else
		j->owed_seq = rec->seq;
}

bool journal_reserve(struct journal *j, u32 len, bool deferred)
{
	int r = jindex_reserve(j->index, len);

	if (deferred && r != READ_ONCE(j->no_nodes)) {
		spin_lock_irq(&j->lock);
		j->no_nodes = r;
		spin_unlock_irq(&j->lock);
	}
	return !r;
}

/* False: no room now, and nothing has happened. */
static bool write_admit(struct journal *j, struct bio *bio, bool deferred)
{
	struct jsec home = journal_home_sector(j, bio);
	u32 len = bio_sectors(bio), crc;
	struct jslot slot = { };
	struct jmap m;
	u64 *word, bit;

	if (!journal_reserve(j, len, deferred))			/* W2 */
		return false;
	spin_lock_irq(&j->lock);
	if (j->error) {
		spin_unlock_irq(&j->lock);
		jindex_unreserve(j->index, len);
		journal_end(bio, BLK_STS_IOERR);
		return true;
	}
	if (!deferred && (j->nr_deferred || throttle_wait(j)))
		goto no_room;
	if (j->open && len <= WRITE_ABSORB_MAX) {
		word = write_filter(j->open, home, &bit);
		if (*word & bit) {
			slot.rec = j->open;
			atomic_inc(&slot.rec->writers);
			journal_write_order(j, bio, slot.rec);
			spin_unlock_irq(&j->lock);
			if (write_absorb(j, slot.rec, bio, home, len))
				goto done;
			space_put(&slot, false);
			spin_lock_irq(&j->lock);
			if (j->nr_deferred && !deferred)
				goto no_room;
		}
	}
	if (!space_take(j, home, len, JFMT_DATA, &slot))	/* W3 */
		goto no_room;
	throttle_charge(j, len);
	word = write_filter(slot.rec, home, &bit);
	*word |= bit;
	journal_write_order(j, bio, slot.rec);
	spin_unlock_irq(&j->lock);

	jwin_copy_from_bio(&j->staging, slot.pos, bio);		/* W4 */
	crc = jwin_crc(&j->staging, slot.pos, len, jpayload_seed(&j->geo));
	slot.extent->crc = cpu_to_le32(crc);
	m = (struct jmap) {
		.home = home, .len = len, .kind = JFMT_DATA, .mapped = true,
		.pos = slot.pos, .has_check = true, .check = jindex_check(crc),
	};
	jindex_insert(j->index, &m);				/* W5 */
done:
	this_cpu_inc(j->stats->writes);
	this_cpu_add(j->stats->write_sectors, len);
	if (bio->bi_opf & REQ_FUA)
		this_cpu_inc(j->stats->fuas);
	trace_journal_write(j, home, len, slot.rec->seq);
	journal_write_end(j, bio, &slot);
	return true;

no_room:
	spin_unlock_irq(&j->lock);
	jindex_unreserve(j->index, len);
	return false;
}

/* W1 */
void journal_write(struct journal *j, struct bio *bio)
{
	if (bio_sectors(bio) > journal_atomic(j))
		dm_accept_partial_bio(bio, journal_atomic(j));
	if (!write_admit(j, bio, false))
		journal_defer(j, bio);
}

void journal_kick_admission(struct journal *j)
{
	mod_delayed_work(j->admit_wq, &j->admit_work, 0);
}

void journal_defer(struct journal *j, struct bio *bio)
{
	bool first;

	/* whoever is not the first is served behind him, by whom he has called */
	spin_lock_irq(&j->lock);
	list_add_tail(&jbio_of(bio)->list, &j->deferred);
	first = !j->nr_deferred++;
	trace_journal_defer(j, bio);
	spin_unlock_irq(&j->lock);
	this_cpu_inc(j->stats->deferred);
	if (first)
		journal_kick_admission(j);
}

/*
 * There is no room, and neither a commit nor a checkpoint will make any: the home fails. What
 * lacks memory only, not the index's cap, waits for that. [lock]
 */
static bool write_is_stuck(const struct journal *j)
{
	return j->ckpt_stalled && journal_no_room(j) && !j->open &&
	       j->durable.seq + 1 == j->next_seq && j->tail.pos.v < journal_ckpt_end(j).v;
}

/*
 * Serve deferred bios in order, as far as there is room and time has come. When there is no room,
 * the first goes back to its place before space is asked for, so whoever frees
 * space finds it; memory may return without anybody's notice, hence the timer.
 */
void journal_admit_work(struct work_struct *work)
{
	struct journal *j = container_of(to_delayed_work(work), struct journal, admit_work);

	for (;;) {
		blk_status_t status = BLK_STS_OK;
		struct jbio *b;
		struct bio *bio;
		unsigned long wait;
		bool served;

		spin_lock_irq(&j->lock);
		b = list_first_entry_or_null(&j->deferred, struct jbio, list);
		wait = throttle_wait(j);
		if (!b || wait) {
			spin_unlock_irq(&j->lock);
			if (b)
				queue_delayed_work(j->admit_wq, &j->admit_work, wait);
			return;
		}
		list_del(&b->list);
		spin_unlock_irq(&j->lock);

		bio = bio_of(b);
		served = bio_op(bio) == REQ_OP_WRITE ? write_admit(j, bio, true) :
						       journal_discard(j, bio);
		spin_lock_irq(&j->lock);
		/* the core takes them back only as long as it has not given the suspend up */
		if (!served && j->requeue && dm_noflush_suspending(j->ti))
			status = BLK_STS_DM_REQUEUE;
		else if (!served && (j->error || write_is_stuck(j)))
			status = BLK_STS_IOERR;
		else if (!served && journal_hold_refuses(j))
			status = BLK_STS_NOSPC;
		if (served || status) {
			j->nr_deferred--;
		} else {
			list_add(&b->list, &j->deferred);
			if (j->open) {
				j->want_seq = j->open->seq;
				journal_kick_commit(j);
			}
		}
		spin_unlock_irq(&j->lock);
		if (status == BLK_STS_NOSPC)
			journal_hold_report(j, "hold-full");
		if (status) {
			journal_end(bio, status);
		} else if (!served) {
			journal_kick_checkpoint(j);
			queue_delayed_work(j->admit_wq, &j->admit_work, HZ / 10);
			return;
		}
	}
}

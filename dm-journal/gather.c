// SPDX-License-Identifier: GPL-2.0-only
/*
 * K1: what the next batch is made of.
 *
 * Always true: the image mirrors [image_low, image_high) of the log, read from
 * staging where that still has it. A batch ends at or before every mark, where
 * the log was durable, and never before a ckpt_to that is not at home.
 *
 * A crash here leaves nothing: only memory changes.
 */
#include "journal.h"
#include "trace.h"

/* Extend the image from staging, if it is all still there when the copy is done. */
static bool image_from_staging(struct journal *j, struct jpos pos, u32 sectors)
{
	if (pos.v < j->staging_low.v)
		return false;
	if (READ_ONCE(j->head.v) - pos.v > j->staging.sectors)
		return false;
	jwin_copy(&j->image, &j->staging, pos, sectors);
	/* the copy before the head; pairs with space_set_head() */
	smp_rmb();
	return READ_ONCE(j->head.v) - pos.v <= j->staging.sectors;
}

static int image_from_log(struct journal *j, struct jpos pos, u32 sectors)
{
	struct bio bio;
	int r;

	bio_init(&bio, j->log, j->image_vecs, jwin_vecs(JOURNAL_CKPT_READ), REQ_OP_READ);
	bio.bi_iter.bi_sector = jring_dev(&j->geo, pos);
	jwin_to_bio(&j->image, pos, sectors, &bio);
	r = submit_bio_wait(&bio);
	bio_uninit(&bio);
	return r;
}

/*
 * Have [@pos, @pos + @sectors) in the image, which keeps what else it holds
 * from @keep on. @end: nothing behind it is durable.
 */
static int image_have(struct journal *j, struct jpos keep, struct jpos pos, u32 sectors,
		      struct jpos end)
{
	if (pos.v + sectors > end.v || pos.v + sectors - keep.v > j->image.sectors)
		return -ENOSPC;
	if (pos.v < j->image_low.v || pos.v > j->image_high.v) {
		j->image_low = pos;
		j->image_high = pos;
	}
	while (j->image_high.v < pos.v + sectors) {
		u64 room = keep.v + j->image.sectors - j->image_high.v;
		u32 n = min3(end.v - j->image_high.v, jring_left(&j->geo, j->image_high),
			     min_t(u64, JOURNAL_CKPT_READ, room));
		int r = 0;

		if (!image_from_staging(j, j->image_high, n))
			r = image_from_log(j, j->image_high, n);
		if (r)
			return r;
		j->image_high.v += n;
		if (j->image_high.v - j->image_low.v > j->image.sectors)
			j->image_low.v = j->image_high.v - j->image.sectors;
	}
	return 0;
}

/* Is the record that follows @last at @pos? 1, 0, or -errno. */
static int record_at(struct journal *j, struct jpos keep, struct jpos pos,
		     const struct jtail *last, struct jpos end, struct jrecord *rec)
{
	int r = image_have(j, keep, pos, j->geo.unit, end);

	if (r)
		return r == -ENOSPC ? 0 : r;
	return jrecord_decode(&j->geo, pos, jwin_at(&j->image, pos), rec) &&
	       rec->prev_seq == last->seq && rec->prev_crc == last->crc;
}

/*
 * Does the batch end before @rec? A coalesced one that was interrupted is sent as
 * such, even if batch_mib is no longer asked for.
 */
static bool batch_ends(struct journal *j, struct jbatch *b, const struct jrecord *rec)
{
	bool reached = b->last.seq >= j->super.ckpt_to_seq;

	if (b->coalesced)
		return reached && (!j->opts.batch_mib ||
				   rec->pos.v + rec->len - b->from.pos.v > j->batch_limit);
	if (rec->epoch == b->last.epoch)
		return false;
	if (!reached)
		b->coalesced = true;
	return reached;
}

static int gather(struct journal *j, struct jbatch *b)
{
	struct jpos keep = b->from.pos, end;
	int r;

	spin_lock_irq(&j->lock);
	end = journal_ckpt_end(j);
	spin_unlock_irq(&j->lock);

	while (b->last.pos.v < end.v) {
		struct jpos pos = b->last.pos;
		bool first = pos.v == b->from.pos.v;
		struct jrecord rec;

		r = 0;
		if (jring_left(&j->geo, pos) >= j->geo.unit)
			r = record_at(j, keep, pos, &b->last, end, &rec);
		if (!r) {
			/* it did not fit: the batch ends, or starts, with the lap */
			if (!first)
				break;
			keep = jring_next_lap(&j->geo, pos);
			r = record_at(j, keep, keep, &b->last, end, &rec);
			if (!r)
				r = -EBADMSG;
		}
		if (r < 0)
			return r;
		if (!first && batch_ends(j, b, &rec))
			break;
		r = image_have(j, keep, rec.pos, rec.len, end);
		if (!r)
			r = batch_add(j, b, &rec);
		if (r == -ENOSPC && !first)
			break;
		if (r)
			return r;
		b->several |= !first && rec.epoch != b->last.epoch;
		b->last = (struct jtail) {
			.pos = jpos_add(rec.pos, rec.len), .seq = rec.seq, .crc = rec.crc,
			.epoch = rec.epoch,
		};
		b->time_ms = rec.time_ms;
	}
	return b->last.pos.v > b->from.pos.v;
}

int batch_gather(struct journal *j, struct jbatch *b, const struct jtail *from)
{
	int r;

	b->from = *from;
	b->last = *from;
	b->several = false;
	b->lone = false;
	b->coalesced = j->opts.batch_mib && !j->batch_in_place;
	r = gather(j, b);
	if (r <= 0)
		return r;
	trace_journal_batch(j, b->last.seq, b->last.pos, b->last.pos.v - from->pos.v);
	return b->coalesced && b->last.seq < j->super.ckpt_to_seq ? -EXDEV : 1;
}

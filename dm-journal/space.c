// SPDX-License-Identifier: GPL-2.0-only
/*
 * Log space and the open record.
 *
 * Always true: what the open record holds lies in staging at its final log
 * position, descriptors and payload; space for its header, further descriptors
 * and padding was taken together with each extent, so that closing and
 * committing it can never lack anything. Positions below free_to are reused;
 * positions from durable.pos on are never overwritten in staging.
 *
 * A crash forgets the open record, of which nothing was acknowledged as durable.
 */
#include <linux/ktime.h>

#include "journal.h"

u32 space_weight(u32 len)
{
	return 1 + len / 8192;
}

/* May the record @seq reach up to @end? [lock] */
static bool space_room(const struct journal *j, u64 seq, struct jpos end)
{
	u64 inflight = end.v - j->durable.pos.v;

	if (end.v - j->free_to.v > j->geo.area_len || inflight > j->staging.sectors)
		return false;
	/* the only record that is not durable may be of any size */
	return seq == j->durable.seq + 1 || inflight <= 2ull * j->opts.inflight_kib;
}

static void space_set_head(struct journal *j, struct jpos head)
{
	WRITE_ONCE(j->head.v, head.v);
	/* before the bytes in staging change; pairs with read_staging() */
	smp_wmb();
}

/* A fresh descriptor in staging, @offset sectors into the record. [lock] */
static void *space_descriptor(struct journal *j, struct jrec *rec, u32 offset)
{
	void *block = jwin_at(&j->staging, jpos_add(rec->pos, offset));

	memset(block, 0, j->geo.unit * JFMT_SECTOR);
	rec->last = block;
	rec->desc = offset;
	rec->nr_desc++;
	rec->nr_extents = 0;
	return block;
}

/* Open a record that takes @payload sectors at first. [lock] */
static struct jrec *space_open(struct journal *j, u32 payload)
{
	u32 need = jround_unit(&j->geo, j->geo.unit + payload);
	struct jrec *rec = journal_rec(j, j->next_seq);
	struct jpos pos = j->head;

	if (j->next_seq - j->durable.seq > JOURNAL_RECS)
		return NULL;
	if (jring_left(&j->geo, pos) < need)
		pos = jring_next_lap(&j->geo, pos);
	if (!space_room(j, j->next_seq, jpos_add(pos, need)))
		return NULL;

	rec->seq = j->next_seq++;
	rec->epoch = j->epoch;
	rec->time_ms = ktime_get_real_ns() / NSEC_PER_MSEC;
	rec->opened = jiffies;
	rec->pos = pos;
	rec->len = j->geo.unit;
	rec->limit = min_t(u64, j->geo.record_max, jring_left(&j->geo, pos));
	rec->flags = 0;
	rec->weight = 0;
	rec->nr_desc = 0;
	rec->state = JREC_OPEN;
	atomic_set(&rec->writers, 1);
	memset(rec->seen, 0, sizeof(rec->seen));
	space_set_head(j, jpos_add(pos, need));
	rec->header = space_descriptor(j, rec, 0);
	j->open = rec;
	if (!j->lag_since_ms)
		j->lag_since_ms = rec->time_ms;
	queue_delayed_work(j->admit_wq, &j->autocommit_work,
			   msecs_to_jiffies(j->opts.autocommit_ms));
	queue_delayed_work(j->ckpt_wq, &j->ckpt_timer, JOURNAL_CKPT_TIMER);
	return rec;
}

bool space_close(struct journal *j)
{
	struct jrec *rec = j->open;

	lockdep_assert_held(&j->lock);
	j->open = NULL;
	rec->state = JREC_CLOSED;
	return atomic_dec_and_test(&rec->writers);
}

/* Does anybody wait for a log write to end? As it was a moment ago. */
static bool space_is_awaited(struct journal *j)
{
	return READ_ONCE(j->nr_waiting) || READ_ONCE(j->nr_deferred) ||
	       wq_has_sleeper(&j->idle_wait);
}

void space_put(struct jslot *slot, bool waits)
{
	struct journal *j = slot->rec->j;

	if (!atomic_dec_and_test(&slot->rec->writers) && !slot->ready)
		return;
	if (waits || !current->plug || !space_is_awaited(j))
		journal_commit(j);
	else
		journal_kick_commit(j);
}

/*
 * W3: a place in the open record for @len sectors of @home, or false: no room
 * now. The caller owns a copy under way (space_put()).
 */
bool space_take(struct journal *j, struct jsec home, u32 len, enum jfmt_kind kind,
		struct jslot *slot)
{
	u32 payload = kind == JFMT_DATA ? len : 0;
	struct jrec *rec = j->open;
	bool new_desc = false;
	struct jfmt_extent *x;
	u32 at, end;

	lockdep_assert_held(&j->lock);
	slot->ready = false;
	if (rec) {
		new_desc = rec->nr_extents == (rec->desc ? jgeo_desc_extents(&j->geo) :
					       jgeo_header_extents(&j->geo));
		at = new_desc ? jround_unit(&j->geo, rec->len) + j->geo.unit : rec->len;
		end = jround_unit(&j->geo, at + payload);
		if (end > rec->limit || rec->weight + space_weight(len) > JOURNAL_WEIGHT) {
			slot->ready = space_close(j);
			rec = NULL;
		} else if (!space_room(j, rec->seq, jpos_add(rec->pos, end))) {
			return false;
		}
	}
	if (!rec) {
		rec = space_open(j, payload);
		if (!rec) {
			if (slot->ready)
				journal_kick_commit(j);
			return false;
		}
		new_desc = false;
		at = rec->len;
		end = jround_unit(&j->geo, at + payload);
	}
	space_set_head(j, jpos_add(rec->pos, end));

	if (new_desc) {
		u32 next = at - j->geo.unit;

		if (rec->desc) {
			((struct jfmt_desc *)rec->last)->next_desc = cpu_to_le32(next);
			((struct jfmt_desc *)rec->last)->nr_extents = cpu_to_le16(rec->nr_extents);
		} else {
			rec->header->next_desc = cpu_to_le32(next);
			rec->header->nr_extents = cpu_to_le16(rec->nr_extents);
		}
		space_descriptor(j, rec, next);
	}
	x = rec->desc ? ((struct jfmt_desc *)rec->last)->extent : rec->header->extent;
	x += rec->nr_extents++;
	x->where = cpu_to_le64(home.v | (u64)kind << JFMT_HOME_BITS);
	x->len = cpu_to_le32(len);
	x->crc = 0;
	rec->len = at + payload;
	rec->weight += space_weight(len);
	atomic_inc(&rec->writers);

	slot->rec = rec;
	slot->extent = x;
	slot->pos = jpos_add(rec->pos, at);
	return true;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * The checkpoint: records go home, oldest epoch first.
 *
 * Always true: a batch is a run of durable records that starts at the tail, of
 * one epoch, or with batch_mib of any number, and ends at or before every mark; its
 * end is in a durable superblock (ckpt_to) before anything of it changes the home,
 * and the tail passes it only in a superblock that is written after the fence
 * behind all its home writes has succeeded. A batch never ends before a ckpt_to
 * that is not at home. Log space is reused after that, and after the reads that
 * could still see it.
 *
 * A crash leaves at home every epoch before the batch's and any part of that;
 * with an intent device below the state before the batch or behind it. Recovery
 * replays from the durable tail. A checkpoint needs no log space.
 */
#include "journal.h"
#include "trace.h"

struct batch {
	struct jpos	end;
	struct jtail	last;		/* the tail when the batch is at home */
	u64		time_ms;	/* when its last record was opened */
	bool		several;	/* epochs */
};

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
static int ckpt_record_at(struct journal *j, struct jpos keep, struct jpos pos,
			  const struct jtail *last, struct jpos end, struct jrecord *rec)
{
	int r = image_have(j, keep, pos, j->geo.unit, end);

	if (r)
		return r == -ENOSPC ? 0 : r;
	return jrecord_decode(&j->geo, pos, jwin_at(&j->image, pos, 0, NULL), rec) &&
	       rec->prev_seq == last->seq && rec->prev_crc == last->crc;
}

/*
 * Does a batch that began at @from end at @b, before @rec? A coalesced one that was
 * interrupted is sent as such, even if batch_mib is no longer asked for.
 */
static bool ckpt_ends(struct journal *j, const struct jtail *from, const struct batch *b,
		      const struct jrecord *rec)
{
	bool reached = b->last.seq >= j->super.ckpt_to_seq;

	if (j->batch_coalesced)
		return reached && (!j->opts.batch_mib ||
				   rec->pos.v + rec->len - from->pos.v > j->batch_limit);
	if (rec->epoch == b->last.epoch)
		return false;
	if (!reached)
		j->batch_coalesced = true;
	return reached;
}

/*
 * K1: fill the batch from the tail on. 1, 0 if nothing is durable there, or -errno;
 * -EXDEV: it would end before what is perhaps at home already.
 */
static int ckpt_gather(struct journal *j, const struct jtail *from, struct batch *b)
{
	struct jpos keep = from->pos, end;
	int r;

	spin_lock_irq(&j->lock);
	end = journal_ckpt_end(j);
	spin_unlock_irq(&j->lock);

	b->end = from->pos;
	b->last = *from;
	b->several = false;
	j->batch_coalesced = j->opts.batch_mib && !j->batch_in_place;
	while (b->end.v < end.v) {
		bool first = b->end.v == from->pos.v;
		struct jrecord rec;

		r = 0;
		if (jring_left(&j->geo, b->end) >= j->geo.unit)
			r = ckpt_record_at(j, keep, b->end, &b->last, end, &rec);
		if (!r) {
			/* it did not fit: the batch ends, or starts, with the lap */
			if (!first)
				break;
			keep = jring_next_lap(&j->geo, b->end);
			r = ckpt_record_at(j, keep, keep, &b->last, end, &rec);
			if (!r)
				r = -EBADMSG;
		}
		if (r < 0)
			return r;
		if (!first && ckpt_ends(j, from, b, &rec))
			break;
		r = image_have(j, keep, rec.pos, rec.len, end);
		if (!r)
			r = batch_add(j, &rec);
		if (r == -ENOSPC && !first)
			break;
		if (r)
			return r;
		b->several |= !first && rec.epoch != b->last.epoch;
		b->end = jpos_add(rec.pos, rec.len);
		b->last = (struct jtail) {
			.pos = b->end, .seq = rec.seq, .crc = rec.crc, .epoch = rec.epoch,
		};
		b->time_ms = rec.time_ms;
	}
	trace_journal_batch(j, b->last.seq, b->end, b->end.v - from->pos.v);
	if (b->end.v == from->pos.v)
		return 0;
	return j->batch_coalesced && b->last.seq < j->super.ckpt_to_seq ? -EXDEV : 1;
}

/* K2, K5: the superblock says where the tail is and which batch may be partly at home. */
static int ckpt_write_super(struct journal *j, const struct jtail *tail, const struct jtail *to)
{
	int r;

	mutex_lock(&j->super_lock);
	j->super.tail_pos = tail->pos;
	j->super.tail_seq = tail->seq;
	j->super.tail_crc = tail->crc;
	j->super.ckpt_to_pos = to->pos;
	j->super.ckpt_to_seq = to->seq;
	j->super.durable_seq = max(j->super.durable_seq, to->seq);
	j->super.epoch = max(j->super.epoch, to->epoch);
	r = journal_super_write(j, 0);
	mutex_unlock(&j->super_lock);
	return r;
}

static void ckpt_measure(struct journal *j, u64 sectors)
{
	u64 now = ktime_get_ns(), ns;

	j->rate_sectors += sectors;
	ns = now - j->rate_start_ns;
	if (ns < NSEC_PER_SEC / 2)
		return;
	if (ns < 10 * NSEC_PER_SEC)
		j->rate = (j->rate + div64_u64(j->rate_sectors * NSEC_PER_SEC, ns)) / 2;
	j->rate_start_ns = now;
	j->rate_sectors = 0;
}

/* Is everything up to @seq at home? [lock] */
bool journal_is_home(const struct journal *j, u64 seq)
{
	return j->tail.seq >= seq ||
	       (j->tail.pos.v == j->durable.pos.v && j->durable.seq >= seq);
}

/* K7: the tail is durable and no read sees what lies below it. */
static void ckpt_free(struct journal *j, const struct batch *b)
{
	LIST_HEAD(served);
	struct jbio *w, *next;
	bool event = false;
	u64 freed;

	spin_lock_irq(&j->lock);
	freed = b->end.v - j->tail.pos.v;
	ckpt_measure(j, freed);
	j->tail = b->last;
	j->free_to = b->end;
	j->lag_since_ms = b->time_ms;
	if (j->tail.pos.v == j->durable.pos.v)
		j->lag_since_ms = j->open ? j->open->time_ms : 0;
	list_for_each_entry_safe(w, next, &j->home_waiters, list)
		if (journal_is_home(j, w->target))
			list_move_tail(&w->list, &served);
	if (j->event_seq && journal_is_home(j, j->event_seq)) {
		j->event_seq = 0;
		event = true;
	}
	if (j->nr_deferred)
		journal_kick_admission(j);
	spin_unlock_irq(&j->lock);
	trace_journal_tail(j, b->last.seq, b->end, freed);
	journal_serve(&served, BLK_STS_OK);
	if (event)
		queue_work(j->admit_wq, &j->event_work);
}

bool journal_no_room(const struct journal *j)
{
	struct jindex_stats st;

	if (space_used(j) + 2 * j->geo.record_max > j->geo.area_len)
		return true;
	jindex_stats(j->index, &st);
	return st.bytes > st.cap_bytes - st.cap_bytes / 8;
}

/* Is there a reason for a batch now? */
static bool ckpt_wanted(struct journal *j)
{
	u64 used, now = ktime_get_real_ns() / NSEC_PER_MSEC;
	bool wanted = false;

	spin_lock_irq(&j->lock);
	used = div64_u64(space_used(j) * 100, j->geo.area_len);
	if (used >= j->opts.high)
		j->ckpt_draining = true;
	else if (used <= j->opts.low)
		j->ckpt_draining = false;
	if (!j->ckpt_stop && !j->error && j->tail.pos.v < journal_ckpt_end(j).v)
		wanted = j->ckpt_draining || !journal_is_home(j, j->ckpt_goal) ||
			 (j->nr_deferred && journal_no_room(j)) ||
			 (j->opts.max_lag_ms && j->lag_since_ms &&
			  now > j->lag_since_ms + j->opts.max_lag_ms) ||
			 (j->opts.idle_ms && time_after(jiffies, READ_ONCE(j->last_io) +
						msecs_to_jiffies(j->opts.idle_ms)));
	spin_unlock_irq(&j->lock);
	return wanted;
}

static void ckpt_stall(struct journal *j, const char *what, u64 seq, int error)
{
	batch_clear(j);
	journal_stall(j, what, seq, error);
	mod_delayed_work(j->ckpt_wq, &j->ckpt_timer, HZ);
}

static const char *ckpt_why(int error)
{
	switch (error) {
	case -ENOMEM:
		return "no-memory";
	case -EXDEV:
		return "batch_mib-too-small";
	default:
		return "log-unreadable";
	}
}

/*
 * A coalesced batch for which there was no memory, or no room in the intent
 * device. True: a smaller one was asked for.
 */
static bool ckpt_shrink(struct journal *j, const struct jtail *from, const struct batch *b, u64 span)
{
	if (!j->batch_coalesced || b->last.seq <= j->super.ckpt_to_seq ||
	    b->end.v - from->pos.v <= j->geo.record_max)
		return false;
	batch_clear(j);
	j->batch_limit = max_t(u64, span, j->geo.record_max);
	journal_kick_checkpoint(j);
	return true;
}

/*
 * A lone epoch that was begun without batch_mib may be more than the intent device
 * has room for; the home has it in part already. True: it is to go in place again.
 */
static bool ckpt_in_place(struct journal *j, const struct batch *b)
{
	if (!j->batch_coalesced || b->several || b->last.seq != j->super.ckpt_to_seq)
		return false;
	batch_clear(j);
	j->batch_in_place = true;
	journal_kick_checkpoint(j);
	return true;
}

static void ckpt_gather_failed(struct journal *j, const struct jtail *from, const struct batch *b,
			       int error)
{
	if (error != -ENOMEM || !ckpt_shrink(j, from, b, b->end.v - from->pos.v))
		ckpt_stall(j, ckpt_why(error), b->last.seq + 1, error);
}

static void ckpt_write_failed(struct journal *j, const struct jtail *from, const struct batch *b,
			      int error)
{
	if (error == -EAGAIN || READ_ONCE(j->error)) {
		batch_clear(j);
		journal_kick_checkpoint(j);
		return;
	}
	if (error == -ENOSPC &&
	    (ckpt_shrink(j, from, b, (b->end.v - from->pos.v) / 2) || ckpt_in_place(j, b)))
		return;
	ckpt_stall(j, error == -ENODEV ? "no-intent-device" :
		   error == -ENOSPC ? "intent-too-small" : "home-write", b->last.seq, error);
}

/* K3; K2 of a coalesced batch is before its last bio: nothing else of it changes the home. */
static int ckpt_send(struct journal *j, const struct jtail *tail, const struct batch *b)
{
	int r = batch_write_home(j);
	bool untouched = !j->batch_begun && j->super.ckpt_to_seq <= tail->seq;

	if (r || !j->batch_coalesced)
		return r;
	r = ckpt_write_super(j, tail, &b->last);
	if (!r)
		r = batch_send_last(j);
	/* refused, and it was the only bio: without batch_mib it can go in epochs */
	if (r == -ENODEV && untouched)
		ckpt_write_super(j, tail, tail);
	return r;
}

void journal_ckpt_run(struct journal *j)
{
	struct jtail tail = j->tail;
	struct batch b, done;
	int r;

	if (!ckpt_wanted(j))
		return;
	r = ckpt_gather(j, &tail, &b);				/* K1 */
	if (r < 0)
		return ckpt_gather_failed(j, &tail, &b, r);
	if (!r || (!j->batch_coalesced && ckpt_write_super(j, &tail, &b.last)))	/* K2 */
		return;
	do {
		r = ckpt_send(j, &tail, &b);			/* K3 */
		if (r)
			return ckpt_write_failed(j, &tail, &b, r);
		r = batch_fence(j);				/* K4 */
		if (r)
			return ckpt_stall(j, "home-fence", b.last.seq, r);
		batch_fingerprint(j);
		batch_forget(j, b.end);				/* K6 */
		this_cpu_inc(j->stats->batches);
		if (j->ckpt_stalled)
			journal_unstall(j);

		done = b;
		tail = done.last;
		j->batch_in_place = false;
		j->batch_limit = min(2 * j->batch_limit, j->image.sectors);
		r = 0;
		if (ckpt_wanted(j)) {
			r = ckpt_gather(j, &tail, &b);
			if (r < 0)
				ckpt_gather_failed(j, &tail, &b, r);
		}
		if (ckpt_write_super(j, &tail, r > 0 && !j->batch_coalesced ? &b.last : &tail)) /* K5 */
			return;
		journal_pins_drain(&j->pins);
		ckpt_free(j, &done);				/* K7 */
		cond_resched();
	} while (r > 0);
}

void journal_ckpt_work(struct work_struct *work)
{
	struct journal *j = container_of(work, struct journal, ckpt_work);

	WRITE_ONCE(j->ckpt_running, true);
	journal_hold_full(j);
	journal_ckpt_run(j);
	WRITE_ONCE(j->ckpt_running, false);
}

void journal_ckpt_timer(struct work_struct *work)
{
	struct journal *j = container_of(to_delayed_work(work), struct journal, ckpt_timer);

	if (ckpt_wanted(j))
		journal_kick_checkpoint(j);
	if (space_used(j))
		queue_delayed_work(j->ckpt_wq, &j->ckpt_timer, JOURNAL_CKPT_TIMER);
}

void journal_kick_checkpoint(struct journal *j)
{
	queue_work(j->ckpt_wq, &j->ckpt_work);
}

u64 journal_request_checkpoint(struct journal *j, u64 seq)
{
	spin_lock_irq(&j->lock);
	if (!seq || seq >= j->next_seq)
		seq = j->next_seq - 1;
	seq = journal_hold_clip(j, seq);
	if (j->open && j->open->seq <= seq) {
		j->want_seq = j->open->seq;
		kthread_queue_work(j->commit_worker, &j->commit_work);
	}
	if (journal_is_home(j, seq)) {
		queue_work(j->admit_wq, &j->event_work);
	} else {
		j->ckpt_goal = max(j->ckpt_goal, seq);
		j->event_seq = max(j->event_seq, seq);
	}
	spin_unlock_irq(&j->lock);
	journal_kick_checkpoint(j);
	return seq;
}

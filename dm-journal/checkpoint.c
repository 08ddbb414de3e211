// SPDX-License-Identifier: GPL-2.0-only
/*
 * The checkpoint: records go home, oldest epoch first.
 *
 * Always true: a batch is a run of durable records that starts at the tail, of
 * one epoch, or with batch_mib of any number; its
 * end is in a durable superblock (ckpt_to) before anything of it changes the home,
 * and the tail passes it only in a superblock that is written after the fence
 * behind all its home writes has succeeded. Log space is reused after that, and
 * after the reads that could still see it.
 *
 * While a coalesced batch goes home, the one behind it is gathered, and with an
 * intent device below sent but for its last bio, without which it changes nothing
 * at home. The superblock that moves the tail to the end of the one has the end of
 * the other.
 *
 * A crash leaves at home every epoch before the batch's and any part of that;
 * with an intent device below the state before the batch or behind it. Recovery
 * replays from the durable tail. A checkpoint needs no log space.
 */
#include "journal.h"
#include "trace.h"

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

/* Does a home that holds everything before @tail hold everything up to @seq? [lock] */
static bool ckpt_reaches(const struct journal *j, const struct jtail *tail, u64 seq)
{
	return tail->seq >= seq ||
	       (tail->pos.v == j->durable.pos.v && j->durable.seq >= seq);
}

/* Is everything up to @seq at home? [lock] */
bool journal_is_home(const struct journal *j, u64 seq)
{
	return ckpt_reaches(j, &j->tail, seq);
}

/* K7: the tail is durable and no read sees what lies below it. */
static void ckpt_free(struct journal *j, const struct jbatch *b)
{
	LIST_HEAD(served);
	struct jbio *w, *next;
	bool event = false;
	u64 freed;

	spin_lock_irq(&j->lock);
	freed = b->last.pos.v - j->tail.pos.v;
	throttle_freed(j, freed);
	j->tail = b->last;
	j->free_to = b->last.pos;
	j->lag_since_ms = b->time_ms;
	if (j->tail.pos.v == j->durable.pos.v)
		j->lag_since_ms = j->durable.seq + 1 < j->next_seq ?
				  journal_rec(j, j->durable.seq + 1)->time_ms : 0;
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
	trace_journal_tail(j, b->last.seq, b->last.pos, freed);
	journal_serve(&served, BLK_STS_OK);
	if (event)
		queue_work(j->admit_wq, &j->event_work);
}

u64 journal_lag_ms(const struct journal *j)
{
	u64 now = ktime_get_real_ns() / NSEC_PER_MSEC;

	return j->lag_since_ms && now > j->lag_since_ms ? now - j->lag_since_ms : 0;
}

bool journal_no_room(const struct journal *j)
{
	return space_used(j) + 2 * j->geo.record_max > j->geo.area_len ||
	       jindex_is_tight(j->index) || j->no_nodes == -ENOSPC;
}

bool journal_lacks_room(const struct journal *j)
{
	return j->nr_deferred && (j->no_nodes || journal_no_room(j));
}

/* Is there a reason for a batch, when @going (NULL: none) is at home? */
static bool ckpt_wanted(struct journal *j, const struct jbatch *going)
{
	const struct jtail *tail = going ? &going->last : &j->tail;
	u64 used, lag_since_ms, now = ktime_get_real_ns() / NSEC_PER_MSEC;
	bool wanted = false;

	spin_lock_irq(&j->lock);
	used = space_used(j) - (tail->pos.v - j->tail.pos.v);
	used = div64_u64(used * 100, j->geo.area_len);
	lag_since_ms = going ? going->time_ms : j->lag_since_ms;
	if (used >= j->opts.high)
		j->ckpt_draining = true;
	else if (used <= j->opts.low)
		j->ckpt_draining = false;
	if (!j->ckpt_stop && !j->error && tail->pos.v < journal_ckpt_end(j).v)
		wanted = (j->ckpt_stalled && !going) || j->ckpt_draining ||
			 !ckpt_reaches(j, tail, j->ckpt_goal) ||
			 journal_lacks_room(j) ||
			 (j->opts.max_lag_ms && lag_since_ms &&
			  now > lag_since_ms + j->opts.max_lag_ms / 2) ||
			 (j->opts.idle_ms && time_after(jiffies, READ_ONCE(j->last_io) +
						msecs_to_jiffies(j->opts.idle_ms)));
	spin_unlock_irq(&j->lock);
	return wanted;
}

/*
 * A coalesced batch for which there was no memory, or no room in the intent
 * device. True: a smaller one was asked for.
 */
static bool ckpt_shrink(struct journal *j, const struct jbatch *b, u64 span)
{
	if (!b->coalesced || b->last.seq <= j->super.ckpt_to_seq ||
	    b->last.pos.v - b->from.pos.v <= j->geo.record_max)
		return false;
	j->batch_limit = max_t(u64, span, j->geo.record_max);
	return true;
}

/*
 * A lone epoch that was begun without batch_mib may be more than the intent device
 * has room for; the home has it in part already. True: it is to go in place again.
 */
static bool ckpt_in_place(struct journal *j, const struct jbatch *b)
{
	if (!b->coalesced || b->several || b->last.seq != j->super.ckpt_to_seq)
		return false;
	j->batch_in_place = true;
	return true;
}

/* True: the next attempt differs. */
static bool ckpt_mend(struct journal *j, const struct jbatch *b, int error)
{
	u64 span = b->last.pos.v - b->from.pos.v;

	switch (b->step) {
	case BATCH_GATHER:
		return error == -ENOMEM && ckpt_shrink(j, b, span);
	case BATCH_WRITE:
		if (error == -EBUSY && b->coalesced && j->batch_early) {
			j->batch_early = false;
			return true;
		}
		if (error == -EOPNOTSUPP && b->zeroes_refused && !j->zero_pages) {
			j->zero_pages = true;
			return true;
		}
		return b->coalesced && (error == -EAGAIN ||
		       (error == -ENOSPC && (ckpt_shrink(j, b, span / 2) || ckpt_in_place(j, b))));
	default:
		return false;
	}
}

static const char *ckpt_why(const struct jbatch *b, int error)
{
	switch (b->step) {
	case BATCH_GATHER:
		return error == -ENOMEM ? "no-memory" :
		       error == -EXDEV ? "batch_mib-too-small" : "log-unreadable";
	case BATCH_WRITE:
		return b->coalesced && error == -ENODEV ? "no-intent-device" :
		       b->coalesced && error == -ENOSPC ? "intent-too-small" : "home-write";
	default:
		return "home-fence";
	}
}

/* -ERESTART: it is to be tried again at once; -ECANCELED: later. */
static int ckpt_failed(struct journal *j, struct jbatch *b, int error)
{
	/* refused, and it was the only bio: without batch_mib it can go in epochs */
	if (error == -ENODEV && b->lone)
		ckpt_write_super(j, &b->from, &b->from);
	if (READ_ONCE(j->error))
		return -ECANCELED;
	/*
	 * It fails for what the home has not written, so that the next attempt's does not. In relaxed
	 * order one that did not fail would say that the home is consistent.
	 */
	if (b->step == BATCH_WRITE && !b->coalesced)
		batch_fence(j);
	if (ckpt_mend(j, b, error))
		return -ERESTART;
	journal_stall(j, ckpt_why(b, error), b->last.seq + (b->step == BATCH_GATHER), error);
	/* recovery has no worker beside it, and tries by itself */
	if (j->recovered)
		mod_delayed_work(j->ckpt_wq, &j->ckpt_timer, HZ);
	return -ECANCELED;
}

/*
 * K1, and K3 of one that is sent early, but for its last bio. @going: the one before it
 * (NULL: none), which is as good as at home. 1, 0: nothing to be done, or -errno.
 */
static int ckpt_prepare(struct journal *j, struct jbatch *b, const struct jbatch *going)
{
	struct jtail from = going ? going->last : j->tail;
	int r;

	if (!ckpt_wanted(j, going))
		return 0;
	b->step = BATCH_GATHER;
	r = batch_gather(j, b, &from);
	if (r <= 0 || !b->coalesced || !j->batch_early)
		return r;
	b->step = BATCH_WRITE;
	r = batch_write_home(j, b);
	b->lone = !b->begun && j->super.ckpt_to_seq <= from.seq;
	return r ? r : 1;
}

/* K3: the rest. Of a coalesced batch the last bio is on its way then. */
static int ckpt_send(struct journal *j, struct jbatch *b)
{
	int r = 0;

	b->step = BATCH_WRITE;
	throttle_send(j, b);
	batch_print(j, b);
	if (!b->coalesced || !j->batch_early)
		r = batch_write_home(j, b);
	if (!r)
		batch_send_last(j, b);
	return r;
}

/* K4, K6: the batch is at home. */
static int ckpt_finish(struct journal *j, struct jbatch *b)
{
	int r = batch_wait(j, b);

	if (r)
		return r;
	b->step = BATCH_FENCE;
	r = batch_fence(j);
	if (r)
		return r;
	batch_fingerprint(j, b);
	batch_forget(j, b);
	this_cpu_inc(j->stats->batches);
	if (j->ckpt_stalled)
		journal_unstall(j);
	j->batch_in_place = false;
	j->batch_limit = min(2 * j->batch_limit, (u64)j->opts.batch_mib << 11);
	return 0;
}

/*
 * Brings @b home, and prepares @next, of which it returns what ckpt_prepare() does.
 * When @b has failed, what ckpt_failed() does.
 */
static int ckpt_step(struct journal *j, struct jbatch *b, struct jbatch *next)
{
	int r = ckpt_send(j, b), ready = 0;

	if (!r && b->coalesced)
		ready = ckpt_prepare(j, next, b);
	if (!r)
		r = ckpt_finish(j, b);
	if (r)
		return ckpt_failed(j, b, r);
	if (!b->coalesced)
		ready = ckpt_prepare(j, next, b);
	/* K5, and K2 of @next */
	if (ckpt_write_super(j, &b->last, ready > 0 ? &next->last : &b->last))
		return -ECANCELED;
	journal_pins_drain(&j->pins);
	ckpt_free(j, b);					/* K7 */
	return ready;
}

/* As long as batches are wanted; 0, or what ckpt_failed() returns. */
static int ckpt_batches(struct journal *j)
{
	struct jbatch *b = &j->batch[0], *next = &j->batch[1];
	int r = ckpt_prepare(j, b, NULL);

	if (r > 0 && ckpt_write_super(j, &b->from, &b->last))	/* K2 */
		r = -ECANCELED;
	while (r > 0) {
		r = ckpt_step(j, b, next);
		swap(b, next);
		cond_resched();
	}
	if (r < 0 && r != -ECANCELED && r != -ERESTART)
		r = ckpt_failed(j, b, r);
	throttle_send(j, NULL);
	batch_clear(b);
	batch_clear(next);
	return r;
}

void journal_ckpt_run(struct journal *j)
{
	while (ckpt_batches(j) == -ERESTART)
		cond_resched();
}

void journal_ckpt_halt(struct journal *j)
{
	spin_lock_irq(&j->lock);
	j->ckpt_stop = true;
	spin_unlock_irq(&j->lock);
	cancel_delayed_work_sync(&j->ckpt_timer);
	cancel_work_sync(&j->ckpt_work);
	/* its last act may have been to arm the timer */
	cancel_delayed_work_sync(&j->ckpt_timer);
}

void journal_ckpt_work(struct work_struct *work)
{
	struct journal *j = container_of(work, struct journal, ckpt_work);

	WRITE_ONCE(j->ckpt_running, true);
	journal_hold_full(j);
	journal_ckpt_run(j);
	WRITE_ONCE(j->ckpt_running, false);
}

/* Whoever watches learns when the lag exceeds max_lag_ms, and when it does no more. */
static void ckpt_watch_lag(struct journal *j)
{
	bool late;

	spin_lock_irq(&j->lock);
	late = j->opts.max_lag_ms && journal_lag_ms(j) > j->opts.max_lag_ms;
	if (late != j->late)
		queue_work(j->admit_wq, &j->event_work);
	j->late = late;
	spin_unlock_irq(&j->lock);
}

void journal_ckpt_timer(struct work_struct *work)
{
	struct journal *j = container_of(to_delayed_work(work), struct journal, ckpt_timer);

	ckpt_watch_lag(j);
	if (ckpt_wanted(j, NULL))
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
		journal_kick_commit(j);
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

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Commit: records become durable, and flushes are served from that.
 *
 * Always true: records are sealed and linked in order of sequence, by one
 * task at a time: whoever finds one at it leaves, and that one looks again when
 * it is done. A record is one FUA write of bytes that never change again; writes
 * are sent and end in any order; durable.seq is the last of an unbroken run of
 * written records; a waiter is served only when durable.seq has reached its
 * target, or with an error after the error was latched.
 *
 * A crash leaves every record up to durable.seq in the log, and any part of
 * those that were in flight, of which nothing was acknowledged as durable.
 */
#include "journal.h"
#include "trace.h"

/* Epochs end where a flush or FUA arrives, elided or not: the next record starts a new one, if not the open one. */
static void commit_end_epoch(struct journal *j)
{
	j->epoch++;
}

/*
 * Is the open record wanted, and should it be closed now? While a commit is in flight, what
 * arrives is grouped, unless all that are used to wait do so: nobody else is to come. [lock]
 */
static bool commit_is_due(const struct journal *j)
{
	if (!j->open || j->want_seq < j->open->seq)
		return false;
	return !j->commits || (j->commits < JOURNAL_COMMITS && j->nr_waiting >= j->crowd);
}

bool journal_wait_commit(struct journal *j, struct bio *bio, u64 seq)
{
	struct jbio *b = jbio_of(bio), *before;

	lockdep_assert_held(&j->lock);
	commit_end_epoch(j);
	b->target = seq;
	list_for_each_entry_reverse(before, &j->commit_waiters, list)
		if (before->target <= seq)
			break;
	list_add(&b->list, &before->list);
	j->nr_waiting++;
	if (j->open && j->open->seq <= seq) {
		j->open->flags |= JFMT_RECORD_SYNC;
		j->want_seq = j->open->seq;
	}
	return commit_is_due(j) && space_close(j);
}

/* flush home: @b is durable in the log, now it waits for its checkpoint. [lock] */
static void commit_wait_home(struct journal *j, struct jbio *b)
{
	list_add_tail(&b->list, &j->home_waiters);
	if (j->ckpt_goal < b->target)
		j->ckpt_goal = b->target;
	journal_kick_checkpoint(j);
}

/*
 * C1: everything that completed before is durable, or in owed_seq or older. If only FUA writes are
 * in the open record, which wait for it themselves, it goes on without this flush: what comes
 * into it from now on may come after this flush was acknowledged, so its epoch is a later one.
 * With flush home even what is durable may have to go home: a FUA write of a former table, or one
 * that failed because the home did.
 */
void journal_flush(struct journal *j, struct bio *bio)
{
	blk_status_t status = BLK_STS_OK;
	bool ready = false;
	u64 target;

	spin_lock_irq(&j->lock);
	this_cpu_inc(j->stats->flushes);
	target = j->opts.flush_home ? j->next_seq - 1 : j->owed_seq;
	if (j->open && target < j->open->seq)
		j->open->epoch = j->epoch;
	trace_journal_flush(j, target, j->durable.seq);
	if (j->error) {
		status = BLK_STS_IOERR;
	} else if (j->durable.seq < target) {
		ready = journal_wait_commit(j, bio, target);
		bio = NULL;
	} else if (j->opts.flush_home && !journal_is_home(j, target)) {
		commit_end_epoch(j);
		jbio_of(bio)->target = target;
		commit_wait_home(j, jbio_of(bio));
		bio = NULL;
	} else {
		commit_end_epoch(j);
		this_cpu_inc(j->stats->elided);
	}
	spin_unlock_irq(&j->lock);
	if (bio)
		journal_end(bio, status);
	if (ready)
		journal_commit(j);
}

/* C3: number, link and checksum the descriptors. The record is closed and has no writers. */
static void commit_seal(struct journal *j, struct jrec *rec, struct jpos tail_pos,
			u64 tail_seq, u64 durable_seq)
{
	struct jfmt_record *h = rec->header;
	u32 at = le32_to_cpu(h->next_desc);
	u16 index = 1;

	if (!rec->desc)
		h->nr_extents = cpu_to_le16(rec->nr_extents);
	while (at) {
		struct jpos pos = jpos_add(rec->pos, at);
		struct jfmt_desc *d = jwin_at(&j->staging, pos);

		if (at == rec->desc)
			d->nr_extents = cpu_to_le16(rec->nr_extents);
		d->magic = cpu_to_le32(JFMT_DESC_MAGIC);
		d->nonce = cpu_to_le64(j->geo.nonce);
		d->seq = cpu_to_le64(rec->seq);
		d->pos = cpu_to_le64(pos.v);
		d->index = cpu_to_le16(index++);
		at = le32_to_cpu(d->next_desc);
		jdesc_seal(&j->geo, d);
	}
	h->magic = cpu_to_le32(JFMT_RECORD_MAGIC);
	h->nonce = cpu_to_le64(j->geo.nonce);
	h->seq = cpu_to_le64(rec->seq);
	h->pos = cpu_to_le64(rec->pos.v);
	h->epoch = cpu_to_le64(rec->epoch);
	h->prev_seq = cpu_to_le64(j->link_seq);
	h->prev_crc = cpu_to_le32(j->link_crc);
	h->len = cpu_to_le32(rec->len);
	h->tail_pos = cpu_to_le64(tail_pos.v);
	h->tail_seq = cpu_to_le64(tail_seq);
	h->durable_seq = cpu_to_le64(durable_seq);
	h->time_ms = cpu_to_le64(rec->time_ms);
	h->flags = cpu_to_le32(rec->flags);
	h->nr_desc = cpu_to_le16(rec->nr_desc);
	j->link_crc = jdesc_seal(&j->geo, h);
	j->link_seq = rec->seq;
}

/*
 * C6: whenever durable or error has changed. Takes the waiters whose target is durable, or all
 * of them when the log failed; the caller ends them with the status returned. [lock]
 */
static blk_status_t commit_take_served(struct journal *j, struct list_head *served)
{
	struct jbio *b, *next;

	list_for_each_entry(b, &j->commit_waiters, list) {
		if (!j->error && b->target > j->durable.seq)
			break;
		j->nr_waiting--;
	}
	list_cut_before(served, &j->commit_waiters, &b->list);
	if (!j->error && j->opts.flush_home)
		list_for_each_entry_safe(b, next, served, list)
			if (!journal_is_home(j, b->target)) {
				list_del(&b->list);
				commit_wait_home(j, b);
			}
	if (wq_has_sleeper(&j->idle_wait))
		wake_up(&j->idle_wait);
	if (j->nr_deferred)
		journal_kick_admission(j);
	if (!j->ckpt_draining && space_used(j) * 100 >= j->geo.area_len * j->opts.high)
		journal_kick_checkpoint(j);
	return j->error ? BLK_STS_IOERR : BLK_STS_OK;
}

void journal_serve(struct list_head *served, blk_status_t status)
{
	struct jbio *b, *next;

	list_for_each_entry_safe(b, next, served, list)
		journal_end(bio_of(b), status);
}

void journal_serve_commits(struct journal *j)
{
	LIST_HEAD(served);
	unsigned long flags;
	blk_status_t status;

	spin_lock_irqsave(&j->lock, flags);
	status = commit_take_served(j, &served);
	spin_unlock_irqrestore(&j->lock, flags);
	journal_serve(&served, status);
}

/*
 * When the lock is free again the journal may be gone. Whoever stops it waits for this, with the lock: without an
 * error nothing but the end that serves him is left then, so he needs to be woken only after one. [lock]
 */
static void commit_ended(struct journal *j)
{
	lockdep_assert_held(&j->lock);
	if (!--j->log_writes && j->error)
		wake_up(&j->idle_wait);
}

/* C5: a log write has ended; interrupt context. */
static void commit_end_io(struct bio *bio)
{
	struct jrec *rec = bio->bi_private;
	struct journal *j = rec->j;
	blk_status_t status = bio->bi_status;
	LIST_HEAD(served);
	unsigned long flags;

	bio_uninit(bio);
	if (status) {
		this_cpu_inc(j->stats->log_errors);
		journal_fail(j, "log-write", blk_status_to_errno(status));
		spin_lock_irqsave(&j->lock, flags);
		commit_ended(j);
		spin_unlock_irqrestore(&j->lock, flags);
		return;
	}
	spin_lock_irqsave(&j->lock, flags);
	rec->state = JREC_WRITTEN;
	if (rec->flags & JFMT_RECORD_SYNC) {
		j->commits--;
		if (j->nr_waiting > j->crowd)
			j->crowd = j->nr_waiting;
		else if (j->crowd && rec->seq % JOURNAL_CROWD_DECAY == 0)
			j->crowd--;
	}
	while (!j->error && j->durable.seq + 1 < j->submit_seq) {
		rec = journal_rec(j, j->durable.seq + 1);
		if (rec->state != JREC_WRITTEN)
			break;
		j->durable.seq = rec->seq;
		j->durable.last = rec->seq;
		j->durable.pos = jpos_add(rec->pos, rec->len);
		if (rec->seq == j->hold.cut_seq)
			j->hold.cut_crc = le32_to_cpu(rec->header->crc);
	}
	trace_journal_durable(j, j->durable.seq, j->durable.pos, j->commits);
	if (commit_is_due(j))
		journal_kick_commit(j);
	status = commit_take_served(j, &served);
	commit_ended(j);
	spin_unlock_irqrestore(&j->lock, flags);
	journal_serve(&served, status);
}

/*
 * Everybody's flushes wait for a log write: it goes neither at the rate of the cgroup nor at
 * the priority of the task that happens to send it.
 */
static void commit_for_all(struct bio *bio)
{
	bio_associate_blkg_from_css(bio, blkcg_root_css);
	bio->bi_ioprio = IOPRIO_PRIO_VALUE(IOPRIO_CLASS_BE, IOPRIO_BE_NORM);
}

/* C4: one write, header and payload together. */
static void commit_submit(struct journal *j, struct jrec *rec)
{
	bio_init(&rec->bio, j->log, rec->vecs, jwin_vecs(j->geo.record_max),
		 REQ_OP_WRITE | REQ_FUA | REQ_SYNC | REQ_IDLE | REQ_META);
	rec->bio.bi_iter.bi_sector = jring_dev(&j->geo, rec->pos);
	rec->bio.bi_end_io = commit_end_io;
	rec->bio.bi_private = rec;
	commit_for_all(&rec->bio);
	jwin_to_bio(&j->staging, rec->pos, rec->len, &rec->bio);
	this_cpu_inc(j->stats->log_writes);
	this_cpu_add(j->stats->log_sectors, rec->len);
	trace_journal_commit(j, rec->seq, rec->pos, rec->len);
	submit_bio_noacct(&rec->bio);
}

/* C2: close the open record if that is due. May the next one be written? [lock] */
static bool commit_is_ready(struct journal *j)
{
	const struct jrec *rec;

	if (commit_is_due(j))
		space_close(j);
	rec = journal_rec(j, j->submit_seq);
	return !j->error && j->submit_seq != j->next_seq && rec->state == JREC_CLOSED &&
	       !atomic_read_acquire(&rec->writers);
}

/* C2-C4: write the next record, unless another task is about to. True: so may be the one behind it. */
static bool commit_next(struct journal *j)
{
	struct jrec *rec;
	struct jpos tail_pos;
	u64 tail_seq, durable_seq;
	bool again;

	spin_lock_irq(&j->lock);
	if (j->committing || !commit_is_ready(j)) {
		spin_unlock_irq(&j->lock);
		return false;
	}
	j->committing = true;
	rec = journal_rec(j, j->submit_seq);
	rec->state = JREC_WRITING;
	j->log_writes++;
	rec->len = jround_unit(&j->geo, rec->len);
	j->submit_seq++;
	j->commits += !!(rec->flags & JFMT_RECORD_SYNC);
	tail_pos = j->tail.pos;
	tail_seq = j->tail.seq;
	durable_seq = j->durable.last;
	spin_unlock_irq(&j->lock);

	commit_seal(j, rec, tail_pos, tail_seq, durable_seq);
	commit_submit(j, rec);

	spin_lock_irq(&j->lock);
	j->committing = false;
	again = commit_is_ready(j);
	spin_unlock_irq(&j->lock);
	return again;
}

void journal_commit_work(struct kthread_work *work)
{
	struct journal *j = container_of(work, struct journal, commit_work);

	while (commit_next(j))
		;
}

/* What is submitted in map() goes out behind it, so more than one write is left to the worker. */
void journal_commit(struct journal *j)
{
	if (commit_next(j))
		journal_kick_commit(j);
}

void journal_kick_commit(struct journal *j)
{
	kthread_queue_work(j->commit_worker, &j->commit_work);
}

/* What was acknowledged is on its way to the log after autocommit_ms at most. */
void journal_autocommit_work(struct work_struct *work)
{
	struct journal *j = container_of(to_delayed_work(work), struct journal,
					 autocommit_work);
	unsigned long due;

	spin_lock_irq(&j->lock);
	if (j->open) {
		due = j->open->opened + msecs_to_jiffies(j->opts.autocommit_ms);
		if (time_after_eq(jiffies, due)) {
			j->want_seq = j->open->seq;
			journal_kick_commit(j);
		} else {
			queue_delayed_work(j->admit_wq, &j->autocommit_work, due - jiffies);
		}
	}
	spin_unlock_irq(&j->lock);
}

/* Commit all that was acknowledged; no new bios arrive. */
int journal_commit_all(struct journal *j, long timeout)
{
	spin_lock_irq(&j->lock);
	if (j->open) {
		j->want_seq = j->open->seq;
		journal_kick_commit(j);
	}
	spin_unlock_irq(&j->lock);
	if (!wait_event_timeout(j->idle_wait, READ_ONCE(j->error) ||
				READ_ONCE(j->durable.seq) + 1 == READ_ONCE(j->next_seq),
				timeout))
		return -ETIMEDOUT;
	return j->error;
}

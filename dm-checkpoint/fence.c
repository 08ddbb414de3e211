// SPDX-License-Identifier: GPL-2.0-only
/*
 * The order of writes at the home.
 *
 * A fence is an empty PREFLUSH bio. An epoch is the writes (discards and
 * write-zeroes are writes here) between two fences; a fence that fails also
 * fails everything that has arrived behind it, and the next epoch begins with
 * what arrives later.
 *
 * Always true when the lock is free:
 *
 *   1. queued and at_home hold writes of one epoch only, the running one, and
 *      no two of them overlap.
 *   2. While a fence is served, or held is not empty, whatever arrives goes to
 *      the end of held. So overlapping writes of one epoch reach the home in
 *      order of arrival: the later is held until the earlier is back.
 *   3. The home is flushed only while queued and at_home are empty and no
 *      write of the epoch has failed; the fence succeeds only if that flush did.
 *   4. A bio in queued or held, and a fence, waits for a bio at the home or for
 *      the worker, which is then queued; never for a bio that has yet to arrive.
 *
 * A crash finds at the home all epochs whose fence has completed, any part of
 * the running one, and nothing of a later one.
 */
#include "checkpoint.h"

#define CREATE_TRACE_POINTS
#include "trace.h"

static struct checkpoint_io *node_io(const struct rb_node *node)
{
	return rb_entry(node, struct checkpoint_io, node);
}

static bool io_less(struct rb_node *a, const struct rb_node *b)
{
	return node_io(a)->sector < node_io(b)->sector;
}

/* Equal means that they overlap. */
static int io_overlap(const void *key, const struct rb_node *node)
{
	const struct checkpoint_io *io = key, *other = node_io(node);

	if (io->end <= other->sector)
		return -1;
	return io->sector >= other->end;
}

/* Equal means that the sweep has it still before it. */
static int io_ahead(const void *key, const struct rb_node *node)
{
	return node_io(node)->sector < *(const sector_t *)key;
}

/* The home's cache has got enough: it is flushed before it gets more. */
static bool __full(const struct checkpoint *c)
{
	return c->cached >= pace_room(c, c->urgent);
}

/* Of a home that is about to be torn that is told before. */
static bool __may_send(struct checkpoint *c)
{
	return !c->easing && !__full(c) && c->torn == c->torn_told &&
	       pace_allows(c, c->nr_at_home, c->urgent);
}

/* True if the worker could do something. */
static bool __ready(struct checkpoint *c)
{
	if (c->easing)
		return false;
	/* with nothing at the home, the worker flushes its full cache or sets the timer */
	if (c->nr_queued)
		return !c->nr_at_home || (!__full(c) && (__may_send(c) || pace_wait(c)));
	if (c->fence)
		return !c->nr_at_home && c->step != FENCE_FLUSHES;
	return !bio_list_empty(&c->held);
}

/*
 * Under the lock, so that the work is queued before anybody can end the last
 * bio and take the target down.
 */
static void __kick(struct checkpoint *c)
{
	lockdep_assert_held(&c->lock);
	if (__ready(c))
		queue_work(c->wq, &c->work);
}

/* F1, F3: let bio into the running epoch, or false if it came too early. */
static bool __admit(struct checkpoint *c, struct bio *bio)
{
	struct checkpoint_io *io = checkpoint_io(bio);

	lockdep_assert_held(&c->lock);
	if (c->fence)
		return false;
	if (is_fence(bio)) {
		trace_checkpoint_fence(bio);
		c->fence = bio;
		c->step = FENCE_WAITS;
		return true;
	}
	if (rb_find(io, &c->queued, io_overlap) || rb_find(io, &c->at_home, io_overlap))
		return false;
	trace_checkpoint_admit(bio);
	rb_add(&io->node, &c->queued, io_less);
	c->nr_queued++;
	c->dirty = true;
	c->urgent = c->suspending || bio->bi_opf & (is_member(bio->bi_opf) ? MEMBER_URGENT : REQ_SYNC);
	if (is_member(bio->bi_opf)) {
		bio->bi_opf &= ~MEMBER_MARKS;
		c->torn = true;
	}
	return true;
}

/* From queued to at_home; the caller submits it. */
static void __send(struct checkpoint *c, struct checkpoint_io *io)
{
	struct bio *bio = dm_bio_from_per_bio_data(io, sizeof(*io));

	lockdep_assert_held(&c->lock);
	rb_erase(&io->node, &c->queued);
	c->nr_queued--;
	rb_add(&io->node, &c->at_home, io_less);
	c->nr_at_home++;
	io->at_home = true;
	c->sweep = io->sector;
	pace_sent(c, bio_op(bio) == REQ_OP_WRITE ? io->end - io->sector : 0);
	if (bio_op(bio) == REQ_OP_WRITE && pace_gently(c, c->urgent))
		bio->bi_opf |= REQ_FUA;
	else
		c->cached += pace_weight(io->end - io->sector);
}

static void __count(struct checkpoint *c, struct bio *bio)
{
	if (bio_op(bio) != REQ_OP_WRITE) {
		c->stats.discards++;
	} else if (!is_fence(bio)) {
		c->stats.writes++;
		c->stats.write_sectors += bio_sectors(bio);
	}
}

bool fence_take(struct checkpoint *c, struct bio *bio)
{
	struct checkpoint_io *io = checkpoint_io(bio);
	bool send = false;

	io->sector = bio->bi_iter.bi_sector;
	io->end = bio_end_sector(bio);
	io->at_home = false;
	io->role = ROLE_EPOCH;

	spin_lock_irq(&c->lock);
	__count(c, bio);
	if (!bio_list_empty(&c->held) || !__admit(c, bio)) {
		/* F2 */
		trace_checkpoint_hold(bio);
		bio_list_add(&c->held, bio);
		c->nr_held += !is_fence(bio);
	} else if (!is_fence(bio) && c->nr_queued == 1 && __may_send(c)) {
		__send(c, io);
		send = true;
	} else {
		__kick(c);
	}
	spin_unlock_irq(&c->lock);
	return send;
}

static void __hurry(struct checkpoint *c)
{
	lockdep_assert_held(&c->lock);
	c->urgent = true;
	if (c->intent)
		intent_hurry(c);
	__kick(c);
}

void fence_hurry(struct checkpoint *c)
{
	spin_lock_irq(&c->lock);
	__hurry(c);
	spin_unlock_irq(&c->lock);
}

void fence_suspending(struct checkpoint *c, bool suspending)
{
	spin_lock_irq(&c->lock);
	c->suspending = suspending;
	if (suspending)
		__hurry(c);
	spin_unlock_irq(&c->lock);
}

/* Keep an error for the fence and for the status. */
static void __latch(struct checkpoint *c, const char *what, blk_status_t status)
{
	lockdep_assert_held(&c->lock);
	if (!c->error)
		c->error = status;
	c->stats.last_what = what;
	c->stats.last_error = blk_status_to_errno(status);
}

void fence_done(struct checkpoint *c, struct bio *bio, blk_status_t status)
{
	struct checkpoint_io *io = checkpoint_io(bio);
	unsigned long flags;

	spin_lock_irqsave(&c->lock, flags);
	trace_checkpoint_done(bio);
	if (is_fence(bio)) {
		if (status)
			c->stats.fences_failed++;
		else
			c->stats.fences++;
	} else if (io->at_home) {
		io->at_home = false;
		rb_erase(&io->node, &c->at_home);
		c->nr_at_home--;
		/* what the home cannot do at all, its sender does without, or in another way */
		if (status && status != BLK_STS_NOTSUPP) {
			c->stats.write_errors++;
			__latch(c, bio_op(bio) == REQ_OP_WRITE ? "write" : "discard", status);
		}
	}
	__kick(c);
	spin_unlock_irqrestore(&c->lock, flags);
}

static void flush_end_io(struct bio *bio)
{
	struct checkpoint *c = bio->bi_private;
	blk_status_t status = bio->bi_status;
	unsigned long flags;

	bio_uninit(bio);
	spin_lock_irqsave(&c->lock, flags);
	if (status)
		__latch(c, "flush", status);
	pace_flushed(c, c->cached, ktime_get_ns() - c->flush_ns);
	c->cached = 0;
	if (c->easing)
		c->ease_failed = status;
	else
		c->step = FENCE_FLUSHED;
	c->easing = false;
	__kick(c);
	spin_unlock_irqrestore(&c->lock, flags);
}

/* F4: SYNC and IDLE exempt it from write-back throttling. */
static void flush_home(struct checkpoint *c)
{
	bio_init(&c->flush, c->home->bdev, NULL, 0,
		 REQ_OP_WRITE | REQ_PREFLUSH | REQ_SYNC | REQ_IDLE);
	c->flush.bi_private = c;
	c->flush.bi_end_io = flush_end_io;
	c->flush_ns = ktime_get_ns();
	submit_bio_noacct(&c->flush);
}

/* Admit the oldest bio of held; false if there is none or it must go on waiting. */
static bool release_held(struct checkpoint *c)
{
	struct bio *bio;
	bool admitted;

	spin_lock_irq(&c->lock);
	bio = bio_list_peek(&c->held);
	admitted = bio && __admit(c, bio);
	if (admitted) {
		bio_list_pop(&c->held);
		c->nr_held -= !is_fence(bio);
	}
	spin_unlock_irq(&c->lock);
	return admitted;
}

/*
 * When a flush in the middle of an epoch has failed, one of the writes that waited for it. Whoever sent
 * them learns of the error so, even if the next fence is another table's. NULL: there is none.
 */
static struct bio *next_failed(struct checkpoint *c)
{
	struct checkpoint_io *io = NULL;

	spin_lock_irq(&c->lock);
	if (!c->nr_queued)
		c->ease_failed = false;
	if (c->ease_failed) {
		io = node_io(rb_first(&c->queued));
		rb_erase(&io->node, &c->queued);
		c->nr_queued--;
	}
	spin_unlock_irq(&c->lock);
	return io ? dm_bio_from_per_bio_data(io, sizeof(*io)) : NULL;
}

/* The queued write that a one-way sweep meets next; NULL: none, or it has to wait. */
static struct bio *next_queued(struct checkpoint *c)
{
	struct checkpoint_io *io = NULL;
	struct rb_node *node;
	unsigned long wait;

	spin_lock_irq(&c->lock);
	if (c->nr_queued && __may_send(c)) {
		node = rb_find_first(&c->sweep, &c->queued, io_ahead);
		io = node_io(node ?: rb_first(&c->queued));
		__send(c, io);
	} else if (c->nr_queued && !c->easing && !__full(c)) {
		wait = pace_wait(c);
		if (wait || !c->nr_at_home)
			mod_delayed_work(c->wq, &c->pace_work, max(wait, 1ul));
	}
	spin_unlock_irq(&c->lock);
	return io ? dm_bio_from_per_bio_data(io, sizeof(*io)) : NULL;
}

/* The cache has got enough, all of it: flush it, and go on. */
static void ease(struct checkpoint *c)
{
	bool due;

	spin_lock_irq(&c->lock);
	due = c->nr_queued && __full(c) && !c->nr_at_home && !c->easing;
	c->easing |= due;
	spin_unlock_irq(&c->lock);
	if (due)
		flush_home(c);
}

/*
 * Once the epoch is at the home, flush it; once it is flushed or has failed,
 * end the fence, and with a failed one all that is held. True if it ended.
 */
static bool serve_fence(struct checkpoint *c)
{
	struct bio_list failed = BIO_EMPTY_LIST;
	struct bio *fence, *bio;
	bool report = false;

	spin_lock_irq(&c->lock);
	fence = c->fence;
	if (!fence || c->nr_queued || c->nr_at_home || c->easing || c->step == FENCE_FLUSHES) {
		spin_unlock_irq(&c->lock);
		return false;
	}
	if (c->step == FENCE_WAITS && !c->error && c->dirty) {
		trace_checkpoint_flush(fence);
		c->step = FENCE_FLUSHES;
		spin_unlock_irq(&c->lock);
		flush_home(c);
		return false;
	}
	if (c->error) {
		bio_list_merge(&failed, &c->held);
		bio_list_init(&c->held);
		c->nr_held = 0;
		report = !c->failed;
	}
	fence->bi_status = c->error;
	c->failed = c->error;
	if (!c->error) {
		/* without an intent device others may write past us */
		c->dirty = !c->intent;
		c->torn = false;
		c->known = true;
	}
	c->error = BLK_STS_OK;
	c->fence = NULL;
	c->step = FENCE_NONE;
	spin_unlock_irq(&c->lock);

	if (report)
		DMERR("%s: fence failed: error %d", c->name, blk_status_to_errno(fence->bi_status));
	while ((bio = bio_list_pop(&failed)))
		bio_io_error(bio);
	bio_endio(fence);
	return true;
}

/* Whoever watches learns that the home is torn before it is, and that it is not after. */
static void tell_torn(struct checkpoint *c)
{
	bool torn;

	spin_lock_irq(&c->lock);
	torn = c->torn;
	spin_unlock_irq(&c->lock);
	if (torn == c->torn_told)
		return;
	dm_table_event(c->ti->table);
	spin_lock_irq(&c->lock);
	c->torn_told = torn;
	spin_unlock_irq(&c->lock);
}

void fence_pace_work(struct work_struct *work)
{
	struct checkpoint *c = container_of(to_delayed_work(work), struct checkpoint, pace_work);

	queue_work(c->wq, &c->work);
}

void fence_work(struct work_struct *work)
{
	struct checkpoint *c = container_of(work, struct checkpoint, work);
	struct blk_plug plug;
	struct bio *bio;

	do {
		while (release_held(c))
			cond_resched();
		tell_torn(c);
		while ((bio = next_failed(c)))
			bio_io_error(bio);
		blk_start_plug(&plug);
		while ((bio = next_queued(c)))
			dm_submit_bio_remap(bio, NULL);
		blk_finish_plug(&plug);
		ease(c);
	} while (serve_fence(c));
}

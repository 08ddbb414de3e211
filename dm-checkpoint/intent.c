// SPDX-License-Identifier: GPL-2.0-only
/*
 * Batches of several epochs, on their way through the intent device.
 *
 * Always true when the lock is free:
 *
 *   1. While the next batch is collected, its slot on the intent device is free
 *      on stable storage: the commit block in the other slot, or the superblock,
 *      retires what the slot held.
 *   2. A batch is committed when all its members are in its slot, and none has
 *      failed; its last member ends when it is at home, flushed and retired, or
 *      has failed. So what is written past batches later is not undone by one.
 *   3. While a committed batch is not retired, or one is that may be committed
 *      because neither its commit block nor what should void that could be
 *      written, nothing else is written home.
 *   4. The next batch is collected while one is applied; a member that comes
 *      before the commit of the batch before it is durable is held.
 *   5. The number of a batch is used again only if no commit block with it is
 *      on the device.
 *
 * A crash leaves the home at the start of the newest committed batch, or at
 * its end once that is applied; intent_recover() does so.
 */
#include <linux/mm.h>
#include <linux/slab.h>

#include "intent.h"
#include "trace.h"

static bool is_data(const struct bio *bio)
{
	return bio_op(bio) == REQ_OP_WRITE;
}

static enum jfmt_kind kind_of(const struct bio *bio)
{
	if (is_data(bio))
		return JFMT_DATA;
	return bio_op(bio) == REQ_OP_DISCARD ? JFMT_DISCARD : JFMT_ZEROES;
}

/* All members are where they belong: the batch can be served. [lock] */
static void __kick(struct intent *in)
{
	if (in->last && !in->writes)
		queue_work(in->wq, &in->work);
}

/*
 * I1: a place for bio in the next batch, in *at. The last member has one even if
 * the batch has failed: it is not submitted, but ends with the batch. [lock]
 */
static blk_status_t __collect(struct intent *in, struct bio *bio, struct intent_batch *at)
{
	const struct igeo *g = &in->super.geo;
	u32 payload = is_data(bio) ? bio_sectors(bio) : 0;
	bool last = bio->bi_opf & MEMBER_LAST;

	lockdep_assert_held(&in->c->lock);
	if (bio->bi_opf & MEMBER_FIRST) {
		if (in->unvoided) {
			queue_work(in->wq, &in->work);
			return BLK_STS_IOERR;
		}
		if (in->writes)
			return BLK_STS_AGAIN;
		in->open = true;
		in->odd = bio->bi_opf & MEMBER_ODD;
		in->failed = BLK_STS_OK;
		in->next.nr = 0;
		in->next.payload = 0;
	}
	/* the table was loaded in the middle of the batch, and perhaps the next one has overtaken its end */
	if (!in->open || in->odd != (bio->bi_opf & MEMBER_ODD))
		return BLK_STS_AGAIN;
	if (!in->failed && payload > (last ? g->last_max : INTENT_BUF))
		in->failed = BLK_STS_NOTSUPP;
	/* the last one must not be what is too much: the journal has promised it by then */
	if (!in->failed && !last &&
	    (in->next.nr == igeo_extents_max(g) - 1 ||
	     in->next.payload + payload > igeo_payload_max(g) - g->last_max))
		in->failed = BLK_STS_NOSPC;
	if (last) {
		in->closed = true;
		in->last = bio;
	} else if (in->failed) {
		return in->failed;
	}
	*at = in->next;
	if (!in->failed) {
		in->next.nr++;
		in->next.payload += payload;
		in->stats.collected += payload;
	}
	in->writes++;
	pace_collected(in->c, payload);
	return BLK_STS_OK;
}

/* How long it is until the next member may be collected, as far as time goes, in jiffies. [lock] */
static unsigned long __collect_wait(const struct intent *in)
{
	return in->urgent ? 0 : pace_collect_wait(in->c);
}

/* May the oldest member that has come be collected now? [lock] */
static bool __may_collect(const struct intent *in)
{
	return !in->closed && !__collect_wait(in);
}

/* What is held has its turn when it is time. [lock] */
static void __collect_later(struct intent *in)
{
	if (!in->closed && !bio_list_empty(&in->held))
		mod_delayed_work(in->wq, &in->collect_work, __collect_wait(in));
}

static u32 crc_of(const struct bio *bio, u32 crc)
{
	struct bvec_iter iter;
	struct bio_vec bv;

	bio_for_each_segment(bv, bio, iter) {
		char *from = bvec_kmap_local(&bv);

		crc = ibatch_crc(crc, from, bv.bv_len);
		kunmap_local(from);
	}
	return crc;
}

/* Its place is taken: describe bio there, and turn it to the device. True: there is something to write. */
static bool describe(struct intent *in, struct bio *bio, const struct intent_batch *at)
{
	const struct igeo *g = &in->super.geo;
	struct iextent x = {
		.home = bio->bi_iter.bi_sector, .len = bio_sectors(bio), .kind = kind_of(bio),
	};

	if (is_data(bio))
		x.crc = crc_of(bio, ibatch_seed(g, at->number));
	iextent_encode(&x, &at->extent[at->nr]);
	trace_checkpoint_collect(bio);
	bio->bi_opf &= ~MEMBER_MARKS;
	if (!is_data(bio))
		return false;
	bio_set_dev(bio, in->dev->bdev);
	bio->bi_iter.bi_sector = igeo_payload(g, at->number) + at->payload;
	return true;
}

/* A member is in its slot, or failed; the last one is kept. True: it is to be ended. */
static bool arrived(struct intent *in, struct bio *bio, blk_status_t status)
{
	struct checkpoint *c = in->c;
	unsigned long flags;
	bool last;

	spin_lock_irqsave(&c->lock, flags);
	in->writes--;
	if (status && !in->failed)
		in->failed = status;
	last = in->last == bio;
	if (!last)
		checkpoint_io(bio)->role = ROLE_ENDS;
	__kick(in);
	spin_unlock_irqrestore(&c->lock, flags);
	return !last;
}

/* True: the caller submits bio. False: it was ended, or will be. */
static bool collect(struct intent *in, struct bio *bio, blk_status_t status,
		    const struct intent_batch *at)
{
	if (status) {
		checkpoint_io(bio)->role = ROLE_ENDS;
		bio->bi_status = status;
		bio_endio(bio);
		return false;
	}
	/* nobody else looks at failed while this member is under way */
	if (!READ_ONCE(in->failed) && describe(in, bio, at))
		return true;
	if (arrived(in, bio, BLK_STS_OK))
		bio_endio(bio);
	return false;
}

int intent_take(struct checkpoint *c, struct bio *bio)
{
	struct checkpoint_io *io = checkpoint_io(bio);
	struct intent *in = c->intent;
	struct intent_batch at = {};
	blk_status_t status;

	io->sector = bio->bi_iter.bi_sector;
	io->end = bio_end_sector(bio);
	io->role = ROLE_MEMBER;

	spin_lock_irq(&c->lock);
	in->urgent = c->suspending || bio->bi_opf & MEMBER_URGENT;
	if (!bio_list_empty(&in->held) || !__may_collect(in)) {
		bio_list_add(&in->held, bio);
		__collect_later(in);
		spin_unlock_irq(&c->lock);
		return DM_MAPIO_SUBMITTED;
	}
	status = __collect(in, bio, &at);
	spin_unlock_irq(&c->lock);
	return collect(in, bio, status, &at) ? DM_MAPIO_REMAPPED : DM_MAPIO_SUBMITTED;
}

int intent_done(struct checkpoint *c, struct bio *bio, blk_status_t status)
{
	return arrived(c->intent, bio, status) ? DM_ENDIO_DONE : DM_ENDIO_INCOMPLETE;
}

/* The oldest held bio has its place, see __collect(); NULL: there is none, or it goes on waiting. */
static struct bio *release_one(struct intent *in, struct intent_batch *at, blk_status_t *status)
{
	struct checkpoint *c = in->c;
	struct bio *bio = NULL;

	spin_lock_irq(&c->lock);
	if (__may_collect(in))
		bio = bio_list_pop(&in->held);
	if (bio)
		*status = __collect(in, bio, at);
	else
		__collect_later(in);
	spin_unlock_irq(&c->lock);
	return bio;
}

/* The held bios up to the next last member belong to the next batch. */
static void collect_work(struct work_struct *work)
{
	struct intent *in = container_of(to_delayed_work(work), struct intent, collect_work);
	struct intent_batch at;
	struct blk_plug plug;
	blk_status_t status;
	struct bio *bio;

	blk_start_plug(&plug);
	while ((bio = release_one(in, &at, &status)))
		if (collect(in, bio, status, &at))
			dm_submit_bio_remap(bio, NULL);
	blk_finish_plug(&plug);
}

void intent_hurry(struct checkpoint *c)
{
	struct intent *in = c->intent;

	lockdep_assert_held(&c->lock);
	in->urgent = true;
	__collect_later(in);
	wake_up(&in->wait);
}

/* The batch whose last member has come, when all are there; false: none. */
static bool take_closed(struct intent *in, struct intent_batch *b, struct bio **last,
			blk_status_t *status)
{
	struct checkpoint *c = in->c;
	bool there;

	spin_lock_irq(&c->lock);
	there = in->last && !in->writes;
	if (there) {
		*b = in->next;
		*last = in->last;
		*status = in->failed;
		in->last = NULL;
	}
	spin_unlock_irq(&c->lock);
	return there;
}

/* The batch before is committed, or dropped: the next one can be collected. */
static void reopen(struct intent *in, bool committed)
{
	struct checkpoint *c = in->c;

	spin_lock_irq(&c->lock);
	if (committed) {
		in->next.number++;
		in->next.extent = in->extents[in->next.number % 2];
		in->applies = true;
	}
	in->open = false;
	in->closed = false;
	__collect_later(in);
	spin_unlock_irq(&c->lock);
}

/* What was collected meanwhile builds on a batch that is not at home. */
static void settle(struct intent *in, struct bio *last, blk_status_t status, bool committed)
{
	struct checkpoint *c = in->c;

	spin_lock_irq(&c->lock);
	if (status) {
		in->stats.failed++;
		if (in->open && !in->failed)
			in->failed = BLK_STS_IOERR;
		c->failed = true;
		c->stats.last_what = committed ? "apply" : "intent";
		c->stats.last_error = blk_status_to_errno(status);
	} else {
		in->stats.batches++;
		c->failed = false;
	}
	spin_unlock_irq(&c->lock);
	checkpoint_io(last)->role = ROLE_ENDS;
	last->bi_status = status;
	bio_endio(last);
}

/* I3, I4: the current batch. */
static blk_status_t bring_home(struct intent *in)
{
	struct checkpoint *c = in->c;
	int r = intent_apply(in, &in->committed);
	bool report;

	if (!r)
		r = intent_retire(in, in->committed.number);
	spin_lock_irq(&c->lock);
	report = r && !in->stuck;
	in->stuck = r;
	in->applies = r;
	spin_unlock_irq(&c->lock);
	if (report)
		DMERR("%s: batch %llu of intent device %pg cannot be brought home: error %d; it will be tried again",
		      c->name, in->committed.number, in->dev->bdev, r);
	return r ? BLK_STS_IOERR : BLK_STS_OK;
}

/* I2. One that failed, and may be on the device all the same, is in the way until it is void. */
static int commit(struct intent *in, const struct intent_batch *b)
{
	struct checkpoint *c = in->c;
	int r = intent_commit(in, b);

	if (!r)
		return 0;
	/* of a row of failures the first one is reported */
	if (!READ_ONCE(c->failed))
		DMERR("%s: batch %llu cannot be committed to intent device %pg: error %d",
		      c->name, b->number, in->dev->bdev, r);
	if (intent_void(in, b->number))
		WRITE_ONCE(in->unvoided, true);
	return r;
}

static void intent_work(struct work_struct *work)
{
	struct intent *in = container_of(work, struct intent, work);
	struct intent_batch b;
	blk_status_t status;
	struct bio *last;

	/* what failed before, and is in the way now */
	if (in->unvoided && !intent_void(in, in->next.number))
		WRITE_ONCE(in->unvoided, false);
	if (in->applies)
		bring_home(in);
	while (take_closed(in, &b, &last, &status)) {
		bool committed = false;

		if (!status) {
			committed = !commit(in, &b);
			status = committed ? BLK_STS_OK : BLK_STS_IOERR;
		}
		if (committed)
			in->committed = b;
		reopen(in, committed);
		if (committed)
			status = bring_home(in);
		settle(in, last, status, committed);
	}
}

void intent_stats(struct checkpoint *c, struct intent_stats *stats)
{
	lockdep_assert_held(&c->lock);
	*stats = c->intent->stats;
}

void intent_clear_stats(struct checkpoint *c)
{
	lockdep_assert_held(&c->lock);
	memset(&c->intent->stats, 0, sizeof(c->intent->stats));
}

bool intent_lets_pass(struct checkpoint *c)
{
	struct intent *in = c->intent;
	bool pass;

	spin_lock_irq(&c->lock);
	pass = !in->applies && !READ_ONCE(in->unvoided);
	if (!pass)
		queue_work(in->wq, &in->work);
	spin_unlock_irq(&c->lock);
	return pass;
}

bool intent_busy(const struct checkpoint *c)
{
	const struct intent *in = c->intent;

	lockdep_assert_held(&c->lock);
	return in->writes || in->last || in->applies || !bio_list_empty(&in->held);
}

const char *intent_home(const struct checkpoint *c)
{
	const struct intent *in = c->intent;

	lockdep_assert_held(&c->lock);
	if (!in->applies)
		return NULL;
	return in->stuck ? "torn" : "applying";
}

const char *intent_name(const struct checkpoint *c)
{
	return c->intent->dev->name;
}

int intent_start(struct checkpoint *c)
{
	struct intent *in = c->intent;
	int r;

	in->urgent = true;	/* whoever resumes waits */
	r = intent_recover(in);
	if (r)
		return r;
	in->next = (struct intent_batch) {
		.number = in->super.retired + 1,
		.extent = in->extents[(in->super.retired + 1) % 2],
	};
	in->open = false;
	in->closed = false;
	in->applies = false;
	in->stuck = false;
	return 0;
}

/* What was collected and not committed is dropped: it will be sent again. */
void intent_stop(struct checkpoint *c)
{
	flush_work(&c->intent->work);
}

void intent_put(struct checkpoint *c)
{
	struct intent *in = c->intent;

	if (!in)
		return;
	cancel_delayed_work_sync(&in->collect_work);
	if (in->wq)
		destroy_workqueue(in->wq);
	intent_free(in);
	kvfree(in->extents[0]);
	kvfree(in->extents[1]);
	if (in->dev)
		dm_put_device(c->ti, in->dev);
	kfree(in);
	c->intent = NULL;
}

static int intent_check(struct intent *in, char **error)
{
	struct checkpoint *c = in->c;
	const char *why;
	int r;

	if (in->dev->bdev == c->home->bdev) {
		*error = "The home and the intent device are the same";
		return -EINVAL;
	}
	if (bdev_logical_block_size(in->dev->bdev) > bdev_logical_block_size(c->home->bdev)) {
		*error = "The intent device's logical block is larger than the home's";
		return -EINVAL;
	}
	r = intent_read_super(in, &why);
	if (r) {
		DMERR("%s: intent device %pg: %s", c->name, in->dev->bdev, why);
		*error = "The intent device is of no use";
		return r;
	}
	if (in->super.geo.home_len != c->ti->len) {
		DMERR("%s: intent device %pg was formatted for a home of %llu sectors, the table has %llu",
		      c->name, in->dev->bdev, in->super.geo.home_len, (u64)c->ti->len);
		*error = "The intent device belongs to a home of another length";
		return -EINVAL;
	}
	if (in->super.ro_compat & ~IFMT_RO_COMPAT_ALL) {
		*error = "The intent device has features that this version can only read";
		return -EINVAL;
	}
	return 0;
}

int intent_get(struct checkpoint *c, const char *path, char **error)
{
	struct intent *in = kzalloc(sizeof(*in), GFP_KERNEL);
	unsigned int i;
	int r = -ENOMEM;

	*error = "Out of memory";
	if (!in)
		return r;
	c->intent = in;
	in->c = c;
	INIT_WORK(&in->work, intent_work);
	INIT_DELAYED_WORK(&in->collect_work, collect_work);
	init_waitqueue_head(&in->wait);
	bio_list_init(&in->held);
	r = dm_get_device(c->ti, path, dm_table_get_mode(c->ti->table), &in->dev);
	if (r) {
		*error = "Cannot open the intent device";
		goto bad;
	}
	r = intent_alloc(in);
	if (!r)
		r = intent_check(in, error);
	if (r)
		goto bad;
	r = -ENOMEM;
	for (i = 0; i < 2; i++) {
		in->extents[i] = kvmalloc_array(in->super.geo.desc_blocks, IFMT_BLOCK, GFP_KERNEL);
		if (!in->extents[i])
			goto bad;
	}
	/* the next batch is collected while one is applied */
	in->wq = alloc_workqueue("dm_intent", WQ_MEM_RECLAIM | WQ_UNBOUND, 2);
	if (!in->wq)
		goto bad;
	return 0;
bad:
	intent_put(c);
	return r;
}

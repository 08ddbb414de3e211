// SPDX-License-Identifier: GPL-2.0-only
/*
 * A batch on its way home.
 *
 * Always true: the batch's own index, built from the headers of its records and
 * not from the newest-wins index, holds each sector once, in the newest version
 * within the batch; its data lie in the image, but for those of a last bio that was
 * sent: they are kept apart, since the image is the next batch's then. Home bios go
 * out in home order; an error of any of them fails the batch. Those of a batch of
 * several epochs are marked as its members (member.h).
 *
 * A crash leaves any part of the batch at home, or with an intent device below
 * all of it or nothing.
 */
#include <linux/rcupdate.h>

#include "journal.h"
#include "trace.h"
#include "../dm-checkpoint/member.h"

/* Home bios in flight; the checkpoint target below has its own, lower limit. */
#define BATCH_DEPTH	64
/* So often whoever waits for them looks whether somebody waits for him, jiffies. */
#define BATCH_LOOK	(HZ / 4)
/* A range without payload enters the index in pieces of so many sectors, for which its reserve of memory is enough. */
#define BATCH_RANGE	(1u << 17)
#define BATCH_VECS	(JOURNAL_HOME_BIO * JFMT_SECTOR / JWIN_CHUNK)

/* Walk the extents of a record that is in the image. */
static int batch_next(struct journal *j, struct jcursor *c, struct jextent *x)
{
	struct jpos need;
	int r = jcursor_next(c, x, &need);

	if (r != -EAGAIN)
		return r;
	r = jcursor_feed(c, jwin_at(&j->image, need));
	return r ? r : jcursor_next(c, x, &need);
}

static void batch_start(struct journal *j, struct jcursor *c, const struct jrecord *rec)
{
	jcursor_init(c, &j->geo, rec, jwin_at(&j->image, rec->pos));
}

/*
 * Add a record that is in the image. -ENOSPC: it does not fit in the batch, which
 * is as it was. Another error: the batch is of no use any more.
 */
int batch_add(struct journal *j, struct jbatch *b, const struct jrecord *rec)
{
	struct jcursor c;
	struct jextent x;
	u32 weight = 0;
	int r;

	batch_start(j, &c, rec);
	while ((r = batch_next(j, &c, &x)) > 0) {
		weight += space_weight(x.len);
		if (x.kind == JFMT_DATA &&
		    jwin_crc(&j->image, x.pos, x.len, jpayload_seed(&j->geo)) != x.crc)
			return -EBADMSG;
	}
	if (r)
		return r;
	if (!b->coalesced && b->weight && b->weight + weight > JOURNAL_WEIGHT)
		return -ENOSPC;
	b->weight += weight;

	batch_start(j, &c, rec);
	while (batch_next(j, &c, &x) > 0) {
		u32 done, n;

		for (done = 0; done < x.len; done += n) {
			struct jmap m = {
				.home = jsec(x.home.v + done), .kind = x.kind, .mapped = true,
				.pos = x.pos,
			};

			n = x.kind == JFMT_DATA ? x.len : min(x.len - done, BATCH_RANGE);
			m.len = n;
			if (jindex_reserve(b->index, n))
				return -ENOMEM;
			jindex_insert(b->index, &m);
		}
	}
	return 0;
}

void batch_clear(struct jbatch *b)
{
	jindex_clear(b->index);
	b->weight = 0;
	b->begun = false;
	b->error = 0;
	if (b->last_bio)
		bio_put(b->last_bio);
	b->last_bio = NULL;
}

/* Device mapper waits for an RCU grace period between the last suspend and the end of @b: whoever was waited for is out. */
static void home_ended(struct jbatch *b, struct bio *bio)
{
	bio_put(bio);
	rcu_read_lock();
	if (atomic_dec_return(&b->inflight) < BATCH_DEPTH)
		wake_up(&b->wait);
	rcu_read_unlock();
}

static void home_end_io(struct bio *bio)
{
	struct jbatch *b = bio->bi_private;
	bool refused = bio->bi_status == BLK_STS_NOTSUPP;

	/* what lies below may be less than its limits tell */
	if (refused && bio_op(bio) == REQ_OP_WRITE_ZEROES)
		b->zeroes_refused = true;
	/* a home that discards only elsewhere loses nothing but the space */
	if (bio->bi_status && !(refused && bio_op(bio) == REQ_OP_DISCARD))
		cmpxchg(&b->error, 0, blk_status_to_errno(bio->bi_status));
	home_ended(b, bio);
}

static void hurry_end_io(struct bio *bio)
{
	struct jbatch *b = bio->bi_private;

	WRITE_ONCE(b->hurries, false);
	home_ended(b, bio);
}

static bool is_pressed(struct journal *j)
{
	bool pressed;

	spin_lock_irq(&j->lock);
	pressed = journal_is_pressed(j);
	spin_unlock_irq(&j->lock);
	return pressed;
}

/*
 * What was sent when nobody waited for it goes last, unless the checkpoint target is told; again and
 * again, since another table forgets it.
 */
static void home_hurry(struct journal *j, struct jbatch *b)
{
	struct bio *bio = bio_alloc_bioset(j->home, 1, REQ_OP_READ | MEMBER_ANY, GFP_NOIO,
					   &j->home_bios);

	bio->bi_end_io = hurry_end_io;
	bio->bi_private = b;
	__bio_add_page(bio, j->hurry_page, PAGE_SIZE, 0);
	b->hurries = true;
	atomic_inc(&b->inflight);
	submit_bio_noacct(bio);
}

/* Until less than @n bios are in flight. */
static void wait_below(struct journal *j, struct jbatch *b, int n)
{
	while (!wait_event_timeout(b->wait, atomic_read(&b->inflight) < n, BATCH_LOOK))
		if (!READ_ONCE(b->hurries) && is_pressed(j))
			home_hurry(j, b);
}

static struct bio *home_bio(struct journal *j, struct jbatch *b, struct jsec home, blk_opf_t opf)
{
	struct bio *bio;

	wait_below(j, b, BATCH_DEPTH);
	if (b->coalesced)
		opf |= MEMBER_ANY | (b == &j->batch[1] ? MEMBER_ODD : 0) |
		       (j->batch_early ? MEMBER_EARLY : 0);
	bio = bio_alloc_bioset(j->home, BATCH_VECS, opf, GFP_NOIO, &j->home_bios);
	bio->bi_iter.bi_sector = home.v;
	bio->bi_end_io = home_end_io;
	bio->bi_private = b;
	return bio;
}

static void home_send(struct journal *j, struct jbatch *b, struct bio *bio)
{
	if (b->coalesced && !b->begun)
		bio->bi_opf |= MEMBER_FIRST;
	b->begun = true;
	/* as it is now: the newest one counts */
	if (is_pressed(j))
		bio->bi_opf |= b->coalesced ? MEMBER_URGENT : REQ_SYNC;
	this_cpu_inc(j->stats->home_writes);
	this_cpu_add(j->stats->home_sectors, bio_sectors(bio));
	atomic_inc(&b->inflight);
	submit_bio_noacct(bio);
}

static void home_submit(struct journal *j, struct jbatch *b, struct bio *bio)
{
	if (!bio)
		return;
	if (b->coalesced)
		swap(bio, b->last_bio);
	if (bio)
		home_send(j, b, bio);
}

/* Append [@m->home, ...) to @bio if it continues it, else send that and start another. */
static struct bio *home_add_data(struct journal *j, struct jbatch *b, struct bio *bio,
				 const struct jmap *m)
{
	u32 done = 0;

	while (done < m->len) {
		struct jpos pos = jpos_add(m->pos, done);
		u32 n = min_t(u32, m->len - done, (BATCH_VECS - 1) * JWIN_CHUNK / JFMT_SECTOR / 2);

		if (bio && (bio_end_sector(bio) != m->home.v + done ||
			    bio->bi_vcnt + jwin_vecs(n) > BATCH_VECS)) {
			home_submit(j, b, bio);
			bio = NULL;
		}
		if (!bio)
			bio = home_bio(j, b, jsec(m->home.v + done), REQ_OP_WRITE);
		jwin_to_bio(&j->image, pos, n, bio);
		done += n;
	}
	return bio;
}

static void add_zero_pages(struct bio *bio, u32 sectors)
{
	while (sectors && bio->bi_vcnt < BATCH_VECS) {
		u32 n = min_t(u32, sectors, PAGE_SIZE / JFMT_SECTOR);

		__bio_add_page(bio, ZERO_PAGE(0), n * JFMT_SECTOR, 0);
		sectors -= n;
	}
}

/*
 * A range without payload, in bios that the home takes whole: of one that is split each part would
 * be a first or last member. A home that knows no discard loses nothing but the space.
 */
static void home_add_range(struct journal *j, struct jbatch *b, const struct jmap *m)
{
	bool zeroes = m->kind == JFMT_ZEROES;
	u32 limit = zeroes ? bdev_write_zeroes_sectors(j->home) : bdev_max_discard_sectors(j->home);
	blk_opf_t opf = zeroes ? REQ_OP_WRITE_ZEROES | REQ_NOUNMAP : REQ_OP_DISCARD;
	u32 done = 0;

	if (!zeroes && !limit)
		return;
	if (zeroes && j->zero_pages)
		limit = 0;
	while (done < m->len) {
		struct jsec home = jsec(m->home.v + done);
		struct bio *bio = home_bio(j, b, home, limit ? opf : REQ_OP_WRITE);

		if (limit)
			bio->bi_iter.bi_size = min(m->len - done, limit) * JFMT_SECTOR;
		else
			add_zero_pages(bio, m->len - done);
		done += bio_sectors(bio);
		home_submit(j, b, bio);
	}
}

int batch_wait(struct journal *j, struct jbatch *b)
{
	wait_below(j, b, 1);
	return b->error;
}

int batch_write_home(struct journal *j, struct jbatch *b)
{
	struct bio *bio = NULL;
	struct jsec at = jsec(0);
	struct jmap m;

	while (jindex_next(b->index, at, &m)) {
		trace_journal_home(j, &m);
		if (m.kind == JFMT_DATA)
			bio = home_add_data(j, b, bio, &m);
		else
			home_add_range(j, b, &m);
		at = jsec(m.home.v + m.len);
	}
	home_submit(j, b, bio);
	return batch_wait(j, b);
}

/* Its data leave the image: the next batch may need that before this bio ends. */
static void keep_data(struct journal *j, struct bio *bio)
{
	sector_t sector = bio->bi_iter.bi_sector;
	u32 len = bio_sectors(bio);
	void *b = bio->bi_private;

	if (bio_op(bio) != REQ_OP_WRITE)
		return;
	jwin_copy_from_bio(&j->kept, jpos(0), bio);
	bio_reset(bio, j->home, bio->bi_opf);
	bio->bi_iter.bi_sector = sector;
	bio->bi_end_io = home_end_io;
	bio->bi_private = b;
	jwin_to_bio(&j->kept, jpos(0), len, bio);
}

void batch_send_last(struct journal *j, struct jbatch *b)
{
	struct bio *bio = b->last_bio;

	if (!bio)
		return;
	b->last_bio = NULL;
	keep_data(j, bio);
	bio->bi_opf = (bio->bi_opf & ~MEMBER_EARLY) | MEMBER_LAST;
	home_send(j, b, bio);
}

/*
 * K4: everything written before is on the home's stable storage when this
 * returns 0. Above a device without write cache the block layer drops flushes,
 * so there is no fence to be had.
 */
int batch_fence(struct journal *j)
{
	struct bio bio;
	int r;

	if (!bdev_write_cache(j->home))
		return -EOPNOTSUPP;
	bio_init(&bio, j->home, NULL, 0, REQ_OP_WRITE | REQ_PREFLUSH | REQ_SYNC);
	r = submit_bio_wait(&bio);
	bio_uninit(&bio);
	this_cpu_inc(j->stats->fences);
	return r;
}

static void print_run(struct journal *j, struct jbatch *b, const struct jmap *m)
{
	bool data = m->kind == JFMT_DATA;

	b->print[b->prints++] = (struct jprint) {
		.sector = m->home.v, .known = data,
		.crc = data ? jwin_crc(&j->image, m->pos, 1, 0) : 0,
	};
}

/*
 * What the home will look like with the batch: taken while its data are in the image,
 * and when no other batch will have its fingerprint taken before.
 */
void batch_print(struct journal *j, struct jbatch *b)
{
	struct jmap m;
	unsigned int i;

	b->prints = 0;
	mutex_lock(&j->super_lock);
	for (i = 0; i < JFORK_ENTRIES; i++) {
		struct jsec at = jsec(le64_to_cpu(j->super.fp[i].sector));

		jindex_lookup(b->index, at, 1, &m);
		if (m.mapped)
			print_run(j, b, &m);
	}
	mutex_unlock(&j->super_lock);
	if (jindex_next(b->index, jsec(0), &m))
		print_run(j, b, &m);
}

/* K4: the home holds the batch; the next superblock will say what that looks like. */
void batch_fingerprint(struct journal *j, const struct jbatch *b)
{
	unsigned int i;

	mutex_lock(&j->super_lock);
	for (i = 0; i < b->prints; i++)
		jfork_note(&j->super, b->print[i].sector, b->print[i].known, b->print[i].crc);
	mutex_unlock(&j->super_lock);
}

/* K6: the home has it: reads need the log no more. */
void batch_forget(struct journal *j, struct jbatch *b)
{
	struct jsec at = jsec(0);
	struct jmap m;

	while (jindex_next(b->index, at, &m)) {
		jindex_drop(j->index, m.home, m.len, b->last.pos);
		at = jsec(m.home.v + m.len);
	}
	batch_clear(b);
}

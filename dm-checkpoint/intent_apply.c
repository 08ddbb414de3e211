// SPDX-License-Identifier: GPL-2.0-only
/*
 * The intent device's contents: superblock, commit blocks, and a batch's way home.
 *
 * Always true: a commit block is written behind a flush of everything that it
 * names; a batch is written home only when its commit block is durable; the
 * superblock retires a batch only when the home has been flushed since, and both
 * of its slots do before anything is written past the batch: whichever of them
 * cannot be read one day, the other knows. After a crash nothing is written home
 * before the whole batch has proved itself.
 *
 * A crash while a superblock is written leaves the other one, which retires the
 * batch or the one before; a commit block that is torn is none.
 */
#include <linux/mm.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>

#include "intent.h"
#include "trace.h"

#define CHUNK_ORDER	3
#define CHUNK_SECTORS	((u32)(PAGE_SIZE << CHUNK_ORDER) / JFMT_SECTOR)
#define BUF_CHUNKS	(INTENT_BUF / CHUNK_SECTORS)
/* Descriptors on their way are in the same memory. */
#define BUF_BLOCKS	(INTENT_BUF / IBLOCK_SECTORS)

int intent_alloc(struct intent *in)
{
	unsigned int i;

	in->page = alloc_page(GFP_KERNEL);
	in->buf = kcalloc(BUF_CHUNKS, sizeof(*in->buf), GFP_KERNEL);
	in->vecs = kcalloc(BUF_CHUNKS, sizeof(*in->vecs), GFP_KERNEL);
	if (!in->page || !in->buf || !in->vecs)
		return -ENOMEM;
	for (i = 0; i < BUF_CHUNKS; i++) {
		in->buf[i] = alloc_pages(GFP_KERNEL | __GFP_COMP | __GFP_NOWARN, CHUNK_ORDER);
		if (!in->buf[i])
			return -ENOMEM;
	}
	return bioset_init(&in->bios, BIO_POOL_SIZE, 0, BIOSET_NEED_BVECS);
}

void intent_free(struct intent *in)
{
	unsigned int i;

	bioset_exit(&in->bios);
	for (i = 0; in->buf && i < BUF_CHUNKS; i++)
		if (in->buf[i])
			__free_pages(in->buf[i], CHUNK_ORDER);
	kfree(in->buf);
	kfree(in->vecs);
	if (in->page)
		__free_page(in->page);
}

/* Sector @at of the buffer, and in *@room the sectors that follow it contiguously. */
static void *buf_at(struct intent *in, u32 at, u32 *room)
{
	*room = CHUNK_SECTORS - at % CHUNK_SECTORS;
	return page_address(in->buf[at / CHUNK_SECTORS]) + at % CHUNK_SECTORS * JFMT_SECTOR;
}

static void buf_to_bio(struct intent *in, u32 at, u32 sectors, struct bio *bio)
{
	while (sectors) {
		u32 n = min(sectors, CHUNK_SECTORS - at % CHUNK_SECTORS);

		__bio_add_page(bio, in->buf[at / CHUNK_SECTORS], n * JFMT_SECTOR,
			       at % CHUNK_SECTORS * JFMT_SECTOR);
		at += n;
		sectors -= n;
	}
}

/* Read or write the first @sectors of the buffer. */
static int buf_io(struct intent *in, blk_opf_t opf, u64 sector, u32 sectors)
{
	struct bio bio;
	int r;

	bio_init(&bio, in->dev->bdev, in->vecs, BUF_CHUNKS, opf);
	bio.bi_iter.bi_sector = sector;
	buf_to_bio(in, 0, sectors, &bio);
	r = submit_bio_wait(&bio);
	bio_uninit(&bio);
	return r;
}

static int block_io(struct intent *in, blk_opf_t opf, u64 sector)
{
	struct bio_vec vec;
	struct bio bio;
	int r;

	bio_init(&bio, in->dev->bdev, &vec, 1, opf | REQ_SYNC);
	bio.bi_iter.bi_sector = sector;
	__bio_add_page(&bio, in->page, IFMT_BLOCK, 0);
	r = submit_bio_wait(&bio);
	bio_uninit(&bio);
	return r;
}

static u64 super_sector(u64 slot)
{
	return slot * (IFMT_SUPER_STRIDE / JFMT_SECTOR);
}

int intent_read_super(struct intent *in, const char **why)
{
	struct isuper *sb = kmalloc_array(IFMT_SUPER_SLOTS, sizeof(*sb), GFP_NOIO);
	enum isuper_verdict v[IFMT_SUPER_SLOTS] = { ISUPER_UNREADABLE, ISUPER_UNREADABLE };
	unsigned int i;
	int best;

	if (!sb) {
		*why = "out of memory";
		return -ENOMEM;
	}
	for (i = 0; i < IFMT_SUPER_SLOTS; i++)
		if (!block_io(in, REQ_OP_READ, super_sector(i)))
			v[i] = isuper_decode(page_address(in->page),
					     bdev_nr_sectors(in->dev->bdev), &sb[i]);
	best = isuper_choose(v, sb);
	if (best >= 0) {
		in->super = sb[best];
		in->agree = isuper_agree(v, sb);
	}
	kfree(sb);
	if (best >= 0)
		return 0;
	/* the slot that tells most */
	i = v[0] == ISUPER_FOREIGN || v[0] == ISUPER_UNREADABLE ? 1 : 0;
	if (v[i] == ISUPER_FOREIGN)
		i = 0;
	*why = isuper_verdict_text(v[i]);
	return v[i] == ISUPER_UNREADABLE ? -EIO : -EBADMSG;
}

int intent_retire(struct intent *in, u64 number)
{
	struct isuper next = in->super;
	unsigned int i;
	int r = 0;

	next.retired = number;
	for (i = 0; !r && i < IFMT_SUPER_SLOTS; i++) {
		next.generation++;
		isuper_encode(&next, page_address(in->page));
		r = block_io(in, REQ_OP_WRITE | REQ_FUA,
			     super_sector(next.generation % IFMT_SUPER_SLOTS));
		/* what failed is written again where it failed: the other slot is whole */
		if (!r)
			in->super = next;
	}
	return r;
}

static u32 desc_blocks(u32 nr)
{
	return DIV_ROUND_UP(nr, IFMT_DESC_EXTENTS);
}

/* Write, or read, the descriptors of a batch. */
static int desc_io(struct intent *in, blk_opf_t opf, const struct intent_batch *b)
{
	u64 sector = igeo_desc(&in->super.geo, b->number);
	u32 left = desc_blocks(b->nr), n, i, room;
	u8 *at = (u8 *)b->extent;
	int r;

	for (; left; left -= n) {
		n = min(left, BUF_BLOCKS);
		if (op_is_write(opf))
			for (i = 0; i < n; i++)
				memcpy(buf_at(in, i * IBLOCK_SECTORS, &room), at + i * IFMT_BLOCK,
				       IFMT_BLOCK);
		r = buf_io(in, opf, sector, n * IBLOCK_SECTORS);
		if (r)
			return r;
		if (!op_is_write(opf))
			for (i = 0; i < n; i++)
				memcpy(at + i * IFMT_BLOCK, buf_at(in, i * IBLOCK_SECTORS, &room),
				       IFMT_BLOCK);
		at += n * IFMT_BLOCK;
		sector += n * IBLOCK_SECTORS;
	}
	return 0;
}

static u32 desc_crc(struct intent *in, const struct intent_batch *b)
{
	return ibatch_crc(ibatch_seed(&in->super.geo, b->number), b->extent,
			  b->nr * sizeof(*b->extent));
}

int intent_commit(struct intent *in, const struct intent_batch *b)
{
	const struct igeo *g = &in->super.geo;
	struct icommit commit = {
		.batch = b->number, .payload_len = b->payload, .nr_extents = b->nr,
		.time_ms = ktime_get_real_ns() / NSEC_PER_MSEC, .desc_crc = desc_crc(in, b),
	};
	u32 rest = desc_blocks(b->nr) * IFMT_DESC_EXTENTS - b->nr;
	int r;

	memset(b->extent + b->nr, 0, rest * sizeof(*b->extent));
	r = desc_io(in, REQ_OP_WRITE, b);
	if (!r)
		r = blkdev_issue_flush(in->dev->bdev);
	if (!r) {
		icommit_encode(g, &commit, page_address(in->page));
		r = block_io(in, REQ_OP_WRITE | REQ_FUA, igeo_slot(g, b->number));
	}
	trace_checkpoint_batch(in->dev->bdev, b->number, b->nr, b->payload, r);
	return r;
}

int intent_void(struct intent *in, u64 number)
{
	memset(page_address(in->page), 0, IFMT_BLOCK);
	return block_io(in, REQ_OP_WRITE | REQ_FUA, igeo_slot(&in->super.geo, number));
}

/*----------------------------------------------------------------
 * A batch's way home
 *--------------------------------------------------------------*/

/* Device mapper waits for an RCU grace period between the last suspend and the end of @in: whoever was waited for is out. */
static void home_end_io(struct bio *bio)
{
	struct intent *in = bio->bi_private;

	if (bio->bi_status)
		cmpxchg(&in->error, 0, blk_status_to_errno(bio->bi_status));
	bio_put(bio);
	rcu_read_lock();
	if (atomic_dec_return(&in->at_home) < (int)in->c->depth)
		wake_up(&in->wait);
	rcu_read_unlock();
}

/* Room at the home for one more write. */
static bool has_room(struct intent *in)
{
	return pace_allows(in->c, atomic_read(&in->at_home), READ_ONCE(in->urgent));
}

static int home_flush(struct intent *in)
{
	u64 start = ktime_get_ns();
	int r;

	wait_event(in->wait, !atomic_read(&in->at_home));
	r = blkdev_issue_flush(in->c->home->bdev);
	pace_flushed(in->c, in->cached, ktime_get_ns() - start);
	in->cached = 0;
	return r;
}

/* Sectors from @at of the buffer on. */
static int home_write(struct intent *in, const struct iextent *x, u32 at)
{
	unsigned short vecs = DIV_ROUND_UP(x->len, CHUNK_SECTORS) + 1;
	blk_opf_t opf = REQ_OP_WRITE;
	struct bio *bio;
	int r = 0;

	if (in->cached >= pace_room(in->c, READ_ONCE(in->urgent)))
		r = home_flush(in);
	if (r)
		return r;
	while (!wait_event_timeout(in->wait, has_room(in), pace_wait(in->c) ?: HZ))
		;
	if (pace_gently(in->c, READ_ONCE(in->urgent)))
		opf |= REQ_FUA;
	else
		in->cached += pace_weight(x->len);
	bio = bio_alloc_bioset(in->c->home->bdev, vecs, opf, GFP_NOIO, &in->bios);
	bio->bi_iter.bi_sector = x->home;
	bio->bi_end_io = home_end_io;
	bio->bi_private = in;
	buf_to_bio(in, at, x->len, bio);
	pace_sent(in->c, x->len);
	atomic_inc(&in->at_home);
	submit_bio_noacct(bio);
	return 0;
}

/* A home that knows no discard loses nothing but the space. */
static int home_range(struct intent *in, const struct iextent *x)
{
	struct block_device *home = in->c->home->bdev;
	int r;

	if (x->kind == JFMT_ZEROES)
		return blkdev_issue_zeroout(home, x->home, x->len, GFP_NOIO, BLKDEV_ZERO_NOUNMAP);
	r = blkdev_issue_discard(home, x->home, x->len, GFP_NOIO);
	return r == -EOPNOTSUPP ? 0 : r;
}

static bool payload_ok(struct intent *in, const struct intent_batch *b, const struct iextent *x,
		       u32 at)
{
	u32 crc = ibatch_seed(&in->super.geo, b->number), left = x->len, n;

	for (; left; left -= n) {
		u32 room;
		void *data = buf_at(in, at, &room);

		n = min(left, room);
		crc = ibatch_crc(crc, data, n * JFMT_SECTOR);
		at += n;
	}
	return crc == x->crc;
}

/* The extents from @i on whose payload is in the buffer; the buffer holds @have sectors. */
static int walk_part(struct intent *in, const struct intent_batch *b, u32 *i, u32 have, bool write)
{
	struct iextent x;
	u32 at = 0;
	int r = 0;

	for (; !r && *i < b->nr; ++*i) {
		if (!iextent_decode(&in->super.geo, &b->extent[*i], &x))
			return -EBADMSG;
		if (x.kind != JFMT_DATA) {
			if (write)
				r = home_range(in, &x);
			continue;
		}
		if (at + x.len > have)
			break;
		if (!payload_ok(in, b, &x, at))
			return -EBADMSG;
		if (write)
			r = home_write(in, &x, at);
		at += x.len;
	}
	return r;
}

/* How many sectors of payload the extents from @i on have, as many as fit in the buffer. */
static u32 part_len(struct intent *in, const struct intent_batch *b, u32 i)
{
	struct iextent x;
	u32 n = 0;

	for (; i < b->nr && iextent_decode(&in->super.geo, &b->extent[i], &x); i++) {
		if (x.kind != JFMT_DATA)
			continue;
		if (x.len > INTENT_BUF - n)
			break;
		n += x.len;
	}
	return n;
}

/* Check the payload of @b, and @write it home. */
static int walk(struct intent *in, const struct intent_batch *b, bool write)
{
	u64 done = 0;
	u32 i = 0;
	int r = 0;

	in->error = 0;
	while (!r && i < b->nr) {
		u32 n = part_len(in, b, i), from = i;

		if (done + n > b->payload)
			return -EBADMSG;
		if (n)
			r = buf_io(in, REQ_OP_READ, igeo_payload(&in->super.geo, b->number) + done, n);
		if (!r)
			r = walk_part(in, b, &i, n, write);
		wait_event(in->wait, !atomic_read(&in->at_home));
		if (!r)
			r = in->error;
		if (!r && i == from)
			r = -EBADMSG;	/* larger than the buffer */
		done += n;
	}
	return r;
}

int intent_apply(struct intent *in, const struct intent_batch *b)
{
	struct checkpoint *c = in->c;
	int r = walk(in, b, true);

	if (!r)
		r = home_flush(in);
	trace_checkpoint_applied(in->dev->bdev, b->number, b->nr, b->payload, r);
	spin_lock_irq(&c->lock);
	if (!r)
		in->stats.applied += b->payload;
	spin_unlock_irq(&c->lock);
	return r;
}

/* The commit block with the greatest number; false: there is none. */
static int find_newest(struct intent *in, struct icommit *newest)
{
	struct icommit commit;
	unsigned int slot;
	int r;

	newest->batch = 0;
	for (slot = 0; slot < 2; slot++) {
		r = block_io(in, REQ_OP_READ, igeo_slot(&in->super.geo, slot));
		if (r)
			return r;
		if (icommit_decode(&in->super.geo, slot, page_address(in->page), &commit) &&
		    commit.batch > newest->batch)
			*newest = commit;
	}
	return 0;
}

static int recover_retire(struct intent *in, u64 number)
{
	int r = intent_retire(in, number);

	if (r)
		DMERR("%s: intent device %pg: its superblock cannot be written: error %d",
		      in->c->name, in->dev->bdev, r);
	return r;
}

static int recover_batch(struct intent *in, const struct icommit *commit)
{
	struct intent_batch b = {
		.number = commit->batch, .payload = commit->payload_len, .nr = commit->nr_extents,
		.extent = in->extents[commit->batch % 2],
	};
	int r = desc_io(in, REQ_OP_READ, &b);

	if (!r && desc_crc(in, &b) != commit->desc_crc)
		r = -EBADMSG;
	if (!r)
		r = walk(in, &b, false);
	if (r) {
		DMERR("%s: batch %llu of intent device %pg was committed but cannot be read (%d); nothing was written home: jbdctl recover",
		      in->c->name, b.number, in->dev->bdev, r);
		return r;
	}
	r = intent_apply(in, &b);
	if (r) {
		DMERR("%s: batch %llu of intent device %pg cannot be brought home: error %d",
		      in->c->name, b.number, in->dev->bdev, r);
		return r;
	}
	DMINFO("%s: batch %llu of intent device %pg was brought home: %u extents, %llu sectors",
	       in->c->name, b.number, in->dev->bdev, b.nr, b.payload);
	return recover_retire(in, b.number);
}

int intent_recover(struct intent *in)
{
	const struct igeo geo = in->super.geo;
	struct icommit newest = {};
	const char *why = "cannot be flushed or read";
	/* what is read must not be less after the next power cut */
	int r = blkdev_issue_flush(in->dev->bdev);

	if (!r)
		r = intent_read_super(in, &why);
	if (!r && memcmp(&in->super.geo, &geo, sizeof(geo))) {
		in->super.geo = geo;
		why = "it was formatted anew after the table was loaded: load the table again";
		r = -ESTALE;
	}
	if (!r)
		r = find_newest(in, &newest);
	if (r) {
		DMERR("%s: intent device %pg: %s", in->c->name, in->dev->bdev, why);
		return r;
	}
	in->unvoided = false;
	if (newest.batch > in->super.retired)
		return recover_batch(in, &newest);
	return in->agree ? 0 : recover_retire(in, in->super.retired);
}

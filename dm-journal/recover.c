// SPDX-License-Identifier: GPL-2.0-only
/*
 * Recovery: from what the log holds to a volume that can be used.
 *
 * Always true: nothing is exposed before the barrier is durable: a superblock
 * that names the last accepted record and the first new sequence, behind which
 * no later scan accepts anything older. The home is not written, unless the
 * index cannot hold the log.
 *
 * A crash at any point leaves the log as it was, or with the barrier, and
 * recovery starts again.
 */
#include <linux/vmalloc.h>

#include "journal.h"
#include "trace.h"

#define RECOVER_BUF	512		/* sectors */

struct recover {
	struct journal	*j;
	struct jcut	cut;		/* of a rollback */
	bool		found;
	u64		behind;		/* records behind the cut */
	struct bio_vec	vecs[RECOVER_BUF * JFMT_SECTOR / PAGE_SIZE];
};

static int recover_io(struct recover *rc, struct block_device *bdev, blk_opf_t opf, u64 sector,
		      void *buf, u32 sectors)
{
	u32 bytes = sectors * JFMT_SECTOR, n;
	struct bio bio;
	int r;

	bio_init(&bio, bdev, rc->vecs, ARRAY_SIZE(rc->vecs), opf);
	bio.bi_iter.bi_sector = sector;
	for (; bytes; bytes -= n, buf += n) {
		n = min_t(u32, bytes, PAGE_SIZE - offset_in_page(buf));
		__bio_add_page(&bio, vmalloc_to_page(buf), n, offset_in_page(buf));
	}
	r = submit_bio_wait(&bio);
	bio_uninit(&bio);
	return r;
}

static int recover_read(void *ctx, __u64 sector, void *buf, __u32 sectors)
{
	struct recover *rc = ctx;

	return recover_io(rc, rc->j->log, REQ_OP_READ, sector, buf, sectors);
}

static int recover_read_home(void *ctx, __u64 sector, void *buf, __u32 sectors)
{
	struct recover *rc = ctx;

	return recover_io(rc, rc->j->home, REQ_OP_READ, sector, buf, sectors);
}

static const struct jfork_ops fork_ops = {
	.read_log	= recover_read,
	.read_home	= recover_read_home,
};

/* V3: everything before this record is accepted and in the index. */
static int recover_record(void *ctx, const struct jrecord *rec)
{
	struct journal *j = ((struct recover *)ctx)->j;

	j->durable.pos = rec->pos;
	j->durable.seq = rec->prev_seq;
	j->head = jpos_add(rec->pos, rec->len);
	if (!j->lag_since_ms)
		j->lag_since_ms = rec->time_ms;
	return 0;
}

/*
 * The index is full: send home what was accepted so far. What is found may be in the log's
 * cache only, and the superblock is about to promise it.
 */
static int recover_make_room(struct journal *j)
{
	u64 before = j->tail.pos.v;
	int r = blkdev_issue_flush(j->log);

	if (r)
		return r;
	j->ckpt_goal = j->durable.seq;
	journal_ckpt_run(j);
	return j->tail.pos.v > before ? 0 : -ENOMEM;
}

static int recover_extent(void *ctx, const struct jrecord *rec, const struct jextent *x)
{
	struct journal *j = ((struct recover *)ctx)->j;
	struct jmap m = {
		.home = x->home, .len = x->len, .kind = x->kind, .mapped = true,
		.pos = x->pos, .has_check = x->kind == JFMT_DATA,
		.check = jindex_check(x->crc),
	};

	if (jindex_reserve(j->index, x->len)) {
		int r = recover_make_room(j);

		if (!r && jindex_reserve(j->index, x->len))
			r = -ENOMEM;
		if (r)
			return r;
	}
	jindex_insert(j->index, &m);
	return 0;
}

static const struct jscan_ops recover_ops = {
	.read	= recover_read,
	.record	= recover_record,
	.extent	= recover_extent,
};

/* What may lie behind a hole, sectors: what can be in flight, twice, and a record. */
static u64 recover_window(const struct journal *j)
{
	return 4ull * j->opts.inflight_kib + 2 * j->geo.record_max;
}

/* V4: no scan goes back behind this point. */
static int recover_barrier(struct journal *j, const struct jscan_result *res)
{
	struct jsuper *sb = &j->super;
	u64 seq = max3(res->seen_seq, res->durable_seq, max(sb->first_new_seq, res->last_seq));
	int r;

	if (seq > JFMT_SEQ_MAX - 2 * JOURNAL_SEQ_JUMP) {
		DMERR("%s: the log %pg has used up its sequence numbers; checkpoint it with jbdctl recover and format it anew",
		      journal_name(j), j->log);
		return -EOVERFLOW;
	}
	mutex_lock(&j->super_lock);
	sb->barrier_seq = res->last_seq;
	sb->barrier_pos = res->head;
	sb->barrier_crc = res->last_crc;
	sb->first_new_seq = seq + JOURNAL_SEQ_JUMP;
	sb->durable_seq = res->last_seq;
	sb->epoch = max(sb->epoch, res->last_epoch) + 1;
	jmark_forget_behind(sb, res->last_seq);
	sb->recoveries++;
	r = journal_super_write(j, REQ_PREFLUSH);
	/* in both slots: the branch must not come back when one of them rots */
	if (!r)
		r = journal_super_write(j, 0);
	journal_hold_load(j);
	mutex_unlock(&j->super_lock);
	return r;
}

/*
 * V4: the barrier keeps the branch that is given up out of the chain only until the next
 * recovery writes another one. By then a header of that branch must not stand where the
 * chain may go past it: the first new record lies there, or in the next lap.
 */
static int recover_cut_off(struct recover *rc, void *buf, const struct jscan_result *res)
{
	struct journal *j = rc->j;
	struct jrecord rec;
	int r = recover_io(rc, j->log, REQ_OP_READ, res->head_dev, buf, j->geo.unit);

	if (r || !jrecord_decode(&j->geo, res->head, buf, &rec) ||
	    rec.prev_seq != res->last_seq || rec.prev_crc != res->last_crc)
		return r;
	memset(buf, 0, j->geo.unit * JFMT_SECTOR);
	return recover_io(rc, j->log, REQ_OP_WRITE | REQ_FUA | REQ_SYNC, res->head_dev, buf,
			  j->geo.unit);
}

/* V5 */
static void recover_start(struct journal *j, const struct jscan_result *res)
{
	j->head = res->head;
	j->staging_low = res->head;
	j->image_low = res->head;
	j->image_high = res->head;
	j->epoch = j->super.epoch;
	j->next_seq = j->super.first_new_seq;
	j->submit_seq = j->next_seq;
	j->durable.pos = res->head;
	j->durable.seq = j->next_seq - 1;
	j->durable.last = res->last_seq;
	j->owed_seq = j->durable.seq;
	j->link_seq = res->last_seq;
	j->link_crc = res->last_crc;
	if (j->tail.pos.v == res->head.v)
		j->lag_since_ms = 0;
}

/* V1: a log is not replayed over a home that went on without it. */
static int recover_fork(struct recover *rc, void *buf)
{
	struct journal *j = rc->j;
	u64 sector;
	int r = jfork_check(&j->super, &fork_ops, rc, buf, RECOVER_BUF, &sector);

	if (r)
		DMERR("%s: home %pg was written elsewhere since its log %pg was used: sector %llu; nothing was replayed over that. jbdctl open --ignore-fork",
		      journal_name(j), j->home, j->log, sector);
	return r;
}

/* V1 */
static int recover_super(struct journal *j)
{
	const char *why = "";
	int r = journal_super_read(j->log, &j->super, &why);

	if (r) {
		DMERR("%s: log %pg: %s", journal_name(j), j->log, why);
		return r;
	}
	if (memcmp(&j->super.geo, &j->geo, sizeof(j->geo))) {
		DMERR("%s: log %pg was formatted again after this table was loaded; load the table again",
		      journal_name(j), j->log);
		return -ESTALE;
	}
	if (j->super.flags & JFMT_SUPER_RETIRED) {
		DMERR("%s: log %pg is retired: its home went on without it; use the home as it is, or format the log with jbdctl create",
		      journal_name(j), j->log);
		return -ESTALE;
	}
	return 0;
}

int journal_recover(struct journal *j)
{
	struct jscan_result res;
	struct recover *rc;
	void *buf;
	int r = recover_super(j);

	if (r)
		return r;
	buf = vmalloc(RECOVER_BUF * JFMT_SECTOR);
	rc = kmalloc(sizeof(*rc), GFP_NOIO);
	r = -ENOMEM;
	if (!buf || !rc)
		goto out;
	rc->j = j;
	r = journal_hold_suits(j);
	if (!r)
		r = recover_fork(rc, buf);
	if (r)
		goto out;

	/* nothing was exposed yet: what a former attempt met, or a life before a rollback, is forgotten */
	j->error = 0;
	j->reason = NULL;
	j->ckpt_stalled = false;
	j->ckpt_goal = 0;
	j->event_seq = 0;
	jindex_clear(j->index);
	batch_clear(&j->batch[0]);
	batch_clear(&j->batch[1]);
	mutex_lock(&j->super_lock);
	journal_hold_load(j);
	mutex_unlock(&j->super_lock);
	j->tail = (struct jtail) {
		.pos = j->super.tail_pos, .seq = j->super.tail_seq, .crc = j->super.tail_crc,
		.epoch = j->super.epoch,
	};
	j->free_to = j->tail.pos;
	j->head = j->tail.pos;
	j->durable.pos = j->tail.pos;
	j->durable.seq = j->tail.seq;
	j->staging_low = jpos(~0ull);
	j->image_low = j->tail.pos;
	j->image_high = j->tail.pos;
	j->lag_since_ms = 0;
	j->ckpt_stop = false;

	jscan(&j->super, &recover_ops, rc, buf, RECOVER_BUF, recover_window(j), &res);	/* V2 */
	switch (res.end) {
	case JSCAN_END:
		j->super.flags |= JFMT_SUPER_RUNNING;
		r = recover_barrier(j, &res);
		if (r)
			break;
		r = recover_cut_off(rc, buf, &res);
		if (r)
			DMERR("%s: log %pg, sector %llu: cannot be read or written (%d)",
			      journal_name(j), j->log, res.head_dev, r);
		break;
	case JSCAN_STOPPED:
		DMERR("%s: recovery failed (%d): record %llu does not fit in index_mib %u, and cannot be checkpointed",
		      journal_name(j), res.error, res.last_seq, j->opts.index_mib);
		r = res.error;
		break;
	case JSCAN_UNREADABLE:
		DMERR("%s: log %pg, sector %llu: %s (%d); nothing was changed",
		      journal_name(j), j->log, res.error_dev, res.why, res.error);
		r = res.error;
		break;
	case JSCAN_DAMAGE:
		DMERR("%s: log %pg is damaged behind record %llu, at sector %llu: %s; records up to %llu were durable. The home is consistent without the rest: jbdctl recover --accept-loss",
		      journal_name(j), j->log, res.last_seq, res.head_dev, res.why,
		      res.durable_seq);
		r = -EUCLEAN;
		break;
	}
	if (r)
		goto out;
	recover_start(j, &res);
	trace_journal_recover(j, res.last_seq, res.head, res.records);
	DMINFO("%s: recovered %llu records (%llu extents) from %llu sectors read; %llu of %llu sectors in use",
	       journal_name(j), res.records, res.extents, res.read_sectors, space_used(j),
	       j->geo.area_len);
	j->recovered = true;
out:
	if (r)
		journal_ckpt_halt(j);	/* no message starts what was begun to make room in the index */
	kfree(rc);
	vfree(buf);
	return r;
}

static int rollback_record(void *ctx, const struct jrecord *rec)
{
	struct recover *rc = ctx;

	rc->behind += rc->found;
	if (rec->seq == rc->cut.seq && rec->crc == rc->cut.crc &&
	    rec->pos.v + rec->len == rc->cut.pos.v)
		rc->found = true;
	return 0;
}

static int rollback_extent(void *ctx, const struct jrecord *rec, const struct jextent *x)
{
	return 0;
}

static const struct jscan_ops rollback_ops = {
	.read	= recover_read,
	.record	= rollback_record,
	.extent	= rollback_extent,
};

/* The mark is in the log, and the log is whole: behind the mark it ends from now on. */
static int rollback_to(struct recover *rc, const char *name, void *buf)
{
	struct journal *j = rc->j;
	const struct jfmt_mark *m = jmark_find(&j->super, name);
	struct jscan_result res;
	int r;

	if (!m) {
		DMERR("%s: there is no mark %s", journal_name(j), name);
		return -ENOENT;
	}
	rc->cut = jmark_cut(m);
	rc->found = rc->cut.seq == j->super.tail_seq && rc->cut.crc == j->super.tail_crc &&
		    rc->cut.pos.v == j->super.tail_pos.v;
	rc->behind = 0;
	jscan(&j->super, &rollback_ops, rc, buf, RECOVER_BUF, recover_window(j), &res);
	if (res.end != JSCAN_END || !rc->found) {
		DMERR("%s: log %pg: the way back to mark %s is not whole: %s at sector %llu; nothing was changed",
		      journal_name(j), j->log, name, res.why, res.head_dev);
		return res.end == JSCAN_UNREADABLE ? res.error : -EUCLEAN;
	}
	j->recovered = false;
	res.last_seq = rc->cut.seq;
	res.last_crc = rc->cut.crc;
	res.head = rc->cut.pos;
	res.head_dev = jring_dev(&j->geo, res.head);
	r = recover_barrier(j, &res);
	if (!r)
		r = recover_cut_off(rc, buf, &res);
	if (r)
		return r;
	trace_journal_rollback(j, res.last_seq, res.head, rc->behind);
	DMINFO("%s: rolled back to mark %s, record %llu; %llu records given up",
	       journal_name(j), name, res.last_seq, rc->behind);
	return 0;
}

int journal_rollback(struct journal *j, const char *name)
{
	struct recover *rc;
	void *buf;
	int r;

	if (j->error) {
		DMERR("%s: the log %pg has failed; open the volume anew first", journal_name(j),
		      j->log);
		return -EIO;
	}
	r = recover_super(j);
	if (r)
		return r;
	buf = vmalloc(RECOVER_BUF * JFMT_SECTOR);
	rc = kmalloc(sizeof(*rc), GFP_NOIO);
	r = -ENOMEM;
	if (buf && rc) {
		rc->j = j;
		r = rollback_to(rc, name, buf);
	}
	kfree(rc);
	vfree(buf);
	return r;
}

// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The scan: which records does a log hold, and is that all it should hold?
 *
 * Always true: the chain is the run of headers from the tail in which each names
 * the one before it; every record handed out is in the chain, and so is every
 * one that waits. A record waits until a header of the chain says that
 * it was durable, or, when the chain is at its end, until its payload proves whole.
 * What is durable is not verified: that is for whoever reads it. But it is if the
 * superblock is alone: perhaps that is not the newest, and the space was free.
 *
 * After the last record handed out the log either ends, because nothing behind it
 * was ever promised, or is damaged. The superblock, or a header behind
 * the hole, knows which.
 *
 * A crash here leaves nothing: the scan only reads.
 */
#include <linux/types.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/string.h>
#ifndef __KERNEL__
#include <stdio.h>
#endif

#include "scan.h"

/* A record of the chain that waits for its acceptance. */
struct waiting {
	struct jpos	pos;
	__u64		seq;
};

/*
 * More than may be on their way to the log at once. If there are more all the
 * same, the oldest has to prove itself by its payload.
 */
#define MAX_WAITING	512u

/* The work space: who waits, one descriptor, and the rest is the window on the log. */
#define WAITING_SECTORS	(MAX_WAITING * (__u32)sizeof(struct waiting) / JFMT_SECTOR)
#define WINDOW_AT	(WAITING_SECTORS + JFMT_UNIT_MAX)

struct scan {
	const struct jsuper	*sb;
	const struct jgeo	*g;
	const struct jscan_ops	*ops;
	void			*ctx;
	struct jscan_result	*r;
	__u64			limit;		/* a lap behind the tail: nothing live is beyond */

	struct waiting		*waiting;	/* ring */
	unsigned int		oldest, nr_waiting;
	void			*desc;		/* the descriptor under the cursor */

	__u8			*window;
	__u32			window_cap;	/* sectors */
	struct jpos		window_pos;
	__u32			window_len;	/* sectors; 0: holds nothing */

	/* the end of the chain */
	struct jpos		pos;
	__u64			seq, epoch;
	__u32			crc;
	__u32			stride;		/* length of its last record */
	bool			unreadable;	/* what stands there could not be read */
	bool			stale;		/* there was a newer superblock */
};

/* What ends the scan; also the return value of the functions below, 0: nothing does. */
enum { CUT = -1, UNREADABLE = -2, STOPPED = -3 };

/*
 * Records of the branch that the last recovery gave up. Their headers may be whole,
 * but say nothing about the log as it was when the barrier was written.
 */
static bool is_lost(const struct jsuper *sb, __u64 seq)
{
	return seq > sb->barrier_seq && seq < sb->first_new_seq;
}

static void note_durable(struct scan *s, __u64 seq)
{
	if (is_lost(s->sb, seq))
		seq = s->sb->barrier_seq;
	if (seq > s->r->durable_seq)
		s->r->durable_seq = seq;
}

static void note_seen(struct scan *s, __u64 seq)
{
	if (seq > s->r->seen_seq)
		s->r->seen_seq = seq;
}

/*
 * @need sectors at @pos, in memory until the next call; NULL: the read failed. Reads
 * up to @ahead sectors with them. Whole units, and never across the end of the area.
 */
static const void *read_at(struct scan *s, struct jpos pos, __u32 need, __u64 ahead)
{
	__u32 skew = pos.v & (s->g->unit - 1), least, n;
	struct jpos start = jpos(pos.v - skew);
	__u64 most = jring_left(s->g, start);
	int error;

	if (pos.v >= s->window_pos.v &&
	    pos.v + need <= s->window_pos.v + s->window_len)
		return s->window + (pos.v - s->window_pos.v) * JFMT_SECTOR;

	least = jround_unit(s->g, skew + need);
	if (most > s->window_cap)
		most = s->window_cap;
	if (most > skew + ahead)
		most = jround_unit(s->g, skew + (__u32)ahead);
	n = most > least ? (__u32)most : least;

	s->window_len = 0;
	error = s->ops->read(s->ctx, jring_dev(s->g, start), s->window, n);
	if (error && n > least) {
		/* perhaps only what is not needed yet cannot be read */
		n = least;
		error = s->ops->read(s->ctx, jring_dev(s->g, start), s->window, n);
	}
	if (error) {
		s->r->error = error;
		s->r->error_dev = jring_dev(s->g, start);
		return NULL;
	}
	s->r->read_sectors += n;
	s->window_pos = start;
	s->window_len = n;
	return s->window + skew * JFMT_SECTOR;
}

/* The unit at @pos. Reads ahead, unless the next descriptor is beyond the window anyway. */
static const void *read_unit(struct scan *s, struct jpos pos)
{
	return read_at(s, pos, s->g->unit,
		       s->stride <= s->window_cap / 2 ? s->window_cap : s->g->unit);
}

static int unreadable(struct scan *s, const char *what, __u64 seq)
{
	snprintf(s->r->why, sizeof(s->r->why), "cannot read %s record %llu", what,
		 (unsigned long long)seq);
	return UNREADABLE;
}

/* A copy of the descriptor at @pos, which payload in the window does not displace. */
static bool load_desc(struct scan *s, struct jpos pos)
{
	const void *block = read_unit(s, pos);

	if (block)
		memcpy(s->desc, block, s->g->unit * JFMT_SECTOR);
	return block;
}

typedef int (*visit_fn)(struct scan *s, const struct jrecord *rec, const struct jextent *x);

/* Visit the extents of @rec, whose header is in s->desc. No @visit: only the descriptors. */
static int walk(struct scan *s, const struct jrecord *rec, visit_fn visit)
{
	struct jextent x;
	struct jcursor c;
	struct jpos need;
	int r;

	jcursor_init(&c, s->g, rec, s->desc);
	while ((r = jcursor_next(&c, &x, &need)) != 0) {
		if (r > 0) {
			r = visit ? visit(s, rec, &x) : 0;
			if (r)
				return r;
			continue;
		}
		if (r == -EAGAIN) {
			if (!load_desc(s, need))
				return unreadable(s, "a descriptor of", rec->seq);
			r = jcursor_feed(&c, s->desc);
		}
		if (r) {
			snprintf(s->r->why, sizeof(s->r->why), "descriptor of record %llu torn",
				 (unsigned long long)rec->seq);
			return CUT;
		}
	}
	return 0;
}

static int check_payload(struct scan *s, const struct jrecord *rec, const struct jextent *x)
{
	__u64 end = rec->pos.v + rec->len;
	__u32 left = x->len, crc = jpayload_seed(s->g);
	struct jpos pos = x->pos;

	if (x->kind != JFMT_DATA)
		return 0;
	while (left) {
		__u32 n = s->window_cap - s->g->unit;
		const void *data;

		if (n > left)
			n = left;
		data = read_at(s, pos, n, end - pos.v);
		if (!data)
			return unreadable(s, "the payload of", rec->seq);
		crc = jpayload_crc(crc, data, n * JFMT_SECTOR);
		pos = jpos_add(pos, n);
		left -= n;
	}
	if (crc == x->crc)
		return 0;
	snprintf(s->r->why, sizeof(s->r->why),
		 "payload of record %llu for home sector %llu fails its checksum",
		 (unsigned long long)rec->seq, (unsigned long long)x->home.v);
	return CUT;
}

static int stopped(struct scan *s, int value)
{
	snprintf(s->r->why, sizeof(s->r->why), "stopped");
	s->r->error = value;
	return STOPPED;
}

static int give_extent(struct scan *s, const struct jrecord *rec, const struct jextent *x)
{
	int value = s->ops->extent(s->ctx, rec, x);

	if (value)
		return stopped(s, value);
	s->r->extents++;
	if (x->kind == JFMT_DATA)
		s->r->payload_sectors += x->len;
	return 0;
}

/* Hand out the record that waits longest; not before it has proved itself, if @verify. */
static int settle_oldest(struct scan *s, bool verify)
{
	const struct waiting *w = &s->waiting[s->oldest];
	struct jscan_result *r = s->r;
	struct jrecord rec;
	int end, value;

	if (!load_desc(s, w->pos))
		return unreadable(s, "the header of", w->seq);
	if (!jrecord_decode(s->g, w->pos, s->desc, &rec) || rec.seq != w->seq) {
		snprintf(r->why, sizeof(r->why), "header of record %llu reads differently again",
			 (unsigned long long)w->seq);
		return CUT;
	}
	end = walk(s, &rec, verify ? check_payload : NULL);
	if (end)
		return end;
	if (rec.nr_desc > 1 && !load_desc(s, w->pos))
		return unreadable(s, "the header of", w->seq);

	value = s->ops->record(s->ctx, &rec);
	if (value)
		return stopped(s, value);
	end = walk(s, &rec, give_extent);
	if (end)
		return end;

	s->oldest = (s->oldest + 1) % MAX_WAITING;
	s->nr_waiting--;
	r->records++;
	r->head = jpos_add(rec.pos, rec.len);
	r->last_seq = rec.seq;
	r->last_crc = rec.crc;
	if (rec.epoch > r->last_epoch)
		r->last_epoch = rec.epoch;
	if (rec.tail_pos.v > r->tail_pos.v) {
		r->tail_pos = rec.tail_pos;
		r->tail_seq = rec.tail_seq;
	}
	return 0;
}

/*
 * Does @rec come right behind the chain? If it does, but a lap behind the tail, the
 * space was free: a newer superblock said so.
 */
static bool follows(struct scan *s, const struct jrecord *rec)
{
	const struct jsuper *sb = s->sb;

	if (rec->prev_seq != s->seq || rec->prev_crc != s->crc)
		return false;
	if (rec->epoch < s->epoch)
		return false;
	if (rec->pos.v + rec->len > s->limit) {
		s->stale = true;
		return false;
	}
	if (s->seq < sb->barrier_seq)
		return rec->seq < sb->barrier_seq ||
		       (rec->seq == sb->barrier_seq && rec->crc == sb->barrier_crc);
	if (s->seq == sb->barrier_seq)
		return rec->seq >= sb->first_new_seq &&
		       (rec->pos.v == sb->barrier_pos.v ||
			rec->pos.v == jring_next_lap(s->g, sb->barrier_pos).v);
	return true;
}

/*
 * The header behind the chain, there or, if it did not fit there, at the start
 * of the next lap. If there is none, what is there instead is the first answer.
 */
static bool find_next(struct scan *s, struct jrecord *rec)
{
	const struct jpos at[] = { s->pos, jring_next_lap(s->g, s->pos) };
	struct jscan_result *r = s->r;
	unsigned int i;

	snprintf(r->why, sizeof(r->why), "no record");
	for (i = 0; i < 2; i++) {
		const void *block;

		block = at[i].v < s->limit ? read_unit(s, at[i]) :
					     read_at(s, at[i], s->g->unit, s->g->unit);
		if (!block) {
			snprintf(r->why, sizeof(r->why), "cannot read the record behind %llu",
				 (unsigned long long)s->seq);
			s->unreadable = true;
			return false;
		}
		if (!jrecord_decode(s->g, at[i], block, rec))
			continue;
		note_seen(s, rec->seq);
		if (follows(s, rec))
			return true;
		snprintf(r->why, sizeof(r->why), "record %llu does not follow record %llu",
			 (unsigned long long)rec->seq, (unsigned long long)s->seq);
	}
	return false;
}

/* Go along the chain, and hand out what turns out to be durable. 0: at its end. */
static int follow_chain(struct scan *s)
{
	struct jrecord rec;
	int end;

	while (find_next(s, &rec)) {
		note_durable(s, rec.durable_seq);
		if (s->nr_waiting == MAX_WAITING) {
			end = settle_oldest(s, s->sb->alone ||
						s->waiting[s->oldest].seq > s->r->durable_seq);
			if (end)
				return end;
		}
		s->waiting[(s->oldest + s->nr_waiting++) % MAX_WAITING] = (struct waiting) {
			.pos = rec.pos, .seq = rec.seq,
		};
		s->pos = jpos_add(rec.pos, rec.len);
		s->seq = rec.seq;
		s->crc = rec.crc;
		s->epoch = rec.epoch;
		s->stride = rec.len;

		while (s->nr_waiting && s->waiting[s->oldest].seq <= s->r->durable_seq) {
			end = settle_oldest(s, s->sb->alone);
			if (end)
				return end;
		}
	}
	return 0;
}

/*
 * What does the unit at @pos, behind the end, know? Returns the length of the
 * record, if it is one that could have come after those accepted; else 0.
 */
static __u32 examine(struct scan *s, struct jpos pos, const struct jfmt_record *h)
{
	__u64 own = le64_to_cpu(h->pos);
	struct jrecord rec;

	if (own < pos.v || jring_rem(own - pos.v, s->g->area_len) ||
	    !jrecord_decode(s->g, jpos(own), h, &rec))
		return 0;
	note_seen(s, rec.seq);
	if (rec.seq <= s->r->last_seq || is_lost(s->sb, rec.seq))
		return 0;
	note_durable(s, rec.durable_seq);
	if (own == pos.v)
		return rec.len;

	/* space is reused after a superblock said so: there was a newer one */
	s->stale = true;
	snprintf(s->r->why, sizeof(s->r->why),
		 "record %llu of a later lap: the superblock is not the newest",
		 (unsigned long long)rec.seq);
	return 0;
}

/* Look behind the chain. Stops at the first failed read. */
static void search(struct scan *s, __u64 window)
{
	__u64 pos = s->pos.v + (s->unreadable ? s->g->unit : 0), end;

	if (window > s->g->area_len)
		window = s->g->area_len;
	for (end = pos + window; pos < end && pos < s->limit; ) {
		const void *block = read_at(s, jpos(pos), s->g->unit, s->window_cap);
		__u32 len;

		if (!block)
			return;
		len = examine(s, jpos(pos), block);
		pos += len ? len : s->g->unit;
		if (len)
			end = pos + window;
	}
}

void jscan(const struct jsuper *sb, const struct jscan_ops *ops, void *ctx,
	   void *buf, __u32 buf_sectors, __u64 window, struct jscan_result *out)
{
	struct scan s = {
		.sb = sb, .g = &sb->geo, .ops = ops, .ctx = ctx, .r = out,
		.limit = sb->tail_pos.v + sb->geo.area_len,
		.waiting = buf,
		.desc = (__u8 *)buf + WAITING_SECTORS * JFMT_SECTOR,
		.window = (__u8 *)buf + WINDOW_AT * JFMT_SECTOR,
		.window_cap = (buf_sectors - WINDOW_AT) & ~(sb->geo.unit - 1),
		.pos = sb->tail_pos, .seq = sb->tail_seq, .crc = sb->tail_crc,
	};
	int r;

	memset(out, 0, sizeof(*out));
	out->head = sb->tail_pos;
	out->last_seq = sb->tail_seq;
	out->last_crc = sb->tail_crc;
	out->last_epoch = sb->epoch;
	out->tail_pos = sb->tail_pos;
	out->tail_seq = sb->tail_seq;
	/* a record is durable before a checkpoint begins with it, or a barrier names it */
	note_durable(&s, sb->durable_seq);
	note_durable(&s, sb->ckpt_to_seq);
	note_durable(&s, sb->barrier_seq);
	note_seen(&s, sb->durable_seq);
	note_seen(&s, sb->ckpt_to_seq);
	note_seen(&s, sb->first_new_seq - 1);

	r = follow_chain(&s);
	while (!r && s.nr_waiting)
		r = settle_oldest(&s, true);
	if (!r && s.unreadable)
		r = UNREADABLE;
	if (r != STOPPED)
		search(&s, window);

	if (r == STOPPED) {
		out->end = JSCAN_STOPPED;
	} else if (r == UNREADABLE) {
		out->end = JSCAN_UNREADABLE;
	} else if (s.stale || out->last_seq < out->durable_seq) {
		out->end = JSCAN_DAMAGE;
	} else if (out->error) {
		out->end = JSCAN_UNREADABLE;
		snprintf(out->why, sizeof(out->why), "cannot read what is behind record %llu",
			 (unsigned long long)out->last_seq);
	}
	if (out->end <= JSCAN_DAMAGE) {
		out->error = 0;
		out->error_dev = 0;
	}
	out->head_dev = jring_dev(s.g, out->head);
}

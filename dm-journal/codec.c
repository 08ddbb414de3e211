// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * From bytes to structures and back: superblocks, record headers, extents.
 *
 * Always true: nothing decoded here is out of bounds. Whoever got a struct
 * jsuper, jrecord or jextent may add its positions and lengths without a further
 * check: they do not overflow, and lie in the area, in the record, in the home.
 * The contents of a log are not trusted, even where a checksum holds.
 *
 * A crash here leaves nothing: no I/O, no state.
 */
#include <linux/types.h>
#include <linux/crc32c.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/string.h>

#include "scan.h"

/* crc of @block, with the crc field, which is at @at, taken as 0 */
static __u32 block_crc(__u32 seed, const void *block, __u32 at, __u32 bytes)
{
	static const __u8 zero[sizeof(__le32)];
	const __u8 *b = block;

	seed = crc32c(seed, b, at);
	seed = crc32c(seed, zero, sizeof(zero));
	at += sizeof(zero);
	return crc32c(seed, b + at, bytes - at);
}

static __u32 super_crc(const struct jfmt_super *s)
{
	return block_crc(~0u, s, offsetof(struct jfmt_super, crc), sizeof(*s));
}

static __u32 desc_crc(const struct jgeo *g, const void *block)
{
	JFMT_ASSERT(offsetof(struct jfmt_record, crc) == offsetof(struct jfmt_desc, crc));

	return block_crc(jpayload_seed(g), block, offsetof(struct jfmt_desc, crc),
			 g->unit * JFMT_SECTOR);
}

static bool pos_ok(const struct jgeo *g, struct jpos pos)
{
	return pos.v <= JFMT_POS_MAX && !(pos.v & (g->unit - 1));
}

static bool geo_ok(const struct jgeo *g, __u64 log_len)
{
	const __u64 slots = ((JFMT_SUPER_SLOTS - 1) * JFMT_SUPER_STRIDE + JFMT_SUPER_SIZE) /
		JFMT_SECTOR;

	if (g->unit != 1 && g->unit != 2 && g->unit != 4 && g->unit != 8)
		return false;
	if ((g->area_start | g->area_len | g->record_max) & (g->unit - 1))
		return false;
	return g->record_max > 2 * g->unit && g->record_max <= JRECORD_LEN_MAX &&
	       g->area_len >= jgeo_area_min(g->record_max) &&
	       g->area_start >= slots && g->area_start < log_len &&
	       g->area_len <= log_len - g->area_start && g->area_len <= JFMT_POS_MAX &&
	       g->home_len && g->home_len <= JFMT_HOME_MASK;
}

static bool super_ok(const struct jsuper *sb, __u64 log_len)
{
	const struct jgeo *g = &sb->geo;

	return geo_ok(g, log_len) &&
	       pos_ok(g, sb->tail_pos) && pos_ok(g, sb->ckpt_to_pos) &&
	       pos_ok(g, sb->barrier_pos) &&
	       sb->durable_seq <= JFMT_SEQ_MAX && sb->ckpt_to_seq <= JFMT_SEQ_MAX &&
	       sb->epoch <= JFMT_SEQ_MAX && sb->first_new_seq <= JFMT_SEQ_MAX &&
	       sb->tail_seq <= sb->durable_seq && sb->barrier_seq < sb->first_new_seq &&
	       !(sb->tail_seq > sb->barrier_seq && sb->tail_seq < sb->first_new_seq);
}

enum jsuper_verdict jsuper_decode(const void *block, __u64 log_len, struct jsuper *out)
{
	const struct jfmt_super *s = block;

	memset(out, 0, sizeof(*out));
	if (memcmp(s->magic, JFMT_SUPER_MAGIC, sizeof(s->magic)))
		return JSUPER_FOREIGN;
	if (le32_to_cpu(s->crc) != super_crc(s))
		return JSUPER_TORN;

	memcpy(out->uuid, s->uuid, sizeof(s->uuid));
	memcpy(out->intent_uuid, s->intent_uuid, sizeof(s->intent_uuid));
	memcpy(out->label, s->label, strnlen((const char *)s->label, sizeof(s->label)));
	memcpy(out->home_id, s->home_id, strnlen((const char *)s->home_id, sizeof(s->home_id)));
	out->compat = le64_to_cpu(s->compat);
	out->ro_compat = le64_to_cpu(s->ro_compat);
	out->geo.nonce = le64_to_cpu(s->nonce);
	out->geo.area_start = le64_to_cpu(s->area_start);
	out->geo.area_len = le64_to_cpu(s->area_len);
	out->geo.unit = le32_to_cpu(s->unit);
	out->geo.record_max = le32_to_cpu(s->record_max);
	out->geo.home_len = le64_to_cpu(s->home_len);
	out->generation = le64_to_cpu(s->generation);
	out->created_ms = le64_to_cpu(s->created_ms);
	out->flags = le32_to_cpu(s->flags);
	out->recoveries = le32_to_cpu(s->recoveries);
	out->tail_pos = jpos(le64_to_cpu(s->tail_pos));
	out->tail_seq = le64_to_cpu(s->tail_seq);
	out->tail_crc = le32_to_cpu(s->tail_crc);
	out->durable_seq = le64_to_cpu(s->durable_seq);
	out->ckpt_to_seq = le64_to_cpu(s->ckpt_to_seq);
	out->ckpt_to_pos = jpos(le64_to_cpu(s->ckpt_to_pos));
	out->epoch = le64_to_cpu(s->epoch);
	out->barrier_seq = le64_to_cpu(s->barrier_seq);
	out->barrier_pos = jpos(le64_to_cpu(s->barrier_pos));
	out->barrier_crc = le32_to_cpu(s->barrier_crc);
	out->first_new_seq = le64_to_cpu(s->first_new_seq);
	memcpy(out->mark, s->mark, sizeof(s->mark));
	memcpy(out->fp, s->fp, sizeof(s->fp));

	if (le32_to_cpu(s->version) > JFMT_VERSION ||
	    (le64_to_cpu(s->incompat) & ~JFMT_INCOMPAT_ALL))
		return JSUPER_NEWER;
	if (le32_to_cpu(s->version) < JFMT_VERSION || !super_ok(out, log_len))
		return JSUPER_INSANE;
	return JSUPER_OK;
}

void jsuper_encode(const struct jsuper *sb, void *block)
{
	struct jfmt_super *s = block;

	memset(s, 0, sizeof(*s));
	memcpy(s->magic, JFMT_SUPER_MAGIC, sizeof(s->magic));
	s->version = cpu_to_le32(JFMT_VERSION);
	s->compat = cpu_to_le64(sb->compat);
	s->ro_compat = cpu_to_le64(sb->ro_compat);
	memcpy(s->uuid, sb->uuid, sizeof(s->uuid));
	memcpy(s->intent_uuid, sb->intent_uuid, sizeof(s->intent_uuid));
	memcpy(s->label, sb->label, strnlen(sb->label, sizeof(s->label)));
	memcpy(s->home_id, sb->home_id, strnlen(sb->home_id, sizeof(s->home_id)));
	s->nonce = cpu_to_le64(sb->geo.nonce);
	s->area_start = cpu_to_le64(sb->geo.area_start);
	s->area_len = cpu_to_le64(sb->geo.area_len);
	s->unit = cpu_to_le32(sb->geo.unit);
	s->record_max = cpu_to_le32(sb->geo.record_max);
	s->home_len = cpu_to_le64(sb->geo.home_len);
	s->generation = cpu_to_le64(sb->generation);
	s->created_ms = cpu_to_le64(sb->created_ms);
	s->flags = cpu_to_le32(sb->flags);
	s->recoveries = cpu_to_le32(sb->recoveries);
	s->tail_pos = cpu_to_le64(sb->tail_pos.v);
	s->tail_seq = cpu_to_le64(sb->tail_seq);
	s->tail_crc = cpu_to_le32(sb->tail_crc);
	s->durable_seq = cpu_to_le64(sb->durable_seq);
	s->ckpt_to_seq = cpu_to_le64(sb->ckpt_to_seq);
	s->ckpt_to_pos = cpu_to_le64(sb->ckpt_to_pos.v);
	s->epoch = cpu_to_le64(sb->epoch);
	s->barrier_seq = cpu_to_le64(sb->barrier_seq);
	s->barrier_pos = cpu_to_le64(sb->barrier_pos.v);
	s->barrier_crc = cpu_to_le32(sb->barrier_crc);
	s->first_new_seq = cpu_to_le64(sb->first_new_seq);
	memcpy(s->mark, sb->mark, sizeof(s->mark));
	memcpy(s->fp, sb->fp, sizeof(s->fp));
	s->crc = cpu_to_le32(super_crc(s));
}

const char *jsuper_verdict_text(enum jsuper_verdict v)
{
	switch (v) {
	case JSUPER_OK:
		return "valid";
	case JSUPER_FOREIGN:
		return "not a superblock of a journal log";
	case JSUPER_TORN:
		return "the checksum fails";
	case JSUPER_NEWER:
		return "written by a newer version";
	case JSUPER_INSANE:
		return "its fields contradict each other or the size of the device";
	case JSUPER_UNREADABLE:
		return "cannot be read";
	}
	return "unknown";
}

/*
 * A slot that is whole but cannot be used was written after the other one, or
 * the two belong to different logs: then neither says where the log starts.
 */
int jsuper_choose(const enum jsuper_verdict v[2], struct jsuper sb[2])
{
	int i;

	for (i = 0; i < 2; i++)
		if (v[i] == JSUPER_NEWER || v[i] == JSUPER_INSANE)
			return -1;
	for (i = 0; i < 2; i++)
		sb[i].alone = v[!i] != JSUPER_OK;
	if (v[0] != JSUPER_OK || v[1] != JSUPER_OK)
		return v[0] == JSUPER_OK ? 0 : v[1] == JSUPER_OK ? 1 : -1;
	if (memcmp(sb[0].uuid, sb[1].uuid, sizeof(sb[0].uuid)) ||
	    sb[0].geo.nonce != sb[1].geo.nonce)
		return -1;
	return sb[1].generation > sb[0].generation;
}

/*
 * Does the descriptor @index, @offset sectors into the record, name a possible
 * place for the next one? Forward and inside, so a walk over them ends.
 */
static bool next_desc_ok(const struct jgeo *g, const struct jrecord *rec,
			 unsigned int index, __u32 offset, __u32 next)
{
	if (index + 1 == rec->nr_desc)
		return !next;
	return next > offset && next < rec->len && !(next & (g->unit - 1));
}

bool jrecord_decode(const struct jgeo *g, struct jpos pos, const void *block, struct jrecord *out)
{
	const struct jfmt_record *h = block;

	if (le32_to_cpu(h->magic) != JFMT_RECORD_MAGIC ||
	    le64_to_cpu(h->nonce) != g->nonce || le64_to_cpu(h->pos) != pos.v)
		return false;
	out->crc = le32_to_cpu(h->crc);
	if (out->crc != desc_crc(g, block))
		return false;

	out->seq = le64_to_cpu(h->seq);
	out->pos = pos;
	out->epoch = le64_to_cpu(h->epoch);
	out->prev_seq = le64_to_cpu(h->prev_seq);
	out->prev_crc = le32_to_cpu(h->prev_crc);
	out->len = le32_to_cpu(h->len);
	out->tail_pos = jpos(le64_to_cpu(h->tail_pos));
	out->tail_seq = le64_to_cpu(h->tail_seq);
	out->durable_seq = le64_to_cpu(h->durable_seq);
	out->time_ms = le64_to_cpu(h->time_ms);
	out->flags = le32_to_cpu(h->flags);
	out->nr_desc = le16_to_cpu(h->nr_desc);

	return pos_ok(g, pos) && out->seq <= JFMT_SEQ_MAX && out->epoch <= JFMT_SEQ_MAX &&
	       out->len && !(out->len & (g->unit - 1)) && out->len <= g->record_max &&
	       out->len <= jring_left(g, pos) &&
	       out->prev_seq < out->seq && out->durable_seq <= out->prev_seq &&
	       out->tail_seq <= out->durable_seq &&
	       pos_ok(g, out->tail_pos) && out->tail_pos.v <= pos.v &&
	       pos.v + out->len - out->tail_pos.v <= g->area_len &&
	       le16_to_cpu(h->nr_extents) <= jgeo_header_extents(g) && out->nr_desc &&
	       next_desc_ok(g, out, 0, 0, le32_to_cpu(h->next_desc));
}

__u32 jdesc_seal(const struct jgeo *g, void *block)
{
	struct jfmt_record *h = block;
	__u32 crc;

	h->crc = 0;
	crc = crc32c(jpayload_seed(g), block, g->unit * JFMT_SECTOR);
	h->crc = cpu_to_le32(crc);
	return crc;
}

__u32 jpayload_seed(const struct jgeo *g)
{
	return ~0u ^ (__u32)g->nonce ^ (__u32)(g->nonce >> 32);
}

/* The cursor now stands before the extents of a descriptor @offset sectors into the record. */
static void cursor_enter(struct jcursor *c, const struct jfmt_extent *extent,
			 unsigned int nr, __u32 offset, __u32 next)
{
	c->extent = extent;
	c->left = nr;
	c->next_desc = next;
	c->at = jpos_add(c->rec->pos, offset + c->geo->unit);
	c->end = jpos_add(c->rec->pos, next ? next : c->rec->len);
}

void jcursor_init(struct jcursor *c, const struct jgeo *g, const struct jrecord *rec,
		  const void *header)
{
	const struct jfmt_record *h = header;

	c->geo = g;
	c->rec = rec;
	c->index = 0;
	cursor_enter(c, h->extent, le16_to_cpu(h->nr_extents), 0, le32_to_cpu(h->next_desc));
}

int jcursor_feed(struct jcursor *c, const void *block)
{
	const struct jgeo *g = c->geo;
	const struct jfmt_desc *d = block;
	__u32 offset = c->next_desc, next = le32_to_cpu(d->next_desc);

	if (le32_to_cpu(d->magic) != JFMT_DESC_MAGIC || le64_to_cpu(d->nonce) != g->nonce ||
	    le64_to_cpu(d->seq) != c->rec->seq ||
	    le64_to_cpu(d->pos) != c->rec->pos.v + offset ||
	    le32_to_cpu(d->crc) != desc_crc(g, d))
		return -EBADMSG;
	if (le16_to_cpu(d->index) != ++c->index ||
	    !d->nr_extents || le16_to_cpu(d->nr_extents) > jgeo_desc_extents(g) ||
	    !next_desc_ok(g, c->rec, c->index, offset, next))
		return -EBADMSG;
	cursor_enter(c, d->extent, le16_to_cpu(d->nr_extents), offset, next);
	return 0;
}

int jcursor_next(struct jcursor *c, struct jextent *out, struct jpos *need)
{
	__u64 where, home, max;

	if (!c->left) {
		*need = jpos_add(c->rec->pos, c->next_desc);
		return c->next_desc ? -EAGAIN : 0;
	}
	where = le64_to_cpu(c->extent->where);
	home = where & JFMT_HOME_MASK;
	if (where >> JFMT_HOME_BITS > JFMT_ZEROES)
		return -EBADMSG;

	out->home = jsec(home);
	out->kind = (enum jfmt_kind)(where >> JFMT_HOME_BITS);
	out->len = le32_to_cpu(c->extent->len);
	out->crc = le32_to_cpu(c->extent->crc);
	out->pos = c->at;
	max = out->kind == JFMT_DATA ? c->end.v - c->at.v : JFMT_NOPAYLOAD_MAX;
	if (!out->len || out->len > max || home + out->len > c->geo->home_len)
		return -EBADMSG;

	if (out->kind == JFMT_DATA)
		c->at.v += out->len;
	c->extent++;
	c->left--;
	return 1;
}

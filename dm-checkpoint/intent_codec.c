// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * From bytes to structures and back: the superblock, commit block and
 * descriptors of an intent device.
 *
 * Always true: nothing decoded here is out of bounds: positions and lengths may
 * be added without a further check, and lie in the slot, or in the home. The
 * contents of the device are not trusted, even where a checksum holds.
 *
 * A crash here leaves nothing: no I/O, no state.
 */
#include <linux/types.h>
#include <linux/crc32c.h>
#include <linux/kernel.h>
#include <linux/string.h>

#include "intent_codec.h"

/* crc of a block, with the crc field, which is at @at, taken as 0 */
static __u32 block_crc(__u32 seed, const void *block, __u32 at)
{
	static const __u8 zero[sizeof(__le32)];
	const __u8 *b = block;

	seed = crc32c(seed, b, at);
	seed = crc32c(seed, zero, sizeof(zero));
	at += sizeof(zero);
	return crc32c(seed, b + at, IFMT_BLOCK - at);
}

static __u32 super_crc(const struct ifmt_super *s)
{
	return block_crc(~0u, s, offsetof(struct ifmt_super, crc));
}

static __u32 nonce_seed(const struct igeo *g)
{
	return ~0u ^ (__u32)g->nonce ^ (__u32)(g->nonce >> 32);
}

static __u32 commit_crc(const struct igeo *g, const struct ifmt_commit *c)
{
	return block_crc(nonce_seed(g), c, offsetof(struct ifmt_commit, crc));
}

static bool slot_ok(const struct igeo *g)
{
	return g->slot_len > (1 + (__u64)g->desc_blocks) * IBLOCK_SECTORS + g->last_max;
}

bool igeo_make(__u64 dev_len, struct igeo *g)
{
	__u64 blocks;

	if (dev_len < IFMT_SLOT_START)
		return false;
	blocks = (dev_len - IFMT_SLOT_START) / 2 / IBLOCK_SECTORS;
	g->slot_start = IFMT_SLOT_START;
	g->slot_len = blocks * IBLOCK_SECTORS;
	/* enough for blocks of 4096 bytes each */
	g->last_max = IFMT_LAST_MAX;
	g->desc_blocks = (__u32)min_t(__u64, blocks / IFMT_DESC_EXTENTS + 1, IFMT_DESC_MAX);
	return slot_ok(g);
}

static bool geo_ok(const struct igeo *g, __u64 dev_len)
{
	const __u64 supers = ((IFMT_SUPER_SLOTS - 1) * IFMT_SUPER_STRIDE + IFMT_BLOCK) / JFMT_SECTOR;

	return g->slot_start >= supers && g->slot_start < dev_len && g->slot_len &&
	       g->slot_len <= (dev_len - g->slot_start) / 2 &&
	       !((g->slot_start | g->slot_len) % IBLOCK_SECTORS) &&
	       g->desc_blocks && g->desc_blocks <= IFMT_DESC_MAX &&
	       g->last_max && g->last_max <= IFMT_LAST_MAX && slot_ok(g) &&
	       g->home_len && g->home_len <= JFMT_HOME_MASK;
}

enum isuper_verdict isuper_decode(const void *block, __u64 dev_len, struct isuper *out)
{
	const struct ifmt_super *s = block;

	memset(out, 0, sizeof(*out));
	if (memcmp(s->magic, IFMT_SUPER_MAGIC, sizeof(s->magic)))
		return ISUPER_FOREIGN;
	if (le32_to_cpu(s->crc) != super_crc(s))
		return ISUPER_TORN;

	memcpy(out->uuid, s->uuid, sizeof(s->uuid));
	memcpy(out->home_id, s->home_id, strnlen((const char *)s->home_id, sizeof(s->home_id)));
	out->compat = le64_to_cpu(s->compat);
	out->ro_compat = le64_to_cpu(s->ro_compat);
	out->geo.nonce = le64_to_cpu(s->nonce);
	out->geo.home_len = le64_to_cpu(s->home_len);
	out->geo.slot_start = le64_to_cpu(s->slot_start);
	out->geo.slot_len = le64_to_cpu(s->slot_len);
	out->geo.desc_blocks = le32_to_cpu(s->desc_blocks);
	out->geo.last_max = le32_to_cpu(s->last_max);
	out->generation = le64_to_cpu(s->generation);
	out->retired = le64_to_cpu(s->retired);
	out->created_ms = le64_to_cpu(s->created_ms);

	if (le32_to_cpu(s->version) > IFMT_VERSION || (le64_to_cpu(s->incompat) & ~IFMT_INCOMPAT_ALL))
		return ISUPER_NEWER;
	if (le32_to_cpu(s->version) < IFMT_VERSION || out->retired > JFMT_SEQ_MAX ||
	    !geo_ok(&out->geo, dev_len))
		return ISUPER_INSANE;
	return ISUPER_OK;
}

void isuper_encode(const struct isuper *sb, void *block)
{
	struct ifmt_super *s = block;

	memset(s, 0, sizeof(*s));
	memcpy(s->magic, IFMT_SUPER_MAGIC, sizeof(s->magic));
	s->version = cpu_to_le32(IFMT_VERSION);
	s->compat = cpu_to_le64(sb->compat);
	s->ro_compat = cpu_to_le64(sb->ro_compat);
	memcpy(s->uuid, sb->uuid, sizeof(s->uuid));
	memcpy(s->home_id, sb->home_id, strnlen(sb->home_id, sizeof(s->home_id)));
	s->nonce = cpu_to_le64(sb->geo.nonce);
	s->home_len = cpu_to_le64(sb->geo.home_len);
	s->slot_start = cpu_to_le64(sb->geo.slot_start);
	s->slot_len = cpu_to_le64(sb->geo.slot_len);
	s->desc_blocks = cpu_to_le32(sb->geo.desc_blocks);
	s->last_max = cpu_to_le32(sb->geo.last_max);
	s->generation = cpu_to_le64(sb->generation);
	s->retired = cpu_to_le64(sb->retired);
	s->created_ms = cpu_to_le64(sb->created_ms);
	s->crc = cpu_to_le32(super_crc(s));
}

const char *isuper_verdict_text(enum isuper_verdict v)
{
	switch (v) {
	case ISUPER_OK:
		return "valid";
	case ISUPER_FOREIGN:
		return "not an intent device; jbdctl create formats it";
	case ISUPER_TORN:
		return "the checksum of its superblock fails";
	case ISUPER_NEWER:
		return "written by a newer version";
	case ISUPER_INSANE:
		return "its superblock contradicts itself or the size of the device";
	case ISUPER_UNREADABLE:
		return "cannot be read";
	}
	return "unknown";
}

/* As for a log: one that is whole and of no use was written after the other. */
int isuper_choose(const enum isuper_verdict v[2], const struct isuper sb[2])
{
	int i;

	for (i = 0; i < 2; i++)
		if (v[i] == ISUPER_NEWER || v[i] == ISUPER_INSANE)
			return -1;
	if (v[0] != ISUPER_OK || v[1] != ISUPER_OK)
		return v[0] == ISUPER_OK ? 0 : v[1] == ISUPER_OK ? 1 : -1;
	if (memcmp(sb[0].uuid, sb[1].uuid, sizeof(sb[0].uuid)) ||
	    memcmp(&sb[0].geo, &sb[1].geo, sizeof(sb[0].geo)))
		return -1;
	return sb[1].generation > sb[0].generation;
}

bool isuper_agree(const enum isuper_verdict v[2], const struct isuper sb[2])
{
	return v[0] == ISUPER_OK && v[1] == ISUPER_OK && sb[0].retired == sb[1].retired;
}

bool icommit_decode(const struct igeo *g, unsigned int slot, const void *block, struct icommit *out)
{
	const struct ifmt_commit *c = block;

	if (memcmp(c->magic, IFMT_COMMIT_MAGIC, sizeof(c->magic)) ||
	    le64_to_cpu(c->nonce) != g->nonce || le32_to_cpu(c->crc) != commit_crc(g, c))
		return false;
	out->batch = le64_to_cpu(c->batch);
	out->payload_len = le64_to_cpu(c->payload_len);
	out->time_ms = le64_to_cpu(c->time_ms);
	out->nr_extents = le32_to_cpu(c->nr_extents);
	out->desc_crc = le32_to_cpu(c->desc_crc);
	return out->batch && out->batch <= JFMT_SEQ_MAX && (out->batch & 1) == slot &&
	       out->nr_extents && out->nr_extents <= igeo_extents_max(g) &&
	       out->payload_len <= igeo_payload_max(g);
}

void icommit_encode(const struct igeo *g, const struct icommit *c, void *block)
{
	struct ifmt_commit *to = block;

	memset(to, 0, sizeof(*to));
	memcpy(to->magic, IFMT_COMMIT_MAGIC, sizeof(to->magic));
	to->nonce = cpu_to_le64(g->nonce);
	to->batch = cpu_to_le64(c->batch);
	to->payload_len = cpu_to_le64(c->payload_len);
	to->time_ms = cpu_to_le64(c->time_ms);
	to->nr_extents = cpu_to_le32(c->nr_extents);
	to->desc_crc = cpu_to_le32(c->desc_crc);
	to->crc = cpu_to_le32(commit_crc(g, to));
}

__u32 ibatch_seed(const struct igeo *g, __u64 batch)
{
	return nonce_seed(g) ^ (__u32)batch ^ (__u32)(batch >> 32);
}

__u32 ibatch_crc(__u32 crc, const void *data, __u32 bytes)
{
	return crc32c(crc, data, bytes);
}

void iextent_encode(const struct iextent *x, struct jfmt_extent *to)
{
	to->where = cpu_to_le64(x->home | (__u64)x->kind << JFMT_HOME_BITS);
	to->len = cpu_to_le32(x->len);
	to->crc = cpu_to_le32(x->crc);
}

bool iextent_decode(const struct igeo *g, const struct jfmt_extent *from, struct iextent *out)
{
	__u64 where = le64_to_cpu(from->where);

	out->home = where & JFMT_HOME_MASK;
	out->kind = (enum jfmt_kind)(where >> JFMT_HOME_BITS);
	out->len = le32_to_cpu(from->len);
	out->crc = le32_to_cpu(from->crc);
	return where >> JFMT_HOME_BITS <= JFMT_ZEROES && out->len && out->home + out->len <= g->home_len;
}

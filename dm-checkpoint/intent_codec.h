/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Intent devices in memory. Pure: no I/O, no allocation, any context; the kernel
 * and jbdctl compile intent_codec.c from the same file. Lengths are in sectors.
 */
#ifndef JBD_INTENT_CODEC_H
#define JBD_INTENT_CODEC_H

#include "intent_format.h"

#define IBLOCK_SECTORS	(IFMT_BLOCK / JFMT_SECTOR)

struct igeo {
	__u64	nonce;
	__u64	home_len;
	__u64	slot_start, slot_len;
	__u32	desc_blocks;
	__u32	last_max;
};

struct isuper {
	struct igeo geo;
	__u8	uuid[16];
	__u64	compat, ro_compat;
	__u64	generation;
	__u64	retired;
	__u64	created_ms;
	char	home_id[129];
};

struct icommit {
	__u64	batch;
	__u64	payload_len;
	__u64	time_ms;
	__u32	nr_extents;
	__u32	desc_crc;
};

struct iextent {
	__u64	home;
	__u32	len;
	__u32	crc;
	enum jfmt_kind kind;
};

enum isuper_verdict {
	ISUPER_OK,
	ISUPER_FOREIGN,			/* no magic: not an intent device, or never formatted */
	ISUPER_TORN,			/* the checksum fails */
	ISUPER_NEWER,			/* version or incompat bits that this code does not know */
	ISUPER_INSANE,			/* whole, but its fields contradict each other or the device */
	ISUPER_UNREADABLE,		/* the caller's read failed */
};

/* The largest geometry for @dev_len sectors. false: the device is too small. */
bool igeo_make(__u64 dev_len, struct igeo *g);

static inline __u64 igeo_slot(const struct igeo *g, __u64 batch)
{
	return g->slot_start + (batch & 1) * g->slot_len;
}

static inline __u64 igeo_desc(const struct igeo *g, __u64 batch)
{
	return igeo_slot(g, batch) + IBLOCK_SECTORS;
}

static inline __u64 igeo_payload(const struct igeo *g, __u64 batch)
{
	return igeo_desc(g, batch) + (__u64)g->desc_blocks * IBLOCK_SECTORS;
}

/* What a batch can hold. */
static inline __u64 igeo_payload_max(const struct igeo *g)
{
	return g->slot_len - (1 + (__u64)g->desc_blocks) * IBLOCK_SECTORS;
}

static inline __u32 igeo_extents_max(const struct igeo *g)
{
	return g->desc_blocks * IFMT_DESC_EXTENTS;
}

enum isuper_verdict isuper_decode(const void *block, __u64 dev_len, struct isuper *out);
void isuper_encode(const struct isuper *sb, void *block);
const char *isuper_verdict_text(enum isuper_verdict v);
/* Which of the two slots to use, or -1. */
int isuper_choose(const enum isuper_verdict v[2], const struct isuper sb[2]);
/* Both are valid and retire the same batch: whichever is lost one day, none is applied again. */
bool isuper_agree(const enum isuper_verdict v[2], const struct isuper sb[2]);

/* Is @block the commit block of a batch that may lie in slot @slot? */
bool icommit_decode(const struct igeo *g, unsigned int slot, const void *block, struct icommit *out);
void icommit_encode(const struct igeo *g, const struct icommit *c, void *block);

/* Start value of the checksums of a batch's descriptors and payload. */
__u32 ibatch_seed(const struct igeo *g, __u64 batch);
__u32 ibatch_crc(__u32 crc, const void *data, __u32 bytes);

void iextent_encode(const struct iextent *x, struct jfmt_extent *to);
/* false: it does not fit in the home, or its kind is unknown. */
bool iextent_decode(const struct igeo *g, const struct jfmt_extent *from, struct iextent *out);

#endif

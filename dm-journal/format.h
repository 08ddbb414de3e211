/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The on-disk format of a journal log, version 1. docs/format.md is the
 * normative text; a test compares its tables with the offsets below.
 *
 * Always true: every field is little-endian and naturally aligned; a reader
 * needs nothing but this file, the log and crc32c. Lengths and positions are
 * in sectors of 512 bytes.
 *
 * A log device:
 *
 *   byte 0        superblock slot 0 (4096 bytes)
 *   byte 65536    superblock slot 1
 *   area_start    the area: records, one after the other, round and round
 *
 * A position (struct jpos) counts the sectors ever handed out, so it never
 * wraps; it lies at device sector area_start + position % area_len. A record
 * never crosses the end of the area: what does not fit starts the next lap.
 *
 * A record is a run of descriptor blocks (one unit each), each followed by the
 * payload of its data extents, packed in the order of the extents; then padding
 * to a unit. The first descriptor is the record header.
 *
 * What a crash leaves: at most the records that were in flight are missing or
 * torn. The crc of each descriptor and of each data extent finds that out, and
 * the link (prev_seq, prev_crc) keeps leftovers of former laps, of former
 * formats and of lost branches from following a newer record.
 */
#ifndef JBD_FORMAT_H
#define JBD_FORMAT_H

#include <linux/types.h>

#define JFMT_SECTOR		512u
#define JFMT_VERSION		1u

#define JFMT_SUPER_SIZE		4096u
#define JFMT_SUPER_SLOTS	2u
#define JFMT_SUPER_STRIDE	65536u		/* bytes between the slots */
#define JFMT_AREA_START		2048u		/* sectors; 1 MiB */
#define JFMT_UNIT_MAX		8u		/* sectors */

#define JFMT_SUPER_MAGIC	"\x89JBDlog\n"
#define JFMT_RECORD_MAGIC	0x4345524au	/* "JREC" */
#define JFMT_DESC_MAGIC		0x4353444au	/* "JDSC" */

/* Feature bits. A reader that does not know an incompat bit must not touch the log. */
#define JFMT_COMPAT_ALL		0ull
#define JFMT_RO_COMPAT_HOLD	(1ull << 0)	/* there is a hold or a mark: see jfmt_mark */
#define JFMT_RO_COMPAT_ALL	JFMT_RO_COMPAT_HOLD
#define JFMT_INCOMPAT_ALL	0ull

/* jfmt_super.flags */
#define JFMT_SUPER_FP		(1u << 0)	/* fp[] holds the fork fingerprint */
#define JFMT_SUPER_RETIRED	(1u << 1)	/* the home went on without this log: never replay */
#define JFMT_SUPER_RUNNING	(1u << 2)	/* set while a volume is active; clear after an orderly stop */
#define JFMT_SUPER_HELD		(1u << 3)	/* nothing is written to the home */

#define JFMT_MARKS		8
#define JFMT_FP			32

struct jfmt_mark {
	__u8	name[32];		/* NUL-padded; empty: slot is free */
	__le64	seq;			/* the mark stands behind this record */
	__le64	pos;			/* where the record after it starts */
	__le64	time_ms;		/* wall clock, ms since 1970 */
	__le32	crc;			/* jfmt_record.crc of record seq */
	__le32	flags;
};

struct jfmt_fp {
	__le64	sector;			/* home sector */
	__le32	crc;			/* payload checksum of its contents, seed 0 */
	__le32	valid;			/* 1: in use */
};

struct jfmt_super {
	__u8	magic[8];
	__le32	crc;			/* of all 4096 bytes, this field taken as 0 */
	__le32	version;
	__le64	compat;
	__le64	ro_compat;
	__le64	incompat;
	__u8	uuid[16];		/* of the log; names the volume */
	__le64	nonce;			/* drawn at format; seeds every record checksum */
	__le64	generation;		/* +1 a write; slot = generation % 2 */
	__le64	area_start;		/* device sector */
	__le64	area_len;		/* sectors; a multiple of unit */
	__le32	unit;			/* sectors: 1, 2, 4 or 8 */
	__le32	record_max;		/* sectors: no record is longer */
	__le64	home_len;		/* sectors of the home */
	__le64	created_ms;		/* wall clock, ms since 1970 */
	__le32	flags;			/* JFMT_SUPER_* */
	__le32	tail_crc;		/* jfmt_record.crc of record tail_seq */
	__le64	tail_pos;		/* where replay starts */
	__le64	tail_seq;		/* last record before tail_pos; durable at home */
	__le64	durable_seq;		/* every record up to here was durable in the log */
	__le64	ckpt_to_seq;		/* last record of the batch that may be partly at home */
	__le64	ckpt_to_pos;		/* end of that record */
	__le64	epoch;			/* greatest epoch in use when written */
	__le64	barrier_seq;		/* last record that the last recovery accepted */
	__le64	barrier_pos;		/* where the first record behind it was written */
	__le64	first_new_seq;		/* no record behind barrier_seq has a lower sequence */
	__le32	barrier_crc;		/* jfmt_record.crc of record barrier_seq */
	__le32	recoveries;		/* barriers written so far */
	__u8	intent_uuid[16];	/* intent device this log is bound to; 0: none */
	__u8	label[64];		/* name given at format, NUL-padded */
	__u8	home_id[128];		/* the home's own identity as text, NUL-padded */
	__u8	reserved0[88];
	struct jfmt_mark mark[JFMT_MARKS];
	struct jfmt_fp	fp[JFMT_FP];
	__u8	reserved1[2576];
};

/* jfmt_extent kinds */
enum jfmt_kind {
	JFMT_DATA	= 0,		/* payload follows */
	JFMT_DISCARD	= 1,		/* no payload; contents undefined, read as zero from the log */
	JFMT_ZEROES	= 2,		/* no payload; contents zero */
};

#define JFMT_HOME_BITS		48
#define JFMT_HOME_MASK		((1ull << JFMT_HOME_BITS) - 1)

struct jfmt_extent {
	__le64	where;			/* bits 0-47 home sector, 48-55 kind, 56-63 zero */
	__le32	len;			/* sectors, never 0 */
	__le32	crc;			/* of the payload, seeded with the nonce; 0 without payload */
};

/* jfmt_record.flags */
#define JFMT_RECORD_SYNC	(1u << 0)	/* closed by a flush or FUA */

struct jfmt_record {
	__le32	magic;			/* JFMT_RECORD_MAGIC */
	__le32	crc;			/* of this whole unit, this field taken as 0, seeded with the nonce */
	__le64	nonce;
	__le64	seq;
	__le64	pos;			/* own position */
	__le64	epoch;
	__le64	prev_seq;		/* link: the record before this one, ... */
	__le32	prev_crc;		/* ... and its crc field */
	__le32	len;			/* sectors of the whole record, padding included */
	__le64	tail_pos;		/* tail known when the record was sealed */
	__le64	tail_seq;
	__le64	durable_seq;		/* durable when the record was sealed */
	__le64	time_ms;		/* wall clock when the record was opened */
	__le32	flags;
	__le16	nr_desc;		/* descriptor blocks in the record, this one included */
	__le16	nr_extents;		/* in this descriptor */
	__le32	next_desc;		/* sectors from the record's start to the next descriptor; 0: last */
	__u8	reserved[28];
	struct jfmt_extent extent[];
};

struct jfmt_desc {
	__le32	magic;			/* JFMT_DESC_MAGIC */
	__le32	crc;			/* as in struct jfmt_record */
	__le64	nonce;
	__le64	seq;			/* of the record */
	__le64	pos;			/* own position */
	__le32	next_desc;
	__le16	index;			/* 1 for the first block behind the header */
	__le16	nr_extents;
	__u8	reserved[24];
	struct jfmt_extent extent[];
};

/* The greatest sequence and position that a valid header may carry. */
#define JFMT_SEQ_MAX		(~0ull >> 1)
#define JFMT_POS_MAX		(~0ull >> 2)

/* Discards and write-zeroes of more than this are split (sectors). */
#define JFMT_NOPAYLOAD_MAX	(1u << 21)

#ifdef __cplusplus
#define JFMT_ASSERT(x)		static_assert(x, #x)
#else
#define JFMT_ASSERT(x)		_Static_assert(x, #x)
#endif
#define JFMT_AT(s, f, o)	JFMT_ASSERT(__builtin_offsetof(struct s, f) == (o))

JFMT_ASSERT(sizeof(struct jfmt_mark) == 64);
JFMT_ASSERT(sizeof(struct jfmt_fp) == 16);
JFMT_ASSERT(sizeof(struct jfmt_super) == JFMT_SUPER_SIZE);
JFMT_ASSERT(sizeof(struct jfmt_extent) == 16);
JFMT_ASSERT(sizeof(struct jfmt_record) == 128);
JFMT_ASSERT(sizeof(struct jfmt_desc) == 64);
JFMT_AT(jfmt_super, uuid, 40);
JFMT_AT(jfmt_super, generation, 64);
JFMT_AT(jfmt_super, unit, 88);
JFMT_AT(jfmt_super, home_len, 96);
JFMT_AT(jfmt_super, flags, 112);
JFMT_AT(jfmt_super, tail_pos, 120);
JFMT_AT(jfmt_super, ckpt_to_seq, 144);
JFMT_AT(jfmt_super, barrier_seq, 168);
JFMT_AT(jfmt_super, intent_uuid, 200);
JFMT_AT(jfmt_super, home_id, 280);
JFMT_AT(jfmt_super, mark, 496);
JFMT_AT(jfmt_super, fp, 1008);
JFMT_AT(jfmt_super, reserved1, 1520);
JFMT_AT(jfmt_record, seq, 16);
JFMT_AT(jfmt_record, epoch, 32);
JFMT_AT(jfmt_record, prev_crc, 48);
JFMT_AT(jfmt_record, tail_pos, 56);
JFMT_AT(jfmt_record, time_ms, 80);
JFMT_AT(jfmt_record, nr_desc, 92);
JFMT_AT(jfmt_record, next_desc, 96);
JFMT_AT(jfmt_desc, pos, 24);
JFMT_AT(jfmt_desc, index, 36);

#endif

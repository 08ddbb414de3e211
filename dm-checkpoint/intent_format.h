/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The on-disk format of an intent device, version 1; docs/format.md is the
 * normative text.
 *
 * Always true: every field is little-endian and naturally aligned; a reader
 * needs nothing but this file, the device and crc32c. Lengths and positions are
 * in sectors of 512 bytes.
 *
 *   byte 0        superblock slot 0 (4096 bytes)
 *   byte 65536    superblock slot 1
 *   slot_start    batch slot 0, slot_len sectors; batch slot 1 behind it
 *
 * Batch n lies in batch slot n % 2:
 *
 *   commit block (8 sectors), desc_blocks descriptor blocks (8 sectors each),
 *   payload of the data extents, packed in the order of the descriptors
 *
 * A batch exists once its commit block is valid; that is written behind a flush
 * of all the rest, and retires the batches before it.
 *
 * What a crash leaves: payload and descriptors that no commit block names, or a
 * commit block that is torn, which is the same. Batch n - 1 lies in the other
 * slot, untouched.
 */
#ifndef JBD_INTENT_FORMAT_H
#define JBD_INTENT_FORMAT_H

#include "../dm-journal/format.h"

#define IFMT_VERSION		1u
#define IFMT_BLOCK		4096u		/* superblock, commit block, descriptor block */
#define IFMT_SUPER_SLOTS	2u
#define IFMT_SUPER_STRIDE	65536u		/* bytes between the slots */
#define IFMT_SLOT_START		2048u		/* sectors; 1 MiB */
#define IFMT_LAST_MAX		4096u		/* sectors; last_max as it is formatted */
#define IFMT_DESC_MAX		(1u << 16)	/* descriptor blocks of a slot */
#define IFMT_DESC_EXTENTS	(IFMT_BLOCK / (__u32)sizeof(struct jfmt_extent))

#define IFMT_SUPER_MAGIC	"\x89JBDint\n"
#define IFMT_COMMIT_MAGIC	"\x89JBDbat\n"

/* Feature bits. A reader that does not know an incompat bit must not touch the device. */
#define IFMT_RO_COMPAT_ALL	0ull
#define IFMT_INCOMPAT_ALL	0ull

struct ifmt_super {
	__u8	magic[8];
	__le32	crc;			/* of all 4096 bytes, this field taken as 0 */
	__le32	version;
	__le64	compat;
	__le64	ro_compat;
	__le64	incompat;
	__u8	uuid[16];
	__le64	nonce;			/* drawn at format; seeds every other checksum */
	__le64	generation;		/* +1 a write; slot = generation % 2 */
	__le64	home_len;		/* sectors of the home */
	__le64	slot_start;		/* device sector */
	__le64	slot_len;		/* sectors of one batch slot; a multiple of 8 */
	__le32	desc_blocks;		/* descriptor blocks of one batch slot */
	__le32	last_max;		/* sectors: the last member of a batch has room for so much */
	__le64	retired;		/* no batch up to this one is applied again */
	__le64	created_ms;		/* wall clock, ms since 1970 */
	__u8	home_id[128];		/* the home's own identity as text, NUL-padded */
	__u8	reserved[3848];
};

struct ifmt_commit {
	__u8	magic[8];
	__le32	crc;			/* of all 4096 bytes, this field taken as 0, seeded with the nonce */
	__le32	nr_extents;
	__le64	nonce;
	__le64	batch;			/* 1 for the first; retires all before it */
	__le64	payload_len;		/* sectors */
	__le64	time_ms;		/* wall clock, ms since 1970 */
	__le32	desc_crc;		/* of nr_extents * 16 bytes of descriptors, seeded with nonce and batch */
	__u8	reserved[4044];
};

/* Descriptors are struct jfmt_extent; crc is seeded with nonce and batch. */

JFMT_ASSERT(sizeof(struct ifmt_super) == IFMT_BLOCK);
JFMT_ASSERT(sizeof(struct ifmt_commit) == IFMT_BLOCK);
JFMT_AT(ifmt_super, uuid, 40);
JFMT_AT(ifmt_super, slot_start, 80);
JFMT_AT(ifmt_super, retired, 104);
JFMT_AT(ifmt_super, home_id, 120);
JFMT_AT(ifmt_super, reserved, 248);
JFMT_AT(ifmt_commit, batch, 24);
JFMT_AT(ifmt_commit, desc_crc, 48);

#endif

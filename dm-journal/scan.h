/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Reading a log: superblocks, records, and the scan that recovery is made of.
 * Pure: reads through a callback, writes nothing, allocates nothing. All of it may
 * be called in any context, but jscan(), which sleeps if its callbacks do.
 *
 * Always true: a record is handed out only when it is accepted, in log order,
 * and every record before it was. A record is accepted when its descriptors
 * are whole, its link names the record before it, and either a later header or
 * the superblock says that it was durable, or its payload checksums hold. By a
 * superblock that is alone, payload checksums hold in any case: a newer one may have
 * freed what the record lies in.
 */
#ifndef JBD_SCAN_H
#define JBD_SCAN_H

#include "ring.h"

/* The greatest jgeo.record_max, sectors; so a record's length in bytes fits in 32 bits. */
#define JRECORD_LEN_MAX		(1u << 21)

/* The part of a superblock that code works with; jsuper_* convert. */
struct jsuper {
	__u8		uuid[16];
	__u8		intent_uuid[16];
	char		label[65];
	char		home_id[129];
	struct jgeo	geo;
	__u64		generation, created_ms;
	__u64		compat, ro_compat;	/* kept as read; unknown ro_compat bits: do not write */
	__u32		flags, recoveries;
	bool		alone;			/* not in the log: the other slot is of no use */
	struct jpos	tail_pos;
	__u64		tail_seq;
	__u32		tail_crc;
	__u64		durable_seq;
	__u64		ckpt_to_seq;
	struct jpos	ckpt_to_pos;
	__u64		epoch;
	__u64		barrier_seq, first_new_seq;
	struct jpos	barrier_pos;
	__u32		barrier_crc;
	struct jfmt_mark mark[JFMT_MARKS];
	struct jfmt_fp	fp[JFMT_FP];
};

enum jsuper_verdict {
	JSUPER_OK = 0,
	JSUPER_FOREIGN,		/* no magic */
	JSUPER_TORN,		/* magic, but the checksum fails */
	JSUPER_NEWER,		/* a version or incompat feature that this code does not know */
	JSUPER_INSANE,		/* checksum holds, fields contradict each other or the device's size */
	JSUPER_UNREADABLE,	/* given by callers for a slot that could not be read */
};

/*
 * Decode and judge the 4096 bytes of a slot. @log_len: sectors of the log device.
 * @out is filled in whenever the checksum holds, and zero otherwise.
 */
enum jsuper_verdict jsuper_decode(const void *block, __u64 log_len, struct jsuper *out);
/*
 * The slot to go by, given the verdicts on both: 0, 1, or -1, when there is none
 * or it cannot be told. Only a log with no more than FOREIGN slots is not a log.
 * Sets its @alone.
 */
int jsuper_choose(const enum jsuper_verdict v[2], struct jsuper sb[2]);
/* Encode into 4096 bytes, checksum included. The slot is generation % 2. */
void jsuper_encode(const struct jsuper *sb, void *block);
const char *jsuper_verdict_text(enum jsuper_verdict v);

/* A record header, decoded. */
struct jrecord {
	__u64		seq, epoch, prev_seq, tail_seq, durable_seq, time_ms;
	__u32		crc, prev_crc, len, flags;
	struct jpos	pos, tail_pos;
	unsigned int	nr_desc;
};

/*
 * Is the unit at @block the header of a record at @pos? Checks magic, crc,
 * nonce, own position, and that all fields are within bounds; not the link.
 */
bool jrecord_decode(const struct jgeo *g, struct jpos pos, const void *block, struct jrecord *out);

/*
 * Fill in the crc of a descriptor block (header or further), whose fields are set.
 * Returns the crc in CPU order.
 */
__u32 jdesc_seal(const struct jgeo *g, void *block);

/*
 * The checksum of payload, @bytes of it, whole sectors and as aligned as a u64 (payload.c). Chain by
 * passing the former result as @crc, start with jpayload_seed().
 */
__u32 jpayload_seed(const struct jgeo *g);
__u32 jpayload_crc(__u32 crc, const void *data, __u32 bytes);

struct jextent {
	struct jsec	home;
	__u32		len;
	enum jfmt_kind	kind;
	struct jpos	pos;		/* as in struct jmap */
	__u32		crc;
};

/*
 * A cursor over the extents of a record. It points into the descriptor that it
 * was given last, which must stay in place until the next one is fed.
 */
struct jcursor {
	const struct jgeo	*geo;
	const struct jrecord	*rec;
	const struct jfmt_extent *extent;	/* next one in this descriptor */
	unsigned int		left;		/* extents left in this descriptor */
	unsigned int		index;		/* of this descriptor */
	__u32			next_desc;	/* sectors into the record; 0: none */
	struct jpos		at;		/* where the next payload lies */
	struct jpos		end;		/* of the payload of this descriptor */
};

/* @rec: what jrecord_decode() made of @header */
void jcursor_init(struct jcursor *c, const struct jgeo *g, const struct jrecord *rec,
		  const void *header);
/*
 * 1: @out is filled in; 0: no more; -EAGAIN: the next descriptor is the unit at
 * *@need: hand it over by jcursor_feed() and call again; -EBADMSG: not a valid descriptor.
 */
int jcursor_next(struct jcursor *c, struct jextent *out, struct jpos *need);
/* 0, or -EBADMSG: not the next descriptor of this record */
int jcursor_feed(struct jcursor *c, const void *block);

struct jscan_ops {
	/* read @sectors at device sector @sector into @buf, all multiples of the unit; 0 or -errno */
	int (*read)(void *ctx, __u64 sector, void *buf, __u32 sectors);
	/* an accepted record; then its extents, in order. Non-zero ends the scan with that value. */
	int (*record)(void *ctx, const struct jrecord *rec);
	int (*extent)(void *ctx, const struct jrecord *rec, const struct jextent *x);
};

enum jscan_end {
	JSCAN_END = 0,		/* the end of the log; what lies there was never acknowledged */
	JSCAN_DAMAGE,		/* records that were durable are missing or torn */
	JSCAN_UNREADABLE,	/* the device failed a read */
	JSCAN_STOPPED,		/* a callback ended it */
};

struct jscan_result {
	enum jscan_end	end;
	int		error;		/* JSCAN_UNREADABLE, JSCAN_STOPPED */
	__u64		error_dev;	/* JSCAN_UNREADABLE: device sector of the failed read */
	char		why[96];	/* what stands at @head instead of a record */
	struct jpos	head;		/* end of the last accepted record; damage is here */
	__u64		head_dev;	/* its device sector */
	__u64		last_seq;	/* last accepted; the superblock's tail_seq if there is none */
	__u32		last_crc;
	__u64		last_epoch;	/* greatest in an accepted record or the superblock */
	/*
	 * No sequence above it was seen, in a header, accepted or not, or in the
	 * superblock. What was torn beyond recognition is not in it.
	 */
	__u64		seen_seq;
	__u64		durable_seq;	/* greatest known to have been durable */
	struct jpos	tail_pos;	/* greatest tail in an accepted header or the superblock */
	__u64		tail_seq;
	__u64		records, extents, payload_sectors;
	__u64		read_sectors;	/* read from the log */
};

/*
 * Scan the log from the tail of @sb, which jsuper_decode() found valid; a callback
 * may move that tail meanwhile. @buf: work space of @buf_sectors (at least
 * JSCAN_BUF_MIN). @window: how many sectors behind the end are searched for a
 * header that proves damage (the most that may be in flight, and a record); each
 * one that is found extends the search by as much.
 */
#define JSCAN_BUF_MIN	256u

void jscan(const struct jsuper *sb, const struct jscan_ops *ops, void *ctx,
	   void *buf, __u32 buf_sectors, __u64 window, struct jscan_result *out);

#endif

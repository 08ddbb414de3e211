/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the tape target writes and a reader of tests/trace gets: one head, then events, each with its payload.
 *
 * Always true: events lie in order of their submit number; submit and done numbers are drawn from one clock that all
 * tapes share, so they order all that happened on all devices. Everything is in the machine's own byte order.
 */
#ifndef TAPE_H
#define TAPE_H

#include <linux/types.h>

#define TAPE_MAGIC	"JBDtape1"

struct tape_head {
	__u8	magic[8];
	__u64	used;		/* bytes of the tape, this head included */
	__u64	clock;		/* the last number drawn */
	__u64	events;
	__u32	overflow;	/* an event found no room: the tape is worth nothing */
	__u32	frozen;
	__u8	pad[24];
};

enum tape_op { TAPE_READ, TAPE_WRITE, TAPE_FLUSH, TAPE_DISCARD, TAPE_ZEROES, TAPE_MARK };

#define TAPE_FUA	1
#define TAPE_CHANGED	2	/* a write's pages changed between its submission and its end */

/* Padded with its payload to a multiple of 8 bytes. */
struct tape_event {
	__u64	submit;
	__u64	done;		/* 0: had not ended when the tape was read or frozen */
	__u64	sector;
	__u32	sectors;
	__u32	payload;	/* bytes behind the event: a write's data, a mark's text */
	__s32	status;		/* 0 or -errno */
	__u8	device;		/* the id in the table; 255: a mark */
	__u8	op;
	__u8	flags;
	__u8	ready;		/* 0: was not yet sent down when the tape was read */
};

#define TAPE_PADDED(payload)	(((payload) + 7u) & ~7u)

#ifdef __cplusplus
static_assert(sizeof(tape_head) == 64 && sizeof(tape_event) == 40);
#endif

#endif

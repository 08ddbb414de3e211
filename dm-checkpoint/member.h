/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the journal and the checkpoint target agreed on: how bios say that they
 * belong to one batch of several epochs.
 *
 * Always true: nobody else's write has REQ_IDLE and not REQ_SYNC, so a target
 * that knows nothing of batches can tell and refuse; targets in between pass the
 * marks on as they pass all flags on. The members of a batch do not overlap. The
 * first one is sent before all others; the last one, of at most IFMT_LAST_MAX
 * sectors (intent_format.h), is sent when all others have ended without error, and ends when the
 * batch is at home as far as the target's order goes. Until then the home is as it
 * was, if there is an intent device. A fence follows. A member that ends with
 * BLK_STS_AGAIN asks for the whole batch once more; with BLK_STS_NOSPC, for a
 * smaller one; with BLK_STS_OFFLINE, there is no intent device.
 *
 * MEMBER_EARLY, on all but the last one: the log does not promise the batch yet (ckpt_to), so
 * nothing of it may change the home before the last one comes, which is sent when it
 * does. Whoever writes members home as they come answers BLK_STS_DEV_RESOURCE, and gets
 * batches that are promised. Early ones may be sent, but for the last member, when the
 * last one of the batch before has been. Two such batches differ in MEMBER_ODD: a
 * suspended device may get them in another order.
 *
 * A member that is a read reads nothing: somebody waits now for what was sent before. Whoever
 * knows nothing of it reads as it says.
 */
#ifndef JBD_MEMBER_H
#define JBD_MEMBER_H

#define MEMBER_ANY	REQ_IDLE
#define MEMBER_FIRST	REQ_PRIO
#define MEMBER_LAST	REQ_META
#define MEMBER_ODD	REQ_BACKGROUND
#define MEMBER_EARLY	REQ_SWAP
/* somebody waits for the batch, as REQ_SYNC says of other writes */
#define MEMBER_URGENT	REQ_NOMERGE
#define MEMBER_MARKS	(MEMBER_ANY | MEMBER_FIRST | MEMBER_LAST | MEMBER_ODD | MEMBER_EARLY | \
			 MEMBER_URGENT)

/* @opf: of any bio; nobody else's read has REQ_IDLE at all. */
static inline bool is_member(blk_opf_t opf)
{
	return (opf & (REQ_IDLE | REQ_SYNC | REQ_PREFLUSH)) == REQ_IDLE;
}

#endif

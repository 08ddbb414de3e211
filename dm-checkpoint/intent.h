/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The intent device: what intent.c and intent_apply.c share.
 */
#ifndef DM_CHECKPOINT_INTENT_H
#define DM_CHECKPOINT_INTENT_H

#include "checkpoint.h"

/* A batch is read back and applied in pieces of this many sectors; no member is larger. */
#define INTENT_BUF	8192u

/* A batch, as far as it is known. */
struct intent_batch {
	u64	number;
	u64	payload;		/* sectors */
	u32	nr;			/* extents */
	struct jfmt_extent *extent;	/* its descriptors, as they are on the device */
};

struct intent {
	struct checkpoint *c;
	struct dm_dev	*dev;

	/* The worker's, or while it is stopped. */
	struct isuper	super;		/* as last written */
	bool		agree;		/* both slots retired the same batch when they were read */
	struct intent_batch committed;	/* the last one that was committed */
	bool		unvoided;	/* a commit failed, and may be on the device */
	struct page	*page;		/* superblock or commit block on its way */
	struct page	**buf;		/* INTENT_BUF sectors */
	struct bio_vec	*vecs;		/* for all of buf */
	struct bio_set	bios;
	atomic_t	at_home;	/* bios on their way */
	unsigned int	cached;		/* pace_weight() that the home's cache got since its last flush */
	int		error;		/* their first */
	wait_queue_head_t wait;

	struct workqueue_struct *wq;
	struct work_struct work;
	struct delayed_work collect_work;	/* what was held has its turn */
	struct jfmt_extent *extents[2];	/* memory for two batches, by number % 2 */

	/* All below under c->lock. */
	struct intent_batch next;	/* the batch that is collected, or will be */
	bool		open;		/* its first member has come */
	blk_opf_t	odd;		/* MEMBER_ODD as that one has it */
	bool		urgent;		/* somebody waits for it, as the newest member says */
	bool		closed;		/* its last member has come: later ones are held */
	bool		applies;	/* the current batch is not retired yet */
	bool		stuck;		/* it could not be brought home the last time */
	blk_status_t	failed;		/* it has lost a member */
	unsigned int	writes;		/* members on their way to the device */
	struct bio	*last;		/* its last member, ended when the batch is at home */
	struct bio_list	held;		/* members that have come too early, or have no turn yet */
	struct intent_stats stats;
};

/*
 * intent_apply.c: what is on the devices. One caller at a time; may sleep; 0 or
 * -errno.
 */
int intent_alloc(struct intent *in);	/* what the functions below need */
void intent_free(struct intent *in);
int intent_read_super(struct intent *in, const char **why);
int intent_commit(struct intent *in, const struct intent_batch *b);	/* I2 */
int intent_void(struct intent *in, u64 number);		/* no commit block of this batch is left */
int intent_apply(struct intent *in, const struct intent_batch *b);	/* I3 */
int intent_retire(struct intent *in, u64 number);	/* I4: is never applied again */
int intent_recover(struct intent *in);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The checkpoint target: stands in front of the home device and lets writes
 * through one epoch at a time.
 *
 * target.c is the device-mapper side: table, status, and which bio goes which
 * way. fence.c keeps the order of epochs; intent.c collects batches of several
 * epochs, and intent_apply.c brings them home; pace.c says how fast either may go.
 * Nothing in memory outlives the table: a reload at any time starts with an empty state.
 *
 * Step numbers: F1 admit, F2 hold, F3 fence, F4 flush, F5 done; I1 collect, I2
 * commit, I3 apply, I4 retire.
 */
#ifndef DM_CHECKPOINT_H
#define DM_CHECKPOINT_H

#include <linux/bio.h>
#include <linux/blkdev.h>
#include <linux/device-mapper.h>
#include <linux/rbtree.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "intent_codec.h"
#include "member.h"

#define DM_MSG_PREFIX "checkpoint"

/* Per-bio data; of a read, only its role. */
struct checkpoint_io {
	struct rb_node	node;		/* of a write in queued or at_home [lock] */
	sector_t	sector, end;	/* kept here: bi_iter is consumed at the end */
	bool		at_home;	/* a write that was sent and is not back [lock] */
	enum checkpoint_role {
		ROLE_EPOCH,		/* the fence's */
		ROLE_MEMBER,		/* of a batch: on its way to the intent device */
		ROLE_ENDS,		/* nothing is left to be done */
		ROLE_READ,		/* of the home */
	} role;
};

/* Where the fence that is being served stands. */
enum fence_step {
	FENCE_NONE,		/* there is none: writes are admitted */
	FENCE_WAITS,		/* for the writes before it */
	FENCE_FLUSHES,		/* the home's flush is out */
	FENCE_FLUSHED,		/* the flush is back, its result latched */
};

struct checkpoint_stats {
	u64	fences, fences_failed;
	u64	writes, write_sectors, discards;
	u64	write_errors;
	const char *last_what;		/* the last error, NULL: none */
	int	last_error;
};

struct checkpoint {
	struct dm_target *ti;
	struct dm_dev	*home;
	const char	*name;		/* of the mapped device */
	unsigned int	depth;		/* writes at the home at once */
	bool		depth_given;	/* in the table */
	unsigned int	rate_mib;	/* MiB a second to the home at most; 0: no limit */
	bool		relaxed;	/* batches of several epochs without an intent device */
	struct intent	*intent;	/* NULL: none */

	struct workqueue_struct *wq;
	struct work_struct work;	/* sends what waited, serves the fence */
	struct delayed_work pace_work;	/* work, when it is time for another write */
	struct bio	flush;		/* the worker's; out while FENCE_FLUSHES, or easing */

	atomic64_t	reads;
	atomic_t	reads_now;	/* reads at the home */
	unsigned long	read_end;	/* jiffies when the last one was back */
	unsigned long	sent;		/* jiffies when the last write was sent home */
	unsigned long	collected;	/* jiffies when the intent device last had its turn [lock] */
	unsigned int	burst;		/* sectors of that turn which are left [lock] */
	atomic64_t	paid_until;	/* ns: what was written home has used up rate_mib until then */
	unsigned int	room;		/* pace_weight() that the home's cache gets between two flushes, see pace_room() */
	u64		flush_least;	/* ns: what a flush of the home takes in any case */

	/*
	 * The only lock. Interrupts are off under it, since bios end in them;
	 * nothing is submitted, ended or allocated under it.
	 */
	spinlock_t	lock;
	struct bio_list	held;		/* arrived too early, in order of arrival [lock] */
	struct rb_root	queued;		/* writes that wait for depth, by sector [lock] */
	struct rb_root	at_home;	/* writes on their way, by sector [lock] */
	unsigned int	nr_held;	/* the writes among held [lock] */
	unsigned int	nr_queued, nr_at_home;	/* [lock] */
	sector_t	sweep;		/* where the last write was sent [lock] */
	struct bio	*fence;		/* the one being served [lock] */
	enum fence_step	step;		/* FENCE_NONE exactly when fence is NULL [lock] */
	blk_status_t	error;		/* the running epoch's first [lock] */
	bool		failed;		/* so did the last fence [lock] */
	bool		dirty;		/* the home's cache may have something [lock] */
	bool		torn;		/* the home is between two epochs [lock] */
	bool		known;		/* it cannot be what a crash left: a fence has passed, or the order is not relaxed [lock] */
	bool		torn_told;	/* torn when the last event was raised [lock; the worker changes it] */
	bool		suspending;	/* what is queued has to be at home before the target may stop [lock] */
	bool		urgent;		/* somebody waits for the newest write of the epoch [lock] */
	unsigned int	cached;		/* pace_weight() that the home's cache got since its last flush [lock] */
	bool		easing;		/* a flush in the middle of an epoch is out [lock] */
	bool		ease_failed;	/* it has failed, and what is queued is to fail [lock] */
	u64		flush_ns;	/* when the home's flush was sent */
	struct checkpoint_stats stats;	/* [lock] */
};

static inline bool is_fence(const struct bio *bio)
{
	return bio->bi_opf & REQ_PREFLUSH;
}

static inline struct checkpoint_io *checkpoint_io(struct bio *bio)
{
	return dm_per_bio_data(bio, sizeof(struct checkpoint_io));
}

/* pace.c; any context */

void pace_init(struct checkpoint *c);
/* May a write be sent when @at_home are? @urgent: somebody waits for it. */
bool pace_allows(struct checkpoint *c, unsigned int at_home, bool urgent);
/* Not before so many jiffies, if nobody waits; 0: it is not time that forbids. */
unsigned long pace_wait(struct checkpoint *c);
void pace_sent(struct checkpoint *c, unsigned int sectors);
/* The same for what is collected in the intent device. Lock held. */
unsigned long pace_collect_wait(const struct checkpoint *c);
void pace_collected(struct checkpoint *c, unsigned int sectors);
/* Is a write to go past the home's cache? */
bool pace_gently(struct checkpoint *c, bool urgent);
unsigned int pace_weight(unsigned int sectors);
/* How much weight the home's cache gets between two flushes. */
unsigned int pace_room(const struct checkpoint *c, bool urgent);
/* A flush of the home took so many ns, with this weight in its cache. */
void pace_flushed(struct checkpoint *c, unsigned int weight, u64 ns);
void pace_read(struct checkpoint *c);
void pace_read_done(struct checkpoint *c);

/* fence.c */

/*
 * F1-F3: takes a write, discard or fence; does not sleep. True: it is admitted
 * and the caller sends it home now. False: the fence sends and ends it.
 */
bool fence_take(struct checkpoint *c, struct bio *bio);

/* F5: a bio that fence_take() saw ends with status. Any context. */
void fence_done(struct checkpoint *c, struct bio *bio, blk_status_t status);

/* Somebody waits for all that was sent before. Does not sleep. */
void fence_hurry(struct checkpoint *c);
/* A suspend waits for what is there and what comes; or does no more. Does not sleep. */
void fence_suspending(struct checkpoint *c, bool suspending);

/* The worker; and what kicks it when it is time for another write. */
void fence_work(struct work_struct *work);
void fence_pace_work(struct work_struct *work);

/* intent.c */

struct intent_stats {
	u64	batches, failed;	/* applied; not applied */
	u64	collected, applied;	/* sectors of payload */
};

/*
 * Use the intent device at path for c. May sleep. 0, or -errno and in *error
 * what is wrong.
 */
int intent_get(struct checkpoint *c, const char *path, char **error);
void intent_put(struct checkpoint *c);
/*
 * Bring home what a crash left, and accept batches. The device is suspended; may
 * sleep. 0 or -errno, which was reported.
 */
int intent_start(struct checkpoint *c);
/* No bios are left. May sleep. */
void intent_stop(struct checkpoint *c);
/* I1: takes a member of a batch; does not sleep. DM_MAPIO_*. */
int intent_take(struct checkpoint *c, struct bio *bio);
void intent_hurry(struct checkpoint *c);	/* lock held */
/* May a write go home that is no member? If not, what is in the way is tried again. Does not sleep. */
bool intent_lets_pass(struct checkpoint *c);
/* A member comes back from the intent device. Any context. DM_ENDIO_*. */
int intent_done(struct checkpoint *c, struct bio *bio, blk_status_t status);
void intent_stats(struct checkpoint *c, struct intent_stats *stats);	/* lock held */
void intent_clear_stats(struct checkpoint *c);				/* lock held */
/* Is anything under way to the intent device, or from it? Lock held. */
bool intent_busy(const struct checkpoint *c);
/*
 * Of a batch that is neither only in the intent device nor all at home: "applying", or "torn" if it
 * could not be brought home the last time. NULL: there is none. Lock held.
 */
const char *intent_home(const struct checkpoint *c);
const char *intent_name(const struct checkpoint *c);

#endif

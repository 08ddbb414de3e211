/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The journal in memory.
 *
 * Always true, whenever journal.lock is free:
 *
 *   free_to <= tail <= durable.pos <= head, and head - free_to <= area_len;
 *   positions in [durable.pos, head) are in staging;
 *   every acknowledged write is in a record before head and in the index,
 *   or it is durable at home.
 *
 * Lock order: life_lock, journals_lock, super_lock, lock. lock is taken with interrupts
 * off, because log writes complete in them; nobody submits a bio, allocates,
 * sleeps or asks the index under it.
 *
 * Step numbers (W1, C2, K3, ...) are those of docs/paths.md.
 */
#ifndef DM_JOURNAL_H
#define DM_JOURNAL_H

#include <linux/bio.h>
#include <linux/blk-cgroup.h>
#include <linux/blkdev.h>
#include <linux/device-mapper.h>
#include <linux/ioprio.h>
#include <linux/kthread.h>
#include <linux/list.h>
#include <linux/math64.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "format.h"
#include "ring.h"
#include "index.h"
#include "scan.h"
#include "mark.h"
#include "fork.h"

#define DM_MSG_PREFIX "journal"

/* Records in memory: the open one, and those on their way to the log. */
#define JOURNAL_RECS		64
/* The checkpoint reads this much of the log at a time (sectors), */
#define JOURNAL_CKPT_READ	2048
/* and while the log is not empty looks this often if lag or idleness ask for it. */
#define JOURNAL_CKPT_TIMER	(HZ / 4)
/*
 * The most index entries that the extents of one record, and of one batch, are
 * worth (space_weight()), so that the nodes which an index keeps in reserve are
 * enough for a batch when there is no memory. A record of single sectors fits.
 */
#define JOURNAL_WEIGHT		4608
/* Reads in own pages are cut into pieces of 1 << this pages. */
#define JOURNAL_BOUNCE_ORDER	4
/* The most records with JFMT_RECORD_SYNC in flight: commits that somebody waits for. */
#define JOURNAL_COMMITS		4
/* The most data of a home bio, sectors. */
#define JOURNAL_HOME_BIO	4096
/* What was learnt of how many wait at once fades by one in this many records. */
#define JOURNAL_CROWD_DECAY	64
/*
 * A recovery goes on this far behind the greatest sequence that it has seen, so
 * that none is used twice, even if it could not see all that was in flight.
 */
#define JOURNAL_SEQ_JUMP	(1ull << 32)

/*
 * A window on the log in memory: position p lies at byte (p * 512) % size.
 * Made of chunks that the page allocator gives without trouble.
 */
#define JWIN_CHUNK_ORDER	3
#define JWIN_CHUNK		(PAGE_SIZE << JWIN_CHUNK_ORDER)

struct jwin {
	struct page	**chunk;
	unsigned int	nr_chunks;
	u64		sectors;
};

/* The options of a table, as parsed; a reload brings new ones. */
struct journal_opts {
	bool		flush_home;
	bool		full_error;		/* on_hold_full: writes fail, the hold stays */
	unsigned int	staging_mib;
	unsigned int	autocommit_ms;
	unsigned int	high, low;		/* percent of the log */
	unsigned int	max_lag_ms;		/* 0: no limit */
	unsigned int	idle_ms;		/* 0: idleness starts no checkpoint */
	unsigned int	inflight_kib;
	unsigned int	index_mib;
	unsigned int	batch_mib;		/* log that a batch covers at most; 0: one epoch a batch */
	u32		set;			/* which were given, bits by position in the parser */
};

enum jrec_state {
	JREC_OPEN,		/* takes extents */
	JREC_CLOSED,		/* takes no more; copies may be under way */
	JREC_WRITING,		/* sealed: its bytes never change again */
	JREC_WRITTEN,		/* on stable storage, perhaps behind one that is not */
};

/* A record on its way. Its descriptors and payload are built in staging, in place. */
struct jrec {
	u64		seq;
	u64		epoch;
	u64		time_ms;	/* wall clock, for the header */
	unsigned long	opened;		/* jiffies */
	struct jpos	pos;
	u32		len;		/* sectors handed out so far [lock] */
	u32		limit;		/* of len */
	u32		flags;		/* JFMT_RECORD_* [lock] */
	u32		weight;		/* of its extents [lock] */
	u32		desc;		/* offset of the last descriptor, sectors [lock] */
	u16		nr_desc;	/* [lock] */
	u16		nr_extents;	/* in the last descriptor [lock] */
	struct jfmt_record *header;	/* in staging */
	void		*last;		/* descriptor, in staging; the header is one, too [lock] */
	enum jrec_state	state;		/* [lock] */
	atomic_t	writers;	/* copies under way, and one while it is open */
	u64		seen[32];	/* filter of the home blocks it holds [lock] */
	struct journal	*j;
	struct bio	bio;
	struct bio_vec	*vecs;
};

/* Per-bio data, one for each clone that the core makes; journal_map() fills in j, pin and remapped. */
struct jbio {
	struct list_head list;		/* on deferred, commit_waiters or home_waiters [lock] */
	u64		target;		/* waits for this sequence */
	struct journal	*j;
	struct work_struct work;	/* reads that cannot end in interrupt context */
	struct bvec_iter iter;		/* of a read from the log, before it is consumed */
	struct jmap	map;		/* of that read */
	s8		pin;		/* counter it holds, or -1 */
	bool		remapped;	/* went to the log as it is; its checksum is still to be judged */
};

/* Counters of the status line, one set per CPU. */
struct jstats {
	u64	reads, reads_staging, reads_log;
	u64	writes, write_sectors, flushes, elided, fuas, discards, deferred;
	u64	log_writes, log_sectors, log_preflushes;
	u64	batches, home_writes, home_sectors, fences;
	u64	log_errors, home_errors;
};

/* Where the log begins that is not at home. */
struct jtail {
	struct jpos	pos;	/* home durably holds everything before */
	u64		seq;
	u32		crc;
	u64		epoch;
};

/* A run of records on its way home. The checkpoint worker's, but for what a bio's end changes. */
struct jbatch {
	struct jtail	from, last;	/* the tail before it, and when it is at home */
	u64		time_ms;	/* when its last record was opened */
	struct jindex	*index;		/* one shard: newest version of each sector in the batch */
	u32		weight;
	bool		coalesced;	/* it may have several epochs: members are marked */
	bool		several;	/* it has */
	bool		begun;		/* a bio of it was sent */
	bool		lone;		/* its last bio is its only one, and nothing of it was ever sent */
	bool		zeroes_refused;	/* the home writes none, whatever its limits say */
	bool		hurries;	/* a read that hurries its bios is on its way */
	enum {
		BATCH_GATHER,
		BATCH_WRITE,
		BATCH_FENCE,
	} step;				/* the one that fails if it fails now */
	struct bio	*last_bio;	/* if coalesced: held back, to be sent behind all others */
	atomic_t	inflight;
	int		error;		/* the first of its bios */
	wait_queue_head_t wait;
	unsigned int	prints;
	struct jprint {
		u64	sector;
		bool	known;
		u32	crc;
	} print[JFORK_ENTRIES + 1];
};

/*
 * One journal: belongs to a mapped device, and is shared by its successive
 * tables, so that nothing that is only in memory is lost with a reload.
 */
struct journal {
	struct list_head list;		/* all journals [journals_lock] */
	unsigned int	refs;		/* tables [journals_lock] */
	struct mapped_device *md;
	dev_t		log_dev, home_dev;
	struct journal_opts made;	/* what its memory was sized by */

	/* Of the table that is active; changed only while suspended. */
	struct journal_opts opts;
	struct dm_target *ti;
	struct block_device *home, *log;

	struct jgeo	geo;
	struct jindex	*index;
	struct jwin	staging;
	struct journal_pins {
		atomic_t	count[2];
		int		current_count;
		wait_queue_head_t wait;
	} pins;
	mempool_t	bounce_pages;	/* READ_BOUNCE sectors each */

	spinlock_t	lock;
	/* the log [lock] */
	struct jpos	head;		/* next position handed out, a multiple of unit */
	struct jpos	staging_low;	/* nothing below was ever in staging; set by recovery */
	struct jpos	free_to;	/* log space below may be reused */
	u64		epoch;		/* of the next record that opens */
	u64		next_seq;	/* of the next record that opens */
	struct jrec	*open;
	u64		submit_seq;	/* next record to be sealed and written */
	bool		committing;	/* a task is sealing a record */
	unsigned int	log_writes;	/* records that were submitted and have not ended */
	unsigned int	commits;	/* records in state WRITING with JFMT_RECORD_SYNC */
	unsigned int	crowd;		/* the most bios that waited at once lately */
	u64		owed_seq;	/* the last record with what was acknowledged without FUA: flushes wait for it */
	u64		want_seq;	/* close the open record if it is not behind this one */
	struct {
		struct jpos	pos;	/* end of the last durable record */
		u64		seq;	/* what waiters compare with; a recovery jumps ahead with it */
		u64		last;	/* sequence of that record itself */
	} durable;
	u64		link_seq;	/* the record sealed last: the next one's link */
	u32		link_crc;
	spinlock_t	absorb_lock;	/* overwrites inside an open record; nests nothing but the index */
	struct jrec	rec[JOURNAL_RECS];	/* at seq % JOURNAL_RECS */
	/* bios that wait: for a commit in order of their targets, else of arrival [lock] */
	struct list_head deferred;	/* for space */
	unsigned int	nr_deferred;		/* and the one that is just tried */
	struct list_head commit_waiters;	/* for durable.seq to reach their target */
	unsigned int	nr_waiting;		/* of them */
	struct list_head home_waiters;		/* for tail.seq to reach their target */
	int		error;		/* latched: the log is no longer written */
	const char	*reason;	/* why, or why the home stalls; NULL: nothing wrong */
	u64		reason_seq;	/* the record it is about; 0: none */
	int		no_nodes;	/* why the first of deferred got none of the index: -ENOSPC, -ENOMEM; 0 [lock] */
	bool		requeue;	/* noflush suspend: deferred bios go back to the core */
	struct jstats __percpu *stats;

	/* the checkpoint; changed by its worker only, or while that is stopped */
	struct jtail	tail;		/* [also lock] as in the newest superblock */
	u64		ckpt_goal;	/* reach this sequence [lock] */
	u64		event_seq;	/* raise an event when this one is at home; 0: none [lock] */
	bool		ckpt_draining;	/* between the watermarks [lock] */
	bool		ckpt_running;	/* its worker is at it */
	bool		ckpt_stalled;	/* the last attempt failed [lock] */
	bool		ckpt_stop;	/* no new batch [lock] */
	struct {
		struct jpos	limit;	/* no batch ends behind it; ~0: no limit [lock] */
		u64		cut_seq; /* the crc of this record is wanted [lock] */
		u32		cut_crc; /* [lock] */
		const char	*reason; /* what a full log did to a hold, or a hold to writes [lock] */
		u32		flags;	/* JFMT_SUPER_HELD; with the marks, as in the superblock [lock] */
		struct jfmt_mark mark[JFMT_MARKS];
	} hold;
	u64		lag_since_ms;	/* wall clock: about when the oldest record not at home opened; 0: none [lock] */
	bool		late;		/* that is longer ago than max_lag_ms [lock] */
	u64		rate;		/* log sectors checkpointed a second, smoothed; 0: not known [lock] */
	struct {			/* throttle.c's [lock] */
		u64	from, to;	/* sectors in use where the zone begins and ends */
		u64	hard;		/* from here on what is left is shared out */
		u64	going;		/* log sectors of the batch on its way, 0: none */
		u64	since_ns;	/* when it was sent */
		u64	busy_ns, sectors; /* since rate was last changed */
		u64	paid_until;	/* ns: what was admitted has used up the rate until then */
	} pace;
	struct jwin	image;		/* the part of the log that batches are made from */
	struct jpos	image_low, image_high;
	struct bio_vec	*image_vecs;
	struct jwin	kept;		/* the data of a last bio that was sent */
	struct jbatch	batch[2];	/* one goes home while the other is gathered */
	u64		batch_limit;	/* with batch_mib: sectors of log that the next batch covers */
	bool		batch_in_place;	/* the next one, whatever batch_mib says */
	bool		batch_early;	/* sent before the log promises it, but for its last bio */
	bool		zero_pages;	/* instead of zeroes that the home refused */
	struct bio_set	home_bios;

	struct mutex	super_lock;
	struct jsuper	super;		/* as last written [super_lock] */
	struct page	*super_page;
	struct page	*hurry_page;	/* what is read there is not looked at */

	struct mutex	life_lock;	/* suspend, resume, and the messages of hold.c exclude each other */
	bool		recovered;	/* memory says what the log holds [life_lock] */
	bool		suspended;	/* [journals_lock, changed with life_lock too] */
	bool		orphan;		/* the table before held writes that the log lacks, and is gone [journals_lock] */
	unsigned long	last_io;	/* jiffies of the last foreground bio */

	/*
	 * Separate, because the work on one may wait for the work on the
	 * next: admission for the checkpoint, the checkpoint for the commit.
	 */
	struct kthread_worker *commit_worker;	/* a thread: a work queue's detour costs each fsync */
	struct workqueue_struct *ckpt_wq, *admit_wq, *read_wq;
	struct kthread_work	commit_work;
	struct work_struct	ckpt_work, event_work;
	struct delayed_work	autocommit_work, admit_work, ckpt_timer;
	wait_queue_head_t	idle_wait;	/* durable has moved, or an error */
};

/* What a table's constructor made. */
struct journal_table {
	struct journal	*j;
	struct dm_dev	*home, *log;
	struct journal_opts opts;
};

/* A place for an extent in the open record, with its copy counted as under way. */
struct jslot {
	struct jrec	*rec;
	struct jfmt_extent *extent;	/* in staging */
	struct jpos	pos;		/* of the payload */
	bool		ready;		/* the record before this one can be written */
};

static inline const char *journal_name(const struct journal *j)
{
	return dm_device_name(j->md);
}

static inline struct jbio *jbio_of(struct bio *bio)
{
	return dm_per_bio_data(bio, sizeof(struct jbio));
}

static inline struct bio *bio_of(struct jbio *b)
{
	return dm_bio_from_per_bio_data(b, sizeof(struct jbio));
}

static inline struct jrec *journal_rec(struct journal *j, u64 seq)
{
	return &j->rec[seq % JOURNAL_RECS];
}

/* Where a bio starts on the volume, which is where it starts at home. */
static inline struct jsec journal_home_sector(struct journal *j, struct bio *bio)
{
	return jsec(dm_target_offset(j->ti, bio->bi_iter.bi_sector));
}

static inline void journal_end(struct bio *bio, blk_status_t status)
{
	bio->bi_status = status;
	bio_endio(bio);
}

/* The largest write that is never torn, sectors. */
static inline u32 journal_atomic(const struct journal *j)
{
	return j->geo.record_max - 2 * j->geo.unit;
}

/* window.c: memory that mirrors a part of the log. */
int jwin_init(struct jwin *w, u64 sectors);	/* may sleep; -ENOMEM */
void jwin_exit(struct jwin *w);
void *jwin_at(const struct jwin *w, struct jpos pos);	/* any context */
unsigned int jwin_vecs(u32 sectors);	/* bio vectors that this many sectors may take */
void jwin_to_bio(const struct jwin *w, struct jpos pos, u32 sectors, struct bio *bio);
void jwin_copy_from_bio(const struct jwin *w, struct jpos pos, struct bio *bio);
void jwin_copy_to_bio(const struct jwin *w, struct jpos pos, struct bio *bio);
void jwin_copy(const struct jwin *to, const struct jwin *from, struct jpos pos, u32 sectors);
u32 jwin_crc(const struct jwin *w, struct jpos pos, u32 sectors, u32 seed);

/* space.c: head, free space, the open record. All with lock held. */
bool space_take(struct journal *j, struct jsec home, u32 len, enum jfmt_kind kind,
		struct jslot *slot);
bool space_close(struct journal *j);		/* close the open record; true: no copies are under way */
/*
 * The slot's copy is done; without lock, may submit the record. Not for a caller under a plug, which would keep
 * the log write for a while, when others wait for one, unless he @waits for this one himself.
 */
void space_put(struct jslot *slot, bool waits);
u32 space_weight(u32 len);			/* index entries that an extent is worth */
/* sectors of the area that are not free */
static inline u64 space_used(const struct journal *j)
{
	return j->head.v - j->free_to.v;
}

/* write.c: W. map() context; bio may be completed on return. */
void journal_write(struct journal *j, struct bio *bio);
void journal_defer(struct journal *j, struct bio *bio);		/* any process context */
void journal_write_end(struct journal *j, struct bio *bio, struct jslot *slot);
/* Where @bio is given its place, with the lock held. */
void journal_write_order(struct journal *j, const struct bio *bio, const struct jrec *rec);
void journal_admit_work(struct work_struct *work);
void journal_kick_admission(struct journal *j);			/* any context */

/* throttle.c: how fast writes are admitted while the log fills. Lock held, but for the first two. */
void throttle_init(struct journal *j);	/* the options have changed; suspended */
void throttle_send(struct journal *j, const struct jbatch *b);	/* @b (NULL: none) is on its way home now; worker */
void throttle_freed(struct journal *j, u64 sectors);		/* and is at home */
unsigned long throttle_wait(const struct journal *j);	/* jiffies until the next write is admitted, or 0 */
void throttle_charge(struct journal *j, u32 sectors);	/* it was */
/* Does somebody wait for the checkpoint, or soon will? Then it does not go last. */
bool journal_is_pressed(const struct journal *j);

/* discard.c: D. Worker context. False: no room now. */
bool journal_discard(struct journal *j, struct bio *bio);
/* Index nodes for @len sectors; false: none, and the checkpoint is to know if the first of @deferred waits for them. */
bool journal_reserve(struct journal *j, u32 len, bool deferred);

/* commit.c: C. */
void journal_flush(struct journal *j, struct bio *bio);		/* map() context */
/* Serve @bio when record @seq is durable: FUA writes, and flushes. Lock held; true: journal_commit() comes then. */
bool journal_wait_commit(struct journal *j, struct bio *bio, u64 seq);
void journal_commit(struct journal *j);		/* write a record that is ready; no lock held, may submit */
void journal_kick_commit(struct journal *j);	/* the same by the worker; any context */
void journal_serve(struct list_head *served, blk_status_t status);	/* any context, no lock held */
void journal_serve_commits(struct journal *j);	/* durable, tail or error has changed; any context */
void journal_commit_work(struct kthread_work *work);
void journal_autocommit_work(struct work_struct *work);
/* may sleep for @timeout jiffies; 0, the latched error, or -ETIMEDOUT */
int journal_commit_all(struct journal *j, long timeout);

/* read.c: R. */
int journal_read(struct journal *j, struct bio *bio);		/* map() context; DM_MAPIO_* */
int journal_read_end(struct journal *j, struct bio *bio, blk_status_t status); /* end_io, with a pin; DM_ENDIO_* */
void journal_pins_init(struct journal_pins *p);
void journal_pins_drain(struct journal_pins *p);	/* may sleep */

/* checkpoint.c: K. */
void journal_ckpt_work(struct work_struct *work);
void journal_ckpt_timer(struct work_struct *work);
void journal_ckpt_run(struct journal *j);	/* batches, as long as they are wanted; worker, or recovery */
void journal_ckpt_halt(struct journal *j);	/* no batch is under way, and none begins until ckpt_stop is false; sleeps */
void journal_kick_checkpoint(struct journal *j);	/* any context */
u64 journal_request_checkpoint(struct journal *j, u64 seq);	/* process context; the sequence to wait for */
bool journal_is_home(const struct journal *j, u64 seq);	/* lock held */
u64 journal_lag_ms(const struct journal *j);	/* age of what is not at home; lock held */
/* The log or the index is as good as full; for who was not served a moment ago. Lock held, both. */
bool journal_no_room(const struct journal *j);
bool journal_lacks_room(const struct journal *j);	/* and somebody waits for that, or for memory */

/* hold.c: how far checkpoints may go. */
struct jpos journal_ckpt_end(const struct journal *j);	/* where a batch may end at most; lock held */
void journal_hold_load(struct journal *j);	/* super_lock held */
int journal_hold_suits(struct journal *j);	/* the table that is to be resumed */
bool journal_hold_refuses(const struct journal *j);	/* no write finds room any more; lock held */
void journal_hold_report(struct journal *j, const char *what);	/* worker */
void journal_hold_full(struct journal *j);	/* checkpoint worker: give up a hold that fills the log */
u64 journal_hold_clip(const struct journal *j, u64 seq);	/* lock held */
/* A message; process context, may sleep; -ENOTTY: it is not one of these. */
int journal_hold_message(struct dm_target *ti, unsigned int argc, char **argv);

/* gather.c: what a batch is made of. Worker, or recovery; may sleep. */
/*
 * K1: fill @b, which is clear, from @from on. 1, 0 if nothing is durable there, or -errno;
 * -EXDEV: it would end before what is perhaps at home already.
 */
int batch_gather(struct journal *j, struct jbatch *b, const struct jtail *from);

/* batch.c: the home side of a batch. Worker, or recovery; may sleep; 0 or -errno. */
int batch_add(struct journal *j, struct jbatch *b, const struct jrecord *rec);
void batch_clear(struct jbatch *b);	/* none of its bios is in flight */
/* K3: send it, but of a coalesced one the last bio; returns when all that was sent has ended. */
int batch_write_home(struct journal *j, struct jbatch *b);
/* K3: the last bio of a coalesced one, if there is one; its data leave the image. */
void batch_send_last(struct journal *j, struct jbatch *b);
int batch_wait(struct journal *j, struct jbatch *b);	/* for all that was sent */
int batch_fence(struct journal *j);
void batch_print(struct journal *j, struct jbatch *b);
void batch_fingerprint(struct journal *j, const struct jbatch *b);
void batch_forget(struct journal *j, struct jbatch *b);	/* and clear it */

/* super.c: the two superblock slots. May sleep. */
int journal_super_read(struct block_device *log, struct jsuper *out, const char **why);
int __must_check journal_super_write(struct journal *j, blk_opf_t opf);	/* super_lock held */
int journal_log_io(struct block_device *log, blk_opf_t opf, sector_t sector, struct page *page,
		   unsigned int bytes);	/* one synchronous bio; @page physically contiguous */

/* recover.c: V. Resume context, device suspended; may sleep. */
int journal_recover(struct journal *j);
/* Suspended, life_lock held; may sleep. Memory is forgotten: the next resume recovers. */
int journal_rollback(struct journal *j, const char *name);

/* fail.c: the one door for errors. */
void journal_fail(struct journal *j, const char *what, int error);	/* any context */
void journal_stall(struct journal *j, const char *what, u64 seq, int error);	/* worker */
void journal_unstall(struct journal *j);		/* worker */
void journal_event_work(struct work_struct *work);

/* life.c: journals, their tables, suspend and resume. May sleep. */
int journal_get(struct dm_target *ti, struct journal_table *t);	/* sets t->j, or ti->error */
void journal_put(struct journal *j);
void journal_presuspend(struct dm_target *ti);
void journal_presuspend_undo(struct dm_target *ti);
void journal_postsuspend(struct dm_target *ti);
int journal_preresume(struct dm_target *ti);
int journal_same_log(struct journal *j);	/* suspended */
int journal_adopt(struct dm_target *ti);	/* work with this table's devices; suspended, life_lock held */
int journal_life_init(void);
void journal_life_exit(void);

#endif

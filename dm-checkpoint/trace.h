/* SPDX-License-Identifier: GPL-2.0-only */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM dm_checkpoint

#if !defined(DM_CHECKPOINT_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define DM_CHECKPOINT_TRACE_H

#include <linux/tracepoint.h>
#include "dm-checkpoint/checkpoint.h"

/* dev is the home; a fence has no sectors. */
DECLARE_EVENT_CLASS(checkpoint_bio,
	TP_PROTO(struct bio *bio),
	TP_ARGS(bio),
	TP_STRUCT__entry(
		__field(dev_t, dev)
		__field(sector_t, sector)
		__field(unsigned int, sectors)
		__field(int, error)
	),
	TP_fast_assign(
		__entry->dev = bio_dev(bio);
		__entry->sector = checkpoint_io(bio)->sector;
		__entry->sectors = checkpoint_io(bio)->end - checkpoint_io(bio)->sector;
		__entry->error = blk_status_to_errno(bio->bi_status);
	),
	TP_printk("%d,%d %llu + %u error %d", MAJOR(__entry->dev), MINOR(__entry->dev),
		  (unsigned long long)__entry->sector, __entry->sectors, __entry->error)
);

/* F1: a write joins the running epoch. */
DEFINE_EVENT(checkpoint_bio, checkpoint_admit, TP_PROTO(struct bio *bio), TP_ARGS(bio));
/* F2: a bio is held. */
DEFINE_EVENT(checkpoint_bio, checkpoint_hold, TP_PROTO(struct bio *bio), TP_ARGS(bio));
/* F3: a fence closes the running epoch. */
DEFINE_EVENT(checkpoint_bio, checkpoint_fence, TP_PROTO(struct bio *bio), TP_ARGS(bio));
/* F4: the home is flushed for the fence. */
DEFINE_EVENT(checkpoint_bio, checkpoint_flush, TP_PROTO(struct bio *bio), TP_ARGS(bio));
/* F5: a write or a fence ends. */
DEFINE_EVENT(checkpoint_bio, checkpoint_done, TP_PROTO(struct bio *bio), TP_ARGS(bio));
/* I1: a member of a batch has its place. */
DEFINE_EVENT(checkpoint_bio, checkpoint_collect, TP_PROTO(struct bio *bio), TP_ARGS(bio));

/* dev is the intent device. */
DECLARE_EVENT_CLASS(checkpoint_batch_class,
	TP_PROTO(struct block_device *bdev, u64 number, u32 nr, u64 sectors, int error),
	TP_ARGS(bdev, number, nr, sectors, error),
	TP_STRUCT__entry(
		__field(dev_t, dev)
		__field(u64, number)
		__field(u32, nr)
		__field(u64, sectors)
		__field(int, error)
	),
	TP_fast_assign(
		__entry->dev = bdev->bd_dev;
		__entry->number = number;
		__entry->nr = nr;
		__entry->sectors = sectors;
		__entry->error = error;
	),
	TP_printk("%d,%d batch %llu: %u extents, %llu sectors, error %d", MAJOR(__entry->dev),
		  MINOR(__entry->dev), (unsigned long long)__entry->number, __entry->nr,
		  (unsigned long long)__entry->sectors, __entry->error)
);

#define BATCH_EVENT(name)									\
	DEFINE_EVENT(checkpoint_batch_class, name,						\
		TP_PROTO(struct block_device *bdev, u64 number, u32 nr, u64 sectors, int error),	\
		TP_ARGS(bdev, number, nr, sectors, error))
/* I2: a batch is committed, or could not be. */
BATCH_EVENT(checkpoint_batch);
/* I3: a batch is at home, flushed, or could not be brought there. */
BATCH_EVENT(checkpoint_applied);

#endif

#undef TRACE_INCLUDE_PATH
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_PATH dm-checkpoint
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>

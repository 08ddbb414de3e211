/* SPDX-License-Identifier: GPL-2.0-only */
/* Bios and block devices. A page is named by its memory, so runs of pages are runs of memory. */
#ifndef SIM_LINUX_BIO_H
#define SIM_LINUX_BIO_H

#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/slab.h>

enum { REQ_OP_READ = 0, REQ_OP_WRITE = 1, REQ_OP_DISCARD = 3, REQ_OP_WRITE_ZEROES = 9 };
#define REQ_OP_MASK	0xffu
#define REQ_SYNC	(1u << 11)
#define REQ_META	(1u << 12)
#define REQ_PRIO	(1u << 13)
#define REQ_NOMERGE	(1u << 14)
#define REQ_IDLE	(1u << 16)
#define REQ_FUA		(1u << 17)
#define REQ_PREFLUSH	(1u << 18)
#define REQ_BACKGROUND	(1u << 20)
#define REQ_NOUNMAP	(1u << 22)
#define REQ_SWAP	(1u << 25)

#define BLK_STS_OK		0
#define BLK_STS_NOTSUPP		1
#define BLK_STS_NOSPC		3
#define BLK_STS_IOERR		10
#define BLK_STS_DM_REQUEUE	11
#define BLK_STS_AGAIN		12
#define BLK_STS_DEV_RESOURCE	13
#define BLK_STS_OFFLINE		16

#define BIO_POOL_SIZE		2
#define BIOSET_NEED_BVECS	1

struct mapped_device;
struct bio;
typedef void (bio_end_io_t)(struct bio *bio);

struct bvec_iter {
	sector_t bi_sector;
	unsigned int bi_size, bi_idx, bi_bvec_done;
};

struct bio_vec {
	struct page *bv_page;
	unsigned int bv_len, bv_offset;
};

struct block_device {
	struct mapped_device *md;	/* or a disk: */
	unsigned int disk;
	dev_t bd_dev;
	u64 sectors;
	unsigned int block, dma_alignment, discard_max, zeroes_max;
	bool write_cache;
};

struct bio {
	struct bio *bi_next;
	struct block_device *bi_bdev;
	blk_opf_t bi_opf;
	unsigned short bi_ioprio;
	blk_status_t bi_status;
	unsigned short bi_vcnt, bi_max_vecs;
	struct bvec_iter bi_iter;
	bio_end_io_t *bi_end_io;
	void *bi_private;
	struct bio_vec *bi_io_vec;
	bool submitted, ended;
};

struct bio_set { int unused; };
typedef struct { unsigned int order; } mempool_t;

void submit_bio_noacct(struct bio *bio);
int submit_bio_wait(struct bio *bio);
void bio_endio(struct bio *bio);
struct bio *bio_alloc_bioset(struct block_device *bdev, unsigned short vecs, blk_opf_t opf, gfp_t gfp,
			     struct bio_set *bs);

static inline u32 bio_op(const struct bio *bio) { return bio->bi_opf & REQ_OP_MASK; }
static inline bool op_is_write(blk_opf_t op) { return op & 1; }
static inline unsigned int bio_sectors(const struct bio *bio) { return bio->bi_iter.bi_size >> 9; }
static inline sector_t bio_end_sector(const struct bio *bio) { return bio->bi_iter.bi_sector + bio_sectors(bio); }
static inline void bio_set_dev(struct bio *bio, struct block_device *bdev) { bio->bi_bdev = bdev; }
static inline dev_t bio_dev(const struct bio *bio) { return bio->bi_bdev->bd_dev; }
static inline void bio_uninit(struct bio *bio) { (void)bio; }
static inline void bio_put(struct bio *bio) { simk_free(bio); }

static inline void bio_init(struct bio *bio, struct block_device *bdev, struct bio_vec *vecs, unsigned short max,
			    blk_opf_t opf)
{
	*bio = (struct bio) { .bi_bdev = bdev, .bi_opf = opf, .bi_max_vecs = max, .bi_io_vec = vecs };
}

static inline void bio_reset(struct bio *bio, struct block_device *bdev, blk_opf_t opf)
{
	bio_init(bio, bdev, bio->bi_io_vec, bio->bi_max_vecs, opf);
}

static inline void __bio_add_page(struct bio *bio, struct page *page, unsigned int len, unsigned int offset)
{
	if (bio->bi_vcnt == bio->bi_max_vecs)
		simk_fail("a bio has no vector left");
	bio->bi_io_vec[bio->bi_vcnt++] = (struct bio_vec) { page, len, offset };
	bio->bi_iter.bi_size += len;
}

static inline void bio_io_error(struct bio *bio)
{
	bio->bi_status = BLK_STS_IOERR;
	bio_endio(bio);
}

static inline int blk_status_to_errno(blk_status_t s)
{
	switch (s) {
	case BLK_STS_OK: return 0;
	case BLK_STS_NOTSUPP: return -EOPNOTSUPP;
	case BLK_STS_NOSPC: return -ENOSPC;
	case BLK_STS_DEV_RESOURCE: return -EBUSY;
	case BLK_STS_OFFLINE: return -ENODEV;
	case BLK_STS_AGAIN: return -EAGAIN;
	default: return -EIO;
	}
}

static inline blk_status_t errno_to_blk_status(int e)
{
	return !e ? BLK_STS_OK : e == -EOPNOTSUPP ? BLK_STS_NOTSUPP : e == -ENOSPC ? BLK_STS_NOSPC : BLK_STS_IOERR;
}

#define BLKDEV_ZERO_NOUNMAP	1u
int blkdev_issue_discard(struct block_device *bdev, sector_t sector, sector_t sectors, gfp_t gfp);
int blkdev_issue_flush(struct block_device *bdev);
int blkdev_issue_zeroout(struct block_device *bdev, sector_t sector, sector_t sectors, gfp_t gfp, unsigned int flags);

/* What @iter stands at, as one run of memory. */
static inline struct bio_vec bio_iter_iovec(const struct bio *bio, struct bvec_iter iter)
{
	struct bio_vec bv = bio->bi_io_vec[iter.bi_idx];

	bv.bv_offset += iter.bi_bvec_done;
	bv.bv_len = min(bv.bv_len - iter.bi_bvec_done, iter.bi_size);
	bv.bv_page += bv.bv_offset / PAGE_SIZE;
	bv.bv_offset %= PAGE_SIZE;
	return bv;
}

static inline struct bio_vec simk_iter_segment(const struct bio *bio, struct bvec_iter iter)
{
	struct bio_vec bv = bio_iter_iovec(bio, iter);

	bv.bv_len = min_t(unsigned int, bv.bv_len, PAGE_SIZE - bv.bv_offset);
	return bv;
}

static inline void bio_advance_iter(const struct bio *bio, struct bvec_iter *iter, unsigned int bytes)
{
	iter->bi_sector += bytes >> 9;
	iter->bi_size -= bytes;
	if (!bio->bi_io_vec || bio_op(bio) == REQ_OP_DISCARD || bio_op(bio) == REQ_OP_WRITE_ZEROES)
		return;
	while (bytes) {
		unsigned int n = min(bytes, bio->bi_io_vec[iter->bi_idx].bv_len - iter->bi_bvec_done);

		bytes -= n;
		iter->bi_bvec_done += n;
		if (iter->bi_bvec_done == bio->bi_io_vec[iter->bi_idx].bv_len) {
			iter->bi_idx++;
			iter->bi_bvec_done = 0;
		}
	}
}

#define __bio_for_each_segment(bv, bio, iter, start)						\
	for (iter = (start); iter.bi_size && (bv = simk_iter_segment(bio, iter), 1);		\
	     bio_advance_iter(bio, &iter, bv.bv_len))
#define bio_for_each_segment(bv, bio, iter)	__bio_for_each_segment(bv, bio, iter, (bio)->bi_iter)
#define bio_for_each_bvec(bv, bio, iter)							\
	for (iter = (bio)->bi_iter; iter.bi_size && (bv = bio_iter_iovec(bio, iter), 1);	\
	     bio_advance_iter(bio, &iter, bv.bv_len))

#define kmap_local_page(p)	((char *)page_address(p))
#define bvec_kmap_local(bv)	((char *)page_address((bv)->bv_page) + (bv)->bv_offset)
#define kunmap_local(p)		((void)(p))
#define flush_dcache_page(p)	((void)(p))

static inline void memcpy_to_bvec(struct bio_vec *bv, const char *from)
{
	memcpy(bvec_kmap_local(bv), from, bv->bv_len);
}

static inline void zero_fill_bio(struct bio *bio)
{
	struct bvec_iter iter;
	struct bio_vec bv;

	bio_for_each_segment(bv, bio, iter)
		memset(bvec_kmap_local(&bv), 0, bv.bv_len);
}

struct bio_list {
	struct bio *head, *tail;
};

#define BIO_EMPTY_LIST	{ NULL, NULL }
static inline void bio_list_init(struct bio_list *l) { *l = (struct bio_list) BIO_EMPTY_LIST; }
static inline bool bio_list_empty(const struct bio_list *l) { return !l->head; }
static inline struct bio *bio_list_peek(struct bio_list *l) { return l->head; }

static inline void bio_list_add(struct bio_list *l, struct bio *bio)
{
	bio->bi_next = NULL;
	if (l->head)
		l->tail->bi_next = bio;
	else
		l->head = bio;
	l->tail = bio;
}

static inline struct bio *bio_list_pop(struct bio_list *l)
{
	struct bio *bio = l->head;

	if (bio)
		l->head = bio->bi_next;
	return bio;
}

static inline void bio_list_merge(struct bio_list *to, struct bio_list *from)
{
	if (!from->head)
		return;
	if (to->head)
		to->tail->bi_next = from->head;
	else
		to->head = from->head;
	to->tail = from->tail;
}

static inline int bioset_init(struct bio_set *bs, unsigned int n, unsigned int pad, int flags)
{
	(void)bs, (void)n, (void)pad, (void)flags;
	return 0;
}

static inline void bioset_exit(struct bio_set *bs) { (void)bs; }

static inline int mempool_init_page_pool(mempool_t *p, int n, int order)
{
	(void)n;
	p->order = order;
	return 0;
}

static inline void mempool_exit(mempool_t *p) { (void)p; }
static inline void *mempool_alloc(mempool_t *p, gfp_t gfp)
{
	simk_may_sleep("mempool_alloc");
	return alloc_pages(gfp, p->order);
}

static inline void mempool_free(void *e, mempool_t *p) { __free_pages(e, p->order); }

static inline unsigned int bdev_logical_block_size(struct block_device *b) { return b->block; }
static inline unsigned int bdev_dma_alignment(struct block_device *b) { return b->dma_alignment; }
static inline u64 bdev_nr_sectors(struct block_device *b) { return b->sectors; }
static inline unsigned int bdev_max_discard_sectors(struct block_device *b) { return b->discard_max; }
static inline unsigned int bdev_write_zeroes_sectors(struct block_device *b) { return b->zeroes_max; }
static inline bool bdev_write_cache(struct block_device *b) { return b->write_cache; }

struct blk_plug { int unused; };
struct task_struct { struct blk_plug *plug; };
struct task_struct *simk_current(void);		/* under a plug or not, as chance has it */
#define current			simk_current()
static inline void blk_start_plug(struct blk_plug *p) { (void)p; }
static inline void blk_finish_plug(struct blk_plug *p) { (void)p; }

#define SECTOR_SHIFT	9

struct queue_limits {
	unsigned int max_discard_sectors, max_hw_discard_sectors, discard_granularity, discard_alignment;
	unsigned int max_write_zeroes_sectors;
	unsigned int logical_block_size;
};

#endif

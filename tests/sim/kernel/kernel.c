// SPDX-License-Identifier: GPL-2.0-only
/*
 * Work and bios.
 *
 * Always true: one work never runs twice at once; a bio that is submitted while a map() runs on the same fiber is parked
 * until that returns, as current->bio_list does; a bio ends once.
 */
#include <stdarg.h>

#include <linux/device-mapper.h>
#include <linux/kthread.h>

struct page simk_zero_page __attribute__((aligned(4096)));

/*----------------------------------------------------------------
 * Work
 *--------------------------------------------------------------*/

#define MAX_WORKS	512

static struct work_struct *works[MAX_WORKS];	/* queued and not running, in order */
static unsigned int nr_works;

struct workqueue_struct *alloc_workqueue(const char *name, unsigned int flags, int max_active, ...)
{
	struct workqueue_struct *wq = kzalloc(sizeof(*wq), GFP_KERNEL);

	(void)flags, (void)max_active;
	wq->name = name;
	return wq;
}

void destroy_workqueue(struct workqueue_struct *wq)
{
	simk_free(wq);
}

static void work_add(struct work_struct *work)
{
	if (nr_works == MAX_WORKS)
		simk_fail("too much work is queued");
	works[nr_works++] = work;
}

static void work_remove(struct work_struct *work)
{
	unsigned int i;

	for (i = 0; i < nr_works && works[i] != work; i++)
		;
	if (i == nr_works)
		return;
	nr_works--;
	memmove(&works[i], &works[i + 1], (nr_works - i) * sizeof(works[0]));
}

unsigned int simk_works(void)
{
	return nr_works;
}

static void work_fiber(void *arg)
{
	struct work_struct *work = arg;

	work->func(work);
	/* a read's work may be gone by now only with the whole machine */
	work->running = false;
	if (work->queued)
		work_add(work);
	simk_wake(&work->idle);
}

void simk_run_work(unsigned int i)
{
	struct work_struct *work = works[i];

	work_remove(work);
	work->queued = false;
	work->running = true;
	simk_spawn(work_fiber, work);
}

static void work_queue(struct work_struct *work)
{
	work->queued = true;
	if (!work->running)
		work_add(work);
}

bool queue_work(struct workqueue_struct *wq, struct work_struct *work)
{
	bool was = work->queued;

	(void)wq;
	if (!was)
		work_queue(work);
	simk_preempt();
	return !was;
}

static void delayed_fire(struct simk_timer *t)
{
	work_queue(&container_of(t, struct delayed_work, timer)->work);
}

static void delayed_arm(struct delayed_work *d, unsigned long ticks)
{
	d->kicked = !ticks;
	if (!ticks) {
		work_queue(&d->work);
		return;
	}
	d->timer.fn = delayed_fire;
	simk_timer_arm(&d->timer, simk_ns() + ticks * (NSEC_PER_SEC / HZ));
}

bool queue_delayed_work(struct workqueue_struct *wq, struct delayed_work *d, unsigned long ticks)
{
	(void)wq;
	if (d->work.queued || d->timer.armed)
		return false;
	delayed_arm(d, ticks);
	simk_preempt();
	return true;
}

static bool work_take_back(struct work_struct *work)
{
	bool was = work->queued;

	if (was && !work->running)
		work_remove(work);
	work->queued = false;
	return was;
}

bool mod_delayed_work(struct workqueue_struct *wq, struct delayed_work *d, unsigned long ticks)
{
	bool due = work_take_back(&d->work), was = due || d->timer.armed;

	(void)wq;
	if (due && d->kicked && ticks)
		simk_fail("P5 late: work that somebody asked for at once is put off by a timer");
	simk_timer_cancel(&d->timer);
	delayed_arm(d, ticks);
	simk_preempt();
	return was;
}

bool cancel_work_sync(struct work_struct *work)
{
	bool was;

	simk_may_sleep("cancel_work_sync");
	was = work_take_back(work);
	while (work->running) {
		simk_wait(&work->idle, 0);
		was |= work_take_back(work);
	}
	return was;
}

bool cancel_delayed_work_sync(struct delayed_work *d)
{
	bool was = d->timer.armed;

	simk_timer_cancel(&d->timer);
	was |= cancel_work_sync(&d->work);
	simk_timer_cancel(&d->timer);
	return was;
}

bool flush_work(struct work_struct *work)
{
	bool was = work->queued || work->running;

	simk_may_sleep("flush_work");
	while (work->queued || work->running)
		simk_wait(&work->idle, 0);
	return was;
}

static void kthread_work_run(struct work_struct *work)
{
	struct kthread_work *w = container_of(work, struct kthread_work, work);

	w->func(w);
}

struct kthread_worker *kthread_create_worker(unsigned int flags, const char *name, ...)
{
	(void)flags, (void)name;
	return kzalloc(sizeof(struct kthread_worker), GFP_KERNEL);
}

void kthread_destroy_worker(struct kthread_worker *worker)
{
	simk_free(worker);
}

void kthread_init_work(struct kthread_work *work, kthread_work_func_t func)
{
	work->func = func;
	INIT_WORK(&work->work, kthread_work_run);
}

bool kthread_queue_work(struct kthread_worker *worker, struct kthread_work *work)
{
	(void)worker;
	return queue_work(NULL, &work->work);
}

void kthread_flush_work(struct kthread_work *work)
{
	flush_work(&work->work);
}

/*----------------------------------------------------------------
 * Bios
 *--------------------------------------------------------------*/

struct bio *bio_alloc_bioset(struct block_device *bdev, unsigned short vecs, blk_opf_t opf, gfp_t gfp,
			     struct bio_set *bs)
{
	struct bio *bio = simk_alloc(sizeof(*bio) + vecs * sizeof(struct bio_vec), 16, true);

	(void)bs;
	if (gfp & (GFP_KERNEL | GFP_NOIO))
		simk_may_sleep("bio_alloc_bioset");
	bio_init(bio, bdev, (struct bio_vec *)(bio + 1), vecs, opf);
	return bio;
}

void bio_endio(struct bio *bio)
{
	if (bio->ended)
		simk_fail("a bio ends twice");
	bio->ended = true;
	bio->submitted = false;
	if (bio->bi_end_io)
		bio->bi_end_io(bio);
	simk_preempt();
}

static void disk_copy(void *arg, void *buf, bool to_bio)
{
	struct bio *bio = arg;
	struct bvec_iter iter;
	struct bio_vec bv;
	char *at = buf;

	bio_for_each_segment(bv, bio, iter) {
		char *p = bvec_kmap_local(&bv);

		if (to_bio)
			memcpy(p, at, bv.bv_len);
		else
			memcpy(at, p, bv.bv_len);
		at += bv.bv_len;
	}
}

static void disk_end(void *arg, int error)
{
	struct bio *bio = arg;

	/* what real devices say, and what the two targets say to each other */
	static const blk_status_t says[] = { BLK_STS_IOERR, BLK_STS_NOSPC, BLK_STS_OFFLINE, BLK_STS_AGAIN };

	bio->bi_status = error == -EIO ? says[bio->bi_iter.bi_sector / 8 % 4] : errno_to_blk_status(error);
	bio_endio(bio);
}

static void disk_submit(struct bio *bio)
{
	struct simk_req req = {
		.preflush = bio->bi_opf & REQ_PREFLUSH, .fua = bio->bi_opf & REQ_FUA,
		.sector = bio->bi_iter.bi_sector, .sectors = bio_sectors(bio),
		.bio = bio, .copy = disk_copy, .end = disk_end,
	};

	switch (bio_op(bio)) {
	case REQ_OP_READ:
		req.op = SIMK_READ;
		break;
	case REQ_OP_WRITE:
		req.op = SIMK_WRITE;
		break;
	case REQ_OP_DISCARD:
		req.op = SIMK_DISCARD;
		break;
	case REQ_OP_WRITE_ZEROES:
		req.op = SIMK_ZEROES;
		break;
	}
	if ((req.op == SIMK_DISCARD && !bio->bi_bdev->discard_max) || (req.op == SIMK_ZEROES && !bio->bi_bdev->zeroes_max)) {
		bio->bi_status = BLK_STS_NOTSUPP;
		bio_endio(bio);
		return;
	}
	if (bio_end_sector(bio) > bio->bi_bdev->sectors && req.sectors)
		simk_fail("I/O beyond the end of a disk: sector %llu + %u",
			  (unsigned long long)req.sector, req.sectors);
	if (((req.sector | req.sectors) << 9) & (bio->bi_bdev->block - 1))
		simk_fail("I/O that is no multiple of the disk's block");
	if ((req.preflush || req.fua) && req.op != SIMK_WRITE)
		simk_fail("PREFLUSH or FUA on something else than a write");
	simk_disk_submit(bio->bi_bdev->disk, &req);
}

void submit_bio_noacct(struct bio *bio)
{
	struct bio_list list = BIO_EMPTY_LIST, **current_list;

	simk_may_sleep("submit_bio");
	if (bio->submitted)
		simk_fail("a bio is submitted twice");
	bio->submitted = true;
	bio->ended = false;
	current_list = (struct bio_list **)simk_fiber_slot();
	if (*current_list) {
		bio_list_add(*current_list, bio);
		return;
	}
	*current_list = &list;
	do {
		if (bio->bi_bdev->md)
			simk_md_submit(bio->bi_bdev->md, bio);
		else
			disk_submit(bio);
	} while ((bio = bio_list_pop(&list)));
	*current_list = NULL;
	simk_preempt();
}

struct task_struct *simk_current(void)
{
	static struct blk_plug plug;
	static struct task_struct task;

	task.plug = simk_random() & 1 ? &plug : NULL;
	return &task;
}

static void wait_end_io(struct bio *bio)
{
	simk_wake(bio->bi_private);
}

int submit_bio_wait(struct bio *bio)
{
	struct simk_queue done = { NULL, NULL };

	bio->bi_private = &done;
	bio->bi_end_io = wait_end_io;
	submit_bio_noacct(bio);
	while (!bio->ended)
		simk_wait(&done, 0);
	return blk_status_to_errno(bio->bi_status);
}

int blkdev_issue_flush(struct block_device *bdev)
{
	struct bio bio;

	bio_init(&bio, bdev, NULL, 0, REQ_OP_WRITE | REQ_PREFLUSH);
	return submit_bio_wait(&bio);
}

int blkdev_issue_discard(struct block_device *bdev, sector_t sector, sector_t sectors, gfp_t gfp)
{
	struct bio bio;

	(void)gfp;
	if (!bdev->discard_max)
		return -EOPNOTSUPP;
	bio_init(&bio, bdev, NULL, 0, REQ_OP_DISCARD);
	bio.bi_iter.bi_sector = sector;
	bio.bi_iter.bi_size = sectors << 9;
	return submit_bio_wait(&bio);
}

int blkdev_issue_zeroout(struct block_device *bdev, sector_t sector, sector_t sectors, gfp_t gfp, unsigned int flags)
{
	struct bio bio;

	(void)gfp, (void)flags;
	if (!bdev->zeroes_max)
		simk_fail("zeroes for a disk that cannot write them");
	bio_init(&bio, bdev, NULL, 0, REQ_OP_WRITE_ZEROES);
	bio.bi_iter.bi_sector = sector;
	bio.bi_iter.bi_size = sectors << 9;
	return submit_bio_wait(&bio);
}

static bool log_on;

void simk_log_enable(bool on);
void simk_log_enable(bool on)
{
	log_on = on;
}

void simk_log(const char *fmt, ...)
{
	va_list ap;

	if (!log_on)
		return;
	va_start(ap, fmt);
	printf("    kernel: ");
	vprintf(fmt, ap);
	printf("\n");
	va_end(ap);
}

void simk_kernel_reset(void);
void simk_kernel_reset(void)
{
	nr_works = 0;
	simk_dm_reset();
}

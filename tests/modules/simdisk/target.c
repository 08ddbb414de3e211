// SPDX-License-Identifier: GPL-2.0-only
/*
 * simdisk <dev> <seed> [<keep_permille> [<unit>]]: a disk with a volatile write cache, whose power can be cut.
 *
 * Always true here: a sector is either in the cache (its newest content, which <dev> lacks) or its newest content is on
 * <dev>. A flush leaves the cache empty; a FUA write leaves none of its sectors in it; any other write leaves a sector
 * in it unless the seeded coin, which falls with probability keep_permille / 1000, evicts that sector to <dev> at once.
 * So after a power cut every sector on <dev> is one of: what was last flushed, or something written to it since.
 *
 * A crash of the machine, or of QEMU, loses the cache as a power cut does. The message "powercut" first lets the coin save
 * some of the cache, and some sectors of the writes that are queued, and then fails all I/O until "restore". "powercut
 * all" cuts every simdisk at one instant: no bio of any of them is served between the first and the last.
 *
 * "hang <operation>|all [<nth>]" keeps the next, or the nth, such bio, and with it all behind it, until "release", or until
 * the power is cut: then they fail. A suspend waits for them.
 *
 * The smallest unit that a cut can tear is <unit> sectors, by default the logical block of <dev>. One simdisk does not work below another one.
 *
 * Bios are served one at a time, in the order in which they came, by one worker a disk. The worker holds sd_power for
 * reading as long as it serves a bio; a cut holds it for writing.
 */
#include <linux/list.h>
#include <linux/module.h>
#include <linux/rwsem.h>
#include <linux/slab.h>

#include "simdisk.h"

#define DM_MSG_PREFIX "simdisk"

#define KEEP_DEFAULT	500
/* With more in the cache than this all of it is evicted: the least orderly thing a disk may do is still allowed. */
#define CACHE_SECTORS	(SZ_64M >> SECTOR_SHIFT)
#define DISCARD_SECTORS	(SZ_64M >> SECTOR_SHIFT)

static const char * const sd_op_names[SD_OPS] = { "read", "write", "flush", "discard" };

static DECLARE_RWSEM(sd_power);
static LIST_HEAD(sd_disks);

/* What dev itself may hold in a cache. */
static blk_status_t flush_dev(struct simdisk *sd)
{
	return errno_to_blk_status(blkdev_issue_flush(sd->dev->bdev));
}

static blk_status_t write_back_all(struct simdisk *sd, bool coins)
{
	return simdisk_write_back(sd, 0, bdev_nr_sectors(sd->dev->bdev), coins);
}

/*----------------------------------------------------------------
 * Serving a bio
 *--------------------------------------------------------------*/

static blk_status_t serve_read(struct simdisk *sd, struct bio *bio)
{
	struct bio *clone = bio_alloc_clone(sd->dev->bdev, bio, GFP_NOIO, &fs_bio_set);
	int r;

	clone->bi_opf = REQ_OP_READ;
	r = submit_bio_wait(clone);
	bio_put(clone);
	if (r)
		return errno_to_blk_status(r);
	simdisk_overlay(sd, bio);
	return BLK_STS_OK;
}

static blk_status_t serve_write(struct simdisk *sd, struct bio *bio)
{
	sector_t start = bio->bi_iter.bi_sector, end = bio_end_sector(bio);
	blk_status_t status;

	simdisk_cache_bio(sd, bio);
	sd->sectors += end - start;
	if (bio->bi_opf & REQ_FUA) {
		sd->fua++;
		status = simdisk_write_back(sd, start, end, false);
		if (!status)
			status = flush_dev(sd);
	} else {
		status = simdisk_write_back(sd, start, end, true);
	}
	if (!status && sd->cached > CACHE_SECTORS)
		status = write_back_all(sd, false);
	return status;
}

static blk_status_t serve_flush(struct simdisk *sd)
{
	blk_status_t status = write_back_all(sd, false);

	return status ?: flush_dev(sd);
}

static enum sd_op sd_op(struct bio *bio)
{
	if (bio->bi_opf & REQ_PREFLUSH)
		return SD_FLUSH;
	switch (bio_op(bio)) {
	case REQ_OP_READ:
		return SD_READ;
	case REQ_OP_WRITE:
		return SD_WRITE;
	default:
		return SD_DISCARD;
	}
}

static bool must_fail(struct simdisk *sd, enum sd_op op)
{
	struct sd_fault *fault = &sd->faults[op];
	bool hit = false;

	spin_lock_irq(&sd->lock);
	if (fault->count) {
		if (fault->skip) {
			fault->skip--;
		} else {
			hit = true;
			if (fault->count != U64_MAX)
				fault->count--;
		}
	}
	spin_unlock_irq(&sd->lock);
	return hit;
}

static blk_status_t serve(struct simdisk *sd, struct bio *bio)
{
	enum sd_op op = sd_op(bio);

	if (sd->dead)
		return BLK_STS_IOERR;
	sd->ops[op]++;
	if (must_fail(sd, op))
		return BLK_STS_IOERR;
	switch (op) {
	case SD_READ:
		return serve_read(sd, bio);
	case SD_FLUSH:
		return serve_flush(sd);
	default:
		return serve_write(sd, bio);
	}
}

/* Does the bio that is next stay where it is? [lock] */
static bool must_hang(struct simdisk *sd, enum sd_op op)
{
	if (sd->dead || !(sd->hung & BIT(op)))
		return false;
	if (!sd->passes[op])
		return true;
	sd->passes[op]--;
	return false;
}

static void sd_work(struct work_struct *work)
{
	struct simdisk *sd = container_of(work, struct simdisk, work);
	struct bio *bio;

	for (;;) {
		down_read(&sd_power);
		spin_lock_irq(&sd->lock);
		bio = bio_list_peek(&sd->queued);
		if (bio && must_hang(sd, sd_op(bio)))
			bio = NULL;
		if (bio)
			bio_list_pop(&sd->queued);
		spin_unlock_irq(&sd->lock);
		if (bio)
			bio->bi_status = serve(sd, bio);
		up_read(&sd_power);
		if (!bio)
			return;
		bio_endio(bio);
	}
}

/*----------------------------------------------------------------
 * The power cut
 *--------------------------------------------------------------*/

/* What a disk that has lost its power leaves on dev. */
static void die(struct simdisk *sd)
{
	struct bio *bio;

	/* Writes that wait are in flight: they can be lost, whole or torn, whatever they asked for. */
	spin_lock_irq(&sd->lock);
	bio = sd->queued.head;
	spin_unlock_irq(&sd->lock);
	for (; bio; bio = bio->bi_next) {
		if (sd_op(bio) != SD_WRITE && sd_op(bio) != SD_DISCARD)
			continue;
		/* Older content of the same sectors could have been saved as well. */
		simdisk_write_back(sd, bio->bi_iter.bi_sector, bio_end_sector(bio), true);
		simdisk_cache_bio(sd, bio);
	}
	if (write_back_all(sd, true))
		DMERR("%s: the disk below failed while the power was cut", sd->dev->name);
	simdisk_drop_all(sd);
	flush_dev(sd);
}

static void powercut(struct simdisk *only)
{
	struct simdisk *sd;

	down_write(&sd_power);
	list_for_each_entry(sd, &sd_disks, list) {
		if (sd->dead || (only && sd != only))
			continue;
		die(sd);
		sd->dead = true;
		/* what hung fails now */
		queue_work(sd->wq, &sd->work);
	}
	up_write(&sd_power);
}

/*----------------------------------------------------------------
 * Target methods
 *--------------------------------------------------------------*/

static int simdisk_map(struct dm_target *ti, struct bio *bio)
{
	struct simdisk *sd = ti->private;
	unsigned long flags;

	bio->bi_iter.bi_sector = dm_target_offset(ti, bio->bi_iter.bi_sector);
	spin_lock_irqsave(&sd->lock, flags);
	bio_list_add(&sd->queued, bio);
	spin_unlock_irqrestore(&sd->lock, flags);
	queue_work(sd->wq, &sd->work);
	return DM_MAPIO_SUBMITTED;
}

/* fail read|write|flush|discard <nth> [<count>] */
static int message_fail(struct simdisk *sd, unsigned int argc, char **argv)
{
	u64 nth, count = 1;
	int op;

	if (argc < 3 || argc > 4 || kstrtou64(argv[2], 10, &nth) || !nth ||
	    (argc == 4 && kstrtou64(argv[3], 10, &count)))
		return -EINVAL;
	op = match_string(sd_op_names, SD_OPS, argv[1]);
	if (op < 0)
		return op;
	spin_lock_irq(&sd->lock);
	sd->faults[op].skip = nth - 1;
	sd->faults[op].count = count ?: U64_MAX;
	spin_unlock_irq(&sd->lock);
	return 0;
}

/* hang read|write|flush|discard|all [<nth>] */
static int message_hang(struct simdisk *sd, unsigned int argc, char **argv)
{
	int op = match_string(sd_op_names, SD_OPS, argv[1]);
	unsigned int ops = op < 0 ? GENMASK(SD_OPS - 1, 0) : BIT(op);
	u64 nth = 1;

	if (op < 0 && strcmp(argv[1], "all"))
		return op;
	if (argc == 3 && (kstrtou64(argv[2], 10, &nth) || !nth))
		return -EINVAL;
	spin_lock_irq(&sd->lock);
	sd->hung |= ops;
	for (op = 0; op < SD_OPS; op++)
		if (ops & BIT(op))
			sd->passes[op] = nth - 1;
	spin_unlock_irq(&sd->lock);
	return 0;
}

static void release(struct simdisk *sd)
{
	spin_lock_irq(&sd->lock);
	sd->hung = 0;
	spin_unlock_irq(&sd->lock);
	queue_work(sd->wq, &sd->work);
}

static int simdisk_message(struct dm_target *ti, unsigned int argc, char **argv, char *result, unsigned int maxlen)
{
	struct simdisk *sd = ti->private;

	if (argc == 1 && !strcmp(argv[0], "powercut")) {
		powercut(sd);
		return 0;
	}
	if (argc == 2 && !strcmp(argv[0], "powercut") && !strcmp(argv[1], "all")) {
		powercut(NULL);
		return 0;
	}
	if (argc == 1 && !strcmp(argv[0], "restore")) {
		down_write(&sd_power);
		sd->dead = false;
		up_write(&sd_power);
		return 0;
	}
	if (argc == 1 && !strcmp(argv[0], "heal")) {
		spin_lock_irq(&sd->lock);
		memset(sd->faults, 0, sizeof(sd->faults));
		spin_unlock_irq(&sd->lock);
		return 0;
	}
	if ((argc == 2 || argc == 3) && !strcmp(argv[0], "hang"))
		return message_hang(sd, argc, argv);
	if (argc == 1 && !strcmp(argv[0], "release")) {
		release(sd);
		return 0;
	}
	if (!strcmp(argv[0], "fail"))
		return message_fail(sd, argc, argv);
	return -EINVAL;
}

/* <reads> <writes> <of them FUA> <flushes> <discards> <sectors written or discarded> <sectors cached> <bios that wait> on|off */
static void simdisk_status(struct dm_target *ti, status_type_t type, unsigned int status_flags, char *result,
			   unsigned int maxlen)
{
	struct simdisk *sd = ti->private;
	unsigned int sz = 0, waiting;

	switch (type) {
	case STATUSTYPE_INFO:
		spin_lock_irq(&sd->lock);
		waiting = bio_list_size(&sd->queued);
		spin_unlock_irq(&sd->lock);
		DMEMIT("%llu %llu %llu %llu %llu %llu %llu %u %s", READ_ONCE(sd->ops[SD_READ]),
		       READ_ONCE(sd->ops[SD_WRITE]), READ_ONCE(sd->fua), READ_ONCE(sd->ops[SD_FLUSH]),
		       READ_ONCE(sd->ops[SD_DISCARD]), READ_ONCE(sd->sectors), READ_ONCE(sd->cached),
		       waiting, READ_ONCE(sd->dead) ? "off" : "on");
		break;
	case STATUSTYPE_TABLE:
		DMEMIT("%s %llu %u", sd->dev->name, sd->seed, sd->keep);
		if (sd->unit != bdev_logical_block_size(sd->dev->bdev) >> SECTOR_SHIFT)
			DMEMIT(" %u", sd->unit);
		break;
	case STATUSTYPE_IMA:
		*result = '\0';
		break;
	}
}

/* The next table's disk has a cache of its own. */
static void simdisk_postsuspend(struct dm_target *ti)
{
	struct simdisk *sd = ti->private;

	down_write(&sd_power);
	if (!sd->dead && write_back_all(sd, false))
		DMERR("%s: cannot empty the cache", sd->dev->name);
	up_write(&sd_power);
}

static int simdisk_iterate_devices(struct dm_target *ti, iterate_devices_callout_fn fn, void *data)
{
	struct simdisk *sd = ti->private;

	return fn(ti, sd->dev, 0, ti->len, data);
}

static void simdisk_io_hints(struct dm_target *ti, struct queue_limits *limits)
{
	limits->max_discard_sectors = DISCARD_SECTORS;
	limits->max_hw_discard_sectors = DISCARD_SECTORS;
	limits->discard_granularity = limits->logical_block_size;
}

static void simdisk_dtr(struct dm_target *ti)
{
	struct simdisk *sd = ti->private;

	down_write(&sd_power);
	list_del(&sd->list);
	up_write(&sd_power);
	destroy_workqueue(sd->wq);
	simdisk_drop_all(sd);
	xa_destroy(&sd->blocks);
	dm_put_device(ti, sd->dev);
	kfree(sd);
}

static int simdisk_ctr(struct dm_target *ti, unsigned int argc, char **argv)
{
	struct simdisk *sd;
	unsigned int unit = 0;
	int r = -EINVAL;

	if (argc < 2 || argc > 4) {
		ti->error = "Arguments are <dev> <seed> [<keep_permille> [<unit>]]";
		return r;
	}
	sd = kzalloc(sizeof(*sd), GFP_KERNEL);
	if (!sd)
		return -ENOMEM;
	sd->keep = KEEP_DEFAULT;
	if (kstrtou64(argv[1], 10, &sd->seed) || (argc >= 3 && kstrtouint(argv[2], 10, &sd->keep)) || sd->keep > 1000) {
		ti->error = "Seed or keep_permille is no number, or too large";
		goto out_free;
	}
	prandom_seed_state(&sd->coin, sd->seed);
	INIT_WORK(&sd->work, sd_work);
	spin_lock_init(&sd->lock);
	bio_list_init(&sd->queued);
	xa_init(&sd->blocks);

	r = -ENOMEM;
	sd->wq = alloc_ordered_workqueue("simdisk", WQ_MEM_RECLAIM);
	if (!sd->wq)
		goto out_free;
	r = dm_get_device(ti, argv[0], dm_table_get_mode(ti->table), &sd->dev);
	if (r) {
		ti->error = "No such device";
		goto out_wq;
	}
	sd->unit = bdev_logical_block_size(sd->dev->bdev) >> SECTOR_SHIFT;
	if (argc == 4 && (kstrtouint(argv[3], 10, &unit) || unit < sd->unit || !is_power_of_2(unit))) {
		r = -EINVAL;
		ti->error = "Unit is no power of two, or less than a logical block";
		goto out_dev;
	}
	sd->unit = unit ?: sd->unit;
	if (ti->begin || sd->unit > BLOCK_SECTORS) {
		r = -EINVAL;
		ti->error = "Must start at sector 0, with logical blocks of a page at most";
		goto out_dev;
	}
	ti->private = sd;
	ti->num_flush_bios = 1;
	ti->flush_supported = true;
	ti->num_discard_bios = 1;
	ti->discards_supported = true;
	ti->num_write_zeroes_bios = 1;

	down_write(&sd_power);
	list_add_tail(&sd->list, &sd_disks);
	up_write(&sd_power);
	return 0;

out_dev:
	dm_put_device(ti, sd->dev);
out_wq:
	destroy_workqueue(sd->wq);
out_free:
	kfree(sd);
	return r;
}

static struct target_type simdisk_target = {
	.name = "simdisk",
	.version = {1, 0, 0},
	.module = THIS_MODULE,
	.ctr = simdisk_ctr,
	.dtr = simdisk_dtr,
	.map = simdisk_map,
	.message = simdisk_message,
	.status = simdisk_status,
	.postsuspend = simdisk_postsuspend,
	.iterate_devices = simdisk_iterate_devices,
	.io_hints = simdisk_io_hints,
};

static int __init simdisk_init(void)
{
	return dm_register_target(&simdisk_target);
}

static void __exit simdisk_exit(void)
{
	dm_unregister_target(&simdisk_target);
}

module_init(simdisk_init);
module_exit(simdisk_exit);

MODULE_DESCRIPTION(DM_NAME " test target that loses its write cache in a power cut");
MODULE_LICENSE("GPL");

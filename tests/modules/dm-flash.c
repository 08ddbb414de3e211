// SPDX-License-Identifier: GPL-2.0-only
/*
 * flash <dev> [latency_us N] [flush_us N] [queue N] [fua 0|1]: <dev> with the time that an SSD takes. For benchmarks: put
 * it over a RAM disk. What is lost in a power cut is simdisk's matter.
 *
 * Always true: a bio goes to <dev> as it comes, and when <dev> has ended it, its end waits for its time; so the data is
 * <dev>'s alone, and an error is passed on at once. At most queue bios are served at a time, and they begin in the order
 * in which they came; each takes its latency, whatever its size. With fua 0 a FUA write is a write and a flush, in time and
 * in the status, as a disk without FUA is driven. Discards and write-zeroes take no time.
 *
 * Status: <reads> <writes> <flushes> <sectors read> <sectors written> <FUA writes> <us that bios were served, in all>.
 */
#include <linux/device-mapper.h>
#include <linux/hrtimer.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#define DM_MSG_PREFIX "flash"

enum { FL_LATENCY, FL_FLUSH, FL_QUEUE, FL_FUA, FL_PARAMS };

static const struct {
	const char *name;
	unsigned int def, min, max;
} fl_params[FL_PARAMS] = {
	{ "latency_us", 80, 1, 1000000 },
	{ "flush_us", 80, 1, 1000000 },
	{ "queue", 32, 1, 1024 },
	{ "fua", 1, 0, 1 },
};

/* A bio whose data is on dev already, and whose time has not come. */
struct fl_io {
	struct list_head list;
	unsigned int len;		/* sectors; 0: a flush */
	bool write, fua, timed;		/* timed: it has waited, and is to be given back */
	u64 ns;				/* it takes so long; when it is served, it ends then */
};

struct flash {
	struct dm_dev *dev;
	unsigned int param[FL_PARAMS];

	spinlock_t lock;		/* all below */
	struct hrtimer timer;		/* runs until the first of those served ends */
	struct list_head served;	/* fl_io; the first ends first */
	struct list_head waiting;	/* fl_io, as they came; empty unless queue are served */
	unsigned int nr_served;
	u64 bios[2], flushes, sectors[2], fua, busy;	/* [write] */
};

/* [lock] */
static void flash_serve(struct flash *f, struct fl_io *io, u64 now)
{
	struct fl_io *before;

	f->nr_served++;
	f->busy += io->ns;
	io->ns += now;
	list_for_each_entry_reverse(before, &f->served, list)
		if (before->ns <= io->ns)
			break;
	list_add(&io->list, &before->list);
}

/* [lock] */
static void flash_arm(struct flash *f)
{
	struct fl_io *first = list_first_entry_or_null(&f->served, struct fl_io, list);

	if (first)
		hrtimer_start(&f->timer, ns_to_ktime(first->ns), HRTIMER_MODE_ABS_SOFT);
}

static void flash_add(struct flash *f, struct fl_io *io)
{
	bool emulated = io->fua && !f->param[FL_FUA];
	unsigned long flags;

	io->ns = f->param[io->len ? FL_LATENCY : FL_FLUSH];
	if (emulated)
		io->ns += f->param[FL_FLUSH];
	io->ns *= NSEC_PER_USEC;

	spin_lock_irqsave(&f->lock, flags);
	if (io->len) {
		f->bios[io->write]++;
		f->sectors[io->write] += io->len;
		f->fua += io->fua;
	}
	f->flushes += !io->len || emulated;
	if (f->nr_served < f->param[FL_QUEUE]) {
		flash_serve(f, io, ktime_get_ns());
		if (list_is_first(&io->list, &f->served))
			flash_arm(f);
	} else {
		list_add_tail(&io->list, &f->waiting);
	}
	spin_unlock_irqrestore(&f->lock, flags);
}

/* Whoever waits begins when the one before it ended, however late the timer is. */
static enum hrtimer_restart flash_timer(struct hrtimer *timer)
{
	struct flash *f = container_of(timer, struct flash, timer);
	u64 now = ktime_get_ns();
	struct fl_io *io, *next;
	unsigned long flags;
	LIST_HEAD(done);

	spin_lock_irqsave(&f->lock, flags);
	while ((io = list_first_entry_or_null(&f->served, struct fl_io, list)) && io->ns <= now) {
		list_move_tail(&io->list, &done);
		f->nr_served--;
		next = list_first_entry_or_null(&f->waiting, struct fl_io, list);
		if (next) {
			list_del(&next->list);
			flash_serve(f, next, io->ns);
		}
	}
	flash_arm(f);
	spin_unlock_irqrestore(&f->lock, flags);

	list_for_each_entry_safe(io, next, &done, list) {
		io->timed = true;
		bio_endio(dm_bio_from_per_bio_data(io, sizeof(*io)));
	}
	return HRTIMER_NORESTART;
}

/*----------------------------------------------------------------
 * Target methods
 *--------------------------------------------------------------*/

static int flash_map(struct dm_target *ti, struct bio *bio)
{
	struct flash *f = ti->private;
	struct fl_io *io = dm_per_bio_data(bio, sizeof(*io));
	enum req_op op = bio_op(bio);

	bio->bi_iter.bi_sector = dm_target_offset(ti, bio->bi_iter.bi_sector);
	io->len = bio_sectors(bio);
	io->write = op_is_write(op);
	io->fua = bio->bi_opf & REQ_FUA;
	io->timed = op == REQ_OP_DISCARD || op == REQ_OP_WRITE_ZEROES;
	bio_set_dev(bio, f->dev->bdev);
	return DM_MAPIO_REMAPPED;
}

static int flash_end_io(struct dm_target *ti, struct bio *bio, blk_status_t *error)
{
	struct fl_io *io = dm_per_bio_data(bio, sizeof(*io));

	if (io->timed || *error)
		return DM_ENDIO_DONE;
	flash_add(ti->private, io);
	return DM_ENDIO_INCOMPLETE;
}

static void flash_status(struct dm_target *ti, status_type_t type, unsigned int status_flags, char *result,
			 unsigned int maxlen)
{
	struct flash *f = ti->private;
	unsigned int sz = 0, i;

	switch (type) {
	case STATUSTYPE_INFO:
		spin_lock_irq(&f->lock);
		DMEMIT("%llu %llu %llu %llu %llu %llu %llu", f->bios[0], f->bios[1], f->flushes, f->sectors[0],
		       f->sectors[1], f->fua, div_u64(f->busy, NSEC_PER_USEC));
		spin_unlock_irq(&f->lock);
		break;
	case STATUSTYPE_TABLE:
		DMEMIT("%s", f->dev->name);
		for (i = 0; i < FL_PARAMS; i++)
			DMEMIT(" %s %u", fl_params[i].name, f->param[i]);
		break;
	case STATUSTYPE_IMA:
		*result = '\0';
		break;
	}
}

static int flash_iterate_devices(struct dm_target *ti, iterate_devices_callout_fn fn, void *data)
{
	struct flash *f = ti->private;

	return fn(ti, f->dev, 0, ti->len, data);
}

static void flash_dtr(struct dm_target *ti)
{
	struct flash *f = ti->private;

	hrtimer_cancel(&f->timer);
	dm_put_device(ti, f->dev);
	kfree(f);
}

static int flash_parse(struct flash *f, unsigned int argc, char **argv)
{
	unsigned int i, p;

	for (p = 0; p < FL_PARAMS; p++)
		f->param[p] = fl_params[p].def;
	for (i = 1; i + 1 < argc; i += 2) {
		for (p = 0; p < FL_PARAMS; p++)
			if (!strcmp(argv[i], fl_params[p].name))
				break;
		if (p == FL_PARAMS || kstrtouint(argv[i + 1], 10, &f->param[p]) ||
		    f->param[p] < fl_params[p].min || f->param[p] > fl_params[p].max)
			return -EINVAL;
	}
	return i == argc ? 0 : -EINVAL;
}

static int flash_ctr(struct dm_target *ti, unsigned int argc, char **argv)
{
	struct flash *f = kzalloc(sizeof(*f), GFP_KERNEL);
	int r = -EINVAL;

	if (!f)
		return -ENOMEM;
	if (!argc || flash_parse(f, argc, argv) || ti->begin) {
		ti->error = "Arguments are <dev> and pairs of a name and a number; must start at sector 0";
		goto bad;
	}
	r = dm_get_device(ti, argv[0], dm_table_get_mode(ti->table), &f->dev);
	if (r) {
		ti->error = "No such device";
		goto bad;
	}
	spin_lock_init(&f->lock);
	INIT_LIST_HEAD(&f->served);
	INIT_LIST_HEAD(&f->waiting);
	hrtimer_init(&f->timer, CLOCK_MONOTONIC, HRTIMER_MODE_ABS_SOFT);
	f->timer.function = flash_timer;
	ti->private = f;
	ti->per_io_data_size = sizeof(struct fl_io);
	ti->num_flush_bios = 1;
	/* whether dev has a cache or not */
	ti->flush_supported = true;
	ti->num_discard_bios = 1;
	ti->num_write_zeroes_bios = 1;
	return 0;
bad:
	kfree(f);
	return r;
}

static struct target_type flash_target = {
	.name = "flash",
	.version = {1, 0, 0},
	.module = THIS_MODULE,
	.ctr = flash_ctr,
	.dtr = flash_dtr,
	.map = flash_map,
	.end_io = flash_end_io,
	.status = flash_status,
	.iterate_devices = flash_iterate_devices,
};

static int __init flash_init(void)
{
	return dm_register_target(&flash_target);
}

static void __exit flash_exit(void)
{
	dm_unregister_target(&flash_target);
}

module_init(flash_init);
module_exit(flash_exit);

MODULE_DESCRIPTION(DM_NAME " test target that takes the time of an SSD");
MODULE_LICENSE("GPL");

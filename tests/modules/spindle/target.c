// SPDX-License-Identifier: GPL-2.0-only
/*
 * spindle <dev> [rpm N] [seek_min_us N] [seek_max_us N] [rate_mib N] [cache_mib N] [queue N]: <dev> with the time that a
 * spinning disk takes. For benchmarks: put it over a RAM disk. What is lost in a power cut is simdisk's matter.
 *
 * Always true: a bio goes to <dev> as it comes, and when <dev> has ended it, its end waits for the disk's time; so the
 * data is <dev>'s alone, and an error is passed on at once. Discards and write-zeroes take no time.
 *
 * Status: <reads> <writes> <flushes> <reads from the cache> <accesses to read> <sectors read> <accesses to write>
 * <sectors written> <seeks> <ms that the arm was busy> <sectors in the cache> <FUA writes>.
 */
#include <linux/module.h>
#include <linux/slab.h>

#include "spindle.h"

#define DM_MSG_PREFIX "spindle"

struct spindle {
	struct dm_dev *dev;
	struct sp_disk disk;
};

struct sp_param {
	const char *name;
	size_t offset;
	unsigned int def, min, max;
};

#define PARAM(name, def, min, max) { #name, offsetof(struct sp_disk, name), def, min, max }
static const struct sp_param sp_params[] = {
	PARAM(rpm, 7200, 1000, 60000),
	PARAM(seek_min_us, 800, 1, 100000),
	PARAM(seek_max_us, 14000, 1, 100000),
	PARAM(rate_mib, 180, 1, 10000),
	PARAM(cache_mib, 64, 0, 1024),		/* 0: no write cache */
	PARAM(queue, 32, 1, 1024),
};

static unsigned int *sp_value(struct sp_disk *d, const struct sp_param *p)
{
	return (void *)d + p->offset;
}

void sp_give_back(struct sp_io *io)
{
	io->timed = true;
	bio_endio(dm_bio_from_per_bio_data(io, sizeof(*io)));
}

static int spindle_map(struct dm_target *ti, struct bio *bio)
{
	struct spindle *s = ti->private;
	struct sp_io *io = dm_per_bio_data(bio, sizeof(*io));
	enum req_op op = bio_op(bio);

	bio->bi_iter.bi_sector = dm_target_offset(ti, bio->bi_iter.bi_sector);
	io->start = bio->bi_iter.bi_sector;
	io->len = bio_sectors(bio);
	io->write = op_is_write(op);
	io->fua = bio->bi_opf & REQ_FUA;
	io->timed = op == REQ_OP_DISCARD || op == REQ_OP_WRITE_ZEROES;
	bio_set_dev(bio, s->dev->bdev);
	return DM_MAPIO_REMAPPED;
}

static int spindle_end_io(struct dm_target *ti, struct bio *bio, blk_status_t *error)
{
	struct spindle *s = ti->private;
	struct sp_io *io = dm_per_bio_data(bio, sizeof(*io));

	if (io->timed || *error)
		return DM_ENDIO_DONE;
	sp_disk_add(&s->disk, io);
	return DM_ENDIO_INCOMPLETE;
}

static void spindle_status(struct dm_target *ti, status_type_t type, unsigned int status_flags, char *result,
			   unsigned int maxlen)
{
	struct spindle *s = ti->private;
	struct sp_disk *d = &s->disk;
	struct sp_stats *st = &d->stats;
	unsigned int sz = 0, i;

	switch (type) {
	case STATUSTYPE_INFO:
		spin_lock_irq(&d->lock);
		DMEMIT("%llu %llu %llu %llu %llu %llu %llu %llu %llu %llu %u %llu", st->reads, st->writes, st->flushes,
		       st->cache_hits, st->accesses[0], st->sectors[0], st->accesses[1], st->sectors[1], st->seeks,
		       div_u64(st->busy, NSEC_PER_MSEC), d->cached, st->fua);
		spin_unlock_irq(&d->lock);
		break;
	case STATUSTYPE_TABLE:
		DMEMIT("%s", s->dev->name);
		for (i = 0; i < ARRAY_SIZE(sp_params); i++)
			DMEMIT(" %s %u", sp_params[i].name, *sp_value(d, &sp_params[i]));
		break;
	case STATUSTYPE_IMA:
		*result = '\0';
		break;
	}
}

static int spindle_iterate_devices(struct dm_target *ti, iterate_devices_callout_fn fn, void *data)
{
	struct spindle *s = ti->private;

	return fn(ti, s->dev, 0, ti->len, data);
}

static void spindle_dtr(struct dm_target *ti)
{
	struct spindle *s = ti->private;

	sp_disk_exit(&s->disk);
	if (s->dev)
		dm_put_device(ti, s->dev);
	kfree(s);
}

static int spindle_parse(struct sp_disk *d, unsigned int argc, char **argv)
{
	const struct sp_param *p;
	unsigned int i;

	for (p = sp_params; p < sp_params + ARRAY_SIZE(sp_params); p++)
		*sp_value(d, p) = p->def;
	for (i = 1; i + 1 < argc; i += 2) {
		for (p = sp_params; p < sp_params + ARRAY_SIZE(sp_params); p++)
			if (!strcmp(argv[i], p->name))
				break;
		if (p == sp_params + ARRAY_SIZE(sp_params) || kstrtouint(argv[i + 1], 10, sp_value(d, p)) ||
		    *sp_value(d, p) < p->min || *sp_value(d, p) > p->max)
			return -EINVAL;
	}
	return i == argc && d->seek_min_us <= d->seek_max_us ? 0 : -EINVAL;
}

static int spindle_ctr(struct dm_target *ti, unsigned int argc, char **argv)
{
	struct spindle *s = kzalloc(sizeof(*s), GFP_KERNEL);
	int r;

	if (!s)
		return -ENOMEM;
	ti->private = s;
	r = -EINVAL;
	if (!argc || spindle_parse(&s->disk, argc, argv) || ti->begin) {
		ti->error = "Arguments are <dev> and pairs of a name and a number; must start at sector 0";
		goto bad;
	}
	s->disk.sectors = ti->len;
	r = dm_get_device(ti, argv[0], dm_table_get_mode(ti->table), &s->dev);
	if (r) {
		ti->error = "No such device";
		goto bad;
	}
	r = sp_disk_init(&s->disk);
	if (r)
		goto bad;
	ti->per_io_data_size = sizeof(struct sp_io);
	ti->num_flush_bios = 1;
	/* whether dev has a cache or not */
	ti->flush_supported = s->disk.cache_mib;
	ti->num_discard_bios = 1;
	ti->num_write_zeroes_bios = 1;
	return 0;
bad:
	spindle_dtr(ti);
	return r;
}

static struct target_type spindle_target = {
	.name = "spindle",
	.version = {1, 0, 0},
	.module = THIS_MODULE,
	.ctr = spindle_ctr,
	.dtr = spindle_dtr,
	.map = spindle_map,
	.end_io = spindle_end_io,
	.status = spindle_status,
	.iterate_devices = spindle_iterate_devices,
};

static int __init spindle_init(void)
{
	return dm_register_target(&spindle_target);
}

static void __exit spindle_exit(void)
{
	dm_unregister_target(&spindle_target);
}

module_init(spindle_init);
module_exit(spindle_exit);

MODULE_DESCRIPTION(DM_NAME " test target that takes the time of a spinning disk");
MODULE_LICENSE("GPL");

// SPDX-License-Identifier: GPL-2.0-only
/*
 * overtake <dev>: passes everything through. After the message "keep <nth>" the nth write from then on stays here until
 * "pass" or a suspend; what comes behind it overtakes it.
 *
 * Always true: at most one bio is kept, and it is passed on before the device is suspended.
 *
 * A crash of the machine loses what is kept.
 */
#include <linux/bio.h>
#include <linux/device-mapper.h>
#include <linux/module.h>
#include <linux/slab.h>

#define DM_MSG_PREFIX "overtake"

struct overtake {
	struct dm_dev	*dev;
	spinlock_t	lock;
	unsigned int	left;	/* the write that is to be kept is this far away; 0: none [lock] */
	struct bio	*kept;	/* [lock] */
};

static int overtake_map(struct dm_target *ti, struct bio *bio)
{
	struct overtake *o = ti->private;
	bool keep = false;

	bio_set_dev(bio, o->dev->bdev);
	spin_lock_irq(&o->lock);
	if (bio_op(bio) == REQ_OP_WRITE && !(bio->bi_opf & REQ_PREFLUSH) && o->left && !--o->left) {
		o->kept = bio;
		keep = true;
	}
	spin_unlock_irq(&o->lock);
	return keep ? DM_MAPIO_SUBMITTED : DM_MAPIO_REMAPPED;
}

static void pass(struct overtake *o)
{
	struct bio *bio;

	spin_lock_irq(&o->lock);
	bio = o->kept;
	o->kept = NULL;
	o->left = 0;
	spin_unlock_irq(&o->lock);
	if (bio)
		dm_submit_bio_remap(bio, NULL);
}

static void overtake_presuspend(struct dm_target *ti)
{
	pass(ti->private);
}

static int overtake_message(struct dm_target *ti, unsigned int argc, char **argv, char *result,
			    unsigned int maxlen)
{
	struct overtake *o = ti->private;
	unsigned int nth;
	int r = 0;

	if (argc == 1 && !strcmp(argv[0], "pass")) {
		pass(o);
		return 0;
	}
	if (argc != 2 || strcmp(argv[0], "keep") || kstrtouint(argv[1], 10, &nth) || !nth)
		return -EINVAL;
	spin_lock_irq(&o->lock);
	if (o->kept)
		r = -EBUSY;
	else
		o->left = nth;
	spin_unlock_irq(&o->lock);
	return r;
}

/* kept|- */
static void overtake_status(struct dm_target *ti, status_type_t type, unsigned int status_flags,
			    char *result, unsigned int maxlen)
{
	struct overtake *o = ti->private;
	unsigned int sz = 0;

	switch (type) {
	case STATUSTYPE_INFO:
		DMEMIT("%s", READ_ONCE(o->kept) ? "kept" : "-");
		break;
	case STATUSTYPE_TABLE:
		DMEMIT("%s", o->dev->name);
		break;
	case STATUSTYPE_IMA:
		*result = '\0';
		break;
	}
}

static int overtake_iterate_devices(struct dm_target *ti, iterate_devices_callout_fn fn, void *data)
{
	struct overtake *o = ti->private;

	return fn(ti, o->dev, 0, ti->len, data);
}

static int overtake_ctr(struct dm_target *ti, unsigned int argc, char **argv)
{
	struct overtake *o;
	int r;

	if (argc != 1 || ti->begin) {
		ti->error = "The argument is <dev>, from sector 0";
		return -EINVAL;
	}
	o = kzalloc(sizeof(*o), GFP_KERNEL);
	if (!o)
		return -ENOMEM;
	spin_lock_init(&o->lock);
	r = dm_get_device(ti, argv[0], dm_table_get_mode(ti->table), &o->dev);
	if (r) {
		ti->error = "No such device";
		kfree(o);
		return r;
	}
	ti->private = o;
	ti->num_flush_bios = 1;
	ti->num_discard_bios = 1;
	ti->num_write_zeroes_bios = 1;
	return 0;
}

static void overtake_dtr(struct dm_target *ti)
{
	struct overtake *o = ti->private;

	dm_put_device(ti, o->dev);
	kfree(o);
}

static struct target_type overtake_target = {
	.name = "overtake",
	.version = {1, 0, 0},
	.module = THIS_MODULE,
	.ctr = overtake_ctr,
	.dtr = overtake_dtr,
	.map = overtake_map,
	.presuspend = overtake_presuspend,
	.message = overtake_message,
	.status = overtake_status,
	.iterate_devices = overtake_iterate_devices,
};

static int __init overtake_init(void)
{
	return dm_register_target(&overtake_target);
}

static void __exit overtake_exit(void)
{
	dm_unregister_target(&overtake_target);
}

module_init(overtake_init);
module_exit(overtake_exit);

MODULE_DESCRIPTION(DM_NAME " test target in which bios overtake one");
MODULE_LICENSE("GPL");

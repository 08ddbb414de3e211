// SPDX-License-Identifier: GPL-2.0-only
/*
 * The checkpoint target for device mapper: table, status, message, and which
 * bio goes which way.
 *
 * Always true: reads go straight to the home and are held by nothing; members
 * of a batch go through the intent device, or are refused if there is none and
 * the order is strict; every other bio goes through the fence. Without intent
 * device the target keeps nothing on disk, and a crash leaves nothing to recover.
 *
 * Whatever is held ends by itself, and device mapper's own wait for bios in
 * flight covers it.
 */
#include <linux/module.h>

#include "../dm-journal/compat.h"
#include "../dm-journal/options.h"
#include "checkpoint.h"

static int parse_pair(struct checkpoint *c, const char *key, struct dm_arg_set *args, char **error)
{
#define NUMBER(name, value, min, max) \
	static const struct dm_arg name = { min, max, #name " must be between " #min " and " #max };
	CHECKPOINT_NUMBERS(NUMBER)
#undef NUMBER

	if (!strcmp(key, "depth")) {
		c->depth_given = true;
		return dm_read_arg(&depth, args, &c->depth, error);
	}
	if (!strcmp(key, "rate_mib"))
		return dm_read_arg(&rate_mib, args, &c->rate_mib, error);
	if (!strcmp(key, "order")) {
		const char *order = dm_shift_arg(args);

		c->relaxed = !strcmp(order, "relaxed");
		if (c->relaxed || !strcmp(order, "strict"))
			return 0;
		*error = "order must be strict or relaxed";
		return -EINVAL;
	}
	if (!strcmp(key, "intent") && !c->intent)
		return intent_get(c, dm_shift_arg(args), error);
	*error = "Unknown option";
	return -EINVAL;
}

static int parse_options(struct checkpoint *c, struct dm_arg_set *args, char **error)
{
	static const struct dm_arg count = { 0, 8, "Invalid number of option words" };
	unsigned int words;
	int r;

#define DEFAULT(name, value, min, max) c->name = value;
	CHECKPOINT_NUMBERS(DEFAULT)
#undef DEFAULT
	if (!args->argc)
		return 0;
	r = dm_read_arg_group(&count, args, &words, error);
	if (r)
		return r;
	if (args->argc != words || words % 2) {
		*error = "The number of option words does not match the words that follow";
		return -EINVAL;
	}
	while (args->argc) {
		const char *key = dm_shift_arg(args);

		r = parse_pair(c, key, args, error);
		if (r)
			return r;
	}
	if (c->intent && c->relaxed) {
		*error = "order relaxed is for a home without intent device";
		return -EINVAL;
	}
	return 0;
}

static int checkpoint_ctr(struct dm_target *ti, unsigned int argc, char **argv)
{
	struct dm_arg_set args = { .argc = argc, .argv = argv };
	struct checkpoint *c;
	int r;

	if (!argc) {
		ti->error = "Missing home device";
		return -EINVAL;
	}
	c = kzalloc(sizeof(*c), GFP_KERNEL);
	if (!c) {
		ti->error = "Cannot allocate the target";
		return -ENOMEM;
	}
	spin_lock_init(&c->lock);
	INIT_WORK(&c->work, fence_work);
	INIT_DELAYED_WORK(&c->pace_work, fence_pace_work);
	pace_init(c);
	bio_list_init(&c->held);
	c->queued = RB_ROOT;
	c->at_home = RB_ROOT;
	c->name = dm_device_name(dm_table_get_md(ti->table));
	c->ti = ti;
	c->dirty = true;

	r = dm_get_device(ti, dm_shift_arg(&args), dm_table_get_mode(ti->table), &c->home);
	if (r) {
		ti->error = "Cannot open the home device";
		goto out_free;
	}
	r = parse_options(c, &args, &ti->error);
	if (r)
		goto out_put_intent;
	c->known = !c->relaxed;
	if (ti->len > bdev_nr_sectors(c->home->bdev)) {
		ti->error = "The home device is smaller than the target";
		r = -EINVAL;
		goto out_put_intent;
	}
	/* One a target: a stack of them must not share a rescuer. */
	c->wq = alloc_workqueue("dm_checkpoint", WQ_MEM_RECLAIM | WQ_UNBOUND, 1);
	if (!c->wq) {
		ti->error = "Cannot allocate the workqueue";
		r = -ENOMEM;
		goto out_put_intent;
	}

	ti->private = c;
	ti->per_io_data_size = sizeof(struct checkpoint_io);
	ti->num_flush_bios = 1;
	ti->flush_supported = true;	/* a fence is ours, cache below or not */
	ti->num_discard_bios = 1;
	ti->num_write_zeroes_bios = 1;
	return 0;

out_put_intent:
	intent_put(c);
	dm_put_device(ti, c->home);
out_free:
	kfree(c);
	return r;
}

static void checkpoint_dtr(struct dm_target *ti)
{
	struct checkpoint *c = ti->private;

	cancel_delayed_work_sync(&c->pace_work);
	destroy_workqueue(c->wq);
	intent_put(c);
	dm_put_device(ti, c->home);
	kfree(c);
}

static int end(struct bio *bio, blk_status_t status)
{
	checkpoint_io(bio)->role = ROLE_ENDS;
	bio->bi_status = status;
	bio_endio(bio);
	return DM_MAPIO_SUBMITTED;
}

/* A singleton starts at sector 0, so a bio's sector is the home's. */
static int checkpoint_map(struct dm_target *ti, struct bio *bio)
{
	struct checkpoint *c = ti->private;

	bio_set_dev(bio, c->home->bdev);
	if (!op_is_write(bio_op(bio))) {
		if (is_member(bio->bi_opf)) {
			fence_hurry(c);
			return end(bio, BLK_STS_OK);
		}
		checkpoint_io(bio)->role = ROLE_READ;
		pace_read(c);
		return DM_MAPIO_REMAPPED;
	}
	if (is_member(bio->bi_opf) && !c->relaxed)
		return c->intent ? intent_take(c, bio) : end(bio, BLK_STS_OFFLINE);
	if (is_member(bio->bi_opf) && bio->bi_opf & MEMBER_EARLY)
		return end(bio, BLK_STS_DEV_RESOURCE);
	if (c->intent && !is_fence(bio) && !intent_lets_pass(c))
		return end(bio, BLK_STS_IOERR);
	/* Held time is the device's time, so accounts_remapped_io stays unset. */
	return fence_take(c, bio) ? DM_MAPIO_REMAPPED : DM_MAPIO_SUBMITTED;
}

static int checkpoint_end_io(struct dm_target *ti, struct bio *bio, blk_status_t *error)
{
	struct checkpoint *c = ti->private;
	enum checkpoint_role role = checkpoint_io(bio)->role;

	if (role == ROLE_READ)
		pace_read_done(c);
	if (role == ROLE_READ || role == ROLE_ENDS)
		return DM_ENDIO_DONE;
	/* of a member some statuses say more than that it failed (member.h): those of a device do not */
	if (*error && *error != BLK_STS_NOTSUPP && (role == ROLE_MEMBER || c->relaxed))
		*error = BLK_STS_IOERR;
	if (role == ROLE_MEMBER)
		return intent_done(c, bio, *error);
	fence_done(c, bio, *error);
	return DM_ENDIO_DONE;
}

static int checkpoint_preresume(struct dm_target *ti)
{
	struct checkpoint *c = ti->private;

	fence_suspending(c, false);
	return c->intent ? intent_start(c) : 0;
}

static void checkpoint_presuspend(struct dm_target *ti)
{
	fence_suspending(ti->private, true);
}

static void checkpoint_presuspend_undo(struct dm_target *ti)
{
	fence_suspending(ti->private, false);
}

static void checkpoint_postsuspend(struct dm_target *ti)
{
	struct checkpoint *c = ti->private;

	if (c->intent)
		intent_stop(c);
}

static const char *order_of(const struct checkpoint *c)
{
	if (c->intent)
		return "intent";
	return c->relaxed ? "relaxed" : "strict";
}

static void checkpoint_status(struct dm_target *ti, status_type_t type, unsigned int status_flags,
			      char *result, unsigned int maxlen)
{
	struct checkpoint *c = ti->private;
	struct intent_stats batches = {};
	struct checkpoint_stats stats;
	unsigned int at_home, queued, held, words, sz = 0;
	const char *state, *home;

	switch (type) {
	case STATUSTYPE_INFO:
		spin_lock_irq(&c->lock);
		stats = c->stats;
		at_home = c->nr_at_home;
		queued = c->nr_queued;
		held = c->nr_held;
		if (c->failed || c->error)
			state = "error";
		else if (c->fence)
			state = "fencing";
		else if (at_home || queued || held || (c->intent && intent_busy(c)))
			state = "writing";
		else
			state = "idle";
		home = c->torn ? "torn" : c->known ? "consistent" : "unknown";
		if (c->intent) {
			intent_stats(c, &batches);
			home = intent_home(c) ?: home;
		}
		spin_unlock_irq(&c->lock);

		DMEMIT("%s %llu %llu %llu %llu %llu %lld %u %u %u %llu ", state,
		       stats.fences, stats.fences_failed, stats.writes, stats.write_sectors,
		       stats.discards, (long long)atomic64_read(&c->reads), at_home, queued, held,
		       stats.write_errors);
		if (stats.last_what)
			DMEMIT("%s:%d", stats.last_what, stats.last_error);
		else
			DMEMIT("-");
		DMEMIT(" %s %s %llu %llu %llu %llu", order_of(c), home, batches.batches,
		       batches.failed, batches.collected, batches.applied);
		break;

	case STATUSTYPE_TABLE:
		DMEMIT("%s", c->home->name);
		words = !!c->intent + c->relaxed + c->depth_given + !!c->rate_mib;
		if (words)
			DMEMIT(" %u", 2 * words);
		if (c->intent)
			DMEMIT(" intent %s", intent_name(c));
		if (c->relaxed)
			DMEMIT(" order relaxed");
		if (c->depth_given)
			DMEMIT(" depth %u", c->depth);
		if (c->rate_mib)
			DMEMIT(" rate_mib %u", c->rate_mib);
		break;

	case STATUSTYPE_IMA:
		DMEMIT_TARGET_NAME_VERSION(ti->type);
		DMEMIT(",home=%s", c->home->name);
		if (c->intent)
			DMEMIT(",intent=%s", intent_name(c));
		DMEMIT(",order=%s,depth=%u,rate_mib=%u;", order_of(c), c->depth, c->rate_mib);
		break;
	}
}

static int checkpoint_message(struct dm_target *ti, unsigned int argc, char **argv,
			      char *result, unsigned int maxlen)
{
	struct checkpoint *c = ti->private;

	if (argc != 1 || strcmp(argv[0], "clear_stats")) {
		DMERR("%s: unknown message %s", c->name, argv[0]);
		return -EINVAL;
	}
	spin_lock_irq(&c->lock);
	memset(&c->stats, 0, sizeof(c->stats));
	if (c->intent)
		intent_clear_stats(c);
	spin_unlock_irq(&c->lock);
	atomic64_set(&c->reads, 0);
	return 0;
}

/*
 * The marks of a member are those of one bio: device mapper above is not to split it for what the home
 * takes at once, which the home itself does.
 */
static void checkpoint_io_hints(struct dm_target *ti, struct queue_limits *limits)
{
	struct checkpoint *c = ti->private;

	if (!c->intent)
		return;
	if (limits->max_discard_sectors)
		compat_set_max_discard(limits, UINT_MAX >> SECTOR_SHIFT);
	if (limits->max_write_zeroes_sectors)
		limits->max_write_zeroes_sectors = UINT_MAX >> SECTOR_SHIFT;
}

static int checkpoint_iterate_devices(struct dm_target *ti, iterate_devices_callout_fn fn,
				      void *data)
{
	struct checkpoint *c = ti->private;

	return fn(ti, c->home, 0, ti->len, data);
}

static struct target_type checkpoint_target = {
	.name			= "checkpoint",
	.version		= { 1, 0, 0 },
	.features		= DM_TARGET_SINGLETON,
	.module			= THIS_MODULE,
	.ctr			= checkpoint_ctr,
	.dtr			= checkpoint_dtr,
	.map			= checkpoint_map,
	.end_io			= checkpoint_end_io,
	.presuspend		= checkpoint_presuspend,
	.presuspend_undo	= checkpoint_presuspend_undo,
	.preresume		= checkpoint_preresume,
	.postsuspend		= checkpoint_postsuspend,
	.status			= checkpoint_status,
	.message		= checkpoint_message,
	.io_hints		= checkpoint_io_hints,
	.iterate_devices	= checkpoint_iterate_devices,
};

static int __init checkpoint_init(void)
{
	return dm_register_target(&checkpoint_target);
}

static void __exit checkpoint_exit(void)
{
	dm_unregister_target(&checkpoint_target);
}

module_init(checkpoint_init);
module_exit(checkpoint_exit);

MODULE_DESCRIPTION("Device-mapper target that keeps the order of a journal's checkpoints");
MODULE_LICENSE("GPL");

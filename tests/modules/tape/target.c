// SPDX-License-Identifier: GPL-2.0-only
/*
 * tape <dev> <id>: passes I/O through and records it, with the payload of writes, in one buffer and by one clock that
 * all tapes share. Crash states of a whole stack are enumerated from what it records (tests/trace).
 *
 * Always true: a bio's submit number is drawn before the bio is sent down, its done number after it has come back and
 * before whoever sent it knows. So a recorded operation contains the real one. What found no room in the buffer is not
 * recorded, and head.overflow says so until the tape is cleared. While the tapes are frozen, writes of all of them end
 * at once without error, unrecorded and without reaching a device; reads go on.
 *
 * Messages, of any tape for all: "mark TEXT", "freeze", "thaw", "clear". The tape is read from debugfs: tape/events.
 * It is only in memory, and a crash of the machine loses it.
 */
#include <linux/bio.h>
#include <linux/blkdev.h>
#include <linux/debugfs.h>
#include <linux/device-mapper.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "tape.h"

#define DM_MSG_PREFIX "tape"

static unsigned int mib = 64;
module_param(mib, uint, 0444);
MODULE_PARM_DESC(mib, "size of the buffer");

static DEFINE_SPINLOCK(tape_lock);
static struct tape_head *tape;	/* [tape_lock] at the start of the buffer */
static size_t tape_size;
static unsigned int tape_run;	/* [tape_lock] one more with each clear */
static struct dentry *tape_dir;

struct tape_target {
	struct dm_dev *dev;
	u8 id;
};

/* Per-bio data. */
struct tape_io {
	struct tape_event *event;	/* NULL: not recorded */
	unsigned int run;		/* the event belongs to this one */
	struct bvec_iter iter;
};

/* Draw a number and take room for an event; NULL if there is none. */
static struct tape_event *take(u8 device, enum tape_op op, u32 payload)
{
	size_t size = sizeof(struct tape_event) + TAPE_PADDED(payload);
	struct tape_event *event;

	lockdep_assert_held(&tape_lock);
	if (tape_size - tape->used < size) {
		if (!tape->overflow)
			DMWARN("the buffer of %u MiB is full", mib);
		tape->overflow = 1;
		return NULL;
	}
	event = (void *)tape + tape->used;
	*event = (struct tape_event) {
		.submit = ++tape->clock, .payload = payload, .device = device, .op = op,
	};
	tape->used += size;
	tape->events++;
	return event;
}

static enum tape_op tape_op(struct bio *bio)
{
	if (bio->bi_opf & REQ_PREFLUSH)
		return TAPE_FLUSH;
	switch (bio_op(bio)) {
	case REQ_OP_READ:
		return TAPE_READ;
	case REQ_OP_WRITE:
		return TAPE_WRITE;
	case REQ_OP_WRITE_ZEROES:
		return TAPE_ZEROES;
	default:
		return TAPE_DISCARD;
	}
}

static void copy_payload(struct tape_event *event, struct bio *bio)
{
	void *to = event + 1;
	struct bvec_iter iter;
	struct bio_vec bv;

	bio_for_each_segment(bv, bio, iter) {
		memcpy_from_bvec(to, &bv);
		to += bv.bv_len;
	}
}

static bool payload_changed(struct tape_event *event, struct bio *bio, struct bvec_iter start)
{
	const void *was = event + 1;
	struct bvec_iter iter;
	struct bio_vec bv;

	__bio_for_each_segment(bv, bio, iter, start) {
		void *is = bvec_kmap_local(&bv);
		bool differs = memcmp(is, was, bv.bv_len);

		kunmap_local(is);
		if (differs)
			return true;
		was += bv.bv_len;
	}
	return false;
}

static int tape_map(struct dm_target *ti, struct bio *bio)
{
	struct tape_io *io = dm_per_bio_data(bio, sizeof(*io));
	struct tape_target *t = ti->private;
	enum tape_op op = tape_op(bio);
	u32 payload = op == TAPE_WRITE ? bio->bi_iter.bi_size : 0;
	unsigned long flags;
	bool forget;

	bio_set_dev(bio, t->dev->bdev);
	bio->bi_iter.bi_sector = dm_target_offset(ti, bio->bi_iter.bi_sector);
	io->event = NULL;
	io->iter = bio->bi_iter;

	spin_lock_irqsave(&tape_lock, flags);
	forget = tape->frozen && op != TAPE_READ;
	if (!tape->frozen)
		io->event = take(t->id, op, payload);
	io->run = tape_run;
	if (io->event) {
		io->event->sector = op == TAPE_FLUSH ? 0 : bio->bi_iter.bi_sector;
		io->event->sectors = op == TAPE_FLUSH ? 0 : bio_sectors(bio);
		io->event->flags = bio->bi_opf & REQ_FUA ? TAPE_FUA : 0;
	}
	spin_unlock_irqrestore(&tape_lock, flags);

	if (forget) {
		bio_endio(bio);
		return DM_MAPIO_SUBMITTED;
	}
	if (io->event) {
		if (payload)
			copy_payload(io->event, bio);
		/* the payload before the mark that it is whole */
		smp_store_release(&io->event->ready, 1);
	}
	return DM_MAPIO_REMAPPED;
}

static int tape_end_io(struct dm_target *ti, struct bio *bio, blk_status_t *error)
{
	struct tape_io *io = dm_per_bio_data(bio, sizeof(*io));
	bool changed = io->event && io->event->op == TAPE_WRITE &&
		       payload_changed(io->event, bio, io->iter);
	unsigned long flags;

	spin_lock_irqsave(&tape_lock, flags);
	if (io->event && io->run == tape_run && !tape->frozen) {
		io->event->status = blk_status_to_errno(*error);
		if (changed)
			io->event->flags |= TAPE_CHANGED;
		io->event->done = ++tape->clock;
	}
	spin_unlock_irqrestore(&tape_lock, flags);
	return DM_ENDIO_DONE;
}

/* The words behind "mark", joined again. */
static int message_mark(unsigned int argc, char **argv)
{
	struct tape_event *event;
	unsigned int i, length = 0;
	char *to;

	for (i = 1; i < argc; i++)
		length += strlen(argv[i]) + (i > 1);
	spin_lock_irq(&tape_lock);
	event = tape->frozen ? NULL : take(255, TAPE_MARK, length);
	if (event) {
		to = (char *)(event + 1);
		for (i = 1; i < argc; i++) {
			if (i > 1)
				*to++ = ' ';
			to = memcpy(to, argv[i], strlen(argv[i])) + strlen(argv[i]);
		}
		event->done = event->submit;
		event->ready = 1;
	}
	spin_unlock_irq(&tape_lock);
	return event ? 0 : -ENOSPC;
}

static void clear(void)
{
	tape->used = sizeof(*tape);
	tape->events = 0;
	tape->overflow = 0;
	tape_run++;
}

static int tape_message(struct dm_target *ti, unsigned int argc, char **argv, char *result,
			unsigned int maxlen)
{
	if (argc > 1 && !strcmp(argv[0], "mark"))
		return message_mark(argc, argv);
	if (argc != 1)
		return -EINVAL;
	spin_lock_irq(&tape_lock);
	if (!strcmp(argv[0], "freeze"))
		tape->frozen = 1;
	else if (!strcmp(argv[0], "thaw"))
		tape->frozen = 0;
	else if (!strcmp(argv[0], "clear"))
		clear();
	else
		argc = 0;
	spin_unlock_irq(&tape_lock);
	return argc ? 0 : -EINVAL;
}

/* <events> <bytes used> <bytes of the buffer> <clock> overflow|whole frozen|runs */
static void tape_status(struct dm_target *ti, status_type_t type, unsigned int status_flags,
			char *result, unsigned int maxlen)
{
	struct tape_target *t = ti->private;
	unsigned int sz = 0;

	switch (type) {
	case STATUSTYPE_INFO:
		spin_lock_irq(&tape_lock);
		DMEMIT("%llu %llu %zu %llu %s %s", tape->events, tape->used, tape_size, tape->clock,
		       tape->overflow ? "overflow" : "whole", tape->frozen ? "frozen" : "runs");
		spin_unlock_irq(&tape_lock);
		break;
	case STATUSTYPE_TABLE:
		DMEMIT("%s %u", t->dev->name, t->id);
		break;
	case STATUSTYPE_IMA:
		*result = '\0';
		break;
	}
}

static int tape_iterate_devices(struct dm_target *ti, iterate_devices_callout_fn fn, void *data)
{
	struct tape_target *t = ti->private;

	return fn(ti, t->dev, 0, ti->len, data);
}

static void tape_dtr(struct dm_target *ti)
{
	struct tape_target *t = ti->private;

	dm_put_device(ti, t->dev);
	kfree(t);
}

static int tape_ctr(struct dm_target *ti, unsigned int argc, char **argv)
{
	struct tape_target *t;
	int r = -EINVAL;

	if (argc != 2) {
		ti->error = "Arguments are <dev> <id>";
		return r;
	}
	t = kzalloc(sizeof(*t), GFP_KERNEL);
	if (!t)
		return -ENOMEM;
	if (ti->begin || kstrtou8(argv[1], 10, &t->id) || t->id == 255) {
		ti->error = "Must start at sector 0, with an id from 0 to 254";
		goto out_free;
	}
	r = dm_get_device(ti, argv[0], dm_table_get_mode(ti->table), &t->dev);
	if (r) {
		ti->error = "No such device";
		goto out_free;
	}
	ti->private = t;
	ti->per_io_data_size = sizeof(struct tape_io);
	/* a flush is recorded even above a device that has no cache */
	ti->num_flush_bios = 1;
	ti->flush_supported = true;
	ti->num_discard_bios = 1;
	ti->num_write_zeroes_bios = 1;
	return 0;

out_free:
	kfree(t);
	return r;
}

static ssize_t tape_read(struct file *file, char __user *to, size_t count, loff_t *pos)
{
	return simple_read_from_buffer(to, count, pos, tape, READ_ONCE(tape->used));
}

static const struct file_operations tape_fops = {
	.owner = THIS_MODULE,
	.open = simple_open,
	.read = tape_read,
	.llseek = default_llseek,
};

static struct target_type tape_target = {
	.name = "tape",
	.version = {1, 0, 0},
	.module = THIS_MODULE,
	.ctr = tape_ctr,
	.dtr = tape_dtr,
	.map = tape_map,
	.end_io = tape_end_io,
	.message = tape_message,
	.status = tape_status,
	.iterate_devices = tape_iterate_devices,
};

static int __init tape_init(void)
{
	int r;

	tape_size = (size_t)mib << 20;
	tape = vzalloc(tape_size);
	if (!tape)
		return -ENOMEM;
	memcpy(tape->magic, TAPE_MAGIC, sizeof(tape->magic));
	clear();
	r = dm_register_target(&tape_target);
	if (r) {
		vfree(tape);
		return r;
	}
	tape_dir = debugfs_create_dir("tape", NULL);
	debugfs_create_file("events", 0400, tape_dir, NULL, &tape_fops);
	return 0;
}

static void __exit tape_exit(void)
{
	debugfs_remove(tape_dir);
	dm_unregister_target(&tape_target);
	vfree(tape);
}

module_init(tape_init);
module_exit(tape_exit);

MODULE_DESCRIPTION(DM_NAME " test target that records all I/O by one clock");
MODULE_LICENSE("GPL");

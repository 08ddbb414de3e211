// SPDX-License-Identifier: GPL-2.0-only
/*
 * The device-mapper core.
 *
 * Always true: a clone's data lie in front of it; the rest of a split bio is mapped after its first part; discards and
 * zeroes are split at the device's limits, and each part has the flags of the whole; a flush with
 * data is an empty flush first, and the data follow from a worker; a suspended device keeps what arrives.
 */
#include <linux/device-mapper.h>

struct io {
	struct mapped_device *md;
	struct bio *orig;
	unsigned int refs;
	blk_status_t status;
	bool data_follows;	/* this is the flush before */
};

struct tio {
	struct io *io;
	unsigned int *sectors;	/* while map() runs: what it takes */
	struct bio clone;
};

static struct target_type *targets[4];
static struct { const char *name; struct block_device *bdev; } bdevs[8];
static unsigned int nr_bdevs;

int dm_register_target(struct target_type *t)
{
	unsigned int i;

	for (i = 0; targets[i]; i++)
		;
	targets[i] = t;
	return 0;
}

struct target_type *simk_target(const char *name)
{
	unsigned int i;

	for (i = 0; targets[i] && strcmp(targets[i]->name, name); i++)
		;
	return targets[i];
}

void simk_register_bdev(const char *name, struct block_device *bdev)
{
	bdevs[nr_bdevs].name = name;
	bdevs[nr_bdevs++].bdev = bdev;
}

int dm_get_device(struct dm_target *ti, const char *path, unsigned int mode, struct dm_dev **out)
{
	unsigned int i;

	(void)ti, (void)mode;
	for (i = 0; i < nr_bdevs; i++)
		if (!strcmp(path, bdevs[i].name)) {
			*out = kzalloc(sizeof(**out), GFP_KERNEL);
			(*out)->bdev = bdevs[i].bdev;
			snprintf((*out)->name, sizeof((*out)->name), "%s", path);
			return 0;
		}
	return -ENOENT;
}

int dm_read_arg(const struct dm_arg *arg, struct dm_arg_set *as, unsigned int *v, char **error)
{
	const char *word = dm_shift_arg(as);

	if (!word || kstrtouint(word, 10, v) || *v < arg->min || *v > arg->max) {
		*error = arg->error;
		return -EINVAL;
	}
	return 0;
}

int dm_read_arg_group(const struct dm_arg *arg, struct dm_arg_set *as, unsigned int *n, char **error)
{
	int r = dm_read_arg(arg, as, n, error);

	if (!r && *n > as->argc) {
		*error = arg->error;
		r = -EINVAL;
	}
	return r;
}

static struct tio *tio_of(struct bio *bio)
{
	return container_of(bio, struct tio, clone);
}

void *dm_per_bio_data(struct bio *bio, size_t size)
{
	return (char *)tio_of(bio) - round_up(size, (size_t)16);
}

struct bio *dm_bio_from_per_bio_data(void *data, size_t size)
{
	return &((struct tio *)((char *)data + round_up(size, (size_t)16)))->clone;
}

void dm_accept_partial_bio(struct bio *bio, unsigned int sectors)
{
	struct tio *tio = tio_of(bio);

	if (!tio->sectors || !sectors || sectors > bio_sectors(bio) || (bio->bi_opf & REQ_PREFLUSH))
		simk_fail("dm_accept_partial_bio(%u) of %u sectors", sectors, bio_sectors(bio));
	*tio->sectors = sectors;
	bio->bi_iter.bi_size = sectors << 9;
}

void dm_submit_bio_remap(struct bio *clone, struct bio *tgt_clone)
{
	submit_bio_noacct(tgt_clone ? tgt_clone : clone);
}

void dm_table_event(struct dm_table *t)
{
	t->md->events++;
}

/* Back to the list that is submitted again: after a flush, or after a resume. */
static void md_defer(struct mapped_device *md, struct bio *bio)
{
	bio->submitted = false;
	bio_list_add(&md->deferred, bio);
	if (!md->blocked)
		queue_work(md->wq, &md->work);
}

static void md_work(struct work_struct *work)
{
	struct mapped_device *md = container_of(work, struct mapped_device, work);
	struct bio *bio;

	while (!md->blocked && (bio = bio_list_pop(&md->deferred)))
		submit_bio_noacct(bio);
}

static void io_put(struct io *io, blk_status_t status)
{
	struct mapped_device *md = io->md;
	struct bio *orig = io->orig;
	bool requeue;

	if (status && (!io->status || status == BLK_STS_DM_REQUEUE))
		io->status = status;
	if (--io->refs)
		return;
	requeue = io->status == BLK_STS_DM_REQUEUE && md->noflush;
	if (requeue)
		md_defer(md, orig);
	/* a suspend may go on from here */
	md->pending--;
	wake_up(&md->wait);
	if (requeue)
		return;
	if (io->data_follows && !io->status) {
		orig->bi_opf &= ~REQ_PREFLUSH;
		md_defer(md, orig);
	} else {
		orig->bi_status = io->status == BLK_STS_DM_REQUEUE ? BLK_STS_IOERR : io->status;
		bio_endio(orig);
	}
}

static void clone_endio(struct bio *bio)
{
	struct tio *tio = tio_of(bio);
	struct dm_target *ti = tio->io->md->ti;
	blk_status_t error = bio->bi_status;
	struct io *io = tio->io;

	if (ti->type->end_io && ti->type->end_io(ti, bio, &error) == DM_ENDIO_INCOMPLETE) {
		bio->ended = false;
		return;
	}
	io_put(io, error);
}

/* Map one clone; gives the sectors that the target took. */
static unsigned int map_clone(struct io *io, sector_t sector, unsigned int bytes, const struct bvec_iter *iter,
			      blk_opf_t opf)
{
	struct dm_target *ti = io->md->ti;
	size_t front = round_up((size_t)ti->per_io_data_size, (size_t)16);
	struct tio *tio = (void *)((char *)simk_alloc(front + sizeof(*tio), 16, true) + front);
	unsigned int taken = bytes >> 9;

	tio->io = io;
	tio->sectors = &taken;
	bio_init(&tio->clone, io->orig->bi_bdev, io->orig->bi_io_vec, io->orig->bi_max_vecs, opf);
	tio->clone.bi_vcnt = io->orig->bi_vcnt;
	tio->clone.bi_iter = *iter;
	tio->clone.bi_iter.bi_sector = sector;
	tio->clone.bi_iter.bi_size = bytes;
	tio->clone.bi_end_io = clone_endio;
	io->refs++;
	switch (ti->type->map(ti, &tio->clone)) {
	case DM_MAPIO_SUBMITTED:
		break;
	case DM_MAPIO_REMAPPED:
		submit_bio_noacct(&tio->clone);
		break;
	case DM_MAPIO_KILL:
		bio_io_error(&tio->clone);
		break;
	default:
		simk_fail("map() gives an unknown value");
	}
	return taken;
}

/* What one bio of this kind may have at most, bytes. */
static unsigned int md_limit(const struct mapped_device *md, const struct bio *bio)
{
	unsigned int limit = bio_op(bio) == REQ_OP_DISCARD ? md->bdev.discard_max :
			     bio_op(bio) == REQ_OP_WRITE_ZEROES ? md->bdev.zeroes_max : 0;

	return limit ? min(limit, UINT_MAX >> 9) << 9 : UINT_MAX;
}

void simk_md_submit(struct mapped_device *md, struct bio *bio)
{
	struct bvec_iter iter = bio->bi_iter;
	struct io *io;

	if (md->blocked) {
		md_defer(md, bio);
		return;
	}
	io = simk_alloc(sizeof(*io), 16, true);
	io->md = md;
	io->orig = bio;
	io->refs = 1;
	md->pending++;
	if (bio->bi_opf & REQ_PREFLUSH) {
		io->data_follows = iter.bi_size;
		map_clone(io, iter.bi_sector, 0, &iter, REQ_OP_WRITE | REQ_PREFLUSH | REQ_SYNC);
	} else {
		while (iter.bi_size) {
			unsigned int n = map_clone(io, iter.bi_sector, min(iter.bi_size, md_limit(md, bio)), &iter, bio->bi_opf);

			bio_advance_iter(bio, &iter, n << 9);
		}
	}
	io_put(io, BLK_STS_OK);
}

struct mapped_device *simk_md_create(const char *name, u64 sectors)
{
	struct mapped_device *md = kzalloc(sizeof(*md), GFP_KERNEL);
	static dev_t next;

	snprintf(md->name, sizeof(md->name), "%s", name);
	md->bdev = (struct block_device) {
		.md = md, .bd_dev = 1000 + next++ % 1000, .sectors = sectors, .block = 512, .dma_alignment = 3,
		.discard_max = 1 << 21, .zeroes_max = 1 << 21, .write_cache = true,
	};
	md->table.md = md;
	md->wq = alloc_workqueue("md", 0, 0);
	INIT_WORK(&md->work, md_work);
	init_waitqueue_head(&md->wait);
	md->blocked = true;
	return md;
}

void simk_md_table(struct mapped_device *md, struct dm_target *ti)
{
	ti->table = &md->table;
	ti->len = md->bdev.sectors;
	ti->begin = 0;
}

void simk_md_suspend(struct mapped_device *md, bool noflush)
{
	md->noflush = noflush;
	if (md->ti->type->presuspend)
		md->ti->type->presuspend(md->ti);
	md->blocked = true;
	wait_event(md->wait, !md->pending);
	md->noflush = false;
	flush_work(&md->work);
	if (md->ti->type->postsuspend)
		md->ti->type->postsuspend(md->ti);
}

int simk_md_resume(struct mapped_device *md, struct dm_target *ti)
{
	int r = ti->type->preresume ? ti->type->preresume(ti) : 0;

	if (r)
		return r;
	md->ti = ti;
	md->blocked = false;
	queue_work(md->wq, &md->work);
	return 0;
}

void simk_dm_reset(void)
{
	nr_bdevs = 0;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * hangdemo <dev> wait|defer: the mistake that dm-journal was made to avoid, and its cure, side by side.
 *
 * Before each write both modes write one block of zeroes of their own to the start of <dev>. "wait" does so inside map()
 * and waits: a bio that is submitted while a map function is active is only parked on current->bio_list, so it is never
 * issued, and the caller sleeps for ever. "defer" does the same from a workqueue, and finishes.
 *
 * Nothing here survives a crash or needs to.
 */
#include <linux/bio.h>
#include <linux/blkdev.h>
#include <linux/completion.h>
#include <linux/device-mapper.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#define DM_MSG_PREFIX "hangdemo"

struct hangdemo {
	struct dm_dev *dev;
	struct workqueue_struct *wq;
	bool defer;
};

struct hangdemo_bio {
	struct work_struct work;
	struct hangdemo *hd;
};

static void own_endio(struct bio *bio)
{
	complete(bio->bi_private);
}

/* Not submit_bio_wait(), which wakes up now and then so that the hung task detector stays silent. */
static blk_status_t own_write(struct hangdemo *hd)
{
	DECLARE_COMPLETION_ONSTACK(done);
	struct bio_vec bvec;
	struct bio bio;

	bio_init(&bio, hd->dev->bdev, &bvec, 1, REQ_OP_WRITE | REQ_SYNC);
	__bio_add_page(&bio, ZERO_PAGE(0), bdev_logical_block_size(hd->dev->bdev), 0);
	bio.bi_private = &done;
	bio.bi_end_io = own_endio;
	submit_bio(&bio);
	wait_for_completion_io(&done);
	return bio.bi_status;
}

static void hangdemo_work(struct work_struct *work)
{
	struct hangdemo_bio *hb = container_of(work, struct hangdemo_bio, work);
	struct bio *bio = dm_bio_from_per_bio_data(hb, sizeof(*hb));

	bio->bi_status = own_write(hb->hd);
	if (bio->bi_status)
		bio_endio(bio);
	else
		submit_bio_noacct(bio);
}

static int hangdemo_map(struct dm_target *ti, struct bio *bio)
{
	struct hangdemo *hd = ti->private;
	struct hangdemo_bio *hb = dm_per_bio_data(bio, sizeof(*hb));

	bio_set_dev(bio, hd->dev->bdev);
	bio->bi_iter.bi_sector = dm_target_offset(ti, bio->bi_iter.bi_sector);
	if (bio_data_dir(bio) == READ)
		return DM_MAPIO_REMAPPED;

	if (hd->defer) {
		hb->hd = hd;
		INIT_WORK(&hb->work, hangdemo_work);
		queue_work(hd->wq, &hb->work);
		return DM_MAPIO_SUBMITTED;
	}
	return own_write(hd) ? DM_MAPIO_KILL : DM_MAPIO_REMAPPED;
}

static int hangdemo_ctr(struct dm_target *ti, unsigned int argc, char **argv)
{
	struct hangdemo *hd;
	int r;

	if (argc != 2 || (strcmp(argv[1], "wait") && strcmp(argv[1], "defer"))) {
		ti->error = "Arguments are <dev> wait|defer";
		return -EINVAL;
	}
	hd = kzalloc(sizeof(*hd), GFP_KERNEL);
	if (!hd)
		return -ENOMEM;
	hd->defer = !strcmp(argv[1], "defer");
	r = -ENOMEM;
	hd->wq = alloc_workqueue("hangdemo", WQ_MEM_RECLAIM, 0);
	if (!hd->wq)
		goto out_free;
	r = dm_get_device(ti, argv[0], dm_table_get_mode(ti->table), &hd->dev);
	if (r) {
		ti->error = "No such device";
		goto out_wq;
	}
	ti->private = hd;
	ti->num_flush_bios = 1;
	ti->per_io_data_size = sizeof(struct hangdemo_bio);
	return 0;

out_wq:
	destroy_workqueue(hd->wq);
out_free:
	kfree(hd);
	return r;
}

static void hangdemo_dtr(struct dm_target *ti)
{
	struct hangdemo *hd = ti->private;

	destroy_workqueue(hd->wq);
	dm_put_device(ti, hd->dev);
	kfree(hd);
}

static struct target_type hangdemo_target = {
	.name = "hangdemo",
	.version = {1, 0, 0},
	.module = THIS_MODULE,
	.ctr = hangdemo_ctr,
	.dtr = hangdemo_dtr,
	.map = hangdemo_map,
};

static int __init hangdemo_init(void)
{
	return dm_register_target(&hangdemo_target);
}

static void __exit hangdemo_exit(void)
{
	dm_unregister_target(&hangdemo_target);
}

module_init(hangdemo_init);
module_exit(hangdemo_exit);

MODULE_DESCRIPTION(DM_NAME " test target that waits for its own bio inside map()");
MODULE_LICENSE("GPL");

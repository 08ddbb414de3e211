// SPDX-License-Identifier: GPL-2.0-only
/*
 * The life of a journal: made with the first table of a mapped device, handed
 * from table to table, ended with the last.
 *
 * Always true: a log belongs to one mapped device; what was acknowledged and
 * could not be committed stays in memory over a reload, because the next table
 * takes the same journal; a suspended journal does no I/O.
 *
 * A crash needs nothing from here: recovery starts from the log alone.
 */
#include <linux/reboot.h>
#include <linux/slab.h>

#include "journal.h"

static LIST_HEAD(journals);
static DEFINE_MUTEX(journals_lock);

static void journal_free(struct journal *j)
{
	unsigned int i;

	/* a resume that was refused may have left it */
	cancel_work_sync(&j->event_work);
	for (i = 0; i < JOURNAL_RECS; i++)
		kfree(j->rec[i].vecs);
	if (!IS_ERR_OR_NULL(j->commit_worker))
		kthread_destroy_worker(j->commit_worker);
	if (j->ckpt_wq)
		destroy_workqueue(j->ckpt_wq);
	if (j->admit_wq)
		destroy_workqueue(j->admit_wq);
	if (j->read_wq)
		destroy_workqueue(j->read_wq);
	bioset_exit(&j->home_bios);
	mempool_exit(&j->bounce_pages);
	if (j->super_page)
		__free_page(j->super_page);
	if (j->hurry_page)
		__free_page(j->hurry_page);
	jwin_exit(&j->image);
	jwin_exit(&j->kept);
	jwin_exit(&j->staging);
	kfree(j->image_vecs);
	for (i = 0; i < ARRAY_SIZE(j->batch); i++)
		jindex_destroy(j->batch[i].index);
	jindex_destroy(j->index);
	free_percpu(j->stats);
	kvfree(j);
}

/* Fill the members that do not depend on the log's contents. */
static void journal_init(struct journal *j)
{
	INIT_LIST_HEAD(&j->deferred);
	INIT_LIST_HEAD(&j->commit_waiters);
	INIT_LIST_HEAD(&j->home_waiters);
	spin_lock_init(&j->lock);
	spin_lock_init(&j->absorb_lock);
	mutex_init(&j->super_lock);
	mutex_init(&j->life_lock);
	init_waitqueue_head(&j->idle_wait);
	init_waitqueue_head(&j->batch[0].wait);
	init_waitqueue_head(&j->batch[1].wait);
	journal_pins_init(&j->pins);
	kthread_init_work(&j->commit_work, journal_commit_work);
	INIT_WORK(&j->ckpt_work, journal_ckpt_work);
	INIT_WORK(&j->event_work, journal_event_work);
	INIT_DELAYED_WORK(&j->autocommit_work, journal_autocommit_work);
	INIT_DELAYED_WORK(&j->admit_work, journal_admit_work);
	INIT_DELAYED_WORK(&j->ckpt_timer, journal_ckpt_timer);
	j->last_io = jiffies;
}

/*
 * The index of a batch: more than JOURNAL_WEIGHT entries take, and for batch_mib more than
 * single sectors do. What is more than JOURNAL_WEIGHT needs memory, or the batch is smaller.
 */
#define BATCH_INDEX_BYTES(mib)	((4ull << 20) + ((u64)(mib) << 16))
/*
 * A bio that is being built, one without payload, and one that is held back; and one in
 * flight, besides the last one of the batch before.
 */
#define HOME_BIOS		5

static struct journal *journal_alloc(struct journal_table *t, const struct jgeo *geo)
{
	unsigned int unbound = WQ_UNBOUND | WQ_MEM_RECLAIM;
	struct journal *j = kvzalloc(sizeof(*j), GFP_KERNEL);
	unsigned int i;

	if (!j)
		return NULL;
	journal_init(j);
	j->geo = *geo;
	for (i = 0; i < JOURNAL_RECS; i++) {
		j->rec[i].j = j;
		j->rec[i].vecs = kcalloc(jwin_vecs(geo->record_max), sizeof(struct bio_vec),
					 GFP_KERNEL);
		if (!j->rec[i].vecs)
			goto bad;
	}
	j->stats = alloc_percpu(struct jstats);
	j->index = jindex_create(JINDEX_SHARDS, (u64)t->opts.index_mib << 20);
	for (i = 0; i < ARRAY_SIZE(j->batch); i++)
		j->batch[i].index = jindex_create(1, BATCH_INDEX_BYTES(t->opts.batch_mib));
	j->super_page = alloc_page(GFP_KERNEL);
	j->hurry_page = alloc_page(GFP_KERNEL);
	j->image_vecs = kcalloc(jwin_vecs(JOURNAL_CKPT_READ), sizeof(struct bio_vec), GFP_KERNEL);
	j->commit_worker = kthread_create_worker(0, "jbd_commit");
	j->ckpt_wq = alloc_workqueue("jbd_ckpt", unbound, 0);
	j->admit_wq = alloc_workqueue("jbd_admit", unbound, 0);
	j->read_wq = alloc_workqueue("jbd_read", unbound, 0);
	if (!j->stats || !j->index || !j->batch[0].index || !j->batch[1].index ||
	    !j->super_page || !j->hurry_page || !j->image_vecs ||
	    IS_ERR(j->commit_worker) || !j->ckpt_wq || !j->admit_wq || !j->read_wq)
		goto bad;
	if (bioset_init(&j->home_bios, HOME_BIOS, 0, BIOSET_NEED_BVECS) ||
	    mempool_init_page_pool(&j->bounce_pages, 4, JOURNAL_BOUNCE_ORDER) ||
	    jwin_init(&j->staging, max_t(u64, (u64)t->opts.staging_mib << 11,
					 4ull * geo->record_max)) ||
	    jwin_init(&j->kept, JOURNAL_HOME_BIO) ||
	    jwin_init(&j->image, max3(8192ull, 2ull * geo->record_max,
				      (unsigned long long)t->opts.batch_mib << 11)))
		goto bad;
	j->batch_limit = (u64)t->opts.batch_mib << 11;
	return j;
bad:
	journal_free(j);
	return NULL;
}

/* Does what the superblock says fit this table? */
static int journal_check(struct dm_target *ti, struct journal_table *t, const struct jsuper *sb)
{
	if (sb->geo.home_len != ti->len) {
		DMERR("%s: log %pg was formatted for a home of %llu sectors, the table has %llu",
		      dm_table_device_name(ti->table), t->log->bdev, sb->geo.home_len,
		      (u64)ti->len);
		ti->error = "The log belongs to a home of another length";
		return -EINVAL;
	}
	if (sb->geo.home_len > JINDEX_HOME_MAX || sb->geo.area_len > JINDEX_AREA_MAX) {
		ti->error = "The home or the log is larger than the index can address";
		return -EINVAL;
	}
	if (sb->ro_compat & ~JFMT_RO_COMPAT_ALL) {
		ti->error = "The log has features that this version can only read";
		return -EINVAL;
	}
	if (sb->geo.unit * JFMT_SECTOR < bdev_logical_block_size(t->log->bdev)) {
		ti->error = "The log's unit is smaller than the log device's logical block";
		return -EINVAL;
	}
	return 0;
}

static bool life_has_more(const struct journal *j)
{
	return j->recovered && j->durable.seq + 1 != j->next_seq;
}

/* The journal that this table continues, NULL if it needs a new one, or an error. [journals_lock] */
static struct journal *life_find(struct dm_target *ti, struct journal_table *t)
{
	struct mapped_device *md = dm_table_get_md(ti->table);
	dev_t log = t->log->bdev->bd_dev, home = t->home->bdev->bd_dev;
	struct journal *j;

	list_for_each_entry(j, &journals, list) {
		if (j->md == md) {
			if (j->log_dev == log && j->home_dev == home &&
			    j->geo.home_len == ti->len &&
			    j->made.staging_mib == t->opts.staging_mib &&
			    j->made.index_mib == t->opts.index_mib &&
			    j->made.batch_mib == t->opts.batch_mib)
				return j;
			if (j->error && life_has_more(j)) {
				ti->error = "The log has failed, and only the present table has all that was written";
				return ERR_PTR(-EBUSY);
			}
		} else if (j->log_dev == log) {
			ti->error = "The log belongs to another active journal";
			return ERR_PTR(-EBUSY);
		} else if (j->home_dev == home) {
			ti->error = "The checkpoint device belongs to another active journal";
			return ERR_PTR(-EBUSY);
		}
	}
	return NULL;
}

/* One for this table, as the log's superblock says. Log I/O and much memory: without journals_lock. */
static struct journal *life_make(struct dm_target *ti, struct journal_table *t)
{
	struct jsuper *sb = kmalloc(sizeof(*sb), GFP_KERNEL);
	struct journal *j = NULL;
	const char *why;
	int r = -ENOMEM;

	if (!sb)
		goto out;
	r = journal_super_read(t->log->bdev, sb, &why);
	if (r) {
		DMERR("%s: log %pg: %s", dm_table_device_name(ti->table), t->log->bdev, why);
		ti->error = (char *)why;
		goto out;
	}
	r = journal_check(ti, t, sb);
	if (r)
		goto out;
	r = -ENOMEM;
	j = journal_alloc(t, &sb->geo);
	if (!j)
		goto out;
	j->md = dm_table_get_md(ti->table);
	j->log_dev = t->log->bdev->bd_dev;
	j->home_dev = t->home->bdev->bd_dev;
	j->made = t->opts;
	j->suspended = true;
out:
	if (!j && r == -ENOMEM)
		ti->error = "Out of memory";
	kfree(sb);
	return j ?: ERR_PTR(r);
}

int journal_get(struct dm_target *ti, struct journal_table *t)
{
	struct journal *j, *made = NULL;

	for (;;) {
		mutex_lock(&journals_lock);
		j = life_find(ti, t);
		if (!j && made) {
			j = made;
			made = NULL;
			list_add(&j->list, &journals);
		}
		if (!IS_ERR_OR_NULL(j)) {
			j->refs++;
			t->j = j;
		}
		mutex_unlock(&journals_lock);
		if (j)
			break;
		made = life_make(ti, t);
		if (IS_ERR(made))
			return PTR_ERR(made);
	}
	if (made)
		journal_free(made);
	return PTR_ERR_OR_ZERO(j);
}

void journal_put(struct journal *j)
{
	mutex_lock(&journals_lock);
	if (--j->refs) {
		mutex_unlock(&journals_lock);
		return;
	}
	list_del(&j->list);
	mutex_unlock(&journals_lock);
	if (life_has_more(j))
		DMERR("%s: writes since record %llu were acknowledged but could not be committed, and end with the device",
		      journal_name(j), j->durable.last);
	journal_free(j);
}

/*
 * The core waits for every bio after this. A noflush suspend must not wait for
 * a home that does not answer, so what has no room goes back to the core.
 */
void journal_presuspend(struct dm_target *ti)
{
	struct journal *j = ((struct journal_table *)ti->private)->j;

	spin_lock_irq(&j->lock);
	j->requeue = dm_noflush_suspending(ti);
	spin_unlock_irq(&j->lock);
	if (j->requeue)
		journal_kick_admission(j);
}

/* The suspend was given up, and what waits for room goes on waiting. */
void journal_presuspend_undo(struct dm_target *ti)
{
	struct journal *j = ((struct journal_table *)ti->private)->j;

	spin_lock_irq(&j->lock);
	j->requeue = false;
	spin_unlock_irq(&j->lock);
	journal_kick_admission(j);
}

/* No bios are left. Commit what was acknowledged, then stop. */
static void life_stop(struct journal *j)
{
	journal_commit_all(j, MAX_SCHEDULE_TIMEOUT);
	spin_lock_irq(&j->lock);
	/* the last one may still be in the act of ending; after an error some may be under way */
	wait_event_lock_irq(j->idle_wait, !j->log_writes, j->lock);
	spin_unlock_irq(&j->lock);
	cancel_delayed_work_sync(&j->autocommit_work);
	journal_ckpt_halt(j);
	cancel_delayed_work_sync(&j->admit_work);
	kthread_flush_work(&j->commit_work);
	flush_work(&j->event_work);

	if (!j->error) {
		int r;

		mutex_lock(&j->super_lock);
		j->super.durable_seq = max(j->super.durable_seq, j->durable.last);
		j->super.epoch = max(j->super.epoch, j->epoch);
		j->super.flags &= ~JFMT_SUPER_RUNNING;
		r = journal_super_write(j, 0);
		mutex_unlock(&j->super_lock);
		if (r)
			flush_work(&j->event_work);
	}
	mutex_lock(&journals_lock);
	j->suspended = true;
	mutex_unlock(&journals_lock);
}

void journal_postsuspend(struct dm_target *ti)
{
	struct journal *j = ((struct journal_table *)ti->private)->j;

	mutex_lock(&j->life_lock);
	if (j->recovered && !j->suspended)
		life_stop(j);
	mutex_unlock(&j->life_lock);
}

/* Another journal that still has what the log of @j lacks, or that came after one? [journals_lock] */
static bool journal_has_rival(struct journal *j)
{
	struct journal *other;

	list_for_each_entry(other, &journals, list)
		if (other != j && other->log_dev == j->log_dev &&
		    (!other->suspended || other->orphan || life_has_more(other)))
			return true;
	return false;
}

/* The log was at rest in between: is it still the one that memory describes? */
int journal_same_log(struct journal *j)
{
	struct jsuper *sb = kmalloc(sizeof(*sb), GFP_NOIO);
	const char *why = "out of memory";
	int r = -ENOMEM;

	if (sb) {
		r = journal_super_read(j->log, sb, &why);
		if (!r && (sb->generation != j->super.generation ||
			   sb->geo.nonce != j->geo.nonce)) {
			why = "written by somebody else while this device was suspended";
			r = -ESTALE;
		}
	}
	kfree(sb);
	if (r)
		DMERR("%s: log %pg: %s", journal_name(j), j->log, why);
	return r;
}

static int journal_recheck(struct journal *j)
{
	int r;

	if (j->error)
		return 0;
	r = journal_same_log(j);
	if (!r)
		r = journal_hold_suits(j);
	if (r)
		return r;
	mutex_lock(&j->super_lock);
	j->super.flags |= JFMT_SUPER_RUNNING;
	r = journal_super_write(j, 0);
	mutex_unlock(&j->super_lock);
	return r;
}

int journal_adopt(struct dm_target *ti)
{
	struct journal_table *t = ti->private;
	struct journal *j = t->j;
	int r = 0;

	mutex_lock(&journals_lock);
	/* device mapper drops the former table, whatever is said here: nobody is to go on without it unaware */
	j->orphan |= journal_has_rival(j);
	if (j->orphan) {
		DMERR("%s: the log failed, and the former table held writes that it lacks; remove the device, and open it anew without them",
		      journal_name(j));
		r = -EBUSY;
	}
	mutex_unlock(&journals_lock);
	if (r)
		return r;
	j->ti = ti;
	j->opts = t->opts;
	j->home = t->home->bdev;
	j->log = t->log->bdev;
	j->batch_early = true;
	throttle_init(j);
	return 0;
}

static int life_start(struct journal *j)
{
	int r;

	j->requeue = false;
	j->last_io = jiffies;
	r = j->recovered ? journal_recheck(j) : journal_recover(j);
	if (r)
		return r;
	mutex_lock(&journals_lock);
	j->suspended = false;
	mutex_unlock(&journals_lock);
	spin_lock_irq(&j->lock);
	j->ckpt_stop = false;
	spin_unlock_irq(&j->lock);
	queue_delayed_work(j->ckpt_wq, &j->ckpt_timer, JOURNAL_CKPT_TIMER);
	return 0;
}

int journal_preresume(struct dm_target *ti)
{
	struct journal *j = ((struct journal_table *)ti->private)->j;
	int r;

	mutex_lock(&j->life_lock);
	r = journal_adopt(ti);
	if (!r)
		r = life_start(j);
	mutex_unlock(&j->life_lock);
	return r;
}

/* An orderly reboot does not wait for autocommit_ms to pass. */
static int journal_reboot(struct notifier_block *nb, unsigned long action, void *data)
{
	struct journal *j;

	mutex_lock(&journals_lock);
	list_for_each_entry(j, &journals, list)
		if (!j->suspended && journal_commit_all(j, 10 * HZ))
			DMERR("%s: not everything could be committed before the reboot",
			      journal_name(j));
	mutex_unlock(&journals_lock);
	return NOTIFY_DONE;
}

static struct notifier_block journal_reboot_nb = {
	.notifier_call = journal_reboot,
};

int journal_life_init(void)
{
	return register_reboot_notifier(&journal_reboot_nb);
}

void journal_life_exit(void)
{
	unregister_reboot_notifier(&journal_reboot_nb);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hold, marks, and the way back to a mark.
 *
 * Always true: the home is at or before every mark. A limit holds in memory before
 * its superblock is written, and until after the one without it is durable; both
 * slots get either, so that it does not come or go when one of them rots.
 *
 * A crash leaves the limits as they were, or as they were asked to be: never a
 * mark that a checkpoint has passed.
 */
#include "journal.h"
#include "trace.h"

struct jpos journal_ckpt_end(const struct journal *j)
{
	return jpos(min(j->durable.pos.v, j->hold.limit.v));
}

/* The last record up to @seq that a checkpoint may reach. [lock] */
u64 journal_hold_clip(const struct journal *j, u64 seq)
{
	unsigned int i;

	for (i = 0; i < JFMT_MARKS; i++)
		if (j->hold.mark[i].name[0])
			seq = min(seq, le64_to_cpu(j->hold.mark[i].seq));
	return seq;
}

/* Memory follows the superblock. */
void journal_hold_load(struct journal *j)
{
	lockdep_assert_held(&j->super_lock);
	spin_lock_irq(&j->lock);
	j->hold.limit = jmark_limit(&j->super);
	j->hold.flags = j->super.flags & JFMT_SUPER_HELD;
	memcpy(j->hold.mark, j->super.mark, sizeof(j->hold.mark));
	spin_unlock_irq(&j->lock);
}

int journal_hold_suits(struct journal *j)
{
	if (!j->opts.flush_home || !jmark_any(&j->super))
		return 0;
	DMERR("%s: the log %pg is held, or has a mark, and flush home cannot wait for that; release it first",
	      journal_name(j), j->log);
	return -EBUSY;
}

/* H3: the superblock follows, in both slots. [super_lock] */
static int hold_write(struct journal *j)
{
	int r = journal_super_write(j, 0);

	return r ? r : journal_super_write(j, 0);
}

static void hold_reason(struct journal *j, const char *reason)
{
	spin_lock_irq(&j->lock);
	j->hold.reason = reason;
	spin_unlock_irq(&j->lock);
}

/*
 * H1, H2: a cut behind all that was acknowledged. From here on no batch passes it, and
 * none that is on its way does: those end where the log was durable. [super_lock]
 */
static int hold_cut(struct journal *j, struct jcut *cut)
{
	bool written;

	spin_lock_irq(&j->lock);
	if (j->open && space_close(j))
		journal_kick_commit(j);
	j->epoch++;
	cut->pos = j->head;
	cut->seq = j->next_seq - 1;
	j->hold.limit = jpos(min(j->hold.limit.v, cut->pos.v));
	j->hold.cut_seq = cut->seq;
	written = j->durable.seq == cut->seq;
	if (written) {
		cut->seq = j->durable.last;
		j->hold.cut_crc = j->link_crc;
	}
	spin_unlock_irq(&j->lock);

	if (!written)
		wait_event(j->idle_wait, READ_ONCE(j->error) ||
			   READ_ONCE(j->durable.seq) >= cut->seq);
	spin_lock_irq(&j->lock);
	cut->crc = j->hold.cut_crc;
	spin_unlock_irq(&j->lock);
	return READ_ONCE(j->error);
}

static int hold_mark(struct journal *j, const char *name)
{
	struct jcut cut = { };
	int r;

	mutex_lock(&j->super_lock);
	/* is there a name and a slot for it? */
	r = jmark_set(&j->super, name, &cut, 0);
	if (r)
		goto out;
	jmark_release(&j->super, name);
	r = hold_cut(j, &cut);
	if (!r) {
		jmark_set(&j->super, name, &cut, ktime_get_real_ns() / NSEC_PER_MSEC);
		j->super.durable_seq = max(j->super.durable_seq, cut.seq);
		j->super.epoch = max(j->super.epoch, j->epoch);
		r = hold_write(j);
	}
	journal_hold_load(j);
	trace_journal_mark(j, cut.seq, cut.pos, r);
out:
	mutex_unlock(&j->super_lock);
	if (r == -EINVAL)
		DMERR("%s: %s cannot be the name of a mark: up to %zu letters, digits and ._+-",
		      journal_name(j), name, JMARK_NAME_MAX);
	else if (r == -EEXIST)
		DMERR("%s: there is a mark %s already", journal_name(j), name);
	else if (r == -ENOSPC)
		DMERR("%s: there are %u marks already; release one", journal_name(j), JFMT_MARKS);
	return r;
}

/* Returns when the running batch, if there is one, is at home. */
static int hold_hold(struct journal *j, const char *name)
{
	int r;

	mutex_lock(&j->super_lock);
	jmark_hold(&j->super);
	journal_hold_load(j);
	r = hold_write(j);
	mutex_unlock(&j->super_lock);
	flush_work(&j->ckpt_work);
	return r;
}

/* H4 [super_lock] */
static int hold_drop(struct journal *j, const char *name)
{
	int r = jmark_release(&j->super, name);

	if (!r)
		r = hold_write(j);
	if (!r)
		journal_hold_load(j);
	return r;
}

static int hold_release(struct journal *j, const char *name)
{
	int r;

	mutex_lock(&j->super_lock);
	r = hold_drop(j, name);
	mutex_unlock(&j->super_lock);
	if (r == -ENOENT)
		DMERR("%s: there is no mark %s", journal_name(j), name);
	journal_kick_checkpoint(j);
	return r;
}

/* Held, and neither a commit nor the checkpoint, as far as it may go, will make room. [lock] */
static bool hold_is_full(const struct journal *j)
{
	return j->hold.limit.v <= j->tail.pos.v && !j->open && !j->error &&
	       j->durable.seq + 1 == j->next_seq && journal_no_room(j);
}

bool journal_hold_refuses(const struct journal *j)
{
	return j->opts.full_error && !READ_ONCE(j->ckpt_running) && hold_is_full(j);
}

void journal_hold_report(struct journal *j, const char *what)
{
	bool first;

	spin_lock_irq(&j->lock);
	first = j->hold.reason != what;
	j->hold.reason = what;
	spin_unlock_irq(&j->lock);
	if (!first)
		return;
	DMWARN("%s: the log %pg is full while checkpoints are held: %s", journal_name(j), j->log,
	       j->opts.full_error ? "writes fail until it is released" :
				    "hold and marks are released");
	queue_work(j->admit_wq, &j->event_work);
}

void journal_hold_full(struct journal *j)
{
	bool full;

	if (!READ_ONCE(j->nr_deferred))
		return;
	mutex_lock(&j->super_lock);
	spin_lock_irq(&j->lock);
	full = j->nr_deferred && !j->opts.full_error && hold_is_full(j);
	spin_unlock_irq(&j->lock);
	full = full && !hold_drop(j, NULL);
	mutex_unlock(&j->super_lock);
	if (full)
		journal_hold_report(j, "hold-released");
}

/* H5 */
static int hold_rollback(struct dm_target *ti, const char *name)
{
	struct journal *j = ((struct journal_table *)ti->private)->j;
	int r;

	if (!j->suspended) {
		DMERR("%s: a rollback needs the device suspended", journal_name(j));
		return -EBUSY;
	}
	if (disk_openers(dm_disk(j->md))) {
		DMERR("%s: a rollback needs the device closed: somebody has it open",
		      journal_name(j));
		return -EBUSY;
	}
	r = journal_adopt(ti);
	if (!r && j->recovered)
		r = journal_same_log(j);
	return r ? r : journal_rollback(j, name);
}

int journal_hold_message(struct dm_target *ti, unsigned int argc, char **argv)
{
	static const struct {
		const char	*word;
		unsigned int	least, most;
		int		(*run)(struct journal *j, const char *name);
	} messages[] = {
		{ "hold", 1, 1, hold_hold },
		{ "mark", 2, 2, hold_mark },
		{ "release", 1, 2, hold_release },
		{ "rollback", 2, 2, NULL },
	};
	struct journal *j = ((struct journal_table *)ti->private)->j;
	const char *name = argc > 1 ? argv[1] : NULL;
	unsigned int i;
	int r;

	for (i = 0; i < ARRAY_SIZE(messages); i++)
		if (!strcasecmp(argv[0], messages[i].word) && argc >= messages[i].least &&
		    argc <= messages[i].most)
			break;
	if (i == ARRAY_SIZE(messages))
		return -ENOTTY;
	mutex_lock(&j->life_lock);
	if (!messages[i].run) {
		r = hold_rollback(ti, name);
	} else if (j->suspended) {
		r = -EAGAIN;
	} else if (j->opts.flush_home && messages[i].run != hold_release) {
		DMERR("%s: with flush home every flush is a checkpoint, which cannot be held",
		      journal_name(j));
		r = -EINVAL;
	} else {
		hold_reason(j, NULL);
		r = messages[i].run(j, name);
	}
	mutex_unlock(&j->life_lock);
	return r;
}

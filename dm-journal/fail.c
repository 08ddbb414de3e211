// SPDX-License-Identifier: GPL-2.0-only
/*
 * The one door for errors.
 *
 * Always true: an error of the log is latched before anybody who waited is
 * woken, and stays until the device is made anew; from then on no write, flush
 * or FUA succeeds and no superblock is written, so the log keeps its last
 * durable state. An error of the home stalls the checkpoint: the tail stays,
 * and the next attempt writes the whole batch again.
 */
#include "journal.h"

void journal_event_work(struct work_struct *work)
{
	struct journal *j = container_of(work, struct journal, event_work);

	dm_table_event(j->ti->table);
}

static void fail_list(struct journal *j, struct list_head *list)
{
	LIST_HEAD(failed);
	unsigned long flags;

	spin_lock_irqsave(&j->lock, flags);
	list_splice_init(list, &failed);
	spin_unlock_irqrestore(&j->lock, flags);
	journal_serve(&failed, BLK_STS_IOERR);
}

void journal_fail(struct journal *j, const char *what, int error)
{
	unsigned long flags;
	bool first;

	spin_lock_irqsave(&j->lock, flags);
	first = !j->error;
	if (first) {
		j->error = error;
		j->reason = what;
		j->reason_seq = 0;
	}
	spin_unlock_irqrestore(&j->lock, flags);
	if (first) {
		DMERR("%s: %s failed (%d): no write succeeds from now on; the log %pg keeps all that was acknowledged as durable",
		      journal_name(j), what, error, j->log);
		queue_work(j->admit_wq, &j->event_work);
	}
	journal_serve_commits(j);
	fail_list(j, &j->home_waiters);
}

/*
 * Record @seq (0: none) cannot be checkpointed. Flushes that wait for it fail
 * now, and so do writes that nothing but a checkpoint could give room.
 */
void journal_stall(struct journal *j, const char *what, u64 seq, int error)
{
	bool first;

	spin_lock_irq(&j->lock);
	first = !j->ckpt_stalled;
	j->ckpt_stalled = true;
	if (!j->error) {
		j->reason = what;
		j->reason_seq = seq;
	}
	spin_unlock_irq(&j->lock);
	this_cpu_inc(j->stats->home_errors);
	if (first) {
		DMERR("%s: checkpoint stalled: %s (%d), record %llu; the home keeps its last consistent state, trying again every second",
		      journal_name(j), what, error, seq);
		queue_work(j->admit_wq, &j->event_work);
	}
	fail_list(j, &j->home_waiters);
	journal_kick_admission(j);
}

/* The checkpoint works again. */
void journal_unstall(struct journal *j)
{
	spin_lock_irq(&j->lock);
	j->ckpt_stalled = false;
	if (!j->error)
		j->reason = NULL;
	spin_unlock_irq(&j->lock);
	DMINFO("%s: checkpoint goes on", journal_name(j));
	queue_work(j->admit_wq, &j->event_work);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Always true: time passes here only, and each write is asked for as soon as the one before it was admitted, or when its
 * turn has come if that is later. Compiled with the simulation's kernel headers.
 */
#include "../../dm-journal/journal.h"
#include "one_task.h"
#include "throttle_load.h"

bool journal_is_home(const struct journal *j, u64 seq)
{
	return true;
}

u64 journal_lag_ms(const struct journal *j)
{
	return 0;
}

bool journal_lacks_room(const struct journal *j)
{
	return false;
}

struct world {
	const struct load *l;
	struct journal j;
	struct jbatch batch;
	uint64_t batch_ends;
	struct load_result result;
	uint64_t admitted, sent;	/* in the second half */
};

static double seconds(const struct world *w)
{
	return now_ns / 1e9;
}

static bool second_half(const struct world *w)
{
	return seconds(w) > w->l->seconds / 2;
}

/* As checkpoint.c does it. */
static void home_starts(struct world *w)
{
	struct journal *j = &w->j;
	u64 span = min(w->l->batch, space_used(j));

	w->batch.from.pos = j->free_to;
	w->batch.last.pos = jpos_add(j->free_to, span);
	w->batch_ends = now_ns + (uint64_t)(span / w->l->home(seconds(w)) * 1e9);
	throttle_send(j, &w->batch);
}

static void home_ends(struct world *w)
{
	struct journal *j = &w->j;
	u64 freed = w->batch.last.pos.v - w->batch.from.pos.v;

	spin_lock_irq(&j->lock);
	throttle_freed(j, freed);
	spin_unlock_irq(&j->lock);
	j->free_to = w->batch.last.pos;
	w->result.batches++;
	if (second_half(w))
		w->sent += freed;
	w->batch_ends = 0;
	if (space_used(j) * 100 <= j->geo.area_len * j->opts.low)
		j->ckpt_draining = false;
	if (j->ckpt_draining)
		home_starts(w);
	else
		throttle_send(j, NULL);
}

/* Until @ns, with all that the home does until then. */
static void pass(struct world *w, uint64_t ns)
{
	while (w->batch_ends && w->batch_ends <= ns) {
		now_ns = w->batch_ends;
		home_ends(w);
	}
	now_ns = ns;
}

static void admit(struct world *w)
{
	struct journal *j = &w->j;

	spin_lock_irq(&j->lock);
	throttle_charge(j, w->l->write);
	spin_unlock_irq(&j->lock);
	j->head = jpos_add(j->head, w->l->write);
	if (second_half(w))
		w->admitted += w->l->write;
	w->result.fullest = max(w->result.fullest, (double)space_used(j) / j->geo.area_len);
	if (!j->ckpt_draining && space_used(j) * 100 >= j->geo.area_len * j->opts.high) {
		j->ckpt_draining = true;
		home_starts(w);
	}
}

struct load_result throttle_load(const struct load *l)
{
	static struct world w;
	uint64_t gap = 1e9 / l->writes, next, began;
	bool early = true;

	memset(&w, 0, sizeof(w));
	w.l = l;
	w.j.geo.area_len = l->area;
	w.j.geo.record_max = 256;
	w.j.opts.high = l->high;
	w.j.opts.low = l->low;
	w.j.batch_limit = l->batch;
	w.j.hold.limit = jpos(~0ull);
	now_ns = 0;
	throttle_init(&w.j);
	for (next = 0; seconds(&w) < l->seconds; next = now_ns + gap) {
		double waited;

		pass(&w, next);
		began = now_ns;
		for (;;) {
			unsigned long ticks;

			spin_lock_irq(&w.j.lock);
			ticks = throttle_wait(&w.j);
			spin_unlock_irq(&w.j.lock);
			if (ticks)
				pass(&w, now_ns + ticks * (NSEC_PER_SEC / HZ));
			else if (space_used(&w.j) + l->write > l->area)
				pass(&w, w.batch_ends);
			else
				break;
		}
		waited = (now_ns - began) / 1e9;
		early = early && space_used(&w.j) <= w.j.pace.from;
		w.result.longest = max(w.result.longest, waited);
		if (early)
			w.result.early = max(w.result.early, waited);
		admit(&w);
	}
	w.result.admitted = w.admitted / (l->seconds / 2);
	w.result.sent = w.sent / (l->seconds / 2);
	return w.result;
}

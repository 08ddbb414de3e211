// SPDX-License-Identifier: GPL-2.0-only
/*
 * Writers and the checkpoint come to the same rate before the log is full.
 *
 * Always true: unless the log drains from its high mark to its low one, no write is
 * slowed. While it does they are admitted at a rate that falls as the log fills, from
 * the start of a zone on: twice the checkpoint's own rate a quarter of the way up, that
 * rate half way, half of it at the end, where one more batch fills the log. So a
 * steady load settles half way. A batch on its way counts as freed by as much as the
 * rate says it has done; if it takes longer than that, what is left of the log is
 * shared out, so that no write waits for a whole batch, and one write for the one before
 * it a second at most. While checkpoints are held back or fail there is no rate to wait
 * for, and nobody is slowed.
 *
 * A crash here leaves nothing: only time passes.
 */
#include <linux/ktime.h>

#include "journal.h"

/* What a writer did not use of its rate is lost after this, ns. */
#define THROTTLE_CREDIT		(20 * NSEC_PER_MSEC)
/* The checkpoint's rate until it was measured: the log in so many seconds; */
#define THROTTLE_FIRST		60
/* and at least, sectors a second. */
#define THROTTLE_RATE_MIN	128ull
/* It is measured over at least so much time of work, ns. */
#define THROTTLE_MEASURE	(NSEC_PER_SEC / 2)
/* One write holds up the next for so long at most, ns. */
#define THROTTLE_LONGEST	NSEC_PER_SEC
/* A batch that takes longer is as good as one that hangs, ms. */
#define THROTTLE_LONG		1000000ull

/* The zone, for batches of @span sectors of log. [lock, or suspended] */
static void throttle_zone(struct journal *j, u64 span)
{
	u64 full = j->geo.area_len - 2 * j->geo.record_max;
	u64 high = div_u64(j->geo.area_len * j->opts.high, 100);
	u64 low = div_u64(j->geo.area_len * j->opts.low, 100);

	span = min(span, full / 2);
	j->pace.from = max(min(high, full - 2 * span), low);
	j->pace.to = max(full - span, j->pace.from + 1 + (j->geo.area_len - j->pace.from) / 4);
	j->pace.hard = j->geo.area_len - (j->pace.to - j->pace.from) / 4 - 1;
}

void throttle_init(struct journal *j)
{
	throttle_zone(j, j->batch_limit);
}

void throttle_send(struct journal *j, const struct jbatch *b)
{
	spin_lock_irq(&j->lock);
	j->pace.going = b ? b->last.pos.v - b->from.pos.v : 0;
	j->pace.since_ns = ktime_get_ns();
	throttle_zone(j, max(j->pace.going, j->batch_limit));
	spin_unlock_irq(&j->lock);
}

void throttle_freed(struct journal *j, u64 sectors)
{
	u64 rate;

	lockdep_assert_held(&j->lock);
	j->pace.busy_ns += ktime_get_ns() - j->pace.since_ns;
	j->pace.sectors += sectors;
	j->pace.going = 0;
	if (!j->pace.busy_ns || (j->rate && j->pace.busy_ns < THROTTLE_MEASURE))
		return;
	rate = div64_u64(j->pace.sectors * NSEC_PER_SEC, j->pace.busy_ns);
	j->rate = j->rate ? (j->rate + rate) / 2 : rate;
	j->pace.busy_ns = 0;
	j->pace.sectors = 0;
}

/*
 * Log sectors checkpointed a second: as measured, but not more than a batch that has been
 * on its way for @ms and is not at home yet shows. [lock]
 */
static u64 throttle_drain(const struct journal *j, u64 ms)
{
	u64 rate = j->rate ? j->rate : div_u64(j->geo.area_len, THROTTLE_FIRST);

	if (j->pace.going && ms)
		rate = min(rate, div64_u64(j->pace.going * MSEC_PER_SEC, ms));
	return max(rate, THROTTLE_RATE_MIN);
}

/* Sectors a second that are admitted; 0: as they come. [lock] */
static u64 throttle_rate(const struct journal *j, u64 now)
{
	u64 used = space_used(j), left = j->geo.area_len - used, at = used, ms, drain, rate = ~0ull;

	if (!j->ckpt_draining || j->ckpt_stalled || j->error || j->requeue ||
	    j->hold.limit.v != ~0ull)
		return 0;
	ms = min(div_u64(now - j->pace.since_ns, NSEC_PER_MSEC), THROTTLE_LONG);
	drain = throttle_drain(j, ms);
	if (j->pace.going)
		at -= min(j->pace.going, div_u64(drain * ms, MSEC_PER_SEC));
	if (at > j->pace.from) {
		u64 zone = j->pace.to - j->pace.from;

		rate = div64_u64(drain * zone, 2 * min(at - j->pace.from, zone));
	}
	if (used > j->pace.hard)
		rate = min(rate, div64_u64(drain * left, 2 * (j->geo.area_len - j->pace.hard)));
	return rate == ~0ull ? 0 : max(rate, 1ull);
}

bool journal_is_pressed(const struct journal *j)
{
	return !list_empty(&j->home_waiters) || j->ckpt_stop || !journal_is_home(j, j->ckpt_goal) ||
	       space_used(j) > j->pace.to || journal_lacks_room(j) ||
	       (j->opts.max_lag_ms && journal_lag_ms(j) > j->opts.max_lag_ms / 4 * 3);
}

unsigned long throttle_wait(const struct journal *j)
{
	u64 now;

	lockdep_assert_held(&j->lock);
	if (space_used(j) <= j->pace.from)
		return 0;
	now = ktime_get_ns();
	if (j->pace.paid_until <= now || !throttle_rate(j, now))
		return 0;
	return min_t(u64, nsecs_to_jiffies(j->pace.paid_until - now) + 1, HZ / 10);
}

void throttle_charge(struct journal *j, u32 sectors)
{
	u64 now, rate;

	lockdep_assert_held(&j->lock);
	if (space_used(j) <= j->pace.from)
		return;
	now = ktime_get_ns();
	rate = throttle_rate(j, now);
	if (rate)
		j->pace.paid_until = max(j->pace.paid_until, now - THROTTLE_CREDIT) +
				     min(div64_u64(sectors * (u64)NSEC_PER_SEC, rate),
					 (u64)THROTTLE_LONGEST);
}

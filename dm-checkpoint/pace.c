// SPDX-License-Identifier: GPL-2.0-only
/*
 * How many writes may be at the home, and how fast.
 *
 * Always true: one write may be at the home whatever is read from it, so that a
 * checkpoint comes to its end. While the home is read from, and a little longer, no
 * second one is sent, unless somebody waits for it: a read finds at most one
 * write before it. rate_mib is kept on average of PACE_CREDIT.
 *
 * A crash here leaves nothing: no I/O, no state on disk.
 */
#include <linux/math64.h>

#include "checkpoint.h"

/* Whoever reads is about to read again. */
#define PACE_READER	(HZ / 20)
/* What was not used of rate_mib is lost after this, ns. */
#define PACE_CREDIT	(20 * NSEC_PER_MSEC)

static bool is_read_from(struct checkpoint *c)
{
	return atomic_read(&c->reads_now) ||
	       time_before(jiffies, READ_ONCE(c->read_end) + PACE_READER);
}

unsigned long pace_wait(struct checkpoint *c)
{
	s64 left = atomic64_read(&c->paid_until) - ktime_get_ns();

	return c->rate_mib && left > 0 ? nsecs_to_jiffies(left) + 1 : 0;
}

bool pace_allows(struct checkpoint *c, unsigned int at_home, bool urgent)
{
	if (urgent)
		return at_home < c->depth;
	if (pace_wait(c))
		return false;
	return at_home < (is_read_from(c) ? 1 : c->depth);
}

void pace_sent(struct checkpoint *c, unsigned int sectors)
{
	s64 ns, from = ktime_get_ns() - PACE_CREDIT;

	if (!c->rate_mib)
		return;
	ns = div_u64((u64)sectors * NSEC_PER_SEC, c->rate_mib << 11);
	atomic64_set(&c->paid_until, max_t(s64, atomic64_read(&c->paid_until), from) + ns);
}

void pace_read(struct checkpoint *c)
{
	atomic64_inc(&c->reads);
	atomic_inc(&c->reads_now);
}

void pace_read_done(struct checkpoint *c)
{
	WRITE_ONCE(c->read_end, jiffies);
	atomic_dec(&c->reads_now);
}

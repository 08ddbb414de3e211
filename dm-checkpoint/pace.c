// SPDX-License-Identifier: GPL-2.0-only
/*
 * How many writes may be at the home, how fast, and how much its cache gets at a time.
 *
 * Always true: one write may be at the home whatever is read from it, so that a
 * checkpoint comes to its end. While the home is read from, and a little longer, no
 * second one is sent, it goes past the home's cache (FUA), and it has its turn only every
 * pace_turn(), unless somebody waits for it: a read finds at most one write before it, and
 * most reads find none. The cache gets no more between two flushes than it can write in
 * PACE_FLUSH or so, and in PACE_FLUSH_QUIET where nobody has read for long, as earlier
 * flushes have shown, unless somebody waits for the writes, and then for PACE_ROOM of them at least:
 * who begins to read does not wait for much more. rate_mib is kept on
 * average of PACE_CREDIT.
 *
 * A crash here leaves nothing: no I/O, no state on disk.
 */
#include <linux/math64.h>

#include "checkpoint.h"

/* Whoever reads is about to read again. */
#define PACE_READER	(HZ / 20)
/* A write may come between reads so often. */
#define PACE_TURN	(HZ / 2)
/* What the intent device gets at a time then, sectors: it may be on the same disk. */
#define PACE_BURST	512
/* How long a flush of the home may take, ns: beside reads, and when there was none for PACE_QUIET. */
#define PACE_FLUSH	(160 * NSEC_PER_MSEC)
#define PACE_FLUSH_QUIET	(640 * NSEC_PER_MSEC)
#define PACE_QUIET	(10 * HZ)
/* What the cache gets between two flushes, see pace_weight(): at first, at least and at most. */
#define PACE_ROOM	64u
#define PACE_ROOM_MIN	8
#define PACE_ROOM_MAX	(1 << 20)
/* What was not used of rate_mib is lost after this, ns. */
#define PACE_CREDIT	(20 * NSEC_PER_MSEC)

static bool is_read_from(const struct checkpoint *c)
{
	return atomic_read(&c->reads_now) ||
	       time_before(jiffies, READ_ONCE(c->read_end) + PACE_READER);
}

/* With an intent device there are two writes to a turn: so reads wait as seldom as without. */
static unsigned long pace_turn(const struct checkpoint *c)
{
	return c->intent ? 3 * PACE_TURN : PACE_TURN;
}

void pace_init(struct checkpoint *c)
{
	c->read_end = jiffies - PACE_QUIET;
	c->sent = jiffies - HZ;
	c->collected = jiffies - HZ;
	c->room = PACE_ROOM;
	c->flush_least = ~0ull;
}

bool pace_gently(struct checkpoint *c, bool urgent)
{
	return !urgent && is_read_from(c);
}

/* In writes of which each is a seek; a MiB takes as long as one. */
unsigned int pace_weight(unsigned int sectors)
{
	return 1 + sectors / 2048;
}

unsigned int pace_room(const struct checkpoint *c, bool urgent)
{
	return max(READ_ONCE(c->room), urgent ? PACE_ROOM : 0u);
}

/* What a flush of nothing takes as well is no reason to send less. */
void pace_flushed(struct checkpoint *c, unsigned int weight, u64 ns)
{
	u64 least = min(READ_ONCE(c->flush_least), ns);
	bool quiet = time_after(jiffies, READ_ONCE(c->read_end) + PACE_QUIET);
	u64 most = quiet ? PACE_FLUSH_QUIET : PACE_FLUSH;
	unsigned int room = READ_ONCE(c->room);

	WRITE_ONCE(c->flush_least, least);
	ns -= least;
	if (ns > most && weight >= PACE_ROOM_MIN)
		room = max(min(room, weight) / 2, (unsigned int)PACE_ROOM_MIN);
	else if (ns < most / 4 && weight >= room)
		room = min(room * 2, (unsigned int)PACE_ROOM_MAX);
	WRITE_ONCE(c->room, room);
}

unsigned long pace_wait(struct checkpoint *c)
{
	s64 left = c->rate_mib ? atomic64_read(&c->paid_until) - ktime_get_ns() : 0;
	unsigned long wait = left > 0 ? nsecs_to_jiffies(left) + 1 : 0;
	unsigned long turn = READ_ONCE(c->sent) + pace_turn(c), now = jiffies;

	return is_read_from(c) && time_before(now, turn) ? max(wait, turn - now) : wait;
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

	WRITE_ONCE(c->sent, jiffies);
	if (!c->rate_mib)
		return;
	ns = div_u64((u64)sectors * NSEC_PER_SEC, c->rate_mib << 11);
	atomic64_set(&c->paid_until, max_t(s64, atomic64_read(&c->paid_until), from) + ns);
}

/* Half a turn from the writes that go home, so that both have theirs. */
unsigned long pace_collect_wait(const struct checkpoint *c)
{
	unsigned long turn = c->collected + pace_turn(c);
	unsigned long sent = READ_ONCE(c->sent) + pace_turn(c) / 2;

	if (c->burst || !is_read_from(c))
		return 0;
	if (time_before(turn, sent))
		turn = sent;
	return time_before(jiffies, turn) ? turn - jiffies : 0;
}

void pace_collected(struct checkpoint *c, unsigned int sectors)
{
	lockdep_assert_held(&c->lock);
	if (!c->burst) {
		c->collected = jiffies;
		c->burst = PACE_BURST;
	}
	c->burst -= min(c->burst, sectors);
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

// SPDX-License-Identifier: GPL-2.0-only
//
// A log that fills has no cliff: writers are slowed to the rate of the home before there is no room left, and none of them
// waits for a batch. dm-journal/throttle.c in virtual time; tests/bench/fill shows the same of the whole.
// Seen red: throttle_wait() that slows nobody, or throttle_charge() that charges nothing: a write waits for a whole batch;
// no share of what is left of the log when a batch takes longer than expected, a rate below which it never falls, or one
// that believes what was measured before: the log is full; a batch that counts as freed at its end only; a large debt.
#include <gtest/gtest.h>

#include "throttle_load.h"

namespace {

constexpr std::uint64_t mib = 2048;	// sectors

// 256 MiB of log, batches of 64 MiB, 36 000 writes and fsyncs a second offered to a disk that takes 750.
load disk()
{
	load l{};

	l.area = 256 * mib, l.batch = 64 * mib;
	l.high = 80, l.low = 60;
	l.write = 9, l.writes = 36000;
	l.seconds = 400;
	l.home = [](double) { return 750. * 9; };
	return l;
}

void expect_no_cliff(const load &l, double longest)
{
	load_result r = throttle_load(&l);

	EXPECT_LT(r.fullest, 1 - 2. * 256 / l.area) << "the log is full";
	EXPECT_LT(r.longest, longest) << "a write waited for so long";
	EXPECT_EQ(r.early, 0) << "a write waited although the zone had not begun";
	EXPECT_GT(r.batches, 8u);
	EXPECT_GT(r.admitted, r.sent * .9);
	EXPECT_LT(r.admitted, r.sent * 1.1);
}

void expect_a_second_at_most(const load &l)
{
	load_result r = throttle_load(&l);

	EXPECT_LT(r.longest, 1.01);
	EXPECT_GT(r.batches, 15u);
}

TEST(Throttle, WritersComeToTheRateOfTheHome)
{
	load l = disk();
	expect_no_cliff(l, .05);
}

TEST(Throttle, OfOneWriterToo)
{
	load l = disk();
	l.writes = 2000;
	expect_no_cliff(l, .05);
}

TEST(Throttle, TheHomeNeverIdles)
{
	load l = disk();
	load_result r = throttle_load(&l);

	EXPECT_GT(r.sent, 750 * 9 * .97);
}

TEST(Throttle, NobodyIsSlowedWhoWantsHalfOfWhatTheHomeTakes)
{
	load l = disk();
	l.writes = 370;		// of 750
	load_result r = throttle_load(&l);

	EXPECT_EQ(r.longest, 0);
}

// Too large for what is between the watermark and the end: the log does fill, and still nobody waits for a batch of 40 s.
TEST(Throttle, BatchesOfHalfTheLog)
{
	load l = disk();
	l.batch = 128 * mib;
	l.seconds = 900;
	expect_a_second_at_most(l);
}

TEST(Throttle, SmallBatches)
{
	load l = disk();
	l.batch = mib;
	expect_no_cliff(l, .05);
}

TEST(Throttle, AFastHome)
{
	load l = disk();
	l.home = [](double) { return 20000. * 9; };
	l.seconds = 60;
	expect_no_cliff(l, .05);
}

// A quarter of what it was from one batch to the next: what was measured is wrong for as long as that one takes.
TEST(Throttle, AHomeThatBecomesSlow)
{
	load l = disk();
	l.home = [](double now) { return now < 150 ? 750. * 9 : 190. * 9; };
	l.seconds = 1600;
	expect_a_second_at_most(l);
}

TEST(Throttle, AHomeThatIsNowSlowNowFast)
{
	load l = disk();
	l.home = [](double now) { return static_cast<long>(now / 60) % 2 ? 300. * 9 : 1500. * 9; };
	l.seconds = 1200;
	expect_a_second_at_most(l);
}

}

// SPDX-License-Identifier: GPL-2.0-only
//
// How much the home's cache gets between two flushes: what it can write in a tenth of a second or so beside reads, and in
// half a second when nobody reads. dm-checkpoint/pace.c in virtual time.
// Seen red: a flush that takes long by itself leaves eight writes to each; so does a slow disk to those that somebody waits for.
#include <gtest/gtest.h>

#include "pace_home.h"

namespace {

TEST(Pace, ADiskGetsWhatItWritesInHalfASecond)
{
	pace_home disk{.fixed_ms = 1, .write_ms = 2.5, .reads = false};
	EXPECT_GE(pace_flushes(&disk).room, 64u);
	EXPECT_LE(pace_flushes(&disk).room * disk.write_ms, 800);
}

TEST(Pace, AndInATenthOfThatBesideReads)
{
	pace_home disk{.fixed_ms = 1, .write_ms = 2.5, .reads = true};
	EXPECT_GE(pace_flushes(&disk).room, 16u);
	EXPECT_LE(pace_flushes(&disk).room * disk.write_ms, 200);
}

TEST(Pace, AFlushThatIsSlowByItselfIsNoReasonToSendLess)
{
	for (bool reads : {false, true}) {
		pace_home mirror{.fixed_ms = 700, .write_ms = .01, .reads = reads};
		EXPECT_GE(pace_flushes(&mirror).room, 1000u) << (reads ? "beside reads" : "when nobody reads");
	}
}

TEST(Pace, WhoWaitsIsNotLeftWithAFewWritesToAFlush)
{
	pace_home slow{.fixed_ms = 1, .write_ms = 100, .reads = true};
	EXPECT_EQ(pace_flushes(&slow).room, 8u);
	EXPECT_EQ(pace_flushes(&slow).urgent, 64u);
}

} // namespace

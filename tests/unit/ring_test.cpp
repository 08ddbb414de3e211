// SPDX-License-Identifier: GPL-2.0-only
//
// The arithmetic of the ring.
#include <gtest/gtest.h>

extern "C" {
#include <linux/types.h>
#include <linux/kernel.h>
#include "../../dm-journal/ring.h"
}

namespace {

jgeo geo(__u32 unit = 2, __u64 area_len = 100)
{
	return {.nonce = 1, .area_start = 2048, .area_len = area_len, .unit = unit,
		.record_max = 20, .home_len = 1000};
}

TEST(Ring, APositionLiesAtItsRemainderInTheArea)
{
	const jgeo g = geo();

	EXPECT_EQ(jring_dev(&g, jpos(0)), 2048u);
	EXPECT_EQ(jring_dev(&g, jpos(99)), 2147u);
	EXPECT_EQ(jring_dev(&g, jpos(100)), 2048u);
	EXPECT_EQ(jring_dev(&g, jpos(1234567 * 100ull + 42)), 2090u);
	EXPECT_EQ(jring_off(&g, jpos(JFMT_POS_MAX)), JFMT_POS_MAX % 100);
}

TEST(Ring, TheRestOfALapIsNeverEmpty)
{
	const jgeo g = geo();

	EXPECT_EQ(jring_left(&g, jpos(0)), 100u);
	EXPECT_EQ(jring_left(&g, jpos(98)), 2u);
	EXPECT_EQ(jring_left(&g, jpos(100)), 100u);
}

TEST(Ring, TheNextLapStartsWhereTheAreaDoes)
{
	const jgeo g = geo();

	for (__u64 pos : {0ull, 2ull, 98ull, 100ull, 100ull << 40}) {
		const struct jpos next = jring_next_lap(&g, jpos(pos));

		EXPECT_GT(next.v, pos);
		EXPECT_LE(next.v, pos + g.area_len);
		EXPECT_EQ(jring_off(&g, next), 0u);
	}
}

TEST(Ring, LengthsAreRoundedUpToUnits)
{
	for (__u32 unit : {1u, 2u, 4u, 8u}) {
		const jgeo g = geo(unit);

		for (__u32 n = 0; n < 40; n++) {
			EXPECT_EQ(jround_unit(&g, n) % unit, 0u);
			EXPECT_GE(jround_unit(&g, n), n);
			EXPECT_LT(jround_unit(&g, n), n + unit);
		}
	}
}

TEST(Ring, ADescriptorHoldsAsManyExtentsAsItsUnitHasRoomFor)
{
	for (__u32 unit : {1u, 2u, 4u, 8u}) {
		const jgeo g = geo(unit);

		EXPECT_EQ(jgeo_header_extents(&g), unit * 32 - 8);
		EXPECT_EQ(jgeo_desc_extents(&g), unit * 32 - 4);
	}
}

TEST(Ring, TheSmallestAreaHoldsFourRecords)
{
	EXPECT_EQ(jgeo_area_min(20), 80u);
	EXPECT_EQ(jgeo_area_min(~0u), 4ull * ~0u);
}

} // namespace

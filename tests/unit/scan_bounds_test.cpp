// SPDX-License-Identifier: GPL-2.0-only
//
// The scan at the limits: sequences, the waiting ring, failing reads, rotten bits.
#include <gtest/gtest.h>

#include <algorithm>

#include "logimage.h"

namespace {

std::vector<Extent> one(__u64 home, __u32 len = 3) { return {{home, len}}; }

TEST(ScanBounds, SequencesPass32Bits)
{
	LogImage log({.first_pos = 0xffffff00, .first_seq = 0xfffffff0});

	for (int i = 0; i < 40; i++)
		log.commit(one(i));
	Scan s(log);

	EXPECT_EQ(s.r.end, JSCAN_END);
	EXPECT_TRUE(s.gave(40));
	EXPECT_EQ(s.r.last_seq, 0xfffffff0ull + 39);
}

TEST(ScanBounds, TheLastSequenceIsTheLast)
{
	LogImage log({.first_seq = JFMT_SEQ_MAX - 2});

	for (int i = 0; i < 5; i++)
		log.commit(one(i));
	Scan s(log);

	EXPECT_TRUE(s.gave(3));
	EXPECT_EQ(s.r.last_seq, JFMT_SEQ_MAX);
	EXPECT_EQ(s.r.end, JSCAN_END);
}

TEST(ScanBounds, TheLastPositionIsTheLast)
{
	LogImage log({.area_len = 1000, .first_pos = JFMT_POS_MAX - 9});

	for (int i = 0; i < 5; i++)
		log.commit(one(i));
	Scan s(log);

	EXPECT_FALSE(s.out_of_area);
	EXPECT_TRUE(s.gave(3));
	EXPECT_LE(log.written[2].pos.v, JFMT_POS_MAX);
	EXPECT_GT(log.written[3].pos.v, JFMT_POS_MAX);
}

TEST(ScanBounds, MoreRecordsThanCanWaitProveThemselves)
{
	LogImage log({.record_max = 64, .area_len = 8192});

	for (int i = 0; i < 1300; i++)
		log.write(one(i));
	EXPECT_TRUE(Scan(log).gave(1300));

	log.tear(log.written[900], 1);
	Scan s(log);
	EXPECT_EQ(s.r.end, JSCAN_END);
	EXPECT_TRUE(s.gave(900));
}

TEST(ScanBounds, ALateProofServesAllThatWait)
{
	LogImage log({.record_max = 64, .area_len = 8192});

	for (int i = 0; i < 500; i++)
		log.write(one(i));
	log.durable = 500;
	log.write(one(500));
	log.tear(log.written[3], 1);
	EXPECT_TRUE(Scan(log).gave(501));
}

TEST(ScanBounds, TheBufferMayBeAnySizeFromTheMinimum)
{
	LogImage log({.unit = 8, .record_max = 512, .area_len = 4096});

	for (int i = 0; i < 40; i++)
		log.write(one(i, 1 + i * 4 % 300));
	log.written.resize(std::count_if(log.written.begin(), log.written.end(),
		[&](const Record &r) { return r.end().v <= 4096; }));
	for (__u32 buf : {JSCAN_BUF_MIN, JSCAN_BUF_MIN + 1, 333u, 511u, 2048u, 100000u}) {
		Scan s(log, {.buf_sectors = buf});
		EXPECT_FALSE(s.out_of_area) << buf;
		EXPECT_EQ(s.records.size(), Scan(log).records.size()) << buf;
		EXPECT_GE(s.records.size(), 5u);
	}
}

TEST(ScanBounds, SmallRecordsAreReadManyAtATime)
{
	LogImage log({.record_max = 64, .area_len = 8192});

	for (int i = 0; i < 1000; i++)
		log.commit(one(i));
	Scan s(log, {.buf_sectors = 2048, .window = 64});

	EXPECT_TRUE(s.gave(1000));
	EXPECT_LE(s.reads.size(), 6u);
	EXPECT_LE(s.r.read_sectors, log.sb.geo.area_len);
}

// A read error is never the end of the log, wherever it is.
TEST(ScanBounds, NoReadErrorPassesForTheEndOfTheLog)
{
	LogImage log({.unit = 2, .record_max = 64, .area_len = 512});

	for (int i = 0; i < 20; i++)
		log.commit({{(__u64)i, 5}, {300, 2, JFMT_ZEROES}});
	log.write(one(7));
	log.write(one(8));

	const jgeo &g = log.sb.geo;
	Scan whole(log, {.window = 64});
	ASSERT_TRUE(whole.gave(22));
	int failed = 0;

	for (__u64 off = 0; off < g.area_len; off++) {
		Scan s(log, {.window = 64, .bad_sectors = {g.area_start + off}});

		ASSERT_FALSE(s.out_of_area);
		ASSERT_TRUE(s.gave(s.records.size())) << off;
		if (s.r.end == JSCAN_END) {
			// what cannot be read was not needed
			EXPECT_TRUE(s.gave(22)) << off;
			EXPECT_EQ(s.r.error, 0) << off;
			continue;
		}
		failed++;
		EXPECT_EQ(s.r.end, JSCAN_UNREADABLE) << off;
		EXPECT_EQ(s.r.error, -EIO);
		EXPECT_LE(s.r.error_dev, g.area_start + off);
		EXPECT_GT(s.r.error_dev + 64, g.area_start + off);
		EXPECT_LE(s.r.head_dev, g.area_start + off);
	}
	// every header, the payload of the last two records, and the window behind them
	EXPECT_GE(failed, 22 * 2 + 4 + 60);
}

TEST(ScanBounds, AnUnreadableHeaderIsNotCalledDamage)
{
	LogImage log;

	for (int i = 0; i < 10; i++)
		log.commit(one(i));
	log.sb.durable_seq = 10;
	const __u64 bad = jring_dev(&log.sb.geo, log.written[4].pos);
	Scan s(log, {.bad_sectors = {bad}});

	EXPECT_EQ(s.r.end, JSCAN_UNREADABLE);
	EXPECT_EQ(s.r.error, -EIO);
	EXPECT_EQ(s.r.error_dev, bad);
	EXPECT_EQ(s.r.head_dev, bad);
	EXPECT_TRUE(s.gave(4));
	EXPECT_EQ(s.r.seen_seq, 10u);
	EXPECT_STREQ(s.r.why, "cannot read the record behind 4");
}

TEST(ScanBounds, AReadErrorBehindTheHoleDoesNotHideProvenDamage)
{
	LogImage log;

	for (int i = 0; i < 10; i++)
		log.commit(one(i));
	log.lose(log.written[3]);
	const jgeo &g = log.sb.geo;
	Scan s(log, {.bad_sectors = {jring_dev(&g, log.written[7].pos)}});

	EXPECT_EQ(s.r.end, JSCAN_DAMAGE);
	EXPECT_EQ(s.r.error, 0);
	EXPECT_TRUE(s.gave(3));
}

// Every bit of a small log, flipped: nothing is handed out that was not written,
// in any order but the written one, and a record that was durable is never
// missed in silence.
TEST(ScanBounds, NoFlippedBitYieldsARecordThatWasNotWritten)
{
	LogImage log({.record_max = 8, .area_len = 32});

	for (int i = 0; i < 14; i++) {
		log.commit({{(__u64)i, 1}, {50, 4, JFMT_DISCARD}});
		if (i == 9)
			log.move_tail(log.written[i]);
	}
	log.write(one(60, 1));
	ASSERT_TRUE(Scan(log).gave(10, 5));

	const __u64 first = log.sb.geo.area_start * JFMT_SECTOR * 8;
	int shorter = 0;

	for (__u64 bit = first; bit < log.bytes.size() * 8; bit++) {
		log.flip(bit);
		Scan s(log);
		log.flip(bit);
		ASSERT_FALSE(s.out_of_area) << bit;
		ASSERT_TRUE(s.gave(10, s.records.size())) << bit;
		if (s.records.size() < 4) {
			ASSERT_EQ(s.r.end, JSCAN_DAMAGE) << bit;
			shorter++;
		} else if (s.records.size() < 5) {
			ASSERT_EQ(s.r.end, JSCAN_END) << bit;
		}
	}
	EXPECT_GT(shorter, 3 * 512 * 8);
}

} // namespace

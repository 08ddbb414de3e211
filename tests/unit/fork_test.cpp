// SPDX-License-Identifier: GPL-2.0-only
//
// The fork fingerprint against a home in memory.
//
// Always true: what a checkpoint, torn at any sector, may have left at home is
// accepted; what only another writer can have left there is not.
// Seen red: the log not asked for a changed sector (a torn checkpoint is called a
// fork); a log without records judged (a home used after its log was emptied); what
// is in the home's cache recorded as what it holds; a damaged log not judged.
#include <gtest/gtest.h>

#include "logimage.h"

extern "C" {
#include "../../dm-journal/fork.h"
}

namespace {

constexpr __u64 home_sectors = 1 << 17;
constexpr __u32 buf_sectors = JSCAN_BUF_MIN + 8;

class Fork : public testing::Test {
protected:
	Fork()
	{
		log.sb.geo.home_len = home_sectors;
		EXPECT_EQ(check(), 0);
	}

	static int read_log(void *ctx, __u64 sector, void *buf, __u32 sectors)
	{
		Fork *f = static_cast<Fork *>(ctx);

		EXPECT_EQ((sector - f->log.sb.geo.area_start) % f->log.sb.geo.unit, 0u);
		EXPECT_LE((sector + sectors) * JFMT_SECTOR, f->log.bytes.size());
		memcpy(buf, &f->log.bytes[sector * JFMT_SECTOR], sectors * JFMT_SECTOR);
		return 0;
	}

	static int read_home(void *ctx, __u64 sector, void *buf, __u32 sectors)
	{
		Fork *f = static_cast<Fork *>(ctx);

		EXPECT_EQ(sector % 8, 0u);
		EXPECT_LE(sector + sectors, home_sectors);
		if (f->unreadable >= sector && f->unreadable < sector + sectors)
			return -EIO;
		memcpy(buf, &f->home[sector * JFMT_SECTOR], sectors * JFMT_SECTOR);
		return 0;
	}

	int check()
	{
		const jfork_ops ops = {read_log, read_home};
		std::vector<__u8> buf(buf_sectors * JFMT_SECTOR);

		sector = ~0ull;
		return jfork_check(&log.sb, &ops, this, buf.data(), buf_sectors, &sector);
	}

	// A checkpoint of extent @i of @r, of @len sectors from @skip on.
	void to_home(const Record &r, size_t i, __u32 skip, __u32 len)
	{
		const Extent &x = r.extents[i];

		for (__u32 s = skip; s < skip + len; s++) {
			__u8 *to = &home[(x.home + s) * JFMT_SECTOR];
			if (x.kind == JFMT_DATA)
				memcpy(to, log.at(jpos_add(r.at[i], s)), JFMT_SECTOR);
			else if (x.kind == JFMT_ZEROES)
				memset(to, 0, JFMT_SECTOR);
			else
				memset(to, 0x5a, JFMT_SECTOR);
		}
	}

	void write_elsewhere(__u64 at) { home[at * JFMT_SECTOR + 17] ^= 1; }
	__u32 crc_of(__u64 at) const { return jpayload_crc(0, &home[at * JFMT_SECTOR], JFMT_SECTOR); }

	LogImage log;
	std::vector<__u8> home = std::vector<__u8>(home_sectors * JFMT_SECTOR, 0xaa);
	__u64 unreadable = ~0ull, sector = 0;
};

TEST_F(Fork, AHomeThatIsAsItWasIsAccepted)
{
	log.commit({{0, 8}, {100, 8}});
	EXPECT_EQ(check(), 0);
	EXPECT_TRUE(log.sb.flags & JFMT_SUPER_FP);
}

TEST_F(Fork, AWriteToAnyFixedPlaceIsSeen)
{
	log.commit({{500, 8}});
	for (__u64 at : {0ull, 1ull, 2ull, 8ull, 128ull, home_sectors - 1}) {
		write_elsewhere(at);
		EXPECT_EQ(check(), -ESTALE) << at;
		EXPECT_EQ(sector, at);
		write_elsewhere(at);
		EXPECT_EQ(check(), 0) << at;
	}
}

TEST_F(Fork, AWriteOverWhatACheckpointWroteIsSeen)
{
	log.commit({{500, 8}});
	jfork_note(&log.sb, 70000, true, crc_of(70000));
	EXPECT_EQ(check(), 0);
	write_elsewhere(70000);
	EXPECT_EQ(check(), -ESTALE);
	EXPECT_EQ(sector, 70000u);
}

TEST_F(Fork, ACheckpointTornAtAnySectorIsAccepted)
{
	const Record older = log.commit({{0, 16}, {124, 8}}), newer = log.commit({{2, 10}});

	for (const Record &r : {older, newer})
		for (size_t i = 0; i < r.extents.size(); i++)
			for (__u32 s = 0; s < r.extents[i].len; s++) {
				to_home(r, i, s, 1);
				jsuper before = log.sb;
				EXPECT_EQ(check(), 0) << r.seq << " " << i << " " << s;
				log.sb = before;
			}
	// and the one before the last again, as a repeated batch leaves it
	to_home(older, 0, 0, 16);
	EXPECT_EQ(check(), 0);
}

// A recovery sees what is in the home's cache: it may be lost in the next power cut.
TEST_F(Fork, WhatWasOnlyInTheHomesCacheMayBeLostAfterACheck)
{
	const std::vector<__u8> before = home;
	const Record r = log.commit({{0, 16}, {128, 4}});

	to_home(r, 0, 0, 16);
	to_home(r, 1, 0, 4);
	EXPECT_EQ(check(), 0);
	home = before;
	EXPECT_EQ(check(), 0);
	to_home(r, 0, 0, 2);
	EXPECT_EQ(check(), 0);
	write_elsewhere(128);
	EXPECT_EQ(check(), -ESTALE);
}

TEST_F(Fork, WhatTheLogHasForAnotherPlaceIsAFork)
{
	const Record r = log.commit({{0, 2}, {600, 2}});

	memcpy(&home[2 * JFMT_SECTOR], log.at(r.at[0]), JFMT_SECTOR);
	EXPECT_EQ(check(), -ESTALE);
	EXPECT_EQ(sector, 2u);
}

TEST_F(Fork, ZeroesAndDiscardsOnTheirWayHomeAreAccepted)
{
	const Record r = log.commit({{0, 4, JFMT_ZEROES}, {128, 4, JFMT_DISCARD}});

	to_home(r, 0, 0, 4);
	to_home(r, 1, 0, 4);
	EXPECT_EQ(check(), 0);
	write_elsewhere(1);
	EXPECT_EQ(check(), -ESTALE);
}

TEST_F(Fork, WithNothingToReplayTheHomeMayHaveGoneOn)
{
	write_elsewhere(2);
	EXPECT_EQ(check(), 0);
	log.commit({{500, 8}});
	EXPECT_EQ(check(), 0);
	write_elsewhere(2);
	EXPECT_EQ(check(), -ESTALE);
}

TEST_F(Fork, ADamagedLogIsNoExcuseUnlessTheHomeMayBeAheadOfTheDamage)
{
	log.commit({{500, 8}});
	const Record hole = log.commit({{600, 8}});
	log.commit({{700, 8}});
	log.lose(hole);
	log.sb.durable_seq = hole.seq + 1;
	log.sb.ckpt_to_seq = hole.seq - 1;
	write_elsewhere(128);
	EXPECT_EQ(check(), -ESTALE);
	EXPECT_EQ(sector, 128u);
	log.sb.ckpt_to_seq = hole.seq;
	EXPECT_EQ(check(), 0);
}

TEST_F(Fork, WithoutAFingerprintItIsTaken)
{
	log.commit({{500, 8}});
	log.sb.flags &= ~JFMT_SUPER_FP;
	write_elsewhere(2);
	EXPECT_EQ(check(), 0);
	write_elsewhere(2);
	EXPECT_EQ(check(), -ESTALE);
}

TEST_F(Fork, AnUnreadableSectorTellsNothing)
{
	log.commit({{500, 8}});
	write_elsewhere(2);
	unreadable = 5;
	EXPECT_EQ(check(), 0);
	unreadable = ~0ull;
	write_elsewhere(2);
	EXPECT_EQ(check(), 0);
}

TEST_F(Fork, UnknownContentsTellNothingUntilTheyAreReadAgain)
{
	log.commit({{500, 8}});
	jfork_note(&log.sb, 8, false, 0);
	write_elsewhere(8);
	EXPECT_EQ(check(), 0);
	write_elsewhere(8);
	EXPECT_EQ(check(), -ESTALE);
	EXPECT_EQ(sector, 8u);
}

TEST_F(Fork, NewPlacesTakeTheTurnOfOldOnesNeverOfFixedOnes)
{
	for (int i = 0; i < 100; i++) {
		log.sb.generation++;
		jfork_note(&log.sb, 1000 + i, true, crc_of(1000 + i));
	}
	log.commit({{500, 8}});
	EXPECT_EQ(check(), 0);
	write_elsewhere(1000);			// forgotten
	EXPECT_EQ(check(), 0);
	write_elsewhere(1099);
	EXPECT_EQ(check(), -ESTALE);
	write_elsewhere(1099);
	write_elsewhere(0);
	EXPECT_EQ(check(), -ESTALE);
}

} // namespace

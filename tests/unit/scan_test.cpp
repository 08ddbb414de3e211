// SPDX-License-Identifier: GPL-2.0-only
//
// What a scan accepts, and where it says the log ends.
//
// "Catches:" names the change of scan.c or codec.c that the test was seen to fail on.
#include <gtest/gtest.h>

#include "logimage.h"

namespace {

std::vector<Extent> one(__u64 home, __u32 len = 3) { return {{home, len}}; }

// A log of @n acknowledged records.
LogImage log_of(int n, const Shape &shape = {})
{
	LogImage log(shape);

	for (int i = 0; i < n; i++)
		log.commit(one(100 + i));
	return log;
}

TEST(Scan, FreshLogIsEmpty)
{
	LogImage log;
	Scan s(log);

	EXPECT_EQ(s.r.end, JSCAN_END);
	EXPECT_TRUE(s.gave(0));
	EXPECT_EQ(s.r.head.v, 0u);
	EXPECT_EQ(s.r.head_dev, log.sb.geo.area_start);
	EXPECT_EQ(s.r.last_seq, 0u);
	EXPECT_EQ(s.r.last_crc, (__u32)log.sb.geo.nonce);
	EXPECT_EQ(s.r.seen_seq, 0u);
	EXPECT_STREQ(s.r.why, "no record");
}

TEST(Scan, RecordsComeOutWholeAndInOrder)
{
	LogImage log = log_of(20);

	log.commit({{5, 1}, {9, 2, JFMT_DISCARD}, {9, 4}, {77, 9, JFMT_ZEROES}});
	Scan s(log);

	EXPECT_EQ(s.r.end, JSCAN_END);
	ASSERT_TRUE(s.gave(21));
	EXPECT_EQ(s.r.last_seq, 21u);
	EXPECT_EQ(s.r.last_crc, log.link_crc);
	EXPECT_EQ(s.r.head.v, log.head.v);
	EXPECT_EQ(s.r.durable_seq, 20u);
	EXPECT_EQ(s.r.records, 21u);
	EXPECT_EQ(s.r.extents, 24u);
	EXPECT_EQ(s.r.payload_sectors, 65u);
	for (size_t i = 0; i < s.records.back().at.size(); i++)
		EXPECT_EQ(s.records.back().at[i].v, log.written.back().at[i].v) << i;
}

// Catches: the start of the next lap not tried; reads across the end of the area.
TEST(Scan, RecordsCrossManyLapsAndNeverTheEndOfTheArea)
{
	for (__u32 unit : {1u, 2u, 4u, 8u}) {
		LogImage log({.unit = unit, .record_max = 64, .area_len = 320});

		for (int i = 0; i < 500; i++) {
			log.commit(one(i, 1 + i % 40));
			if (i >= 3)
				log.move_tail(log.written[i - 3]);
			Scan s(log);
			ASSERT_EQ(s.r.end, JSCAN_END) << "unit " << unit << " record " << i;
			size_t live = i < 3 ? i + 1 : 3;
			ASSERT_TRUE(s.gave(i + 1 - live, live)) << unit << " " << i;
			ASSERT_FALSE(s.out_of_area);
		}
		EXPECT_GT(log.head.v / log.sb.geo.area_len, 20u);
	}
}

TEST(Scan, TheSmallestAreaWorks)
{
	LogImage log({.unit = 1, .record_max = 3, .area_len = 12});

	for (int i = 0; i < 100; i++) {
		log.commit(one(i, 1 + i % 2));
		if (i)
			log.move_tail(log.written[i - 1]);
		Scan s(log);
		ASSERT_EQ(s.r.end, JSCAN_END);
		ASSERT_TRUE(s.gave(i ? i : 0, 1)) << i;
		ASSERT_FALSE(s.out_of_area);
	}
}

TEST(Scan, ALogThatIsExactlyFullIsReadToItsEnd)
{
	LogImage log({.record_max = 64, .area_len = 256});

	for (int i = 0; i < 64; i++)
		log.commit(one(i));
	Scan s(log);

	EXPECT_EQ(log.head.v, 256u);
	EXPECT_EQ(s.r.end, JSCAN_END);
	EXPECT_TRUE(s.gave(64));
	EXPECT_EQ(s.r.head_dev, log.sb.geo.area_start);
}

TEST(Scan, NoRecordReachesIntoTheTail)
{
	LogImage log({.record_max = 64, .area_len = 256, .first_pos = 12});

	while (log.head.v < 256)
		log.commit(one(log.head.v));
	log.tail_pos = jpos(40);
	log.tail_seq = 7;
	const size_t n = log.written.size();
	const std::vector<__u8> before = log.bytes;
	log.commit(one(0, 20));
	const Record last = log.written.back();
	// what the record overwrote of the tail is there again
	memcpy(log.at(jpos(12)), &before[(log.sb.geo.area_start + 12) * JFMT_SECTOR],
	       9 * JFMT_SECTOR);
	ASSERT_EQ(last.pos.v, 256u);
	log.sb.durable_seq = last.seq;		// so its payload is not looked at
	Scan s(log);
	EXPECT_TRUE(s.gave(n));
	EXPECT_EQ(s.r.end, JSCAN_DAMAGE);
}

TEST(Scan, ARecordOfManyDescriptorsIsReadWhole)
{
	LogImage log({.record_max = 512, .area_len = 4096});
	std::vector<Extent> many;

	for (int i = 0; i < 100; i++)
		many.push_back({(__u64)i * 10, 1 + (__u32)i % 3,
				i % 7 ? JFMT_DATA : JFMT_DISCARD});
	log.commit(many);
	log.commit(many);
	Scan s(log);

	EXPECT_EQ(s.r.end, JSCAN_END);
	ASSERT_TRUE(s.gave(2));
	EXPECT_EQ(s.records[1].at.back().v, log.written[1].at.back().v);
}

TEST(Scan, ATornHeaderEndsTheLog)
{
	LogImage log = log_of(5);

	log.tear(log.written[4], 0);
	Scan s(log);

	EXPECT_EQ(s.r.end, JSCAN_END);
	EXPECT_TRUE(s.gave(4));
	EXPECT_EQ(s.r.head.v, log.written[4].pos.v);
}

// Catches: payload taken unverified beyond the durable sequence.
TEST(Scan, TornPayloadThatNobodyCallsDurableEndsTheLog)
{
	LogImage log = log_of(4);

	log.write(one(200));
	log.write(one(201));
	log.tear(log.written[4], 2);
	Scan s(log);

	EXPECT_EQ(s.r.end, JSCAN_END);
	EXPECT_TRUE(s.gave(4));
	EXPECT_EQ(s.r.last_seq, 4u);
	EXPECT_EQ(s.r.seen_seq, 6u);
	EXPECT_STREQ(s.r.why,
		     "payload of record 5 for home sector 200 fails its checksum");
}

TEST(Scan, APayloadLargerThanTheWindowIsVerifiedToItsLastSector)
{
	for (__u32 unit : {1u, 8u}) {
		LogImage log({.unit = unit, .record_max = 2048, .area_len = 8192});

		log.write({{0, 7}, {100, 1900}});
		EXPECT_TRUE(Scan(log).gave(1));
		log.tear(log.written[0], unit + 7 + 1899);
		Scan s(log);
		EXPECT_EQ(s.r.end, JSCAN_END);
		EXPECT_TRUE(s.gave(0)) << unit;
		EXPECT_FALSE(s.out_of_area);
	}
}

TEST(Scan, PayloadThatIsKnownToBeDurableIsNotEvenRead)
{
	LogImage log({.record_max = 2048, .area_len = 16384});

	for (int i = 0; i < 5; i++)
		log.commit(one(0, 1500));
	log.sb.durable_seq = 5;
	log.tear(log.written[2], 700);
	Scan s(log, {.window = 0});

	EXPECT_EQ(s.r.end, JSCAN_END);
	EXPECT_TRUE(s.gave(5));
	EXPECT_FALSE(s.touched(jring_dev(&log.sb.geo, jpos_add(log.written[2].pos, 700))));
	EXPECT_LT(s.r.read_sectors, 1000u);
}

TEST(Scan, ALaterHeaderOfTheChainMakesARecordDurable)
{
	LogImage log;

	log.commit(one(1));
	log.commit(one(2));
	log.tear(log.written[0], 1);
	Scan s(log);

	EXPECT_EQ(s.r.end, JSCAN_END);
	EXPECT_TRUE(s.gave(2));
}

TEST(Scan, ATornDescriptorBelowTheDurableSequenceIsDamage)
{
	LogImage log({.record_max = 512, .area_len = 4096});
	std::vector<Extent> many;

	for (int i = 0; i < 60; i++)
		many.push_back({(__u64)i, 1});
	log.commit(one(1));
	log.commit(many);
	log.commit(one(2));
	log.tear(log.written[1], 1 + jgeo_header_extents(&log.sb.geo));
	Scan s(log);

	EXPECT_EQ(s.r.end, JSCAN_DAMAGE);
	EXPECT_TRUE(s.gave(1));
	EXPECT_EQ(s.r.head.v, log.written[1].pos.v);
	EXPECT_STREQ(s.r.why, "descriptor of record 2 torn");
	EXPECT_EQ(s.r.durable_seq, 2u);
	EXPECT_EQ(s.r.seen_seq, 3u);
}

TEST(Scan, ATornDescriptorThatNobodyCallsDurableEndsTheLog)
{
	LogImage log({.record_max = 512, .area_len = 4096});
	std::vector<Extent> many;

	for (int i = 0; i < 60; i++)
		many.push_back({(__u64)i, 1});
	log.commit(one(1));
	log.write(many);
	log.tear(log.written[1], 1 + jgeo_header_extents(&log.sb.geo));
	Scan s(log);

	EXPECT_EQ(s.r.end, JSCAN_END);
	EXPECT_TRUE(s.gave(1));
}

// Catches: no damage rule (every hole is the end of the log).
TEST(Scan, AHoleBeforeARecordThatProvesItDurableIsDamage)
{
	LogImage log = log_of(10);

	log.lose(log.written[6]);
	Scan s(log);

	EXPECT_EQ(s.r.end, JSCAN_DAMAGE);
	EXPECT_TRUE(s.gave(6));
	EXPECT_EQ(s.r.last_seq, 6u);
	EXPECT_EQ(s.r.head.v, log.written[6].pos.v);
	EXPECT_EQ(s.r.head_dev, jring_dev(&log.sb.geo, log.written[6].pos));
	EXPECT_EQ(s.r.durable_seq, 9u);
	EXPECT_EQ(s.r.seen_seq, 10u);
}

TEST(Scan, TheProofMayLieBehindTheEndOfTheLap)
{
	LogImage log({.record_max = 64, .area_len = 256});
	int i = 0;

	for (; log.head.v < 240; i++)
		log.commit(one(i));
	log.move_tail(log.written[i - 20]);
	log.commit(one(1, 40));
	log.commit(one(2));
	log.lose(log.written[i]);
	Scan s(log);

	EXPECT_EQ(log.written[i].pos.v, 256u);
	EXPECT_EQ(s.r.end, JSCAN_DAMAGE);
	EXPECT_TRUE(s.gave(i - 19, 19));
}

TEST(Scan, AHoleBeforeRecordsThatWereOnlyInFlightIsTheEnd)
{
	LogImage log = log_of(4);

	for (int i = 0; i < 4; i++)
		log.write(one(i));
	log.lose(log.written[5]);
	Scan s(log);

	EXPECT_EQ(s.r.end, JSCAN_END);
	EXPECT_TRUE(s.gave(5));
	EXPECT_EQ(s.r.durable_seq, 4u);
	EXPECT_EQ(s.r.seen_seq, 8u);
}

TEST(Scan, AHeaderThatProvesDamageIsFoundInTheWholeWindow)
{
	LogImage log = log_of(10);

	for (int i = 3; i < 9; i++)
		log.lose(log.written[i]);
	const __u64 far = log.written[9].pos.v - log.written[3].pos.v;

	EXPECT_EQ(Scan(log, {.window = far}).r.end, JSCAN_END);
	EXPECT_EQ(Scan(log, {.window = far + 1}).r.end, JSCAN_DAMAGE);
}

// Catches: a search that what it finds does not extend.
TEST(Scan, TheSearchFindsTheLastOfAllSequencesBehindDamage)
{
	LogImage log({.record_max = 64, .area_len = 8192});

	for (int i = 0; i < 1500; i++)
		log.commit(one(i));
	for (int i : {100, 700, 701, 1300})
		log.lose(log.written[i]);
	Scan s(log, {.window = 32});

	EXPECT_EQ(s.r.end, JSCAN_DAMAGE);
	EXPECT_EQ(s.r.last_seq, 100u);
	EXPECT_EQ(s.r.seen_seq, 1500u);
	EXPECT_EQ(s.r.durable_seq, 1499u);
}

TEST(Scan, AnEndBelowTheSuperblocksDurableSequenceIsDamage)
{
	LogImage log = log_of(3);

	log.sb.durable_seq = 4;
	EXPECT_EQ(Scan(log).r.end, JSCAN_DAMAGE);
	log.sb.durable_seq = 3;
	EXPECT_EQ(Scan(log).r.end, JSCAN_END);
}

TEST(Scan, AnEndInsideABatchThatMayBePartlyAtHomeIsDamage)
{
	LogImage log = log_of(3);

	log.sb.ckpt_to_seq = 4;
	Scan s(log);
	EXPECT_EQ(s.r.end, JSCAN_DAMAGE);
	EXPECT_EQ(s.r.durable_seq, 4u);
	log.sb.ckpt_to_seq = 3;
	EXPECT_EQ(Scan(log).r.end, JSCAN_END);
}

// Catches: own position not checked.
TEST(Scan, AStaleLapIsNotReadAgain)
{
	LogImage log({.record_max = 64, .area_len = 256});

	for (int i = 0; i < 64; i++)
		log.commit(one(i));
	log.move_tail(log.written[62]);
	// the link alone would let the first record of the lap follow
	log.link_seq = 0;
	log.link_crc = (__u32)log.sb.geo.nonce;
	log.sb.tail_pos = jpos(256);
	log.sb.tail_seq = log.sb.durable_seq = 0;
	log.sb.tail_crc = log.link_crc;
	Scan s(log);

	EXPECT_EQ(s.r.end, JSCAN_END);
	EXPECT_TRUE(s.gave(0));
	EXPECT_EQ(s.r.seen_seq, 0u);
}

// Catches: the nonce left out of header and seed (either of them is enough to pass).
TEST(Scan, AFormerFormatIsNotReadAgain)
{
	LogImage old = log_of(8);
	LogImage log({.nonce = 0x8877665544332211});

	log.bytes = old.bytes;
	log.sb.tail_crc = log.link_crc = old.sb.tail_crc;	// the worst case
	Scan s(log);
	EXPECT_EQ(s.r.end, JSCAN_END);
	EXPECT_TRUE(s.gave(0));
	EXPECT_EQ(s.r.seen_seq, 0u);
}

// Catches: link not checked.
TEST(Scan, ARecordFollowsOnlyTheOneThatItNames)
{
	LogImage log = log_of(3);
	__u32 crc = log.link_crc;

	log.link_crc = crc ^ 1;
	log.write(one(1));
	Scan s(log);
	EXPECT_EQ(s.r.end, JSCAN_END);
	EXPECT_TRUE(s.gave(3));
	EXPECT_STREQ(s.r.why, "record 4 does not follow record 3");

	LogImage other = log_of(3);
	other.link_seq = 2;
	other.durable = 2;
	other.write(one(1));
	EXPECT_TRUE(Scan(other).gave(3));
}

TEST(Scan, EpochsNeverGoBack)
{
	LogImage log;

	log.epoch = 5;
	log.commit(one(1));
	log.epoch = 5;
	log.commit(one(2));
	log.epoch = 4;
	log.write(one(3));
	Scan s(log);

	EXPECT_TRUE(s.gave(2));
	EXPECT_EQ(s.r.last_epoch, 5u);
}

TEST(Scan, TheLastEpochIsTheGreatestKnown)
{
	LogImage log = log_of(3);

	log.sb.epoch = 9;
	EXPECT_EQ(Scan(log).r.last_epoch, 9u);
}

// Catches: no barrier rule (records of the lost branch accepted).
TEST(Scan, ALostBranchNeverComesBackBehindABarrier)
{
	LogImage log = log_of(4);

	log.write(one(50));
	log.write(one(51));
	std::vector<__u8> before = log.bytes;
	log.barrier(log.written[3]);
	log.bytes = before;
	Scan s(log);

	EXPECT_EQ(s.r.end, JSCAN_END);
	EXPECT_TRUE(s.gave(4));
	EXPECT_EQ(s.r.last_seq, 4u);
	EXPECT_STREQ(s.r.why, "record 5 does not follow record 4");
	EXPECT_GE(s.r.seen_seq, log.sb.first_new_seq - 1);
}

TEST(Scan, TheNewBranchFollowsTheBarrier)
{
	LogImage log = log_of(4);

	log.write(one(50, 20));
	log.write(one(51));
	log.barrier(log.written[3]);
	log.commit(one(60));
	log.commit(one(61));
	Scan s(log);

	EXPECT_EQ(s.r.end, JSCAN_END);
	ASSERT_EQ(s.records.size(), 6u);
	EXPECT_EQ(s.records[4], log.written[6]);
	EXPECT_EQ(s.records[5], log.written[7]);
	EXPECT_EQ(s.r.last_seq, log.sb.first_new_seq + 1);
}

TEST(Scan, ALostBranchProvesNothing)
{
	LogImage log = log_of(10);

	log.barrier(log.written[3]);	// as after --accept-loss, or a rollback
	Scan s(log);
	EXPECT_EQ(s.r.end, JSCAN_END);
	EXPECT_TRUE(s.gave(4));

	log.sb.durable_seq = log.sb.ckpt_to_seq = 9;
	EXPECT_EQ(Scan(log).r.end, JSCAN_END);
}

// Catches: the search passes over what a header of a lost branch once covered.
TEST(Scan, ALostBranchHidesNothing)
{
	LogImage log = log_of(4);
	const Record lost = log.write(one(50, 20));
	const std::vector<__u8> left(log.at(lost.pos), log.at(lost.pos) + JFMT_SECTOR);

	log.barrier(log.written[3]);
	for (int i = 0; i < 3; i++)
		log.commit(one(60 + i));
	memcpy(log.at(lost.pos), left.data(), left.size());	// the first one never arrived
	EXPECT_EQ(Scan(log).r.end, JSCAN_DAMAGE);
}

// Catches: barrier_seq not taken for durable; barrier_crc ignored.
TEST(Scan, ALogThatLostTheRecordOfItsBarrierIsDamaged)
{
	LogImage log = log_of(4);

	log.barrier(log.written[3]);
	log.sb.durable_seq = 0;
	log.lose(log.written[3]);
	EXPECT_EQ(Scan(log).r.end, JSCAN_DAMAGE);

	LogImage other = log_of(4);
	other.barrier(other.written[3]);
	other.sb.barrier_crc ^= 1;
	Scan s(other);
	EXPECT_EQ(s.r.end, JSCAN_DAMAGE);
	EXPECT_TRUE(s.gave(3));
}

// Catches: barrier_pos ignored.
TEST(Scan, NothingIsAcceptedBehindABarrierButWhereItWasWritten)
{
	LogImage log = log_of(4);

	log.barrier(log.written[3]);
	log.commit(one(60));
	log.sb.barrier_pos = jpos_add(log.sb.barrier_pos, 4);
	EXPECT_TRUE(Scan(log).gave(4));
}

TEST(Scan, RepeatedRecoveriesKeepOneBranch)
{
	LogImage log({.record_max = 64, .area_len = 2048});
	std::vector<Record> kept;

	for (int round = 0; round < 20; round++) {
		kept.push_back(log.commit(one(round)));
		log.write(one(round, 9));
		log.write(one(round, 2));
		log.barrier(kept.back());
		Scan s(log);
		ASSERT_EQ(s.r.end, JSCAN_END) << round;
		ASSERT_EQ(s.records, kept) << round;
	}
}

TEST(Scan, ATailInAnAcceptedHeaderShortensTheReplay)
{
	LogImage log = log_of(6);

	log.head_tail(log.written[4]);
	log.commit(one(1));
	Scan s(log);
	EXPECT_EQ(s.r.tail_seq, 5u);
	EXPECT_EQ(s.r.tail_pos.v, log.written[4].end().v);
	EXPECT_TRUE(s.gave(7));

	// but not in one that was not accepted
	log.head_tail(log.written[5]);
	log.write(one(2));
	log.tear(log.written[7], 1);
	EXPECT_EQ(Scan(log).r.tail_seq, 5u);
}

// Catches: headers of later laps taken for none.
TEST(Scan, ASuperblockThatIsNotTheNewestDoesNotMakeTheLogEmpty)
{
	LogImage log({.record_max = 64, .area_len = 256});
	const jsuper first = log.sb;

	for (int i = 0; i < 70; i++) {
		log.commit(one(i));
		if (i >= 10)
			log.move_tail(log.written[i - 10]);
	}
	EXPECT_EQ(Scan(log).r.end, JSCAN_END);
	log.sb = first;
	Scan s(log);

	EXPECT_EQ(s.r.end, JSCAN_DAMAGE);
	EXPECT_TRUE(s.gave(0, 0));
	EXPECT_EQ(s.r.seen_seq, 70u);
	EXPECT_STREQ(s.r.why, "record 70 of a later lap: the superblock is not the newest");
}

TEST(Scan, ACallbackEndsTheScan)
{
	LogImage log = log_of(6);
	Scan s(log, {.stop_at = 4});

	EXPECT_EQ(s.r.end, JSCAN_STOPPED);
	EXPECT_EQ(s.r.error, 77);
	EXPECT_TRUE(s.gave(3));
	EXPECT_EQ(s.r.last_seq, 3u);
	EXPECT_EQ(s.r.head.v, log.written[3].pos.v);
}

} // namespace

// SPDX-License-Identifier: GPL-2.0-only
/*
 * The oracle on histories and images made by hand: each rule is seen to hold, and to be violated by one change.
 */
#include <gtest/gtest.h>

#include "oracle.h"

using namespace crash;

namespace {

constexpr uint64_t SECTORS = 16;
constexpr uint32_t ATOMIC = 8;

/* A history under construction. Each call is one event; what it returns names the operation. */
class Story {
public:
	uint32_t submit(Kind kind, uint64_t sector = 0, uint32_t sectors = 1)
	{
		events.push_back({.sector = sector, .sectors = sectors, .op = next, .kind = kind, .phase = Phase::submit});
		return next++;
	}

	void complete(uint32_t op, int32_t status = 0)
	{
		events.push_back({.op = op, .status = status, .phase = Phase::complete});
	}

	/* From submission to completion with nothing in between. */
	uint32_t whole(Kind kind, uint64_t sector = 0, uint32_t sectors = 1)
	{
		uint32_t op = submit(kind, sector, sectors);

		complete(op);
		return op;
	}

	Run run(Time start) const
	{
		std::vector<Event> made(events.size());

		for (size_t i = 0; i < made.size(); i++) {
			made[i].sector = events[i].sector;
			made[i].sectors = events[i].sectors;
			made[i].op = events[i].op;
			made[i].status = events[i].status;
			made[i].kind = events[i].kind;
			made[i].phase = events[i].phase;
			made[i].filled = 1;
		}
		return Run(made, start);
	}

private:
	struct Line {
		uint64_t sector = 0;
		uint32_t sectors = 0, op = 0;
		int32_t status = 0;
		Kind kind = Kind::none;
		Phase phase = Phase::submit;
	};
	std::vector<Line> events;
	uint32_t next = 0;
};

using Image = std::vector<Value>;

class OracleTest : public testing::Test {
protected:
	State state{SECTORS};
	Story story;
	Image volume = Image(SECTORS, {Value::tag, 0}), home = volume;

	void put(Image &image, uint32_t op, uint64_t sector, uint32_t sectors = 1)
	{
		for (uint64_t s = sector; s < sector + sectors; s++)
			image[s] = {Value::tag, make_id(state.generation + 1, op)};
	}

	static void zero(Image &image, uint64_t sector, uint32_t sectors = 1)
	{
		for (uint64_t s = sector; s < sector + sectors; s++)
			image[s] = {Value::zero, 0};
	}

	/* The rules that are violated, each once, in order; "" if none is. */
	std::string rules(Home promise = Home::epochs)
	{
		std::string text, last;

		for (const Violation &v : judge(state, story.run(state.now), volume, home, ATOMIC, promise).violations) {
			if (v.rule != last)
				text += (text.empty() ? "" : ", ") + v.rule;
			last = v.rule;
		}
		return text;
	}

	/* This generation was in order; the next one begins. */
	void next(Home promise = Home::epochs)
	{
		ASSERT_EQ(rules(promise), "");
		story = Story();
	}

	/* What both kinds of home make of the same images. */
	void expect(const std::string &epochs, const std::string &record)
	{
		State kept = state;

		EXPECT_EQ(rules(Home::epochs), epochs);
		state = kept;
		EXPECT_EQ(rules(Home::record), record);
		state = kept;
	}
};

TEST_F(OracleTest, NothingHappened)
{
	EXPECT_EQ(rules(), "");
}

TEST_F(OracleTest, WriteWithoutFlushMayBeThereOrNot)
{
	uint32_t w = story.whole(Kind::write, 3, 2);

	EXPECT_EQ(judge(state, story.run(state.now), {}, home, ATOMIC).violations.size(), 0u);
	put(volume, w, 3, 2);
	EXPECT_EQ(rules(), "");
}

TEST_F(OracleTest, FlushedWriteMustBeThere)
{
	uint32_t w = story.whole(Kind::write, 3);
	story.whole(Kind::flush);
	State kept = state;

	put(volume, w, 3);
	EXPECT_EQ(rules(), "");
	state = kept;
	volume[3] = {Value::tag, 0};
	EXPECT_EQ(rules(), "P1 durable");
}

TEST_F(OracleTest, FlushSubmittedBeforeTheWriteCompletedCoversNothing)
{
	uint32_t w = story.submit(Kind::write, 3);
	uint32_t f = story.submit(Kind::flush);

	story.complete(w);
	story.complete(f);
	EXPECT_EQ(rules(), "");
}

TEST_F(OracleTest, FailedFlushCoversNothing)
{
	story.whole(Kind::write, 3);
	uint32_t c = story.submit(Kind::cut);
	uint32_t f = story.submit(Kind::flush);

	(void)c;
	story.complete(f, -EIO);
	EXPECT_EQ(rules(), "");
}

TEST_F(OracleTest, FuaWriteMustBeThere)
{
	story.whole(Kind::fua, 3);
	EXPECT_EQ(rules(), "P1 durable");
}

TEST_F(OracleTest, ErrorBeforeTheCut)
{
	uint32_t w = story.submit(Kind::write, 3);

	story.complete(w, -EIO);
	EXPECT_EQ(rules(), "error");
}

TEST_F(OracleTest, OlderThanTheDurableWrite)
{
	uint32_t a = story.whole(Kind::write, 3);
	story.whole(Kind::fua, 3);

	put(volume, a, 3);
	EXPECT_EQ(rules(), "P1 durable");
}

TEST_F(OracleTest, ConcurrentWritesInEitherOrder)
{
	uint32_t a = story.submit(Kind::write, 3);
	uint32_t b = story.submit(Kind::write, 3);
	State kept = state;

	story.complete(a);
	story.complete(b);
	story.whole(Kind::flush);
	put(volume, a, 3);
	EXPECT_EQ(rules(), "");
	state = kept;
	put(volume, b, 3);
	EXPECT_EQ(rules(), "");
}

TEST_F(OracleTest, HoleInThePrefix)
{
	story.whole(Kind::write, 3);
	uint32_t b = story.whole(Kind::write, 5);

	put(volume, b, 5);
	EXPECT_EQ(rules(), "P2 prefix");
}

TEST_F(OracleTest, ConcurrentWritesLeaveNoHole)
{
	uint32_t a = story.submit(Kind::write, 3);
	uint32_t b = story.submit(Kind::write, 5);

	story.complete(a);
	story.complete(b);
	put(volume, b, 5);
	EXPECT_EQ(rules(), "");
}

TEST_F(OracleTest, TornWrite)
{
	uint32_t w = story.whole(Kind::write, 3, 4);

	put(volume, w, 3, 3);
	EXPECT_EQ(rules(), "P3 atomic");
}

TEST_F(OracleTest, TornWriteBeyondAtomic)
{
	uint32_t w = story.submit(Kind::write, 3, ATOMIC + 1);

	put(volume, w, 3, 3);
	EXPECT_EQ(rules(), "");
}

TEST_F(OracleTest, PartlyOverwrittenIsNotTorn)
{
	uint32_t a = story.whole(Kind::write, 3, 4);
	uint32_t b = story.whole(Kind::write, 5, 1);
	story.whole(Kind::zeroes, 6, 1);

	put(volume, a, 3, 4);
	put(volume, b, 5);
	zero(volume, 6);
	EXPECT_EQ(rules(), "");
}

TEST_F(OracleTest, ZeroesWithoutReason)
{
	zero(volume, 3);
	EXPECT_EQ(rules(), "P1 durable, P2 prefix");
}

TEST_F(OracleTest, DiscardLeavesZeroesOrAnythingOlder)
{
	uint32_t a = story.whole(Kind::fua, 3, 2);
	story.whole(Kind::discard, 3, 2);
	story.whole(Kind::flush);

	zero(volume, 3);
	put(volume, a, 4);
	EXPECT_EQ(rules(), "");
}

TEST_F(OracleTest, WriteZeroesLeavesZeroes)
{
	uint32_t a = story.whole(Kind::fua, 3, 2);
	story.whole(Kind::zeroes, 3, 2);
	story.whole(Kind::flush);

	zero(volume, 3);
	put(volume, a, 4);
	EXPECT_EQ(rules(), "P1 durable");
}

TEST_F(OracleTest, WriteBehindADiscard)
{
	story.whole(Kind::discard, 3);
	story.whole(Kind::fua, 3);

	zero(volume, 3);
	EXPECT_EQ(rules(), "P1 durable");
}

TEST_F(OracleTest, Garbage)
{
	volume[3] = {Value::garbage, 0};
	EXPECT_EQ(rules(), "P1 durable, P2 prefix");
}

TEST_F(OracleTest, WriteThatWasNeverSubmitted)
{
	put(volume, 7, 3);
	EXPECT_EQ(rules(), "P1 durable, P2 prefix");
}

TEST_F(OracleTest, WriteOfAnotherSector)
{
	uint32_t w = story.whole(Kind::write, 3);

	put(volume, w, 4);
	EXPECT_EQ(rules(), "P1 durable, P2 prefix");
}

TEST_F(OracleTest, HomeMayBeOld)
{
	uint32_t a = story.whole(Kind::fua, 3);
	uint32_t b = story.whole(Kind::fua, 4);

	put(volume, a, 3);
	put(volume, b, 4);
	put(home, a, 3);
	EXPECT_EQ(rules(), "");
}

TEST_F(OracleTest, HomeHasTheLaterEpochWithoutTheEarlier)
{
	uint32_t a = story.whole(Kind::fua, 3);
	uint32_t b = story.whole(Kind::fua, 4);

	put(volume, a, 3);
	put(volume, b, 4);
	put(home, b, 4);
	EXPECT_EQ(rules(), "P4 home");
}

TEST_F(OracleTest, HomeHasAnyPartOfAnEpoch)
{
	uint32_t a = story.whole(Kind::write, 3, 2);
	uint32_t b = story.whole(Kind::write, 5);
	story.whole(Kind::flush);

	put(volume, a, 3, 2);
	put(volume, b, 5);
	put(home, a, 4);
	put(home, b, 5);
	EXPECT_EQ(rules(), "");
}

TEST_F(OracleTest, HomeZeroesOfTheWrongTime)
{
	/* Zeroes are explained by the first operation or by the third, never together with the second. */
	story.whole(Kind::zeroes, 3);
	uint32_t b = story.whole(Kind::fua, 3);
	uint32_t c = story.whole(Kind::fua, 4);
	story.whole(Kind::fua, 5);
	story.whole(Kind::zeroes, 3);
	State kept = state;

	(void)b;
	put(home, c, 4);
	zero(home, 3);
	EXPECT_NE(judge(state, story.run(state.now), {}, home, ATOMIC).violations.size(), 0u);
	state = kept;
	put(home, b, 3);
	EXPECT_EQ(judge(state, story.run(state.now), {}, home, ATOMIC).violations.size(), 0u);
}

TEST_F(OracleTest, CheckpointMustBeAtHome)
{
	uint32_t a = story.whole(Kind::write, 3);
	story.whole(Kind::checkpoint);
	State kept = state;

	put(volume, a, 3);
	put(home, a, 3);
	EXPECT_EQ(rules(), "");
	state = kept;
	home[3] = {Value::tag, 0};
	EXPECT_EQ(rules(), "K checkpoint");
}

TEST_F(OracleTest, UnfinishedCheckpointPromisesNothing)
{
	uint32_t a = story.whole(Kind::write, 3);
	story.submit(Kind::checkpoint);

	put(volume, a, 3);
	EXPECT_EQ(rules(), "");
}

TEST_F(OracleTest, HomeLagsOverGenerations)
{
	uint32_t a = story.whole(Kind::fua, 3);
	put(volume, a, 3);
	next();
	uint32_t b = story.whole(Kind::fua, 4);
	put(volume, b, 4);
	State kept = state;
	EXPECT_EQ(rules(), "");

	/* b without a */
	state = kept;
	put(home, b, 4);
	EXPECT_EQ(rules(), "P4 home");
	state = kept;
	home[3] = volume[3];
	EXPECT_EQ(rules(), "");
}

TEST_F(OracleTest, LostBranchMayNotComeBack)
{
	uint32_t a = story.whole(Kind::write, 3);
	Image with = volume;
	put(with, a, 3);
	next();
	story.whole(Kind::write, 4);
	volume = with;
	EXPECT_EQ(rules(), "P1 durable, P2 prefix");
}

TEST_F(OracleTest, LostBranchMayNotBeAtHomeBesideNewWrites)
{
	uint32_t a = story.whole(Kind::write, 3);
	Image with = home;
	put(with, a, 3);
	next();
	uint32_t b = story.whole(Kind::fua, 4);
	put(volume, b, 4);
	home = with;
	put(home, b, 4);
	EXPECT_EQ(rules(), "P4 home");
}

TEST_F(OracleTest, RecoveredMeansDurable)
{
	uint32_t a = story.whole(Kind::write, 3);
	put(volume, a, 3);
	next();
	volume[3] = {Value::tag, 0};
	EXPECT_EQ(rules(), "P1 durable, P2 prefix");
}

TEST_F(OracleTest, HomeNeverGoesBack)
{
	uint32_t a = story.whole(Kind::fua, 3);
	uint32_t b = story.whole(Kind::fua, 5);
	put(volume, a, 3);
	put(volume, b, 5);
	home = volume;
	next();
	home[3] = {Value::tag, 0};
	EXPECT_EQ(rules(), "P4 home");
}

TEST_F(OracleTest, HomeOfARecordHasAllUpToIt)
{
	uint32_t a = story.whole(Kind::write, 3, 2);
	uint32_t b = story.whole(Kind::write, 5);
	story.whole(Kind::flush);

	put(volume, a, 3, 2);
	put(volume, b, 5);
	expect("", "");
	put(home, a, 3, 2);
	expect("", "");
	put(home, b, 5);
	expect("", "");
	/* part of an epoch: the later write without the earlier, and half of one */
	home[3] = home[4] = {Value::tag, 0};
	expect("", "P4 home");
	home[5] = {Value::tag, 0};
	put(home, a, 3);
	expect("", "P4 atomic");
}

TEST_F(OracleTest, HomeOfARecordHasEitherOfTwoWritesAtOnce)
{
	uint32_t a = story.submit(Kind::write, 3);
	uint32_t b = story.submit(Kind::write, 5);

	story.complete(a);
	story.complete(b);
	story.whole(Kind::flush);
	put(volume, a, 3);
	put(volume, b, 5);
	put(home, b, 5);
	expect("", "");
}

TEST_F(OracleTest, HomeOfARecordOfAFormerGeneration)
{
	uint32_t a = story.whole(Kind::write, 3, 2);
	uint32_t b = story.whole(Kind::write, 5);
	story.whole(Kind::flush);
	put(volume, a, 3, 2);
	put(volume, b, 5);
	next(Home::record);
	uint32_t c = story.whole(Kind::fua, 7);
	put(volume, c, 7);
	Image old = home;

	home = volume;
	home[7] = {Value::tag, 0};
	expect("", "");
	/* b without a; c without b; half of a */
	home[3] = home[4] = {Value::tag, 0};
	expect("", "P4 home");
	home = volume;
	home[5] = {Value::tag, 0};
	expect("P4 home", "P4 home");
	home = old;
	home[3] = volume[3];
	expect("", "P4 atomic");
}

TEST_F(OracleTest, HomeOfARecordBehindARecoveryThatLostSomething)
{
	uint32_t a = story.whole(Kind::write, 3);
	story.whole(Kind::flush);
	uint32_t b = story.whole(Kind::write, 3);

	(void)b;
	put(volume, a, 3);
	next(Home::record);
	uint32_t c = story.whole(Kind::fua, 7);
	put(volume, c, 7);
	home = volume;
	expect("", "");
}

TEST(Image, ReadsTagsZeroesAndGarbage)
{
	std::vector<uint8_t> data(5 * SECTOR);

	fill_sector(&data[0], make_id(1, 7), 0);
	fill_sector(&data[2 * SECTOR], make_id(1, 8), 1);
	fill_sector(&data[3 * SECTOR], make_id(1, 9), 3);
	data[4 * SECTOR - 1] ^= 1;
	data[4 * SECTOR] = 1;
	Image image = read_image(data);
	EXPECT_EQ(image[0].what, Value::tag);
	EXPECT_EQ(image[0].id, make_id(1, 7));
	EXPECT_EQ(image[1].what, Value::zero);
	EXPECT_EQ(image[2].what, Value::garbage);
	EXPECT_EQ(image[3].what, Value::garbage);
	EXPECT_EQ(image[4].what, Value::garbage);
}

TEST(State, SurvivesAFile)
{
	State state(3);
	std::filesystem::path path = testing::TempDir() + "oracle-state";

	state.generation = 4;
	state.now = 77;
	state.past[1].push_back({.id = make_id(4, 1), .lo = 5, .hi = 6, .gone = 6, .done = 5, .sector = 1, .sectors = 2,
				 .kind = Kind::discard});
	state.save(path);
	State loaded = State::load(path);
	std::filesystem::remove(path);
	EXPECT_EQ(loaded.generation, 4u);
	EXPECT_EQ(loaded.now, 77u);
	ASSERT_EQ(loaded.past.size(), 3u);
	ASSERT_EQ(loaded.past[1].size(), 2u);
	EXPECT_EQ(loaded.past[1][1].id, make_id(4, 1));
	EXPECT_EQ(loaded.past[1][1].hi, 6u);
}

} /* namespace */

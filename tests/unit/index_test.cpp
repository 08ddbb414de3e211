// SPDX-License-Identifier: GPL-2.0-only
/*
 * The index against a model that knows one sector at a time.
 *
 * The model follows the rules in index.h literally; beyond equal answers the
 * tests ask for equally many entries as the model has runs, so an entry that
 * could be joined and is not counts as an error. A broken invariant that the
 * index itself finds (WARN_ON_ONCE, a promise of nodes that was too small)
 * aborts the program.
 *
 * Seen to go red when index.c or btree.c was broken on purpose:
 *   older data hides newer data             NewestWins, Checks, Next, Pieces, Cap, Churn, Threads, Random
 *   what is inserted last hides all         NewestWins, Pieces, Threads, Random
 *   a tie goes to the extent without payload    Ties, TiesInside, Random
 *   a tie is decided for a joined run as one    Ties, TiesInside
 *   runs are joined across a gap in the log     Joins, Next, Pieces, Churn, Threads, Random
 *   runs are not joined                     Joins, Checks, Ties, TiesInside, Next, Threads, Random
 *   runs are joined across regions          LongPieces, Random
 *   a joined run keeps a check              Threads, Random
 *   a trimmed run keeps its check           Checks, Next, Threads, Random
 *   drop forgets what is not below          Drop, Churn, Threads, Random
 *   drop is one off at the tail             Drop
 *   drop forgets nothing                    Drop, LongPieces, Cap, Churn, Random
 *   a promise is too small, nothing is lent,
 *   or what was lent never comes back       LongPieces
 *   positions lose their upper bits         Random
 *   a lookup without the lock               Threads (TSan)
 *   a trimmed start stays in its leaf       Threads, Random
 *   a first child's bound is not inherited  Ranges (hangs)
 *   nodes are not merged, or not evened out     Cap
 *   a merged node is not given back         LongPieces, Cap, Churn, Threads, Random
 */
#include <atomic>
#include <cerrno>
#include <map>
#include <string>
#include <thread>

#include "index_model.h"

namespace {

struct RandomCase {
	unsigned int shards;
	__u64 start;			/* position */
};

class Random : public testing::TestWithParam<RandomCase> { };

/*
 * Insertions in an order other than that of the log, up to 16 under way;
 * drops up to the tail that this allows; lookups of any range.
 */
TEST_P(Random, AgreesWithTheModel)
{
	constexpr __u64 kEnd = 5 * kRegion + 100;

	for (unsigned int seed = 1; seed <= 6; seed++) {
		SCOPED_TRACE("seed " + std::to_string(seed));
		std::mt19937_64 rng(seed);
		Index index(GetParam().shards);
		Model model(kEnd);
		Log log(rng, GetParam().start, kEnd);
		struct Waiting {
			Extent x;
			__u64 record;
		};
		std::vector<Waiting> waiting;

		for (int step = 0; step < 3000; step++) {
			__u32 len = 1 + rng() % 3000;
			__u64 home = rng() % (kEnd - len);

			/* the promise comes before the position, as in a journal */
			while (waiting.size() < 1 + rng() % 16) {
				Extent x = log.Next();

				ASSERT_EQ(0, jindex_reserve(index, x.len));
				waiting.push_back({ x, log.record() });
			}
			std::swap(waiting[rng() % waiting.size()], waiting.back());
			jmap m = MapOf(waiting.back().x);

			jindex_insert(index, &m);
			model.Insert(waiting.back().x);
			waiting.pop_back();

			m = index.Lookup(home, len);
			ASSERT_NO_FATAL_FAILURE(ExpectTrue(model, m, home, len)) << "step " << step;
			if (step % 64 == 0) {
				__u64 tail = log.record();

				for (const Waiting &w : waiting)
					tail = std::min(tail, w.record);
				Drop(index, model, home, len, tail);
			}
			if (step % 64 < 2) {
				ASSERT_NO_FATAL_FAILURE(ExpectEqual(index, model)) << "step " << step;
			}
		}
		for (const Waiting &w : waiting)
			jindex_unreserve(index, w.x.len);
		jindex_clear(index);
		ASSERT_NO_FATAL_FAILURE(ExpectEqual(index, Model(kEnd)));
	}
}

INSTANTIATE_TEST_SUITE_P(Index, Random,
	testing::Values(RandomCase{ 1, 0 }, RandomCase{ 4, 1000 },
			/* the bits that an entry keeps of a position run over */
			RandomCase{ 1, (1ull << 46) - 200000 }, RandomCase{ 4, JFMT_POS_MAX - (1ull << 40) }));

constexpr jfmt_kind kKinds[] = { JFMT_DATA, JFMT_DISCARD, JFMT_ZEROES };

TEST(Index, NewestWinsInEitherOrder)
{
	for (jfmt_kind old_kind : kKinds)
		for (jfmt_kind new_kind : kKinds)
			for (bool swapped : { false, true }) {
				Index index(1);
				Extent a{ 100, 50, old_kind, 1000, false, 0 };
				Extent b{ 110, 10, new_kind, 2000, false, 0 };

				index.Insert(swapped ? b : a);
				index.Insert(swapped ? a : b);
				EXPECT_EQ(1000u, index.Lookup(100, 50).pos.v);
				EXPECT_EQ(10u, index.Lookup(100, 50).len);
				EXPECT_EQ(2000u, index.Lookup(110, 40).pos.v);
				EXPECT_EQ(10u, index.Lookup(110, 40).len);
				EXPECT_EQ(old_kind == JFMT_DATA ? 1020u : 1000u, index.Lookup(120, 40).pos.v);
				EXPECT_EQ(3u, index.Stats().entries);
			}
}

TEST(Index, TiesGoToThePayload)
{
	for (bool swapped : { false, true }) {
		Index index(1);
		Extent zeroes{ 100, 50, JFMT_ZEROES, 1000, false, 0 };
		Extent data{ 110, 10, JFMT_DATA, 1000, false, 0 };

		index.Insert(swapped ? data : zeroes);
		index.Insert(swapped ? zeroes : data);
		EXPECT_EQ(JFMT_ZEROES, index.Lookup(100, 50).kind);
		EXPECT_EQ(10u, index.Lookup(100, 50).len);
		EXPECT_EQ(JFMT_DATA, index.Lookup(110, 40).kind);
		EXPECT_EQ(JFMT_ZEROES, index.Lookup(120, 30).kind);
		EXPECT_EQ(3u, index.Stats().entries);
	}
}

/* A joined run is hidden where, and only where, each of its extents would be. */
TEST(Index, TiesInsideAJoinedRun)
{
	Index index(1);

	index.Insert({ 100, 8, JFMT_DATA, 1000, false, 0 });
	index.Insert({ 108, 8, JFMT_DATA, 1008, false, 0 });
	ASSERT_EQ(1u, index.Stats().entries);
	index.Insert({ 104, 8, JFMT_DISCARD, 1008, false, 0 });
	EXPECT_EQ(4u, index.Lookup(100, 16).len);
	EXPECT_EQ(JFMT_DISCARD, index.Lookup(104, 16).kind);
	EXPECT_EQ(4u, index.Lookup(104, 16).len);
	EXPECT_EQ(JFMT_DATA, index.Lookup(108, 16).kind);
	EXPECT_EQ(8u, index.Lookup(108, 16).len);
}

TEST(Index, JoinsWhatFollowsInHomeAndLog)
{
	Index index(4);

	index.Insert({ 100, 8, JFMT_DATA, 1000, true, 1 });
	index.Insert({ 116, 8, JFMT_DATA, 1016, true, 3 });
	EXPECT_EQ(2u, index.Stats().entries);
	index.Insert({ 108, 8, JFMT_DATA, 1008, true, 2 });
	EXPECT_EQ(1u, index.Stats().entries);
	EXPECT_EQ(24u, index.Lookup(100, 100).len);
	index.Insert({ 124, 8, JFMT_DATA, 1025, true, 4 });	/* a gap in the log */
	EXPECT_EQ(2u, index.Stats().entries);

	index.Insert({ 200, 8, JFMT_ZEROES, 2000, false, 0 });
	index.Insert({ 208, 8, JFMT_ZEROES, 2000, false, 0 });
	EXPECT_EQ(3u, index.Stats().entries);
	index.Insert({ 216, 8, JFMT_DISCARD, 2000, false, 0 });
	index.Insert({ 224, 8, JFMT_DISCARD, 2001, false, 0 });
	EXPECT_EQ(5u, index.Stats().entries);
}

TEST(Index, ChecksHoldForWholeExtentsOnly)
{
	Index index(1);

	index.Insert({ 100, 16, JFMT_DATA, 1000, true, 0xbeef });
	jmap m = index.Lookup(100, 16);
	EXPECT_TRUE(m.has_check);
	EXPECT_EQ(0xbeef, m.check);
	EXPECT_FALSE(index.Lookup(100, 15).has_check);
	EXPECT_FALSE(index.Lookup(101, 15).has_check);

	index.Insert({ 100, 16, JFMT_DATA, 1000, true, 0xcafe });	/* absorbed: new contents, same place */
	EXPECT_TRUE(index.Lookup(100, 16).has_check);
	EXPECT_EQ(0xcafe, index.Lookup(100, 16).check);
	index.Insert({ 104, 2, JFMT_DATA, 1004, false, 0 });
	EXPECT_EQ(16u, index.Lookup(100, 16).len);
	EXPECT_FALSE(index.Lookup(100, 16).has_check);

	index.Insert({ 300, 16, JFMT_DATA, 2000, true, 1 });		/* trimmed at its end */
	index.Insert({ 312, 16, JFMT_DATA, 3000, true, 2 });
	EXPECT_FALSE(index.Lookup(300, 12).has_check);
	EXPECT_TRUE(index.Lookup(312, 16).has_check);
	index.Insert({ 328, 8, JFMT_DATA, 3016, true, 3 });		/* joined */
	EXPECT_EQ(24u, index.Lookup(312, 24).len);
	EXPECT_FALSE(index.Lookup(312, 24).has_check);

	index.Insert({ kRegion - 8, 16, JFMT_DATA, 4000, true, 4 });	/* in two regions */
	EXPECT_EQ(8u, index.Lookup(kRegion - 8, 16).len);
	EXPECT_FALSE(index.Lookup(kRegion - 8, 16).has_check);
	EXPECT_FALSE(index.Lookup(kRegion, 8).has_check);
}

TEST(Index, DropForgetsWholeEntriesBelowAndNothingElse)
{
	Index index(4);

	index.Insert({ 100, 16, JFMT_DATA, 1000, false, 0 });
	index.Insert({ 116, 16, JFMT_DATA, 2000, false, 0 });
	index.Insert({ 200, 16, JFMT_DISCARD, 2000, false, 0 });
	index.Insert({ 300, 16, JFMT_DISCARD, 2001, false, 0 });
	jindex_drop(index, jsec(110), 300, jpos(1000));
	EXPECT_EQ(4u, index.Stats().entries);
	jindex_drop(index, jsec(110), 300, jpos(2000));
	EXPECT_FALSE(index.Lookup(100, 16).mapped);	/* also what lies before the range */
	EXPECT_TRUE(index.Lookup(116, 16).mapped);
	EXPECT_FALSE(index.Lookup(200, 16).mapped);	/* before the payload at 2000 */
	EXPECT_TRUE(index.Lookup(300, 16).mapped);
	EXPECT_EQ(2u, index.Stats().entries);
}

TEST(Index, TheLastSectorsOfTheLargestHome)
{
	Index index(4);

	index.Insert({ JINDEX_HOME_MAX - 20, 20, JFMT_DATA, 7, true, 9 });
	jmap m = index.Lookup(JINDEX_HOME_MAX - 20, 20);

	EXPECT_TRUE(m.mapped && m.has_check);
	EXPECT_EQ(20u, m.len);
	EXPECT_FALSE(index.Lookup(JINDEX_HOME_MAX - 28, 8).mapped);
}

TEST(Index, NextGivesAllRunsInHomeOrder)
{
	constexpr __u64 kEnd = 4 * kRegion;
	std::mt19937_64 rng(7);
	Index index(1);
	Model model(kEnd);
	Log log(rng, 0, kEnd);
	__u64 at = 0, runs = 0, sectors = 0;
	jmap m;

	for (int i = 0; i < 400; i++) {
		Extent x = log.Next();

		if (x.len > 64)
			continue;
		index.Insert(x);
		model.Insert(x);
	}
	while (jindex_next(index, jsec(at), &m)) {
		ASSERT_GE(m.home.v, at);
		ASSERT_NO_FATAL_FAILURE(ExpectTrue(model, m, m.home.v, m.len));
		at = m.home.v + m.len;
		sectors += m.len;
		runs++;
	}
	EXPECT_EQ(model.Runs(), runs);
	EXPECT_EQ(index.Stats().sectors[0] + index.Stats().sectors[1] + index.Stats().sectors[2], sectors);

	/* from inside a run: its rest */
	index.Insert({ 10, 20, JFMT_DATA, 1ull << 30, true, 5 });
	ASSERT_TRUE(jindex_next(index, jsec(15), &m));
	EXPECT_EQ(15u, m.home.v);
	EXPECT_EQ(15u, m.len);
	EXPECT_EQ((1ull << 30) + 5, m.pos.v);
	EXPECT_FALSE(m.has_check);
}

/* An empty index keeps no more than this for its next use. */
constexpr __u64 kKept = 2 << 20;

/* A late extent that newer ones cut into as many pieces as there can be. */
TEST(Index, Pieces)
{
	constexpr __u64 kEnd = 2 * kRegion;

	/* from an empty index, and from one whose nodes are full */
	for (bool full : { false, true })
		for (__u32 len : { 8u, 64u, 2048u, (unsigned int)kRegion }) {
			SCOPED_TRACE(len);
			Index index(1);
			Model model(kEnd);
			__u64 home = kRegion - len / 2, pos = 100000;
			Extent late{ home, len, JFMT_DATA, 10000, false, 0 };
			jmap m = MapOf(late);

			auto insert = [&](const Extent &x) {
				index.Insert(x);
				model.Insert(x);
			};
			for (__u64 at = 0; full && at < kEnd; at++)
				if (at < home || at >= home + len)
					insert({ at, 1, JFMT_DATA, pos += 2, false, 0 });
			ASSERT_EQ(0, jindex_reserve(index, len));
			for (__u32 i = 1; i < len; i += 2)
				insert({ home + i, 1, JFMT_DATA, pos += 2, false, 0 });
			jindex_insert(index, &m);
			model.Insert(late);
			ASSERT_NO_FATAL_FAILURE(ExpectEqual(index, model));
		}
}

/* The same for a discard, whose pieces live on what the newer extents lend. */
TEST(Index, LongPieces)
{
	constexpr __u64 kEnd = 8 * kRegion;

	for (unsigned int shards : { 1u, 8u })
		for (__u64 stride : { 2, 6, 40, 4000 }) {
			SCOPED_TRACE(stride);
			Index index(shards);
			Model model(kEnd);
			Extent late{ 1, (__u32)kEnd - 2, JFMT_ZEROES, 10000, false, 0 };
			jmap m = MapOf(late);
			__u64 pos = 100000;

			ASSERT_EQ(0, jindex_reserve(index, late.len));
			for (__u64 at = 0; at < kEnd; at += stride) {
				Extent x{ at, 1, JFMT_DATA, pos += 2, false, 0 };

				index.Insert(x);
				model.Insert(x);
			}
			jindex_insert(index, &m);
			model.Insert(late);
			ASSERT_NO_FATAL_FAILURE(ExpectEqual(index, model));

			/* nothing stays lent */
			Drop(index, model, 0, kEnd, pos + kUnit);
			EXPECT_EQ(0u, index.Stats().entries);
			EXPECT_LE(index.Stats().bytes, kKept);
		}
}

TEST(Index, TheCapRefusesAndWhatIsDroppedComesBack)
{
	Index index(4, 1);
	std::mt19937_64 rng(3);
	std::map<__u64, __u64> in;		/* home, position */
	__u64 pos = 0;

	EXPECT_EQ(JINDEX_CAP_MIN, index.Stats().cap_bytes);
	for (;;) {
		Extent x{ rng() % (1ull << 30) * 8, 8, JFMT_DATA, pos += 16, false, 0 };
		jmap m = MapOf(x);

		if (jindex_reserve(index, 8) == -ENOSPC)
			break;
		jindex_insert(index, &m);
		in[x.home] = x.pos;
		ASSERT_LE(index.Stats().bytes, JINDEX_CAP_MIN);
		ASSERT_LT(in.size(), 1u << 20);
	}
	/* the nodes are well filled, and nothing is lost */
	EXPECT_GT(in.size() * 22, JINDEX_CAP_MIN);
	EXPECT_EQ(-ENOSPC, jindex_reserve(index, 1 << 21));
	for (auto [home, at] : in)
		EXPECT_EQ(at, index.Lookup(home, 8).pos.v);

	for (auto [home, at] : in)
		jindex_drop(index, jsec(home), 8, jpos(pos / 2));
	ASSERT_EQ(0, jindex_reserve(index, 8));
	jindex_unreserve(index, 8);
	for (auto [home, at] : in)
		jindex_drop(index, jsec(home), 8, jpos(pos + kUnit));
	EXPECT_EQ(0u, index.Stats().entries);
	/* the least cap has room for the longest extent there is */
	ASSERT_EQ(0, jindex_reserve(index, 1 << 21));
	jindex_unreserve(index, 1 << 21);
}

TEST(Index, MemoryDoesNotGrowUnderChurn)
{
	constexpr size_t kLive = 40000;
	std::mt19937_64 rng(5);
	Index index(1);
	std::map<__u64, __u64> log;		/* position, home */
	std::map<__u64, __u64> newest;		/* home, position */
	__u64 pos = 0, most = 0;

	for (int lap = 0; lap < 12; lap++) {
		while (log.size() < 2 * kLive) {
			__u64 home = rng() % (1ull << 20) * 8;

			index.Insert({ home, 8, JFMT_DATA, pos, false, 0 });
			log[pos] = home;
			newest[home] = pos;
			pos += 16;
		}
		if (lap > 5)
			most = std::max(most, index.Stats().bytes);
		while (log.size() > kLive) {	/* the tail moves */
			auto [at, home] = *log.begin();

			jindex_drop(index, jsec(home), 8, jpos(at + 16));
			if (newest[home] == at)
				newest.erase(home);
			log.erase(log.begin());
		}
		ASSERT_EQ(newest.size(), index.Stats().entries);
		for (auto [home, at] : newest)
			ASSERT_EQ(at, index.Lookup(home, 8).pos.v);
	}
	EXPECT_GT(most, 2 * kLive * 16);
	EXPECT_LT(most, 2 * kLive * 28);
	for (auto [at, home] : log)
		jindex_drop(index, jsec(home), 8, jpos(pos));
	EXPECT_EQ(0u, index.Stats().entries);
	EXPECT_LE(index.Stats().bytes, kKept);
}

/* Whole ranges come and go, so nodes of every level lose their first and last children. */
TEST(Index, RangesComeAndGoInADeepTree)
{
	constexpr __u64 kBlocks = 200000;	/* isolated: every second 4 KiB block */
	std::mt19937_64 rng(9);
	Index index(1);
	std::map<__u64, __u64> newest;		/* home, position */
	__u64 pos = 0;

	auto insert = [&](__u64 block) {
		index.Insert({ block * 16, 8, JFMT_DATA, pos, false, 0 });
		newest[block * 16] = pos;
		pos += 16;
	};
	for (__u64 block = 0; block < kBlocks; block++)
		insert(block);
	for (int lap = 0; lap < 30; lap++) {
		for (int i = 0; i < 20; i++) {
			__u64 first = rng() % kBlocks, count = 1 + rng() % (1 << rng() % 16);

			jindex_drop(index, jsec(first * 16), count * 16, jpos(pos + kUnit));
			newest.erase(newest.lower_bound(first * 16),
				     newest.lower_bound((first + count) * 16));
			for (__u64 k = 0; k < count / 8; k++)
				insert((first + rng() % count) % kBlocks);
		}
		ASSERT_EQ(newest.size(), index.Stats().entries) << "lap " << lap;
		for (auto [home, at] : newest)
			ASSERT_EQ(at, index.Lookup(home, 8).pos.v) << "lap " << lap;
	}
}

/* Threads insert parts of one plan in any order while others look up and drop. */
TEST(Index, Threads)
{
	constexpr __u64 kEnd = 6 * kRegion;
	constexpr int kThreads = 4, kExtents = 1500;
	std::mt19937_64 rng(11);
	Index index(4);
	Model model(kEnd);
	Log log(rng, 0, kEnd);
	std::vector<Extent> plan;
	std::atomic<bool> done = false;
	std::atomic<int> bad = 0;

	while (plan.size() < kThreads * kExtents) {
		Extent x = log.Next();

		/* equal positions of two kinds without payload leave the order to chance */
		if (x.kind == JFMT_ZEROES || x.len > kRegion)
			continue;
		plan.push_back(x);
		model.Insert(x);
	}
	std::thread looker([&] {
		std::mt19937_64 r(1);

		while (!done) {
			__u32 len = 1 + r() % 64;
			jmap m = index.Lookup(r() % (kEnd - 64), len);

			bad += m.len == 0 || m.len > len || m.home.v >= kEnd;
			jindex_drop(index, jsec(r() % kEnd), len, jpos(0));
			if (jindex_reserve(index, 8))
				bad++;
			else
				jindex_unreserve(index, 8);
		}
	});
	std::vector<std::thread> writers;

	for (int t = 0; t < kThreads; t++)
		writers.emplace_back([&, t] {
			for (int i = 0; i < kExtents; i++) {
				jmap m = MapOf(plan[i * kThreads + t]);

				if (jindex_reserve(index, m.len)) {
					bad++;
					continue;
				}
				jindex_insert(index, &m);
			}
		});
	for (std::thread &w : writers)
		w.join();
	done = true;
	looker.join();
	EXPECT_EQ(0, bad);
	ASSERT_NO_FATAL_FAILURE(ExpectEqual(index, model));
}

} // namespace

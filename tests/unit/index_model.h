// SPDX-License-Identifier: GPL-2.0-only
/*
 * A model of the index that knows one sector at a time, and a source of extents.
 *
 * Always true: the model follows the rules in index.h literally and shares no
 * code with index.c.
 */
#ifndef INDEX_MODEL_H
#define INDEX_MODEL_H

#include <algorithm>
#include <iterator>
#include <memory>
#include <random>
#include <vector>

#include <gtest/gtest.h>

extern "C" {
#include "index.h"
}

namespace {

constexpr __u64 kRegion = 8192;		/* lookups end, and runs are cut, at multiples of this */
constexpr __u64 kRoomy = 1ull << 30;	/* a cap that no test reaches by accident */
constexpr __u32 kUnit = 8;

struct Extent {
	__u64 home;
	__u32 len;
	jfmt_kind kind;
	__u64 pos;
	bool has_check;
	__u16 check;
};

jmap MapOf(const Extent &x)
{
	return jmap{ .home = jsec(x.home), .len = x.len, .kind = x.kind, .mapped = true,
		     .pos = jpos(x.pos), .has_check = x.has_check, .check = x.check };
}

class Model {
public:
	explicit Model(__u64 end) : cells_(end) { }

	struct Cell {
		bool mapped;
		jfmt_kind kind;
		__u64 pos;		/* of this sector, or of the extent without payload */
		size_t extent;		/* in extents_ */
	};

	static bool Hides(const Cell &n, const Cell &old)
	{
		if (n.kind == JFMT_DATA)
			return n.pos >= old.pos;	/* equal data is the same data */
		return old.kind == JFMT_DATA ? n.pos > old.pos : n.pos >= old.pos;
	}

	void Insert(const Extent &x)
	{
		extents_.push_back(x);
		for (__u32 i = 0; i < x.len; i++) {
			Cell n{ true, x.kind, x.pos + (x.kind == JFMT_DATA ? i : 0),
				extents_.size() - 1 };
			Cell &cell = cells_.at(x.home + i);

			if (!cell.mapped || Hides(n, cell))
				cell = n;
		}
	}

	/* An extent without payload stands before the contents at its position. */
	static bool Below(const Cell &c, __u64 below)
	{
		return c.kind == JFMT_DATA ? c.pos < below : c.pos <= below;
	}

	__u64 Runs() const
	{
		__u64 runs = 0;

		for (__u64 at = 0; at < end(); at++)
			runs += cells_[at].mapped && !JoinsTheNext(at);
		return runs;
	}

	__u64 end() const { return cells_.size(); }
	Cell &at(__u64 home) { return cells_.at(home); }
	const Cell &at(__u64 home) const { return cells_.at(home); }
	const Extent &ExtentOf(const Cell &c) const { return extents_[c.extent]; }

private:
	bool JoinsTheNext(__u64 at) const
	{
		if (at + 1 == end() || (at + 1) % kRegion == 0)
			return false;
		const Cell &a = cells_[at], &b = cells_[at + 1];

		return b.mapped && a.kind == b.kind && b.pos == a.pos + (a.kind == JFMT_DATA ? 1 : 0);
	}

	std::vector<Cell> cells_;
	std::vector<Extent> extents_;
};

class Index {
public:
	explicit Index(unsigned int shards, __u64 cap = kRoomy)
		: ix_(jindex_create(shards, cap), jindex_destroy) { }

	operator jindex *() { return ix_.get(); }

	void Insert(const Extent &x)
	{
		jmap m = MapOf(x);

		ASSERT_EQ(0, jindex_reserve(*this, x.len));
		jindex_insert(*this, &m);
	}

	jmap Lookup(__u64 home, __u32 len)
	{
		jmap m;

		jindex_lookup(*this, jsec(home), len, &m);
		return m;
	}

	struct jindex_stats Stats()
	{
		struct jindex_stats st;

		jindex_stats(*this, &st);
		return st;
	}

private:
	std::unique_ptr<jindex, void (*)(jindex *)> ix_;
};

/* One answer of the index for [home, home + len) is true, sector for sector. */
void ExpectTrue(const Model &model, const jmap &m, __u64 home, __u32 len)
{
	ASSERT_EQ(home, m.home.v);
	ASSERT_GT(m.len, 0u);
	ASSERT_LE(m.len, len);
	for (__u32 i = 0; i < m.len; i++) {
		const Model::Cell &c = model.at(home + i);

		ASSERT_EQ(c.mapped, m.mapped) << "sector " << home + i;
		if (!c.mapped)
			continue;
		ASSERT_EQ(c.kind, m.kind) << "sector " << home + i;
		ASSERT_EQ(c.pos, m.pos.v + (m.kind == JFMT_DATA ? i : 0)) << "sector " << home + i;
	}
	if (m.mapped && m.has_check) {
		const Extent &x = model.ExtentOf(model.at(home));

		ASSERT_EQ(home, x.home);
		ASSERT_EQ(m.len, x.len);
		ASSERT_TRUE(x.has_check);
		ASSERT_EQ(x.check, m.check);
		ASSERT_EQ(model.at(home).extent, model.at(home + m.len - 1).extent);
	}
}

/* Everything is as in the model, and no entry is left that could be joined. */
void ExpectEqual(Index &index, const Model &model)
{
	__u64 sectors[3] = {}, end = model.end();

	for (__u64 at = 0; at < end;) {
		jmap m = index.Lookup(at, end - at);

		ASSERT_NO_FATAL_FAILURE(ExpectTrue(model, m, at, end - at));
		if (m.mapped)
			sectors[m.kind] += m.len;
		at += m.len;
	}
	struct jindex_stats st = index.Stats();

	ASSERT_EQ(model.Runs(), st.entries);
	for (int kind = 0; kind < 3; kind++)
		ASSERT_EQ(sectors[kind], st.sectors[kind]);
}

/* Hands out extents and positions as a log does. */
class Log {
public:
	Log(std::mt19937_64 &rng, __u64 start, __u64 end) : rng_(rng), head_(start), end_(end) { }

	Extent Next()
	{
		static constexpr __u32 kMax[] = { 1, 8, 8, 64, 512, 3000 };
		bool data = rng_() % 4;
		Extent x = {};

		if (left_ == 0) {		/* the next record */
			left_ = 1 + rng_() % 6;
			head_ = (head_ / kUnit + 2) * kUnit;
			record_ = head_ - kUnit;
		}
		left_--;
		x.len = 1 + rng_() % kMax[rng_() % std::size(kMax)];
		if (!data && rng_() % 8 == 0)
			x.len = kRegion + 1 + rng_() % (2 * kRegion);
		/* often right behind the one before, so that runs join */
		x.home = rng_() % 3 ? rng_() % (end_ - x.len) : std::min(last_end_, end_ - x.len);
		x.kind = data ? JFMT_DATA : rng_() % 2 ? JFMT_DISCARD : JFMT_ZEROES;
		x.pos = head_;
		x.has_check = data && rng_() % 8;
		x.check = x.has_check ? rng_() : 0;
		if (data)
			head_ += x.len;
		last_end_ = x.home + x.len;
		return x;
	}

	__u64 record() const { return record_; }	/* where the open record starts */

private:
	std::mt19937_64 &rng_;
	__u64 head_, end_, record_ = 0, last_end_ = 0;
	unsigned int left_ = 0;
};

/* Drop, in the index and the model; sectors outside the range may go with their entry. */
void Drop(Index &index, Model &model, __u64 home, __u32 len, __u64 below)
{
	jindex_drop(index, jsec(home), len, jpos(below));
	for (__u64 at = 0; at < model.end(); at++) {
		Model::Cell &c = model.at(at);

		if (c.mapped && Model::Below(c, below) &&
		    ((at >= home && at < home + len) || !index.Lookup(at, 1).mapped))
			c.mapped = false;
	}
}

} // namespace

#endif

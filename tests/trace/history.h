/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the volume was asked to do, and when each contents may have stood in a sector of an ideal disk.
 *
 * A version of a sector is a write that gave it new contents; before the first one there are zeroes. It may be found there
 * in [lo, hi): from its submission until a later version covers it. Later means submitted after this one was done;
 * writes that overlap in time may have happened in either order. What covering takes is being durable, or being done.
 *
 * Always true: the intervals of one contents of a sector are sorted, disjoint, and not empty.
 */
#ifndef TRACE_HISTORY_H
#define TRACE_HISTORY_H

#include <deque>
#include <unordered_map>

#include "tape.h"

namespace trace {

struct Interval {
	Time lo, hi;
};

using Intervals = std::vector<Interval>;

enum class Cover { durable, done };

constexpr Hash DISCARDED = 1;

class History {
public:
	History(const Tape &tape, uint64_t sectors);

	struct Write {
		const Op *op;
		Time durable;
	};

	uint64_t sectors() const { return on.size(); }
	std::span<const Write> writes() const { return all; }
	/* Numbers of the writes that touch a sector, in order of submission. */
	std::span<const uint32_t> versions(uint64_t sector) const { return on[sector]; }

	/*
	 * When may @hash have stood in the sector, as seen at @now? After a discard anything may; not in a record, which
	 * has DISCARDED then. What this gives stays in place.
	 */
	const Intervals *when(uint64_t sector, Hash hash, Cover cover, Time now, bool record = false);
	/* May @write have put @hash into the sector? */
	static bool gives(const Op &write, uint64_t sector, Hash hash, bool record);
	Time first_flush_done_after(Time done) const;

private:
	std::vector<Write> all;
	std::vector<std::vector<uint32_t>> on;
	/* by sector, for each version: the earliest cover of it and all behind it */
	std::vector<std::vector<Time>> durable_from, done_from;
	std::vector<std::pair<Time, Time>> flushes;	/* sub, done of it or of a later one; by sub */
	std::deque<Intervals> kept;
	std::unordered_map<uint64_t, std::vector<std::pair<Hash, const Intervals *>>> cache[2][2];

	Time covered(uint64_t sector, Time done, Cover cover) const;
};

/*
 * A set of sectors, each with the intervals of what it holds: is there one time that lies in all of them?
 *
 * Always true: a node of the tree has the greatest lo and the least hi below it; a sector with several intervals is in
 * the tree with their hull, and in many.
 */
class Frontier {
public:
	explicit Frontier(uint64_t sectors);

	void set(uint64_t sector, const Intervals *intervals);
	const Intervals *get(uint64_t sector) const { return at[sector]; }
	Time lo() const { return tree[1].lo; }
	Time hi() const { return tree[1].hi; }
	/* A time in all intervals, the earliest one; NEVER if there is none. */
	Time meet() const;
	uint64_t sector_of_lo() const;
	uint64_t sector_of_hi() const;

private:
	uint64_t leaves;
	std::vector<Interval> tree;
	std::vector<const Intervals *> at;
	std::vector<uint32_t> many, place;	/* place of a sector in many, from 1 */
};

} /* namespace trace */

#endif

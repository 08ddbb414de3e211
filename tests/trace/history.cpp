// SPDX-License-Identifier: GPL-2.0-only
/*
 * Intervals that were given to somebody never move: they lie in a deque, and a narrower answer is a copy.
 */
#include <algorithm>
#include <bit>
#include <stdexcept>

#include "history.h"

namespace trace {

History::History(const Tape &tape, uint64_t sectors)
	: on(sectors), durable_from(sectors), done_from(sectors)
{
	for (const Op &op : tape.ops)
		if (op.device == VOLUME && op.kind == Kind::flush && op.done != NEVER)
			flushes.push_back({op.sub, op.done});
	for (size_t i = flushes.size(); i-- > 1;)
		flushes[i - 1].second = std::min(flushes[i - 1].second, flushes[i].second);

	for (const Op &op : tape.ops) {
		if (op.device != VOLUME || !op.writes())
			continue;
		if (op.end() > sectors)
			throw std::runtime_error("a write beyond the volume: " + name(op));
		Time durable = op.done == NEVER ? NEVER : op.fua ? op.done : first_flush_done_after(op.done);
		for (uint64_t s = op.sector; s < op.end(); s++)
			on[s].push_back(static_cast<uint32_t>(all.size()));
		all.push_back({&op, durable});
	}
	for (uint64_t s = 0; s < sectors; s++) {
		Time durable = NEVER, done = NEVER;

		durable_from[s].resize(on[s].size());
		done_from[s].resize(on[s].size());
		for (size_t i = on[s].size(); i--;) {
			durable = std::min(durable, all[on[s][i]].durable);
			done = std::min(done, all[on[s][i]].op->done);
			durable_from[s][i] = durable;
			done_from[s][i] = done;
		}
	}
}

Time History::first_flush_done_after(Time done) const
{
	auto f = std::upper_bound(flushes.begin(), flushes.end(), std::pair(done, NEVER));

	return f == flushes.end() ? NEVER : f->second;
}

/* When is what was done at @done covered, at the latest? */
Time History::covered(uint64_t sector, Time done, Cover cover) const
{
	const auto &from = cover == Cover::durable ? durable_from[sector] : done_from[sector];
	auto later = std::partition_point(on[sector].begin(), on[sector].end(),
					  [&](uint32_t w) { return all[w].op->sub <= done; });

	return later == on[sector].end() ? NEVER : from[static_cast<size_t>(later - on[sector].begin())];
}

bool History::gives(const Op &write, uint64_t sector, Hash hash, bool record)
{
	if (write.kind == Kind::discard)
		return !record || hash == DISCARDED;
	return hash != DISCARDED && (write.changed || write.hash[sector - write.sector] == hash);
}

const Intervals *History::when(uint64_t sector, Hash hash, Cover cover, Time now, bool record)
{
	auto &known = cache[static_cast<int>(cover)][record][sector];
	const Intervals *full = nullptr;

	for (const auto &[h, intervals] : known)
		if (h == hash)
			full = intervals;
	if (!full) {
		Intervals &made = kept.emplace_back();
		auto add = [&](Time lo, Time done) {
			Time hi = covered(sector, done, cover);

			if (!made.empty() && lo <= made.back().hi)
				made.back().hi = std::max(made.back().hi, hi);
			else if (lo < hi)
				made.push_back({lo, hi});
		};

		if (hash == ZEROES)
			add(0, 0);
		for (uint32_t w : on[sector])
			if (gives(*all[w].op, sector, hash, record))
				add(all[w].op->sub, all[w].op->done);
		known.push_back({hash, &made});
		full = &made;
	}
	if (full->empty() || full->back().lo < now)
		return full;
	/* what had not been submitted then does not count */
	Intervals &part = kept.emplace_back(*full);
	std::erase_if(part, [&](const Interval &i) { return i.lo >= now; });
	return &part;
}

/*----------------------------------------------------------------
 * Frontier
 *--------------------------------------------------------------*/

Frontier::Frontier(uint64_t sectors)
	: leaves(std::bit_ceil(sectors)), tree(2 * leaves, {0, NEVER}), at(sectors), place(sectors)
{
}

void Frontier::set(uint64_t sector, const Intervals *intervals)
{
	uint64_t i = leaves + sector;

	at[sector] = intervals;
	/* nothing is allowed: a hull that nothing meets */
	tree[i] = intervals->empty() ? Interval{NEVER, 0} : Interval{intervals->front().lo, intervals->back().hi};
	for (i /= 2; i; i /= 2) {
		Interval both = {std::max(tree[2 * i].lo, tree[2 * i + 1].lo), std::min(tree[2 * i].hi, tree[2 * i + 1].hi)};

		if (both.lo == tree[i].lo && both.hi == tree[i].hi)
			break;
		tree[i] = both;
	}
	if (intervals->size() > 1 && !place[sector]) {
		many.push_back(static_cast<uint32_t>(sector));
		place[sector] = static_cast<uint32_t>(many.size());
	} else if (intervals->size() <= 1 && place[sector]) {
		uint32_t last = many.back();

		many[place[sector] - 1] = last;
		place[last] = place[sector];
		place[sector] = 0;
		many.pop_back();
	}
}

Time Frontier::meet() const
{
	Time t = lo();

	for (bool moved = true; moved && t < hi();) {
		moved = false;
		for (uint32_t s : many) {
			auto i = std::find_if(at[s]->rbegin(), at[s]->rend(), [&](Interval x) { return x.lo <= t; });

			if (i != at[s]->rend() && t < i->hi)
				continue;
			/* the next one, if there is one, begins behind t */
			if (i == at[s]->rbegin())
				return NEVER;
			t = i == at[s]->rend() ? at[s]->front().lo : std::prev(i)->lo;
			moved = true;
		}
	}
	return t < hi() ? t : NEVER;
}

uint64_t Frontier::sector_of_lo() const
{
	uint64_t i = 1;

	while (i < leaves)
		i = 2 * i + (tree[2 * i].lo != tree[i].lo);
	return i - leaves;
}

uint64_t Frontier::sector_of_hi() const
{
	uint64_t i = 1;

	while (i < leaves)
		i = 2 * i + (tree[2 * i].hi != tree[i].hi);
	return i - leaves;
}

} /* namespace trace */

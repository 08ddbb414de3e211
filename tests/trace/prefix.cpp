// SPDX-License-Identifier: GPL-2.0-only
/*
 * While record n is judged, both frontiers and `now` hold V(n), and nothing of a later record.
 */
#include <algorithm>

#include "prefix.h"

namespace trace {

namespace {

class Prefixes {
public:
	Prefixes(History &history, Log &log, Report &report)
		: history(history), log(log), report(report), durable(history.sectors()), done(history.sectors()),
		  now(history.sectors(), ZEROES), atomic(log.geo.record_max - 2 * log.geo.unit)
	{
		for (uint64_t s = 0; s < history.sectors(); s++)
			if (!history.versions(s).empty())
				set(s, ZEROES, 1, false);
	}

	void run()
	{
		for (uint32_t n = 0; n < log.records.size(); n++) {
			if (n)
				add(n);
			if (done.meet() == NEVER)
				report.violate("P2 prefix", after(n) + ": " + clash(done, Cover::done));
			log.records[n].legal_until = durable.hi();
			if (n)
				whole(n);
		}
	}

private:
	History &history;
	Log &log;
	Report &report;
	Frontier durable, done;
	std::vector<Hash> now;
	uint32_t atomic;

	static std::string after(uint32_t n) { return "the volume after record " + std::to_string(n); }

	void set(uint64_t s, Hash hash, Time time, bool record)
	{
		now[s] = hash;
		durable.set(s, history.when(s, hash, Cover::durable, time, record));
		done.set(s, history.when(s, hash, Cover::done, time, record));
	}

	void add(uint32_t n)
	{
		const Record &r = log.records[n];

		for (const Extent &e : r.extents)
			for (uint64_t s = e.home; s < e.home + e.len; s++) {
				const Version *v = log.version(s, n);

				set(s, v->kind == Kind::discard ? DISCARDED : v->hash, r.op->sub, true);
				if (durable.get(s)->empty())
					report.violate("P2 prefix", "record " + std::to_string(n) + " has contents of sector " +
						       std::to_string(s) + " that nobody wrote: " + name(*r.op));
			}
	}

	std::string clash(const Frontier &f, Cover cover) const
	{
		uint64_t newer = f.sector_of_lo(), older = f.sector_of_hi();
		const History::Write *by = nullptr;
		Time hi = f.hi();

		for (uint32_t w : history.versions(older)) {
			const History::Write &write = history.writes()[w];

			if ((cover == Cover::done ? write.op->done : write.durable) == hi)
				by = &write;
		}
		return "sector " + std::to_string(newer) + " has what was submitted at " + std::to_string(f.lo()) + ", but sector " +
		       std::to_string(older) + " lacks " + (by ? name(*by->op) : "what was there at " + std::to_string(hi));
	}

	/* Can what stands in @s now be @w's, or have come after it? */
	bool maybe_later(uint64_t s, const Op &w, Time time) const
	{
		for (uint32_t i : history.versions(s)) {
			const Op &x = *history.writes()[i].op;

			if (x.sub < time && (&x == &w || x.done > w.sub) && History::gives(x, s, now[s], true))
				return true;
		}
		return false;
	}

	bool is_whole(const Op &w, Time time) const
	{
		if (w.sectors > atomic || w.kind != Kind::write)
			return true;
		for (uint64_t s = w.sector; s < w.end(); s++)
			if (!maybe_later(s, w, time))
				return false;
		return true;
	}

	/* P3, of the writes that may have given what record @n has. */
	void whole(uint32_t n)
	{
		std::unordered_map<uint32_t, bool> known;
		Time time = log.records[n].op->sub;

		for (const Extent &e : log.records[n].extents)
			for (uint64_t s = e.home; s < e.home + e.len; s++) {
				const Op *torn = nullptr;
				bool good = false;
				auto on = history.versions(s);

				for (auto i = on.rbegin(); i != on.rend() && !good; ++i) {
					const Op &w = *history.writes()[*i].op;

					if (w.sub >= time || !History::gives(w, s, now[s], true))
						continue;
					auto [it, fresh] = known.try_emplace(*i, false);
					if (fresh)
						it->second = is_whole(w, time);
					good = it->second;
					torn = torn ? torn : &w;
				}
				if (torn && !good) {
					report.violate("P3 atomic", after(n) + " has sector " + std::to_string(s) + " but not all of " +
						       name(*torn));
					return;
				}
			}
	}
};

} /* namespace */

void judge_prefixes(History &history, Log &log, Report &report)
{
	Prefixes(history, log, report).run();
}

} /* namespace trace */

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Make a failing case small: drop generations and operations, shorten them, calm the schedule, as long as the same rule
 * is still broken. What is left is still a case that fails.
 */
#include <ctime>
#include <functional>

#include "world.h"

namespace sim {

Case shrink(const Case &start, const Violation &wanted, double seconds)
{
	auto end = std::clock() + static_cast<std::clock_t>(seconds * CLOCKS_PER_SEC);
	Case best = start;
	Totals totals;
	bool smaller = true;

	auto late = [&] { return std::clock() > end; };
	/* A change shifts the schedule, so a few others are tried. */
	auto fails = [&](Case c) {
		for (uint64_t n = 0; n < 6 && !late(); n++) {
			for (Generation &g : c.gens)
				g.seed += n;
			if (run_case(c, totals).rule == wanted.rule) {
				best = c;
				return smaller = true;
			}
		}
		return false;
	};
	auto change = [&](const std::function<void(Case &)> &f) {
		Case c = best;
		f(c);
		return fails(c);
	};

	while (smaller && !late()) {
		smaller = false;
		for (size_t g = 0; g < best.gens.size() && best.gens.size() > 1; g++)
			change([&](Case &c) { c.gens.erase(c.gens.begin() + static_cast<long>(g)); });
		for (size_t g = 0; g < best.gens.size(); g++)
			for (size_t n = best.gens[g].items.size() / 2; n; n /= 2)
				for (size_t i = 0; i + n <= best.gens[g].items.size() && !late();)
					if (!change([&](Case &c) {
						auto at = c.gens[g].items.begin() + static_cast<long>(i);
						c.gens[g].items.erase(at, at + static_cast<long>(n));
					}))
						i += n;
	}
	for (size_t g = 0; g < best.gens.size(); g++) {
		if (best.gens[g].mood.preempt)
			change([&](Case &c) { c.gens[g].mood.preempt = 0; });
		if (best.gens[g].mood.beside)
			change([&](Case &c) { c.gens[g].mood.beside = 0; });
		for (size_t i = 0; i < best.gens[g].items.size() && !late(); i++) {
			if (best.gens[g].items[i].sectors > 1 && best.gens[g].items[i].sectors < 0x100)
				change([&](Case &c) { c.gens[g].items[i].sectors = 1; });
			if (!best.gens[g].items[i].join)
				change([&](Case &c) { c.gens[g].items[i].join = true; });
		}
	}
	return best;
}

} /* namespace sim */

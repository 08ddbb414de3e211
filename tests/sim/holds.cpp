// SPDX-License-Identifier: GPL-2.0-only
/* Marks and holds; see holds.h. */
#include <algorithm>

#include "holds.h"

namespace sim {

void Holds::begin(const History &h, Time first)
{
	const auto log = std::find_if(h.flushes.begin(), h.flushes.end(), [](const Flush &f) { return f.disk == LOG_DISK; });

	held = h.holds;
	given_up = h.gave_up;
	exposed = first;
	settled = log == h.flushes.end() ? NEVER : log->sub;
}

bool Holds::must(uint32_t bit, Time t) const
{
	/* nobody has seen yet which of the two it is: the next superblock may make a torn one whole */
	bool is = marks & bit && !(half_released & bit && exposed >= t);

	for (const Held &e : held) {
		if (e.kind == Do::release || e.kind == Do::rollback)
			is &= e.sub >= t || (e.kind == Do::release ? !(e.bits() & bit) : e.bits() == bit || bit == MACHINE_HELD);
		else
			is |= e.bits() == bit && !e.error && e.done < t;
	}
	return is && !given_up;
}

bool Holds::may(uint32_t bit, Time t) const
{
	bool is = marks & bit;

	for (const Held &e : held) {
		if (e.kind == Do::release)
			is &= !(e.bits() & bit) || e.error || e.done >= t;
		else if (e.kind != Do::rollback)
			is |= e.bits() == bit && e.sub < t;
	}
	return is;
}

bool Holds::keeps_home(Time t) const
{
	return must(MACHINE_HELD, t) && (t >= settled || known);
}

void Holds::advance(uint32_t found, Time t)
{
	known = must(MACHINE_HELD, t) && (known || t >= settled);
	if (exposed < t)
		half_released = 0;
	if (given_up)
		half_released = ~0u;
	for (const Held &e : held)
		if (e.kind == Do::release && e.sub < t && e.done >= t)
			half_released |= e.bits();
	marks = found;
}

} /* namespace sim */

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which marks, and which hold, a superblock must have at a time, and which it may have.
 *
 * Always true: what must be there may be there. What was acknowledged before that time must, unless somebody has begun to
 * end it; what was asked for before it may, unless its end was acknowledged. Marks are the bits of MACHINE_HELD and below.
 */
#ifndef SIM_HOLDS_H
#define SIM_HOLDS_H

#include "world.h"

namespace sim {

class Holds {
public:
	/* A generation; @exposed: its first operation. */
	void begin(const History &h, Time exposed);
	/* The power is cut at @t, and @found is there. */
	void advance(uint32_t found, Time t);

	bool must(uint32_t bit, Time t) const;
	bool may(uint32_t bit, Time t) const;
	/* Must nothing be written to the home at @t? A batch of the intent device from before a hold may still be brought there. */
	bool keeps_home(Time t) const;
	/* What was asked for, in this generation. */
	const std::vector<Held> &asked() const { return held; }
	/* A hold that filled the log was given up. */
	bool gave_up() const { return given_up; }

private:
	uint32_t marks = 0;		/* that it began with */
	uint32_t half_released = 0;	/* of them, those whose release was on its way when the power was cut */
	std::vector<Held> held;
	bool given_up = false;
	bool known = false;		/* somebody was told of the hold, or it outlived a recovery of the intent device */
	Time exposed = NEVER;
	Time settled = NEVER;		/* no batch of a former generation is applied from here on */
};

} /* namespace sim */

#endif

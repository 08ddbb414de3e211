/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The oracle: which contents may a volume, and its home alone, have after a power cut?
 *
 * Time is the number of an event, counted over all generations. A generation is what happens between two cuts; when its
 * volume has been read after the recovery, that is what the next one starts from.
 *
 * A version of a sector is an operation that gave it new contents. It may be found there at the times [lo, hi): from
 * its submission until a later version covers it. Later means submitted after this one completed; operations that
 * overlap in time may have happened in either order. What covering takes depends on the rule: being durable, or
 * being completed.
 */
#ifndef CRASH_ORACLE_H
#define CRASH_ORACLE_H

#include <cstdint>
#include <filesystem>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "history.h"

namespace crash {

using Time = uint64_t;
constexpr Time NEVER = std::numeric_limits<Time>::max();

struct Op {
	Kind kind = Kind::none;
	uint64_t sector = 0;
	uint32_t sectors = 0;
	int32_t status = 0;
	Time sub = 0;
	Time done = NEVER;
	Time durable = NEVER;

	bool has_data() const { return kind == Kind::write || kind == Kind::fua; }
	bool writes() const { return has_data() || kind == Kind::discard || kind == Kind::zeroes; }
};

/* A version that an earlier generation left behind. */
struct Past {
	uint64_t id;
	Time lo, hi;		/* hi: covered by what is durable */
	Time gone;		/* covered by what was complete */
	Time done;		/* when its operation had completed, at the latest */
	uint64_t sector;	/* its operation's; no sectors: the initial contents */
	uint32_t sectors;
	Kind kind;
};

/* What a home alone may be: every epoch before one, and any part of that; or exactly the volume after some record. */
enum class Home { epochs, record };

/* What is known of the volume at the start of a generation. */
struct State {
	uint32_t generation = 0;	/* of the last history judged; the first one has 1 */
	Time now = 1;
	std::vector<std::vector<Past>> past;	/* by sector; hi == NEVER: it may be on the volume now */

	explicit State(uint64_t sectors = 0);
	static State load(const std::filesystem::path &path);
	void save(const std::filesystem::path &path) const;
};

/* Indexed by op number. Events behind a cut are the guest's, whose disks are dead. */
struct Run {
	std::vector<Op> ops;
	Time end = 0;
	Time cut = NEVER;

	Run(std::span<const Event> events, Time start);
};

/* What stands in a sector of an image. */
struct Value {
	enum { tag, zero, garbage } what;
	uint64_t id;
};

std::vector<Value> read_image(std::span<const uint8_t> image);

struct Violation {
	std::string rule, text;
};

struct Verdict {
	std::vector<Violation> violations;
	/* How much there was to see. */
	uint64_t changed = 0;		/* sectors of the volume that this generation wrote */
	uint64_t behind = 0;		/* sectors in which the home is older than the volume */
	Time home_lo = 0, home_hi = NEVER;	/* the home is a state of this time */

	bool ok() const { return violations.empty(); }
};

/*
 * Judge the images found after the cut. @atomic: sectors up to which a write is never torn. The state is moved on to
 * the next generation if there is a volume to say what that starts from. Empty spans: not to be judged.
 */
Verdict judge(State &state, const Run &run, std::span<const Value> volume, std::span<const Value> home, uint32_t atomic,
	      Home promise = Home::epochs);

} /* namespace crash */

#endif

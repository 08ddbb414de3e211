/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a case is, and what happened in it.
 *
 * Always true: time is the number of an event and grows over all generations of a case; a value is the number of the
 * operation that wrote it, so every check is a look-up in a table by value and sector.
 */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include <cstdint>
#include <limits>
#include <string>
#include <unordered_map>
#include <vector>

#include "machine.h"

namespace sim {

using Time = uint32_t;
using Value = uint32_t;

constexpr Time NEVER = std::numeric_limits<Time>::max();
constexpr Value ZERO = 0xffffffff;	/* zeroes */
constexpr Value GARBAGE = 0xfffffffe;	/* no sector that anybody wrote */
constexpr Value ANY = 0xfffffffd;	/* discarded, and the home keeps what it had */
constexpr uint32_t MAX_HOME = 64;	/* sectors; also of a record */
constexpr uint16_t NO_MARK = 99;
constexpr unsigned SLOW_READ = 9;	/* instead of a failure: the next read of the log takes long */

/*----------------------------------------------------------------
 * A case: what is done
 *--------------------------------------------------------------*/

enum class Do : char {
	write = 'W', fua = 'U', flush = 'F', flush_write = 'P', flush_fua = 'Q', discard = 'D', zeroes = 'Z', read = 'R',
	hold = 'H', mark = 'M', release = 'K', rollback = 'B',	/* the last one ends its generation */
	checkpoint = 'C', suspend = 'S', noflush = 'N', reload = 'L', reload_home = 'J', sleep = 'T', fail = 'E',
};

struct Item {
	Do kind;
	uint16_t sector = 0;	/* sleep: ms; fail: what; a mark's number, release: or NO_MARK for all */
	uint16_t sectors = 0;	/* fail: from the how manyth on; 0x100: for ever */
	bool join = false;	/* after all before have completed */
};

struct Generation {
	uint64_t seed = 1;	/* of the schedule */
	uint32_t pick = 0;	/* which of the crash states the next one starts from */
	simk_mood mood = {};
	std::vector<Item> items;
};

struct Case {
	machine_opts opts = {};
	uint32_t tear = 1;	/* sectors that a power cut leaves whole on the log */
	uint32_t effort = 1;	/* how many states at a crash point */
	uint32_t former = 0;	/* the area has what an earlier format of it left */
	std::vector<Generation> gens;

	std::string text() const;
	static bool parse(const std::string &text, Case &out);
};

/*----------------------------------------------------------------
 * A history: what happened
 *--------------------------------------------------------------*/

struct Op {
	Do kind;
	uint16_t sector, sectors;
	bool failed = false;
	Time sub = 0, done = NEVER, durable = NEVER;

	bool writes() const
	{
		return kind == Do::write || kind == Do::fua || kind == Do::flush_write || kind == Do::flush_fua;
	}
	bool wipes() const { return kind == Do::discard || kind == Do::zeroes; }
	bool is_fua() const { return kind == Do::fua || kind == Do::flush_fua; }
	bool touches(uint32_t s) const { return s >= sector && s < uint32_t(sector) + sectors; }
};

/* A write of a disk. */
struct Write {
	uint8_t disk;
	bool fua, failed = false, dead = false;
	uint16_t sector, sectors;
	Time sub, done = NEVER;
	uint64_t may;		/* sectors that may be on the disk */
	uint32_t data;		/* home: offset in History::values; else in History::bytes */
};

struct Flush {
	uint8_t disk;
	bool failed = false;
	Time sub, done = NEVER;
};

/* A message of hold, mark, release or rollback. */
struct Held {
	Do kind;
	unsigned mark;		/* its number, or NO_MARK */
	int error = 0;
	uint64_t seq = 0;	/* of the mark, as the superblock has it */
	Time sub = 0, done = NEVER;

	/* the bits of machine_found.marks that it is about */
	uint32_t bits() const
	{
		return kind == Do::hold ? MACHINE_HELD : mark == NO_MARK ? ~0u : 1u << mark;
	}
};

struct Event {
	enum { write_sub, write_done, flush_sub, flush_done, op_sub, op_done } what;
	uint32_t index;
	Time time;
	bool whole;	/* the checkpoint target says that the home alone is consistent */
};

struct ReadResult {
	uint32_t op;
	std::vector<Value> values;
};

/* The disks when a generation starts or has been cut. */
struct Image {
	std::vector<uint8_t> log, intent;
	std::vector<Value> home;

	/* of a disk that is kept as bytes, which the home is not */
	std::vector<uint8_t> &bytes(unsigned disk) { return disk == LOG_DISK ? log : intent; }
	const std::vector<uint8_t> &bytes(unsigned disk) const { return disk == LOG_DISK ? log : intent; }
};

extern const char *const DISK_NAMES[DISKS];

struct History {
	Image start;
	std::vector<Write> writes;
	std::vector<Flush> flushes;
	std::vector<Event> events;	/* of this generation */
	std::vector<ReadResult> reads;
	std::vector<Held> holds;
	bool gave_up = false;		/* a full log ended a hold, some time */
	std::vector<uint8_t> bytes;
	std::vector<Value> values;
	uint32_t first_op = 0;		/* of this generation */
	bool quiet = false;		/* all was committed at the end, and the last reads saw all of it */
	uint32_t last_reads = 0;	/* reads from here on are of the end */
	std::string failure;		/* what the machine itself complained of */
	bool refused = false;		/* it did not start */

	void clear();
};

/*----------------------------------------------------------------
 * Contents of a sector
 *--------------------------------------------------------------*/

void fill_sector(uint8_t *to, Value v, uint32_t sector);
extern "C" uint32_t value_of(const uint8_t *sector, uint64_t home);

inline uint64_t mix(uint64_t v)
{
	v = (v ^ v >> 30) * 0xbf58476d1ce4e5b9ull;
	v = (v ^ v >> 27) * 0x94d049bb133111ebull;
	return v ^ v >> 31;
}

struct Random {
	uint64_t state;

	explicit Random(uint64_t seed) : state(mix(seed + 0x1111)) {}
	uint64_t next() { return mix(state += 0x9e3779b97f4a7c15ull); }
	uint32_t below(uint32_t n) { return static_cast<uint32_t>(next() % n); }
	bool chance(uint32_t percent) { return below(100) < percent; }
	template <class T> T of(std::initializer_list<T> list) { return list.begin()[below(static_cast<uint32_t>(list.size()))]; }
};

/*----------------------------------------------------------------
 * The parts
 *--------------------------------------------------------------*/

struct Totals {
	uint64_t states = 0, distinct = 0, generations = 0, cases = 0, points = 0, marks = 0, rollbacks = 0;
};

struct Violation {
	std::string rule, text;
	bool any() const { return !rule.empty(); }
};

/* disks.cpp */
void disks_start(History &h, const Image &image, const machine_opts &o, Time &clock);
void disks_fail(unsigned what, unsigned nth);
Time tick();
std::string check_buffers();

/* drive.cpp: run one generation on the machine */
void drive(const Case &c, const Generation &g, const Image &start, std::vector<Op> &ops, Time &clock, History &out);

/* judge.cpp */
class Judge;

/* run.cpp: a whole case; the first violation, or none */
Violation run_case(const Case &c, Totals &totals, bool tell = false);
Image fresh_image(const machine_opts &o);

/* cases.cpp */
Case random_case(uint64_t seed, bool rollbacks = false);	/* rollbacks: each case has some */
uint64_t exhaustive_count();
Case exhaustive_case(uint64_t number, uint64_t schedule);

/* shrink.cpp */
Case shrink(const Case &c, const Violation &v, double seconds);

} /* namespace sim */

#endif

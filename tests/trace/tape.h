/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A recorded run, as the tape target wrote it, in memory.
 *
 * Always true: operations stand in order of submission, time is the tapes' common clock, and every sector of payload has
 * been hashed. Two sectors are taken for the same if their 64-bit hashes are. A tape that overflowed, or on which an
 * operation failed, is refused.
 */
#ifndef TRACE_TAPE_H
#define TRACE_TAPE_H

#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

namespace trace {

using Time = uint64_t;
using Hash = uint64_t;

constexpr Time NEVER = std::numeric_limits<Time>::max();
constexpr uint32_t SECTOR = 512;

enum class Kind : uint8_t { read, write, flush, discard, zeroes, mark };

/* The devices' ids in the tables of guest.sh. */
enum Device : uint8_t { VOLUME, LOG, HOME, DEVICES };

struct Op {
	Time sub, done;
	uint64_t sector;
	uint32_t sectors;
	Kind kind;
	uint8_t device;
	bool fua;
	bool changed;		/* its pages changed in flight: nobody knows what was written */
	const uint8_t *data;	/* of a write */
	const Hash *hash;	/* of its sectors; of a discard or zeroes that of zeroes for each sector */

	bool writes() const { return kind == Kind::write || kind == Kind::discard || kind == Kind::zeroes; }
	uint64_t end() const { return sector + sectors; }
};

Hash hash_sector(const uint8_t *data);
extern const Hash ZEROES;	/* of a sector of zeroes */

class Tape {
public:
	explicit Tape(const std::string &path);
	Tape(const Tape &) = delete;
	~Tape();

	std::vector<Op> ops;
	/* from the mark "begin LOG-SECTORS HOME-SECTORS OPTIONS"; crashes before it are of no interest */
	Time begin = 0;
	uint64_t log_sectors = 0, home_sectors = 0;
	bool flush_home = false;
	Time clock = 0;		/* the last number drawn */

private:
	const uint8_t *data = nullptr;
	size_t size = 0;
	std::vector<Hash> hashes, zeroes;
};

std::string name(const Op &op);

} /* namespace trace */

#endif

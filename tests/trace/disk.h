/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A disk with a volatile write cache, played from a tape: what is durable on it, and what a power cut may add.
 *
 * Always true: cells hold what is durable, unless a choice is laid over them; pending are the writes that were submitted
 * and are not durable, in order of submission; image is a hash of all cells. A write becomes durable when it is
 * done and has FUA, or when a flush is done that was submitted after it was done. Tears are at 512 bytes.
 */
#ifndef TRACE_DISK_H
#define TRACE_DISK_H

#include <random>

#include "tape.h"

namespace trace {

struct Cell {
	Hash hash = ZEROES;
	const uint8_t *data = nullptr;	/* null: zeroes */
	Time since = 0;
};

/* A write of which this much has reached the disk. */
struct Part {
	enum Shape : uint8_t { whole, prefix, suffix, without, only, some };
	const Op *op;
	Shape shape;
	uint32_t n;

	bool has(uint32_t i) const;
};

using Choice = std::vector<Part>;

class Disk {
public:
	explicit Disk(uint64_t sectors) : cells(sectors) {}

	void submit(const Op &op);
	/* Gives what has become durable, in order of submission. */
	std::vector<const Op *> done(const Op &op);

	const Cell &operator[](uint64_t sector) const { return cells[sector]; }
	uint64_t sectors() const { return cells.size(); }
	void read(uint64_t sector, uint8_t *to, uint64_t n) const;

	void lay(const Choice &choice);
	void lift();
	/* Sectors that the choice changed; some more than once. */
	std::vector<uint64_t> laid() const;

	std::vector<const Op *> pending;
	uint64_t image = 0;

private:
	std::vector<Cell> cells;
	std::vector<std::pair<uint64_t, Cell>> undo;
	std::vector<const Op *> ended;	/* of pending */

	void put(const Op &op, uint32_t i);
};

/*
 * Ways in which the pending writes may have been persisted: none, all, prefixes by submission and by completion, all
 * combinations of few, all but one and only one of many, random ones, and tears of single writes.
 */
std::vector<Choice> enumerate(const Disk &disk, unsigned most, std::mt19937 &random);

std::string name(const Choice &choice);

} /* namespace trace */

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * All that a power cut may leave of the disks, at each moment of a generation.
 *
 * Always true: what was flushed, or written with FUA, is there; of the rest any sectors may be, in the order of the
 * writes for each sector. Equal states are recovered once.
 */
#ifndef SIM_ENUMERATE_H
#define SIM_ENUMERATE_H

#include "judge.h"

namespace sim {

class Enumerate {
public:
	Enumerate(const Case &c, Judge &judge, const History &h, Totals &totals, Random random);

	/* The first violation, or none; then one of the states, and how it is judged. */
	Violation run();

	struct Chosen {
		Image image;
		std::vector<Value> volume;
		Found found;
		Time time = 0;
	};

	Chosen chosen;
	std::string story;	/* of the state that violates */

private:
	struct Entry {
		uint64_t key;
		Found found;
	};

	const Case &c;
	Judge &judge;
	const History &h;
	Totals &totals;
	Random random;
	uint32_t log_sectors, home_sectors;

	Image image;				/* what is certain */
	std::vector<uint32_t> version[DISKS];	/* of each sector: 1 + number of the write, 0: from before */
	uint64_t hash = 0;			/* of what is certain */
	std::vector<uint32_t> pending;		/* writes that may or may not be there */
	std::vector<bool> dropped;		/* by write: a flush that failed may have lost it */
	uint64_t nr_seen = 0, salt;

	/* of all generations so far; keys of different ones differ */
	static std::vector<Entry> seen;
	static size_t used;

	std::vector<uint32_t> now[DISKS];	/* versions with a choice applied; as version between choices */
	std::vector<uint32_t> touched;		/* disk << 16 | sector */
	std::vector<Value> volume;
	std::vector<uint64_t> mask;		/* the choice: sectors of each pending write */

	uint64_t salted(unsigned disk, uint32_t sector, uint32_t version) const;
	void put(uint32_t write, uint32_t sector);
	void settle(uint32_t write);
	void flushed(const Flush &f);
	void choose_touched(uint64_t &key);
	void put_touched();
	void take_touched();
	Violation rot(Time t);
	Violation scrambled(Time t);
	Violation rotten(Time t, unsigned disk, uint32_t sector, uint32_t sectors, const Found &before, bool known);
	Violation point(Time t);
	Violation try_masks(Time t);
	Violation judge_touched(Time t, Found &found);
	Entry *lookup(uint64_t key);
	void choose(const Found &found, Time t);
	uint64_t all_of(uint32_t write) const { return h.writes[write].may; }
	void fill(uint64_t log, uint64_t at_home, uint64_t intent);
	Violation families(Time t);
	Violation torn(Time t);
	uint64_t granules(uint32_t write, uint64_t bits) const;
	std::string tell(const Violation &v, Time t) const;
};

} /* namespace sim */

#endif

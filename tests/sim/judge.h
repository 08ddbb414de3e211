/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The oracle: may a volume, and its home alone, look like this after a power cut at this time?
 *
 * Always true: every question is answered from tables that are filled once a generation.
 *
 *   hi       when a value of a sector is covered for good: by the first durable write that was submitted after it completed
 *   chain    the volume after each record in log order, built from what was sent to the log, not from what was found there
 *
 * P1: no value of the volume is covered before the cut. P2: the volume is exactly one link of the chain. P3: a write lies
 * in one record. A rollback gives the volume of its mark, exactly, and for good. P4: there is one time at which the home's values all were allowed.
 */
#ifndef SIM_JUDGE_H
#define SIM_JUDGE_H

#include <map>
#include <optional>

#include "holds.h"

namespace sim {

struct Link {
	uint64_t seq;
	std::vector<Value> volume;
	Time hi;		/* the first time at which this volume would be too old */
	uint32_t write = 0;	/* of the record */
	Time sub = 0;		/* of that write */
	uint64_t durable = 0;	/* what its header says was durable */
};

/* What one disk state gives; how it is judged depends on the time only through hi. */
struct Found {
	uint32_t link;		/* of the chain; behind its end: the mark of a rollback */
	Time home_hi;
	bool torn;		/* the home alone is no state that a disk could have crashed into */
	uint32_t marks;		/* machine_found.marks */
};

class Judge {
public:
	explicit Judge(const Case &c);

	std::vector<Op> ops;	/* by value; 0 is the initial contents */
	Time clock = 1;

	/* Fill the tables from a generation; what is wrong with the history itself, if anything. */
	Violation history(const History &h, bool failures);
	/* One disk state; @volume is work space. */
	Violation state(const Image &image, Value *volume, Found &found);
	Violation at(const Found &f, Time t) const;
	/* Sectors rotted, and @before became @found: what nobody may lose without being told? */
	Violation lost(const Found &before, const Found &found, Time t) const;
	/* The power is cut at @t with this result: the next generation starts from it. */
	void advance(const Found &f, const Value *volume, Time t);

	std::string name(Value v) const;
	const std::vector<Link> &links() const { return chain; }
	uint64_t tail_seq() const { return tail; }	/* of the superblock in the last state */
	/* The generation starts from a rollback that nobody was told of: before its volume is exposed, either slot may count. */
	bool either_slot(Time t) const;

private:
	const Case &c;
	uint32_t home;
	bool exact;			/* the home alone is the volume after some record */
	std::vector<std::pair<Time, bool>> whole;	/* from when on the home alone is said to be consistent, or not to be */
	std::vector<Time> hi, hi_before;	/* by value and sector */
	std::vector<Time> zero_lo, zero_hi, zero_lo_before, zero_hi_before;
	std::vector<Value> base;
	uint64_t base_seq, tail = 0;
	uint64_t used_seq;		/* the greatest sequence that was ever written before this generation */
	uint32_t first_op = 1;
	std::vector<Link> chain;
	Time first_ack = NEVER;		/* of a flush or FUA in this generation */
	std::map<uint64_t, std::vector<Value>> former;	/* the volume after each record before this generation */
	Holds holds;
	std::optional<Link> back;	/* the mark that it returned to; sub: when that began */
	Time back_done = NEVER;
	Time exposed = NEVER;		/* the first operation of this generation */
	bool half_back = false;		/* the generation began between the two superblocks of a rollback */

	bool is_some_record(const Value *at_home) const;
	void find_whole(const History &h);
	bool may_be_torn(Time t) const;
	bool keeps(const Op &op) const { return op.kind == Do::discard && !machine_discards(&c.opts); }
	Time &hi_of(Value v, uint32_t s) { return hi[v * home + s]; }
	Time covered(uint32_t s, Time done) const;
	Time value_hi(Value v, uint32_t s) const;
	Time value_lo(Value v, uint32_t s) const;
	void durable_times();
	void fill_tables();
	Violation build_chain(const History &h);
	Violation add_record(const History &h, uint32_t write, std::vector<uint32_t> &record_of);
	Violation check_order(const std::vector<uint32_t> &record_of) const;
	Violation check_reads(const History &h) const;
	Violation check_barrier(const History &h) const;
	const Link &link_of(const Found &f) const { return f.link < chain.size() ? chain[f.link] : *back; }
	bool is_back(const Link &l) const { return back && l.seq == back->seq; }
	const std::vector<Value> *volume_at(uint64_t seq) const;
	Violation check_mark(const Held &mark) const;
	Violation check_holds(const History &h, bool failures);
};

} /* namespace sim */

#endif

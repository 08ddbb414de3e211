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
 * in one record. P4: there is one time at which the home's values all were allowed.
 */
#ifndef SIM_JUDGE_H
#define SIM_JUDGE_H

#include "world.h"

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
	uint32_t link;
	Time home_hi;
};

class Judge {
public:
	explicit Judge(const Case &c);

	std::vector<Op> ops;	/* by value; 0 is the initial contents */
	Time clock = 1;

	/* Fill the tables from a generation; what is wrong with the history itself, if anything. */
	Violation history(const History &h);
	/* One disk state; @volume is work space. */
	Violation state(const Image &image, Value *volume, Found &found);
	Violation at(const Found &f, Time t) const;
	/* The power is cut at @t with this result: the next generation starts from it. */
	void advance(const Found &f, const Value *volume, Time t);

	std::string name(Value v) const;
	const std::vector<Link> &links() const { return chain; }
	uint64_t tail_seq() const { return tail; }	/* of the superblock in the last state */

private:
	const Case &c;
	uint32_t home;
	bool exact;			/* the home alone is the volume after some record */
	std::vector<Time> hi, hi_before;	/* by value and sector */
	std::vector<Time> zero_lo, zero_hi, zero_lo_before, zero_hi_before;
	std::vector<Value> base;
	uint64_t base_seq, tail = 0;
	uint64_t used_seq;		/* the greatest sequence that was ever written before this generation */
	uint32_t first_op = 1;
	std::vector<Link> chain;
	std::vector<std::vector<Value>> past;	/* volumes after records before this generation */
	Time first_ack = NEVER;		/* of a flush or FUA in this generation */

	bool is_some_record(const Value *at_home) const;
	bool keeps(const Op &op) const { return op.kind == Do::discard && !c.opts.discard_max; }
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
};

} /* namespace sim */

#endif

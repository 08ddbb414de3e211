/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The records and superblocks that the journal wrote.
 *
 * Always true: record 0 stands for the volume before the first record; records are in order of sequence; versions of a
 * sector are in order of records, one a record. The volume after record n, V(n), holds in each sector its last version
 * up to n. So a recovery that accepts records up to n must give V(n), whatever the crash left on the home.
 */
#ifndef TRACE_LOG_H
#define TRACE_LOG_H

#include <map>
#include <unordered_map>

extern "C" {
#include "scan.h"
}

#include "history.h"

namespace trace {

struct Extent {
	uint64_t home;
	uint32_t len;
	Kind kind;		/* write, discard or zeroes */
	uint32_t offset;	/* of the payload in the record, sectors */
};

struct Record {
	jrecord head;
	const Op *op;		/* the log write; null for record 0 */
	std::vector<Extent> extents;
	Time legal_until = NEVER;	/* V of this record is what a crash may leave up to here */
};

/* A version of a sector that a record brought. */
struct Version {
	uint32_t record;
	Kind kind;
	Hash hash;
	const uint8_t *data;	/* null: zeroes */

	bool is(Hash found) const { return kind == Kind::discard || found == hash; }
};

struct Super {
	jsuper super;
	const Op *op;
	uint32_t tail, to;	/* records of tail_seq and ckpt_to_seq */
};

class Log {
public:
	Log(const Tape &tape, uint64_t log_sectors);

	jgeo geo = {};
	std::vector<Record> records;
	std::map<const Op *, uint32_t> record_of;
	std::map<const Op *, Super> super_of;
	std::vector<std::string> strange;	/* log writes that are neither */

	/* The last version up to record n, or null. */
	const Version *version(uint64_t home, uint32_t n) const;
	/* The record of a sequence; false if there is none. */
	bool find(uint64_t seq, uint32_t &n) const;

private:
	std::vector<std::vector<Version>> versions;	/* by home sector */
	std::unordered_map<uint64_t, uint32_t> by_seq;

	void take_super(Super s);
	void take_record(const Op &op);
};

} /* namespace trace */

#endif

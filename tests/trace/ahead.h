/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The write-ahead order (I10), checked on every operation while a tape plays:
 *
 *   a  what is written to the home is the newest version, within the batch that a durable superblock announced, of a
 *      record that is durable in the log;
 *   b  a superblock whose tail moves past records is written only when the home durably holds all of them;
 *   c  nothing is written to the log where the newest durable superblock still needs a record.
 *
 * Always true: durable_super is the newest superblock that a crash cannot take away.
 */
#ifndef TRACE_AHEAD_H
#define TRACE_AHEAD_H

#include <unordered_set>

#include "disk.h"
#include "log.h"
#include "report.h"

namespace trace {

class WriteAhead {
public:
	WriteAhead(const Log &log, const Disk &home, Report &report) : log(log), home(home), report(report) {}

	void home_write(const Op &op);
	/* @off: sectors in which the durable home is not V(tail()). */
	void log_write(const Op &op, const std::unordered_set<uint64_t> &off);
	/* True if the tail has moved. */
	bool log_durable(const Op &op);

	uint32_t tail() const { return durable_super ? durable_super->tail : 0; }
	uint64_t home_sectors = 0, tails = 0, log_writes = 0;	/* checked */

private:
	const Log &log;
	const Disk &home;
	Report &report;
	const Super *durable_super = nullptr;
	std::unordered_set<uint32_t> durable;	/* records */
};

} /* namespace trace */

#endif

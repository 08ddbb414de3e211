/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Crash states of a recorded run: for each moment, what a power cut may have left on log and home; each of these is
 * recovered by the scan that the kernel and jbdctl use, and judged.
 *
 *   I1, I7  a recovery that ends with record n gives exactly V(n), the volume after that record: the records that it
 *           accepts are whole and the ones that were written, and a sector that none of them covers has what V(n) has.
 *   P1      V(n) is legal at the moment of the crash (legal_until).
 *   P4      the home alone, as if the log had been lost, is a state of one time of the history (I2, I9); with flush home
 *           in the table it is legal at the moment of the crash.
 *   I10     while the tape plays: see WriteAhead in ahead.h.
 *
 * Always true: states are judged on images in memory that nothing else changes, so two runs with the same seed try
 * the same states.
 */
#ifndef TRACE_CRASH_H
#define TRACE_CRASH_H

#include <functional>
#include <unordered_set>

#include "ahead.h"
#include "disk.h"
#include "log.h"
#include "report.h"

namespace trace {

struct Options {
	unsigned seed = 1;
	unsigned most = 64;	/* states of one disk at one moment, about */
	unsigned share = 1000;	/* permille of the moments, beyond those that are always looked at */
	unsigned samples = 0;	/* states for the kernel to recover */
};

struct Counts {
	uint64_t events = 0, points = 0, states = 0, distinct = 0, scans = 0;
};

/* What a log recovers to: the records that its tail and its end stand for. */
struct Found {
	bool good;
	uint32_t tail, last;
};

/* A state for the kernel: both disks, with the choice laid over them, and the volume that must come out. */
struct Sample {
	Time time;
	const Disk &log, &home;
	std::function<void(uint64_t sector, uint8_t *to)> volume;
};

class Crash {
public:
	using Sink = std::function<void(const Sample &)>;

	Crash(const Tape &tape, History &history, Log &log, Report &report, const Options &options, Sink sink);

	void run();

	Counts counts;

private:
	struct LogState {
		Choice choice;
		uint64_t image;
		Found found;
	};

	const Tape &tape;
	History &history;
	Log &log;
	Report &report;
	const Options &options;
	Sink sink;
	std::mt19937 random;

	Disk log_disk, home_disk;
	WriteAhead ahead;
	Frontier home_front;
	std::unordered_map<const Op *, std::vector<const Intervals *>> home_when;
	std::unordered_set<uint64_t> off;	/* sectors in which the durable home is not V(ahead.tail()) */

	bool log_moved = true, home_moved = true;
	std::vector<LogState> logs;
	std::vector<Choice> homes;
	std::unordered_map<uint64_t, Found> scanned;
	std::unordered_set<uint64_t> images;
	std::unordered_map<uint64_t, Time> homes_judged;	/* legal until */
	std::vector<uint8_t> buffer;
	unsigned sample_every = 0, sample_next = 0;

	void submitted(const Op &op);
	void ended(const Op &op);
	void settled(const std::vector<const Op *> &ops);
	void check_off(uint64_t sector);
	const Intervals *home_interval(const Op &op, uint32_t i);

	void point(Time now);
	Found recover(Time now, const Choice &choice);
	Time judge_home(Time now, const Choice &choice);
	std::vector<uint64_t> suspects() const;
	bool judge(Time now, const LogState &l, const Choice &h, const std::vector<uint64_t> &suspects);
	bool differs(uint64_t sector, const Found &found) const;
	void tell_sector(Time now, uint64_t sector, const Found &found, const Choice &l, const Choice &h);
	void sample(Time now);
	std::string state(Time now, const Choice *l, const Choice *h) const;
};

} /* namespace trace */

#endif

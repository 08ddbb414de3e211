// SPDX-License-Identifier: GPL-2.0-only
//
// Is a log whole? And up to where?
//
// Always true: only reads; `good` is the end of the longest run of records, from the
// tail, of which every descriptor and every payload checksum holds.
// Crashes leave nothing here.
#ifndef JBDCTL_VERIFY_H
#define JBDCTL_VERIFY_H

#include <optional>
#include <string>

#include "image.h"
#include "progress.h"

namespace jbd {

struct Verdict {
	struct {
		std::uint64_t seq, epoch;
		std::uint32_t crc;
		struct jpos pos;	// behind the record
	} good;
	std::uint64_t records = 0, epochs = 0, payload_sectors = 0, emptied_sectors = 0;
	jscan_result scan{};
	std::optional<std::string> damage;	// what, and where
};

// An Error only if the log cannot be read, or the user interrupts.
Result<Verdict> verify(const Log &log, const jsuper &super, bool payload, Progress &progress);

} // namespace jbd

#endif

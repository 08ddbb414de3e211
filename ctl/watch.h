// SPDX-License-Identifier: GPL-2.0-only
//
// Show something again and again.
//
// Always true: each look is printed whole, by one write as far as the output takes it.
// On a terminal the cursor is below the last one when watch() returns.
// Crashes leave nothing here.
#ifndef JBDCTL_WATCH_H
#define JBDCTL_WATCH_H

#include <cstdint>
#include <functional>
#include <string>

#include "result.h"

namespace jbd {

enum class Between {
	nothing,	// lines for programs
	blocks,		// in place on a terminal; elsewhere an empty line between two looks
};

// Until a signal, which is success, or until @look fails. A dm event shortens the interval.
Result<> watch(std::uint64_t interval_ms, Between between, const std::function<Result<std::string>()> &look);

} // namespace jbd

#endif

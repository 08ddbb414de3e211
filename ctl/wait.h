// SPDX-License-Identifier: GPL-2.0-only
//
// Always true: the checkpoint itself goes on in the kernel, whether anybody waits
// for it or not. Crashes leave nothing here.
#ifndef JBDCTL_WAIT_H
#define JBDCTL_WAIT_H

#include <cstdint>
#include <optional>
#include <string>

#include "result.h"

namespace jbd {

// Ask for a checkpoint of all that was written so far: the sequence that it has to reach.
Result<std::uint64_t> request_checkpoint(const std::string &name);

// Until the home has everything up to record @target; shows progress. A failing home
// or log, Ctrl-C and the timeout end it.
Result<> wait_for_checkpoint(const std::string &name, std::uint64_t target,
			     std::optional<std::uint64_t> timeout_s, bool quiet);

} // namespace jbd

#endif

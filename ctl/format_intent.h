// SPDX-License-Identifier: GPL-2.0-only
//
// Making an intent device, and whether one can be used with a home and a log.
//
// Always true: only the intent device is written.
//
// What a crash leaves: a device without a valid superblock, or the new intent device,
// which holds no batch.
#ifndef JBDCTL_FORMAT_INTENT_H
#define JBDCTL_FORMAT_INTENT_H

#include <string>

#include "image.h"
#include "intent.h"

namespace jbd {

// An intent device for @home_len sectors, with an identity of its own.
Result<isuper> new_intent(const Device &device, const Device &home);
Result<> write_new_intent(const Device &device, const isuper &super);

// Is @super the intent device that the log is bound to? null: none was given.
Result<> check_bound(const std::string &log, const jsuper &log_super, const std::string &path, const isuper *super);
bool is_bound(const jsuper &log);

// The logical blocks, and what the home says of itself.
Result<> check_intent_home(const Intent &intent, const isuper &super, const Device &home);

// The longest batch_mib of which any batch fits.
std::uint64_t batch_mib_most(const igeo &geo);

} // namespace jbd

#endif

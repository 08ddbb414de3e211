// SPDX-License-Identifier: GPL-2.0-only
//
// What holds the checkpoints of a volume back.
//
// Always true: only looks. Crashes leave nothing here.
#ifndef JBDCTL_HOLD_H
#define JBDCTL_HOLD_H

#include <string>

#include "core.h"
#include "table.h"

namespace jbd {

Result<> check_mark_name(const std::string &name);
// "Checkpoints are held; marks: a (record 12)."; or that nothing holds them back.
std::string hold_text(const JournalStatus &status);
// An Error that says what to do, if not everything can come home.
Result<> check_not_held(const std::string &name, const JournalStatus &status);
Result<> check_not_held(const std::string &log, const jsuper &super);

} // namespace jbd

#endif

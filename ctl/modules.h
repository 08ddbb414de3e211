// SPDX-License-Identifier: GPL-2.0-only
//
// Always true: no module is removed here. Crashes leave nothing here.
#ifndef JBDCTL_MODULES_H
#define JBDCTL_MODULES_H

#include "result.h"

namespace jbd {

// Both targets are known to the kernel; asks modprobe for what is missing.
Result<> ensure_targets();

} // namespace jbd

#endif

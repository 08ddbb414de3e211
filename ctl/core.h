// SPDX-License-Identifier: GPL-2.0-only
//
// The files that jbdctl shares with the kernel: the log's format, its scan, the index;
// the intent device's format; the targets' options.
//
// Always true: they are compiled from the same source as in the module, and nothing
// here repeats what they define. Crashes leave nothing here.
#ifndef JBDCTL_CORE_H
#define JBDCTL_CORE_H

#include <cstdint>

extern "C" {
#include "fork.h"
#include "index.h"
#include "intent_codec.h"
#include "mark.h"
#include "options.h"
#include "scan.h"
}

namespace jbd {

constexpr std::uint64_t sector_size = JFMT_SECTOR;

} // namespace jbd

#endif

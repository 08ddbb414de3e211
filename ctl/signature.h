// SPDX-License-Identifier: GPL-2.0-only
//
// Always true: only reads. Crashes leave nothing here.
#ifndef JBDCTL_SIGNATURE_H
#define JBDCTL_SIGNATURE_H

#include <string>

#include "blockdev.h"

namespace jbd {

// What libblkid finds on the device, as in "an ext4 file system labelled 'srv'";
// empty: nothing.
Result<std::string> find_signature(const Device &device);

} // namespace jbd

#endif

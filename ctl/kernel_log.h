// SPDX-License-Identifier: GPL-2.0-only
//
// What the kernel had to say about device-mapper while something was done.
//
// Always true: it is only for people; nothing is decided by it. Crashes leave nothing here.
#ifndef JBDCTL_KERNEL_LOG_H
#define JBDCTL_KERNEL_LOG_H

#include <string>

#include "fd.h"

namespace jbd {

class KernelLog {
public:
	KernelLog();			// from now on
	std::string device_mapper();	// its lines since then, joined; may be empty

private:
	Fd fd_;
};

} // namespace jbd

#endif

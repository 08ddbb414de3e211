/* SPDX-License-Identifier: GPL-2.0-only */
/* With byte order, which other headers of the kernel bring along. */
#ifndef SIM_LINUX_STRING_H
#define SIM_LINUX_STRING_H

#include <linux/kernel.h>

#endif

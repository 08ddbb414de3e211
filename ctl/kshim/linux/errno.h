/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef KSHIM_LINUX_ERRNO_H
#define KSHIM_LINUX_ERRNO_H

#include_next <linux/errno.h>

#endif

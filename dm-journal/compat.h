/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What differs between kernels 6.1 and newer. The only file that looks at the
 * kernel's version; deleting it and its uses leaves code for the newest kernel.
 */
#ifndef JOURNAL_COMPAT_H
#define JOURNAL_COMPAT_H

#include <linux/blkdev.h>
#include <linux/version.h>

/* 6.12 derives max_discard_sectors from the hardware's limit, 6.1 does not. */
static inline void compat_set_max_discard(struct queue_limits *limits, unsigned int sectors)
{
	limits->max_hw_discard_sectors = sectors;
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 11, 0)
	limits->max_discard_sectors = sectors;
#endif
}

#endif

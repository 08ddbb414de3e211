/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SIM_LINUX_BLKDEV_H
#define SIM_LINUX_BLKDEV_H

#include <linux/bio.h>

#endif

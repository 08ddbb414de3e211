/* SPDX-License-Identifier: GPL-2.0-only */
/* cond_resched() is in kernel.h. */
#ifndef SIM_LINUX_SCHED_H
#define SIM_LINUX_SCHED_H

#include <linux/kernel.h>

#endif

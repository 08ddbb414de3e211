/* SPDX-License-Identifier: GPL-2.0-only */
/* Virtual time. */
#ifndef SIM_LINUX_KTIME_H
#define SIM_LINUX_KTIME_H

#include <linux/types.h>

#include "../simk.h"

#define HZ			250
#define NSEC_PER_SEC		1000000000ull
#define NSEC_PER_MSEC		1000000ull
#define MSEC_PER_SEC		1000u
#define MAX_SCHEDULE_TIMEOUT	(~0ul >> 1)
#define jiffies			((unsigned long)(simk_ns() / (NSEC_PER_SEC / HZ)))
#define time_after(a, b)	((long)((b) - (a)) < 0)
#define time_before(a, b)	time_after(b, a)
#define time_after_eq(a, b)	((long)((a) - (b)) >= 0)

static inline u64 ktime_get_ns(void) { return simk_ns(); }
static inline u64 ktime_get_real_ns(void) { return 1700000000ull * NSEC_PER_SEC + simk_ns(); }
static inline unsigned long nsecs_to_jiffies(u64 ns) { return ns / (NSEC_PER_SEC / HZ); }
static inline unsigned long msecs_to_jiffies(unsigned int ms) { return ((unsigned long)ms * HZ + 999) / 1000; }

#endif

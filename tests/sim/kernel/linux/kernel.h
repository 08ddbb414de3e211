/* SPDX-License-Identifier: GPL-2.0-only */
/* Byte order and arithmetic, with what only the kernel's own sources use. */
#ifndef SIM_LINUX_KERNEL_H
#define SIM_LINUX_KERNEL_H

#include_next <linux/kernel.h>
#include <linux/types.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "../simk.h"

#define swap(a, b)		do { __auto_type swap_ = (a); (a) = (b); (b) = swap_; } while (0)
#define max3(a, b, c)		max(a, max(b, c))
#define min3(a, b, c)		min(a, min(b, c))
#define DIV_ROUND_UP_ULL(a, b)	DIV_ROUND_UP((u64)(a), (u64)(b))
#define round_up(x, y)		((((x) - 1) | ((__typeof__(x))((y) - 1))) + 1)

static inline void cond_resched(void)
{
	simk_may_sleep("cond_resched");
	simk_preempt();
}

static inline void might_sleep(void)
{
	simk_may_sleep("might_sleep");
}

static inline int kstrtoull(const char *s, unsigned int base, unsigned long long *out)
{
	char *end;

	*out = strtoull(s, &end, base);
	return *s && !*end ? 0 : -22;
}

static inline int kstrtouint(const char *s, unsigned int base, unsigned int *out)
{
	unsigned long long v;
	int r = kstrtoull(s, base, &v);

	*out = v;
	return r ? r : v > ~0u ? -34 : 0;
}

#endif

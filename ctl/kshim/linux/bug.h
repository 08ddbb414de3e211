/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* WARN_ON_ONCE() aborts: in a test or a tool a broken invariant must not pass. */
#ifndef KSHIM_LINUX_BUG_H
#define KSHIM_LINUX_BUG_H

#include <stdio.h>
#include <stdlib.h>
#include <linux/types.h>

static inline bool kshim_warn(bool cond, const char *what, const char *file, int line)
{
	if (__builtin_expect(cond, 0)) {
		fprintf(stderr, "%s:%d: WARN_ON(%s)\n", file, line, what);
		abort();
	}
	return cond;
}

#define WARN_ON_ONCE(cond)	kshim_warn(!!(cond), #cond, __FILE__, __LINE__)
#define WARN_ON(cond)		WARN_ON_ONCE(cond)

#endif

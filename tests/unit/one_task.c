// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the simulation's kernel headers need, for one task.
 *
 * Always true: nothing waits for a lock; one that is taken twice, or not held where it has to be, ends the test.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "../sim/kernel/simk.h"
#include "one_task.h"

uint64_t now_ns;

uint64_t simk_ns(void)
{
	return now_ns;
}

bool simk_in_fiber(void)
{
	return true;
}

void simk_lock(bool *held, const char *name)
{
	if (*held)
		simk_fail("%s is held already", name);
	*held = true;
}

void simk_unlock(bool *held, const char *name)
{
	if (!*held)
		simk_fail("%s is not held", name);
	*held = false;
}

void simk_irq_off(const char *name) {}
void simk_irq_on(const char *name) {}
void simk_preempt(void) {}

void simk_fail(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	abort();
}

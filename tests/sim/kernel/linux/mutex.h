/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SIM_LINUX_MUTEX_H
#define SIM_LINUX_MUTEX_H

#include <linux/spinlock.h>

struct mutex {
	bool held;
	struct simk_queue waiters;
};

#define DEFINE_MUTEX(name)	struct mutex name = { 0 }
static inline void mutex_init(struct mutex *m) { *m = (struct mutex) { 0 }; }

static inline void mutex_lock(struct mutex *m)
{
	simk_may_sleep("mutex_lock");
	while (m->held)
		simk_wait(&m->waiters, 0);
	m->held = true;
}

static inline void mutex_unlock(struct mutex *m)
{
	m->held = false;
	simk_wake(&m->waiters);
	simk_preempt();
}

#endif

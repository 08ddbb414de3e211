/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SIM_LINUX_WAIT_H
#define SIM_LINUX_WAIT_H

#include <linux/ktime.h>

typedef struct { struct simk_queue q; } wait_queue_head_t;

static inline void init_waitqueue_head(wait_queue_head_t *w) { *w = (wait_queue_head_t) { 0 }; }

static inline bool wq_has_sleeper(wait_queue_head_t *w) { return w->q.first; }

static inline void wake_up(wait_queue_head_t *w)
{
	simk_wake(&w->q);
	simk_preempt();
}

#define wait_event(w, cond)			\
	do {					\
		simk_may_sleep("wait_event");	\
		while (!(cond))			\
			simk_wait(&(w).q, 0);	\
	} while (0)

/* called and left with @lock held */
#define wait_event_lock_irq(w, cond, lock)		\
	do {						\
		while (!(cond)) {			\
			simk_unlock(&(lock).held, #lock);	\
			simk_irq_on(#lock);		\
			simk_wait(&(w).q, 0);		\
			spin_lock_irq(&(lock));		\
		}					\
	} while (0)

/* 0 only if the time is over and @cond does not hold */
#define wait_event_timeout(w, cond, ticks)							\
	({											\
		unsigned long __t = (ticks);							\
		bool __in_time = true;								\
												\
		simk_may_sleep("wait_event_timeout");						\
		while (!(cond) && __in_time)							\
			__in_time = simk_wait(&(w).q, __t >= MAX_SCHEDULE_TIMEOUT ? 0 :		\
						      (u64)__t * (NSEC_PER_SEC / HZ) + 1);	\
		(cond) ? 1l : 0l;								\
	})

#endif

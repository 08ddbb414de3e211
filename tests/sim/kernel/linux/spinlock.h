/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Spinlocks that are checked: not taken twice, nothing sleeps under them, and one that interrupts take is never held
 * with interrupts on.
 */
#ifndef SIM_LINUX_SPINLOCK_H
#define SIM_LINUX_SPINLOCK_H

#include <linux/atomic.h>
#include <linux/types.h>

#include "../simk.h"

typedef struct {
	bool held, in_irq, irqs_on;
} spinlock_t;

static inline void spin_lock_init(spinlock_t *l) { *l = (spinlock_t) { 0 }; }

static inline void simk_take(spinlock_t *l, bool irqs_off, const char *name)
{
	if (!simk_in_fiber())
		l->in_irq = true;
	else if (!irqs_off)
		l->irqs_on = true;
	if (l->in_irq && l->irqs_on)
		simk_fail("%s is taken by interrupts, and elsewhere with interrupts on", name);
	simk_lock(&l->held, name);
}

#define spin_lock(l)			simk_take(l, simk_irqs_are_off(), #l)
#define spin_unlock(l)			(simk_unlock(&(l)->held, #l), simk_preempt())
#define spin_lock_irq(l)		(simk_irq_off(#l), simk_take(l, true, #l))
#define spin_unlock_irq(l)		(simk_unlock(&(l)->held, #l), simk_irq_on(#l), simk_preempt())
#define spin_lock_irqsave(l, f)		((f) = simk_irq_save(), simk_take(l, true, #l))
#define spin_unlock_irqrestore(l, f)	(simk_unlock(&(l)->held, #l), simk_irq_restore(f), simk_preempt())
#define lockdep_assert_held(l)							\
	do { if (!simk_is_held(l)) simk_fail("%s: %s is not held", __func__, #l); } while (0)
#define simk_is_held(l)			(*(const bool *)(l))

#endif

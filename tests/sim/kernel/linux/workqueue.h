/* SPDX-License-Identifier: GPL-2.0-only */
/* Queued work runs on fibers of its own, in any order; one work never runs twice at once. */
#ifndef SIM_LINUX_WORKQUEUE_H
#define SIM_LINUX_WORKQUEUE_H

#include <linux/kernel.h>
#include <linux/wait.h>

#define WQ_UNBOUND	1
#define WQ_MEM_RECLAIM	2
#define WQ_HIGHPRI	4

struct work_struct;
typedef void (*work_func_t)(struct work_struct *work);

struct work_struct {
	work_func_t func;
	bool queued, running;
	struct simk_queue idle;
};

struct delayed_work {
	struct work_struct work;
	struct simk_timer timer;
	bool kicked;			/* it is queued because somebody asked for it at once */
};

struct workqueue_struct { const char *name; };

#define INIT_WORK(w, f)		(*(w) = (struct work_struct) { .func = (f) })
#define INIT_DELAYED_WORK(d, f)	(*(d) = (struct delayed_work) { .work = { .func = (f) } })
#define to_delayed_work(w)	container_of(w, struct delayed_work, work)

struct workqueue_struct *alloc_workqueue(const char *name, unsigned int flags, int max_active, ...);
void destroy_workqueue(struct workqueue_struct *wq);
bool queue_work(struct workqueue_struct *wq, struct work_struct *work);
bool queue_delayed_work(struct workqueue_struct *wq, struct delayed_work *d, unsigned long ticks);
bool mod_delayed_work(struct workqueue_struct *wq, struct delayed_work *d, unsigned long ticks);
bool cancel_work_sync(struct work_struct *work);
bool cancel_delayed_work_sync(struct delayed_work *d);
bool flush_work(struct work_struct *work);

#endif

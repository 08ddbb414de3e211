/* SPDX-License-Identifier: GPL-2.0-only */
/* A worker's works run as those of a work queue do; no two of this project's share a worker. */
#ifndef SIM_LINUX_KTHREAD_H
#define SIM_LINUX_KTHREAD_H

#include <linux/workqueue.h>

#define IS_ERR(p)		((unsigned long)(p) >= (unsigned long)-4095)
#define IS_ERR_OR_NULL(p)	(!(p) || IS_ERR(p))
#define ERR_PTR(error)		((void *)(long)(error))
#define PTR_ERR(p)		((long)(p))
#define PTR_ERR_OR_ZERO(p)	(IS_ERR(p) ? (int)PTR_ERR(p) : 0)

struct kthread_work;
typedef void (*kthread_work_func_t)(struct kthread_work *work);

struct kthread_work {
	struct work_struct work;
	kthread_work_func_t func;
};

struct kthread_worker { int unused; };

struct kthread_worker *kthread_create_worker(unsigned int flags, const char *name, ...);
void kthread_destroy_worker(struct kthread_worker *worker);
void kthread_init_work(struct kthread_work *work, kthread_work_func_t func);
bool kthread_queue_work(struct kthread_worker *worker, struct kthread_work *work);
void kthread_flush_work(struct kthread_work *work);
#endif

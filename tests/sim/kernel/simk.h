/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The machine under the fake kernel: fibers, virtual time, and one scheduler that draws every choice from a seed.
 *
 * Always true: one fiber runs at a time and switches only where it holds no spinlock and interrupts are on. Completions
 * of the disks run between fibers, in interrupt context. The one exception is a fiber that is woken where its waker
 * cannot be preempted: it may run on a second processor at once, and gives way where it needs a spinlock that is held.
 * Anywhere else a spinlock is never contended, and taking one twice is an error at once. A machine is left by
 * abandoning it: its memory goes as a whole.
 */
#ifndef SIMK_H
#define SIMK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct simk_fiber;

/* Fibers that wait for the same thing, in order of arrival. */
struct simk_queue {
	struct simk_fiber *first, *last;
};

/* How often what happens; 0 to 255 each. */
struct simk_mood {
	unsigned char preempt;		/* at each point where it is possible */
	unsigned char early;		/* a timer, though others could run */
	unsigned char fibers, works, disks;	/* weights of the classes */
	unsigned char newest;		/* the youngest of the class instead of any */
	unsigned char beside;		/* a second processor for whom an interrupt or the holder of a spinlock wakes */
};

struct simk_timer {
	struct simk_timer *next;
	uint64_t expires;		/* ns */
	void (*fn)(struct simk_timer *t);
	bool armed;
};

/* memory; all of it is the machine's */
void *simk_alloc(size_t bytes, size_t align, bool zero);
void simk_free(const void *p);
void simk_memory_reset(void);		/* the machine goes */

/* the machine */
void simk_reset(uint64_t seed, const struct simk_mood *mood);
uint64_t simk_random(void);
uint64_t simk_ns(void);
void simk_fail(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));
const char *simk_failure(void);		/* NULL: none */
void simk_spawn(void (*fn)(void *arg), void *arg);
/* Until done() or a failure; hang: nothing can happen any more, or nothing did for so many virtual ns since progress. */
void simk_run(bool (*done)(void), uint64_t hang_ns);
void simk_progress(void);
uint64_t simk_steps(void);

/* in fibers */
void simk_preempt(void);
bool simk_in_fiber(void);
bool simk_irqs_are_off(void);
void simk_may_sleep(const char *what);
bool simk_wait(struct simk_queue *q, uint64_t timeout_ns);	/* 0: for ever; false: timed out */
void simk_wake(struct simk_queue *q);
void simk_sleep(uint64_t ns);
void **simk_fiber_slot(void);		/* one pointer of the running fiber's own */

void simk_timer_arm(struct simk_timer *t, uint64_t expires);
void simk_timer_cancel(struct simk_timer *t);

/* locks: nesting and interrupts are checked here; only on the second processor is one waited for */
void simk_lock(bool *held, const char *name);
void simk_unlock(bool *held, const char *name);
void simk_irq_off(const char *name);
void simk_irq_on(const char *name);
bool simk_irq_save(void);
void simk_irq_restore(bool was_off);

/* work that is queued; implemented by kernel.c, chosen by the scheduler */
unsigned int simk_works(void);
void simk_run_work(unsigned int i);

/* disks: implemented by disk.cpp */
struct simk_req {
	int op;				/* enum simk_op */
	bool preflush, fua;
	uint64_t sector;
	uint32_t sectors;
	void *bio;
	void (*copy)(void *bio, void *buf, bool to_bio);
	void (*end)(void *bio, int error);
};

enum simk_op { SIMK_READ, SIMK_WRITE, SIMK_DISCARD, SIMK_ZEROES };

void simk_disk_submit(unsigned int disk, const struct simk_req *req);
unsigned int simk_disk_ready(void);	/* requests that could complete now */
void simk_disk_complete(unsigned int i);
bool simk_disk_release(void);		/* let what is held back complete; false: there is none */

#ifdef __cplusplus
}
#endif
#endif

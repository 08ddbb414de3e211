// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fibers, time and the scheduler.
 *
 * Always true: all choices come from one generator, so a seed and a mood give the same run again; a failure ends the
 * run at once, and nothing of the machine runs after it.
 */
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include "simk.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

#define STACK_BYTES	(96 << 10)

struct simk_fiber {
	void *sp;
	char *stack;
	struct simk_fiber *next;	/* in a queue, in ready or in the pool */
	struct simk_fiber *newer;	/* all that were ever made */
	struct simk_queue *waits;
	void (*fn)(void *arg);
	void *arg, *slot, *fake_stack;
	struct simk_timer timer;
	bool timed_out, irq_off;	/* the latter: while it waits for a spinlock */
};

static struct {
	uint64_t random, ns, progress, steps;
	struct simk_mood mood;
	struct simk_fiber *running, *ready[256];
	unsigned int nr_ready, depth;
	bool irq_off, in_irq, failed;
	bool beside;			/* a second processor runs */
	struct simk_timer *timers;
	char why[512];
} m;

static struct simk_fiber *pool, *all;
static uint64_t turns;			/* of fibers, of all machines */
static void *main_sp;

/*----------------------------------------------------------------
 * Switching
 *--------------------------------------------------------------*/

void simk_switch(void **save, void *to);
__asm__(
"	.text\n"
"	.globl simk_switch\n"
"	.type simk_switch, @function\n"
"simk_switch:\n"
"	push %rbp\n	push %rbx\n	push %r12\n	push %r13\n	push %r14\n	push %r15\n"
"	mov %rsp, (%rdi)\n"
"	mov %rsi, %rsp\n"
"	pop %r15\n	pop %r14\n	pop %r13\n	pop %r12\n	pop %rbx\n	pop %rbp\n"
"	ret\n"
"	.size simk_switch, . - simk_switch\n");

#if defined(__SANITIZE_ADDRESS__)
static const void *main_stack;
static size_t main_size;
#endif

static void to_main(void **fake)
{
#if defined(__SANITIZE_ADDRESS__)
	struct simk_fiber *f = m.running;

	__sanitizer_start_switch_fiber(fake, main_stack, main_size);
	simk_switch(&f->sp, main_sp);
	__sanitizer_finish_switch_fiber(f->fake_stack, &main_stack, &main_size);
#else
	(void)fake;
	simk_switch(&m.running->sp, main_sp);
#endif
}

static void to_fiber(struct simk_fiber *f)
{
	m.running = f;
	turns++;
#if defined(__SANITIZE_ADDRESS__)
	void *fake;

	__sanitizer_start_switch_fiber(&fake, f->stack, STACK_BYTES);
	simk_switch(&main_sp, f->sp);
	__sanitizer_finish_switch_fiber(fake, NULL, NULL);
#else
	simk_switch(&main_sp, f->sp);
#endif
	m.running = NULL;
}

static void fiber_main(void)
{
	struct simk_fiber *f = m.running;

#if defined(__SANITIZE_ADDRESS__)
	__sanitizer_finish_switch_fiber(NULL, &main_stack, &main_size);
#endif
	f->fn(f->arg);
	if (m.depth || m.irq_off)
		simk_fail("a fiber ends with a spinlock held or interrupts off");
	f->next = pool;
	pool = f;
	to_main(NULL);
	abort();
}

static void fiber_prepare(struct simk_fiber *f)
{
	void **top = (void **)(f->stack + STACK_BYTES);

	*--top = NULL;
	*--top = (void *)fiber_main;
	top -= 6;
	memset(top, 0, 6 * sizeof(*top));
	f->sp = top;
}

static void make_ready(struct simk_fiber *f)
{
	if (m.nr_ready == 256)
		simk_fail("too many fibers");
	m.ready[m.nr_ready++] = f;
}

void simk_spawn(void (*fn)(void *arg), void *arg)
{
	struct simk_fiber *f = pool;

	if (f) {
		pool = f->next;
	} else {
		f = calloc(1, sizeof(*f));
		f->stack = aligned_alloc(64, STACK_BYTES);
		f->newer = all;
		all = f;
	}
	f->fn = fn;
	f->arg = arg;
	f->slot = NULL;
	f->waits = NULL;
	f->timer.armed = false;
	f->timed_out = false;
#if defined(__SANITIZE_ADDRESS__)
	/* a fiber that was abandoned leaves its frames */
	__asan_unpoison_memory_region(f->stack, STACK_BYTES);
#endif
	fiber_prepare(f);
	make_ready(f);
}

/*----------------------------------------------------------------
 * The machine
 *--------------------------------------------------------------*/

/* A fiber that has kept a processor for seconds, where others take microseconds, will for ever. */
static void watchdog(int signal)
{
	static uint64_t seen;

	(void)signal;
	if (m.running && turns == seen)
		simk_fail("P5 hang: the kernel spins");
	seen = turns;
}

static void watchdog_start(void)
{
	static const struct itimerval seconds = { { 4, 0 }, { 4, 0 } };
	/* the handler does not return to what it ends */
	struct sigaction action = { .sa_handler = watchdog, .sa_flags = SA_NODEFER };

	sigaction(SIGVTALRM, &action, NULL);
	setitimer(ITIMER_VIRTUAL, &seconds, NULL);
}

void simk_reset(uint64_t seed, const struct simk_mood *mood)
{
	struct simk_fiber *f;

	if (!turns)
		watchdog_start();
	simk_memory_reset();
	memset(&m, 0, sizeof(m));
	m.random = seed * 0x9e3779b97f4a7c15ull + 0x1234567;
	m.mood = *mood;
	m.ns = 1000000000ull;
	pool = NULL;
	for (f = all; f; f = f->newer) {
		f->next = pool;
		pool = f;
	}
}

uint64_t simk_random(void)
{
	uint64_t v = m.random += 0x9e3779b97f4a7c15ull;

	v = (v ^ v >> 30) * 0xbf58476d1ce4e5b9ull;
	v = (v ^ v >> 27) * 0x94d049bb133111ebull;
	return v ^ v >> 31;
}

static bool chance(unsigned char p)
{
	return p && (simk_random() & 255) < p;
}

uint64_t simk_ns(void) { return m.ns; }
uint64_t simk_steps(void) { return m.steps; }
void simk_progress(void) { m.progress = m.ns; }
const char *simk_failure(void) { return m.failed ? m.why : NULL; }
bool simk_in_fiber(void) { return m.running; }
bool simk_irqs_are_off(void) { return m.irq_off; }
void **simk_fiber_slot(void) { return &m.running->slot; }

void simk_fail(const char *fmt, ...)
{
	va_list ap;

	if (!m.failed) {
		va_start(ap, fmt);
		vsnprintf(m.why, sizeof(m.why), fmt, ap);
		va_end(ap);
	}
	m.failed = true;
	if (m.running) {
		to_main(&m.running->fake_stack);
		abort();
	}
	/* an interrupt: its caller is the scheduler, or there is none */
	extern void simk_unwind(void) __attribute__((noreturn));
	simk_unwind();
}

/* Interrupts end by a jump back into the scheduler when they fail. */
static void *unwind_buf[5];

void simk_unwind(void)
{
	__builtin_longjmp(unwind_buf, 1);
}

static void timers_fire(void)
{
	while (m.timers && m.timers->expires <= m.ns) {
		struct simk_timer *t = m.timers;

		m.timers = t->next;
		t->armed = false;
		t->fn(t);
	}
}

void simk_timer_arm(struct simk_timer *t, uint64_t expires)
{
	struct simk_timer **at = &m.timers;

	simk_timer_cancel(t);
	while (*at && (*at)->expires <= expires)
		at = &(*at)->next;
	t->next = *at;
	t->expires = expires;
	t->armed = true;
	*at = t;
}

void simk_timer_cancel(struct simk_timer *t)
{
	struct simk_timer **at = &m.timers;

	if (!t->armed)
		return;
	while (*at != t)
		at = &(*at)->next;
	*at = t->next;
	t->armed = false;
}

static unsigned int pick(unsigned int n)
{
	return chance(m.mood.newest) ? n - 1 : simk_random() % n;
}

static void step(void)
{
	unsigned int works = simk_works(), disks = simk_disk_ready();
	unsigned int wf = m.nr_ready ? m.mood.fibers + 1 : 0, ww = works ? m.mood.works + 1 : 0;
	unsigned int wd = disks ? m.mood.disks + 1 : 0, r;

	m.steps++;
	m.ns += simk_random() % 4096;
	if (!(wf + ww + wd) && (simk_random() & 7) == 0 && simk_disk_release())
		return;
	if (m.timers && (!(wf + ww + wd) || chance(m.mood.early))) {
		if (m.ns < m.timers->expires)
			m.ns = m.timers->expires;
		timers_fire();
		return;
	}
	timers_fire();
	r = simk_random() % (wf + ww + wd);
	if (r < wf) {
		unsigned int i = pick(m.nr_ready);
		struct simk_fiber *f = m.ready[i];

		m.nr_ready--;
		memmove(&m.ready[i], &m.ready[i + 1], (m.nr_ready - i) * sizeof(m.ready[0]));
		to_fiber(f);
	} else if (r < wf + ww) {
		simk_run_work(pick(works));
	} else {
		m.in_irq = true;
		simk_disk_complete(pick(disks));
		m.in_irq = false;
	}
}

void simk_run(bool (*done)(void), uint64_t hang_ns)
{
	volatile bool failed = m.failed;

	if (__builtin_setjmp(unwind_buf))
		failed = true;
	m.progress = m.ns;
	while (!failed && !m.failed && !done()) {
		if (!m.nr_ready && !simk_works() && !simk_disk_ready() && !m.timers && !simk_disk_release()) {
			snprintf(m.why, sizeof(m.why), "P5 hang: operations wait and nothing can happen any more");
			m.failed = true;
		} else if (m.ns - m.progress > hang_ns) {
			snprintf(m.why, sizeof(m.why), "P5 hang: no operation completed for %llu s",
				 (unsigned long long)(hang_ns / 1000000000));
			m.failed = true;
		} else {
			step();
		}
	}
}

/*----------------------------------------------------------------
 * In fibers
 *--------------------------------------------------------------*/

void simk_preempt(void)
{
	if (!m.running || m.depth || m.irq_off || !chance(m.mood.preempt))
		return;
	make_ready(m.running);
	to_main(&m.running->fake_stack);
}

void simk_may_sleep(const char *what)
{
	if (!m.running)
		simk_fail("%s in interrupt context", what);
	if (m.depth || m.irq_off)
		simk_fail("%s with a spinlock held or interrupts off", what);
}

static void queue_remove(struct simk_queue *q, struct simk_fiber *f)
{
	struct simk_fiber **at = &q->first, *last = NULL;

	while (*at && *at != f) {
		last = *at;
		at = &(*at)->next;
	}
	if (!*at)
		return;
	*at = f->next;
	if (q->last == f)
		q->last = last;
}

static void wait_timeout(struct simk_timer *t)
{
	struct simk_fiber *f = (void *)((char *)t - offsetof(struct simk_fiber, timer));

	if (f->waits)
		queue_remove(f->waits, f);
	f->waits = NULL;
	f->timed_out = true;
	make_ready(f);
}

bool simk_wait(struct simk_queue *q, uint64_t timeout_ns)
{
	struct simk_fiber *f = m.running;

	simk_may_sleep("waits");
	f->timed_out = false;
	f->waits = q;
	f->next = NULL;
	if (q) {
		if (q->last && q->first)
			q->last->next = f;
		else
			q->first = f;
		q->last = f;
	}
	if (timeout_ns) {
		f->timer.fn = wait_timeout;
		simk_timer_arm(&f->timer, m.ns + timeout_ns);
	}
	to_main(&f->fake_stack);
	simk_timer_cancel(&f->timer);
	return !f->timed_out;
}

void simk_sleep(uint64_t ns)
{
	simk_wait(NULL, ns);
}

/*
 * Whoever wakes holds a spinlock or is an interrupt: @f runs on another processor meanwhile, until it sleeps, is
 * preempted, or needs a lock that is held.
 */
static void run_beside(struct simk_fiber *f)
{
	struct simk_fiber *waker = m.running;
	unsigned int depth = m.depth;
	bool irq_off = m.irq_off, in_irq = m.in_irq;
	void *sp = main_sp;
#if defined(__SANITIZE_ADDRESS__)
	const void *stack = main_stack;
	size_t size = main_size;
#endif

	m.depth = 0;
	m.irq_off = m.in_irq = false;
	m.beside = true;
	to_fiber(f);
	m.beside = false;
	m.running = waker;
	m.depth = depth;
	m.irq_off = irq_off;
	m.in_irq = in_irq;
	main_sp = sp;
#if defined(__SANITIZE_ADDRESS__)
	main_stack = stack;
	main_size = size;
#endif
	if (m.failed)
		simk_fail("the other processor failed");
}

void simk_wake(struct simk_queue *q)
{
	struct simk_fiber *f, *next;

	for (f = q->first; f; f = f->next) {
		f->waits = NULL;
		simk_timer_cancel(&f->timer);
	}
	f = q->first;
	q->first = q->last = NULL;
	for (; f; f = next) {
		next = f->next;
		if ((m.depth || m.irq_off || m.in_irq) && !m.beside && chance(m.mood.beside))
			run_beside(f);
		else
			make_ready(f);
	}
}

/*----------------------------------------------------------------
 * Locks
 *--------------------------------------------------------------*/

void simk_lock(bool *held, const char *name)
{
	struct simk_fiber *f = m.running;

	if (*held && m.beside && !m.depth) {
		f->irq_off = m.irq_off;
		m.irq_off = false;
		make_ready(f);
		to_main(&f->fake_stack);
		m.irq_off = f->irq_off;
	}
	if (*held)
		simk_fail("%s is taken twice", name);
	*held = true;
	m.depth++;
}

void simk_unlock(bool *held, const char *name)
{
	if (!*held)
		simk_fail("%s is released and was not held", name);
	*held = false;
	m.depth--;
}

void simk_irq_off(const char *name)
{
	if (m.irq_off || m.in_irq)
		simk_fail("%s: spin_lock_irq() where interrupts are off already", name);
	m.irq_off = true;
}

void simk_irq_on(const char *name)
{
	if (!m.irq_off)
		simk_fail("%s: spin_unlock_irq() where interrupts are on", name);
	m.irq_off = false;
}

bool simk_irq_save(void)
{
	bool was = m.irq_off;

	m.irq_off = true;
	return was;
}

void simk_irq_restore(bool was_off)
{
	m.irq_off = was_off;
}

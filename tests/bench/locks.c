// SPDX-License-Identifier: GPL-2.0-only
/*
 * A plugin for QEMU: counts the instructions for which modules hold spin locks.
 *
 * Always true: the file named by the argument holds=PATH holds a struct shared. While its reader has set run, a lock is
 * held from where lock[] is entered from a module until the unlock[] that belongs to it; what is taken inside counts for
 * the outermost. Nobody is preempted in between; an interrupt, where those are on, is counted as well.
 *
 * QEMU's header for plugins is not packaged; these are the declarations of version 1 of its interface that are used.
 */
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))
#define FUNCTIONS	8
#define HOLDS		4096
#define MODULES		0xffffffffc0000000ull	/* the kernel keeps them above */

struct qemu_plugin_tb;
enum qemu_plugin_cb_flags { QEMU_PLUGIN_CB_NO_REGS };
typedef void (*tb_translated)(uint64_t id, struct qemu_plugin_tb *tb);
typedef void (*tb_executed)(unsigned int cpu, void *data);

void qemu_plugin_register_vcpu_tb_trans_cb(uint64_t id, tb_translated callback);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *tb);
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *tb, tb_executed callback, enum qemu_plugin_cb_flags flags,
					  void *data);

EXPORT int qemu_plugin_version = 1;

struct block {
	uint64_t address, instructions;
};

static struct shared {
	uint64_t run, lock[FUNCTIONS], unlock[FUNCTIONS], unused[47];
	struct hold {
		uint64_t caller, which, times, instructions;	/* caller: address of the block; which: of lock[] */
	} hold[HOLDS];
} *shared;

static uint64_t now, begin, last, depth;
static struct hold *held;

static struct hold *hold_of(uint64_t caller, uint64_t which)
{
	uint64_t n, start = (caller * 0x9e3779b97f4a7c15ull) >> 52;

	for (n = 0; n < HOLDS; n++) {
		struct hold *h = &shared->hold[(start + n) % HOLDS];

		if (!h->caller) {
			h->caller = caller;
			h->which = which;
		}
		if (h->caller == caller && h->which == which)
			return h;
	}
	return NULL;
}

static int find(const uint64_t *table, uint64_t address)
{
	int i;

	for (i = 0; i < FUNCTIONS && table[i]; i++)
		if (table[i] == address)
			return i;
	return -1;
}

static void executed(unsigned int cpu, void *data)
{
	const struct block *b = data;
	int which;

	(void)cpu;
	if (shared->run && b->address < MODULES) {
		which = find(shared->lock, b->address);
		if (which >= 0 && (depth || last >= MODULES)) {
			if (!depth++) {
				held = hold_of(last, which);
				begin = now;
			}
		} else if (depth && find(shared->unlock, b->address) >= 0 && !--depth && held) {
			held->times++;
			held->instructions += now - begin;
		}
	}
	now += b->instructions;
	last = b->address;
}

static void translated(uint64_t id, struct qemu_plugin_tb *tb)
{
	struct block *b = malloc(sizeof(*b));

	(void)id;
	if (!b)
		abort();
	b->address = qemu_plugin_tb_vaddr(tb);
	b->instructions = qemu_plugin_tb_n_insns(tb);
	qemu_plugin_register_vcpu_tb_exec_cb(tb, executed, QEMU_PLUGIN_CB_NO_REGS, b);
}

EXPORT int qemu_plugin_install(uint64_t id, const void *info, int argc, char **argv)
{
	int fd;

	(void)info;
	if (argc != 1 || strncmp(argv[0], "holds=", 6))
		return 1;
	fd = open(argv[0] + 6, O_RDWR | O_CREAT | O_TRUNC, 0600);
	if (fd < 0 || ftruncate(fd, sizeof(*shared)))
		return 1;
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (shared == MAP_FAILED)
		return 1;
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
	return 0;
}

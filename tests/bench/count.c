// SPDX-License-Identifier: GPL-2.0-only
/*
 * A plugin for QEMU: counts the instructions that are executed in each block of code.
 *
 * Always true: the file named by the argument counts=PATH holds a hash table of SLOTS triples (address of a block,
 * instructions executed there so far, how often it was entered), which another process may read at any time. Code that finds no free slot is
 * counted in slot 0, under address 0.
 *
 * QEMU's header for plugins is not packaged; these are the declarations of version 1 of its interface that are used.
 */
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))
#define SLOTS (1u << 21)

struct qemu_plugin_tb;
typedef void (*tb_translated)(uint64_t id, struct qemu_plugin_tb *tb);

void qemu_plugin_register_vcpu_tb_trans_cb(uint64_t id, tb_translated callback);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *tb);
enum qemu_plugin_op { QEMU_PLUGIN_INLINE_ADD_U64 };
void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *tb, enum qemu_plugin_op op, void *counter, uint64_t add);

EXPORT int qemu_plugin_version = 1;

static struct slot {
	uint64_t address, instructions, executions;
} *slots;

static struct slot *slot_of(uint64_t address)
{
	uint32_t start = (address * 0x9e3779b97f4a7c15ull) >> 43, n;

	for (n = 0; n < 64; n++) {
		struct slot *slot = &slots[(start + n) % SLOTS];

		if (slot == slots)
			continue;
		if (!slot->address)
			slot->address = address;
		if (slot->address == address)
			return slot;
	}
	return slots;
}

static void translated(uint64_t id, struct qemu_plugin_tb *tb)
{
	struct slot *slot = slot_of(qemu_plugin_tb_vaddr(tb));

	(void)id;
	qemu_plugin_register_vcpu_tb_exec_inline(tb, QEMU_PLUGIN_INLINE_ADD_U64, &slot->instructions,
						 qemu_plugin_tb_n_insns(tb));
	qemu_plugin_register_vcpu_tb_exec_inline(tb, QEMU_PLUGIN_INLINE_ADD_U64, &slot->executions, 1);
}

EXPORT int qemu_plugin_install(uint64_t id, const void *info, int argc, char **argv)
{
	int fd;

	(void)info;
	if (argc != 1 || strncmp(argv[0], "counts=", 7))
		return 1;
	fd = open(argv[0] + 7, O_RDWR | O_CREAT | O_TRUNC, 0600);
	if (fd < 0 || ftruncate(fd, SLOTS * sizeof(*slots)))
		return 1;
	slots = mmap(NULL, SLOTS * sizeof(*slots), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (slots == MAP_FAILED)
		return 1;
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
	return 0;
}

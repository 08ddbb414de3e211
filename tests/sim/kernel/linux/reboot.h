/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SIM_LINUX_REBOOT_H
#define SIM_LINUX_REBOOT_H

#define NOTIFY_DONE	0

struct notifier_block {
	int (*notifier_call)(struct notifier_block *nb, unsigned long action, void *data);
};

static inline int register_reboot_notifier(struct notifier_block *nb) { (void)nb; return 0; }
static inline int unregister_reboot_notifier(struct notifier_block *nb) { (void)nb; return 0; }

#endif

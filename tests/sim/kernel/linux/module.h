/* SPDX-License-Identifier: GPL-2.0-only */
/* A module's init function is found by name; nothing is ever unloaded. */
#ifndef SIM_LINUX_MODULE_H
#define SIM_LINUX_MODULE_H

#define THIS_MODULE		NULL
#define module_init(fn)		int simk_module_##fn(void); int simk_module_##fn(void) { return fn(); }
#define module_exit(fn)		void simk_module_##fn(void); void simk_module_##fn(void) { fn(); }
#define MODULE_LICENSE(x)
#define MODULE_DESCRIPTION(x)
#define MODULE_SOFTDEP(x)

#endif

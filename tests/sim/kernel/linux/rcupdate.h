/* SPDX-License-Identifier: GPL-2.0-only */
/* Memory that was freed is not used again, so nothing has to be held. */
#ifndef SIM_LINUX_RCUPDATE_H
#define SIM_LINUX_RCUPDATE_H

#define rcu_read_lock()		do { } while (0)
#define rcu_read_unlock()	do { } while (0)

#endif

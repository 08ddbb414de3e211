/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SIM_LINUX_IOPRIO_H
#define SIM_LINUX_IOPRIO_H

enum { IOPRIO_CLASS_BE = 2, IOPRIO_BE_NORM = 4 };
#define IOPRIO_PRIO_VALUE(class, data)	((class) << 13 | (data))

#endif

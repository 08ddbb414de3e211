/* SPDX-License-Identifier: GPL-2.0-only */
/* Virtual time for C files of the product that are compiled with the simulation's kernel headers, and locks of one task. */
#ifndef ONE_TASK_H
#define ONE_TASK_H

#include <stdint.h>

extern uint64_t now_ns;		/* passes only as the test says */

#endif

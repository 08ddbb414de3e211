/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SIM_LINUX_VMALLOC_H
#define SIM_LINUX_VMALLOC_H

#include <linux/mm.h>
#include <linux/slab.h>

static inline void *vmalloc(unsigned long bytes) { return simk_alloc(bytes, PAGE_SIZE, false); }
static inline void vfree(const void *p) { simk_free(p); }

#endif

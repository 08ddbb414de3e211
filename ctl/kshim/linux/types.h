/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The kernel's <linux/types.h> for the pure files of dm-journal in userspace:
 * the types of the system's header (__u64, __le64, ...) and bool.
 *
 * Always true of every file in this directory: it has only what the pure files
 * use, with the kernel's meaning, and compiles as C and as C++.
 */
#ifndef KSHIM_LINUX_TYPES_H
#define KSHIM_LINUX_TYPES_H

#include_next <linux/types.h>

#include <stddef.h>
#ifndef __cplusplus
#include <stdbool.h>
#endif

typedef unsigned int gfp_t;

#endif

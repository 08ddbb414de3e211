/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SIM_LINUX_HASH_H
#define SIM_LINUX_HASH_H

#include <linux/types.h>

static inline u32 hash_64(u64 v, unsigned int bits) { return v * 0x61c8864680b583ebull >> (64 - bits); }

#endif

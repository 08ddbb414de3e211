/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef KSHIM_LINUX_KERNEL_H
#define KSHIM_LINUX_KERNEL_H

#include <endian.h>
#include <linux/types.h>

static inline __u16 le16_to_cpu(__le16 v) { return le16toh(v); }
static inline __u32 le32_to_cpu(__le32 v) { return le32toh(v); }
static inline __u64 le64_to_cpu(__le64 v) { return le64toh(v); }
static inline __le16 cpu_to_le16(__u16 v) { return htole16(v); }
static inline __le32 cpu_to_le32(__u32 v) { return htole32(v); }
static inline __le64 cpu_to_le64(__u64 v) { return htole64(v); }

#ifndef __cplusplus		/* where they would break the standard library's headers */
#define noinline		__attribute__((__noinline__))
#define ARRAY_SIZE(a)		(sizeof(a) / sizeof((a)[0]))
#define DIV_ROUND_UP(n, d)	(((n) + (d) - 1) / (d))

#define container_of(ptr, type, member)	\
	((type *)((char *)(ptr) - offsetof(type, member)))

#define min_t(type, a, b) ({ type __a = (a), __b = (b); __a < __b ? __a : __b; })
#define max_t(type, a, b) ({ type __a = (a), __b = (b); __a > __b ? __a : __b; })
#define min(a, b)	min_t(__typeof__((a) + 0), a, b)
#define max(a, b)	max_t(__typeof__((a) + 0), a, b)
#endif

#endif

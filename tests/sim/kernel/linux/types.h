/* SPDX-License-Identifier: GPL-2.0-only */
/* The kernel's types, where jbdctl's files for the pure sources have too few. */
#ifndef SIM_LINUX_TYPES_H
#define SIM_LINUX_TYPES_H

#include_next <linux/types.h>
#include <stdint.h>
#include <sys/types.h>

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;
typedef __s64 s64;
typedef __s8 s8;
typedef __s32 s32;
typedef u64 sector_t;
typedef u8 blk_status_t;
typedef u32 blk_opf_t;

struct list_head {
	struct list_head *next, *prev;
};

#define READ_ONCE(x)		(*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, v)	(*(volatile __typeof__(x) *)&(x) = (v))
#define __must_check
#define __init
#define __exit
#define __percpu
#define BIT(n)			(1ul << (n))
#define smp_mb()		barrier()
#define smp_rmb()		barrier()
#define smp_load_acquire(p)	READ_ONCE(*(p))
#define smp_wmb()		barrier()
#define smp_mb__after_atomic()	barrier()
#define barrier()		__asm__ __volatile__("" ::: "memory")

#endif

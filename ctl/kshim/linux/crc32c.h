/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * crc32c() as the kernel has it: the register goes in and comes out as it is,
 * without inversion.
 */
#ifndef KSHIM_LINUX_CRC32C_H
#define KSHIM_LINUX_CRC32C_H

#include <string.h>
#include <linux/types.h>

static inline __u32 kshim_crc32c_soft(__u32 crc, const unsigned char *p, size_t len)
{
	static const __u32 nibble[16] = {
		0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1,
		0x417b1dbc, 0x5125dad3, 0x61c69362, 0x7198540d,
		0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9,
		0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
	};

	while (len--) {
		crc ^= *p++;
		crc = crc >> 4 ^ nibble[crc & 15];
		crc = crc >> 4 ^ nibble[crc & 15];
	}
	return crc;
}

#ifdef __x86_64__
__attribute__((target("sse4.2")))
static inline __u32 kshim_crc32c_sse(__u32 crc, const unsigned char *p, size_t len)
{
	unsigned long long c = crc, v;

	for (; len >= 8; len -= 8, p += 8) {
		memcpy(&v, p, 8);
		c = __builtin_ia32_crc32di(c, v);
	}
	while (len--)
		c = __builtin_ia32_crc32qi((__u32)c, *p++);
	return (__u32)c;
}
#endif

static inline __u32 crc32c(__u32 crc, const void *data, size_t len)
{
	const unsigned char *p = (const unsigned char *)data;

#ifdef __x86_64__
	if (__builtin_cpu_supports("sse4.2"))
		return kshim_crc32c_sse(crc, p, len);
#endif
	return kshim_crc32c_soft(crc, p, len);
}

#endif

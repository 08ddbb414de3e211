// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The checksum of payload.
 *
 * Always true: it is made sector by sector, of the even and of the odd words
 * apart (docs/format.md). A crc32c of the bytes in their order would not do: any
 * two versions of what ends with a crc32c of its own, such as an ext4 superblock,
 * have the same one, so a former lap's would pass for that of a torn record.
 *
 * A crash here leaves nothing: no I/O, no state.
 */
#include <linux/types.h>
#include <linux/crc32c.h>
#include <linux/kernel.h>
#ifdef __x86_64__
#include <asm/cpufeature.h>
#endif

#include "scan.h"

#define PAYLOAD_WORDS	(JFMT_SECTOR / 8)

/* As they are, the two would cancel out where both kinds of words change alike. */
static __u32 payload_turn(__u32 odd)
{
	return odd << 14 | odd >> 18;
}

static noinline __u32 payload_sector_generic(__u32 crc, const __u64 *word)
{
	__u64 even[PAYLOAD_WORDS / 2], odd[PAYLOAD_WORDS / 2];
	unsigned int i;
	__le32 of_odd;

	for (i = 0; i < PAYLOAD_WORDS / 2; i++) {
		even[i] = word[2 * i];
		odd[i] = word[2 * i + 1];
	}
	of_odd = cpu_to_le32(payload_turn(crc32c(0, odd, sizeof(odd))));
	crc = crc32c(crc, even, sizeof(even));
	return crc32c(crc, &of_odd, sizeof(of_odd));
}

#ifdef __x86_64__
/* One instruction a word, and the two chains do not wait for each other. */
static __u32 payload_sector_sse42(__u32 crc, const __u64 *word)
{
	__u64 even = crc, odd = 0;
	unsigned int i;

#pragma GCC unroll 32
	for (i = 0; i < PAYLOAD_WORDS; i += 2) {
		asm("crc32q %1, %0" : "+r" (even) : "m" (word[i]));
		asm("crc32q %1, %0" : "+r" (odd) : "m" (word[i + 1]));
	}
	asm("crc32l %1, %k0" : "+r" (even) : "r" (payload_turn(odd)));
	return even;
}
#endif

__u32 jpayload_crc(__u32 crc, const void *data, __u32 bytes)
{
	const __u64 *word = data, *end = word + bytes / sizeof(*word);

#ifdef __x86_64__
	if (static_cpu_has(X86_FEATURE_XMM4_2)) {
		for (; word < end; word += PAYLOAD_WORDS)
			crc = payload_sector_sse42(crc, word);
		return crc;
	}
#endif
	for (; word < end; word += PAYLOAD_WORDS)
		crc = payload_sector_generic(crc, word);
	return crc;
}

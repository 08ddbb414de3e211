// SPDX-License-Identifier: GPL-2.0-only
//
// The checksums of docs/format.md, made from its text: they share no code with what they check.
#ifndef CHECKSUMS_H
#define CHECKSUMS_H

#include <bit>
#include <vector>

extern "C" {
#include <linux/types.h>
}

// a bit at a time, from the polynomial
inline __u32 slow_crc32c(__u32 crc, const void *data, size_t bytes)
{
	const __u8 *p = static_cast<const __u8 *>(data);

	for (; bytes; bytes--) {
		crc ^= *p++;
		for (int i = 0; i < 8; i++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
	}
	return crc;
}

// of whole sectors
inline __u32 documented_payload_crc(__u32 crc, const std::vector<__u8> &data)
{
	constexpr size_t sector = 512;

	for (size_t at = 0; at < data.size(); at += sector) {
		std::vector<__u8> even, odd;

		for (size_t i = 0; i < sector; i++)
			(i / 8 % 2 ? odd : even).push_back(data[at + i]);
		const __u32 turned = std::rotl(slow_crc32c(0, odd.data(), odd.size()), 14);
		for (int i = 0; i < 32; i += 8)
			even.push_back((__u8)(turned >> i));
		crc = slow_crc32c(crc, even.data(), even.size());
	}
	return crc;
}

#endif

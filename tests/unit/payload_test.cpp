// SPDX-License-Identifier: GPL-2.0-only
//
// The checksum of payload: the one of docs/format.md, with the processor's instruction and without, and not one that
// takes a former version of the same structure for the new one.
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <vector>

extern "C" {
#include "scan.h"

// payload.c once more, where static_cpu_has() is false
__u32 jpayload_crc_generic(__u32 crc, const void *data, __u32 bytes);
}

#include "checksums.h"

namespace {

std::vector<__u8> noise(size_t bytes, __u32 seed)
{
	std::vector<__u8> data(bytes);

	for (__u8 &byte : data) {
		seed = seed * 1664525 + 1013904223;
		byte = (__u8)(seed >> 24);
	}
	return data;
}

TEST(Payload, ItsChecksumIsTheDocumentedOneOnEveryProcessor)
{
	for (size_t sectors : {1, 2, 3, 8, 65})
		for (__u32 seed : {0u, 1u, ~0u, 0x12345678u}) {
			const std::vector<__u8> data = noise(sectors * JFMT_SECTOR, seed + (__u32)sectors);
			const __u32 expected = documented_payload_crc(seed, data);

			EXPECT_EQ(jpayload_crc(seed, data.data(), (__u32)data.size()), expected);
			EXPECT_EQ(jpayload_crc_generic(seed, data.data(), (__u32)data.size()), expected);
		}
}

TEST(Payload, ItsChecksumOfPiecesIsThatOfTheWhole)
{
	const std::vector<__u8> data = noise(12 * JFMT_SECTOR, 7);
	const __u32 whole = jpayload_crc(5, data.data(), (__u32)data.size());

	for (size_t piece = JFMT_SECTOR; piece <= data.size(); piece += JFMT_SECTOR) {
		__u32 crc = 5;

		for (size_t at = 0; at < data.size(); at += piece)
			crc = jpayload_crc(crc, &data[at], (__u32)std::min(piece, data.size() - at));
		EXPECT_EQ(crc, whole) << piece;
	}
}

// The checksum is linear: what an error changes in it does not depend on the data. So no two bits may change the same; and as
// every bit changes an odd number of bits, no three cancel out either.
TEST(Payload, NoThreeBitsOf32KiBCancelOut)
{
	const std::vector<__u8> zeroes(JFMT_SECTOR);
	std::vector<__u32> changes, last;

	for (size_t bit = 0; bit < JFMT_SECTOR * 8; bit++) {
		std::vector<__u8> data = zeroes;

		data[bit / 8] = (__u8)(1 << bit % 8);
		last.push_back(jpayload_crc(0, data.data(), JFMT_SECTOR));
	}
	for (int sector = 0; sector < 64; sector++)
		for (__u32 &change : last) {
			ASSERT_EQ(std::popcount(change) % 2, 1);
			changes.push_back(change);
			change = jpayload_crc(change, zeroes.data(), JFMT_SECTOR);
		}
	std::ranges::sort(changes);
	EXPECT_EQ(std::ranges::adjacent_find(changes), changes.end());
}

// As a field of 4 bytes and its neighbour may, or words that are 4 KiB apart.
TEST(Payload, TheSameChangeInTwoPlacesDoesNotCancelOut)
{
	const std::vector<__u8> old = noise(16 * JFMT_SECTOR, 9);
	const __u32 good = jpayload_crc(0, old.data(), (__u32)old.size());

	for (size_t at : {0, 4, 60, 500, 508})
		for (size_t apart : {4, 8, 12, 16, 64, 128, 512, 1024, 4096})
			for (__u32 change = 1; change; change = change * 6 + 5 * (change < 1000)) {
				std::vector<__u8> now = old;

				for (int i = 0; i < 4; i++) {
					now[at + i] ^= (__u8)(change >> 8 * i);
					now[at + apart + i] ^= (__u8)(change >> 8 * i);
				}
				EXPECT_NE(jpayload_crc(0, now.data(), (__u32)now.size()), good) << at << " " << apart << " " << change;
			}
}

// What ends with its own crc32c, @bytes of it at @at in @block, after two fields changed.
std::vector<__u8> changed(std::vector<__u8> block, size_t at, size_t bytes, size_t field, size_t other)
{
	block[at + field] ^= 5;
	block[at + other] += 1;

	const __u32 crc = slow_crc32c(~0u, &block[at], bytes - 4);

	memcpy(&block[at + bytes - 4], &crc, 4);
	return block;
}

// ext4's superblock in its block of 4096, 1024 bytes long; one of a sector, such as PostgreSQL's control file; and one
// that changes in words of one parity only, which the two chains do not tell apart by themselves.
TEST(Payload, ItsChecksumTellsApartWhatEndsWithItsOwn)
{
	const struct { size_t at, bytes, field, other; } kinds[] = {
		{1024, 1024, 0x30, 0x178}, {512, 512, 17, 80}, {0, 296, 8, 24}, {2048, 512, 8, 24}, {2048, 504, 0, 16},
	};

	for (const auto &kind : kinds) {
		const std::vector<__u8> old = changed(noise(4096, 1), kind.at, kind.bytes, kind.field, kind.other);
		const std::vector<__u8> now = changed(old, kind.at, kind.bytes, kind.field, kind.other);

		ASSERT_EQ(slow_crc32c(1, old.data(), 4096), slow_crc32c(1, now.data(), 4096));
		EXPECT_NE(jpayload_crc(1, old.data(), 4096), jpayload_crc(1, now.data(), 4096)) << kind.bytes;
	}
}

} // namespace

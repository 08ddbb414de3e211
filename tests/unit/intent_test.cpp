// SPDX-License-Identifier: GPL-2.0-only
//
// What decoding an intent device accepts. Its contents are not trusted: most tests
// here seal a lie with a good checksum.
//
// "Catches:" names the changes of intent_codec.c that the tests were seen to fail on.
#include <gtest/gtest.h>

#include <cstring>
#include <functional>

extern "C" {
#include <linux/types.h>
#include <linux/crc32c.h>
#include <linux/kernel.h>
#include "../../dm-checkpoint/intent_codec.h"
}

#include "checksums.h"

namespace {

constexpr __u64 kDevice = 16384;	// sectors
constexpr __u64 kHome = 1 << 20;

isuper example()
{
	isuper sb{};

	EXPECT_TRUE(igeo_make(kDevice, &sb.geo));
	sb.geo.nonce = 0x0123456789abcdef;
	sb.geo.home_len = kHome;
	for (int i = 0; i < 16; i++)
		sb.uuid[i] = static_cast<__u8>(0x80 + i);
	sb.compat = 1ull << 40;
	sb.ro_compat = 1ull << 41;
	sb.generation = 12;
	sb.retired = 13;
	sb.created_ms = 14;
	memset(sb.home_id, 'x', sizeof(sb.home_id) - 1);	// as long as it may be
	return sb;
}

icommit example_commit()
{
	return {.batch = 0x500000007, .payload_len = 4097, .time_ms = 9, .nr_extents = 300, .desc_crc = 0xcafe};
}

struct Super {
	explicit Super(const isuper &sb = example()) { isuper_encode(&sb, &s); }
	void seal()
	{
		s.crc = 0;
		s.crc = cpu_to_le32(slow_crc32c(~0u, &s, sizeof(s)));
	}
	isuper_verdict decode(__u64 dev_len = kDevice) { return isuper_decode(&s, dev_len, &out); }

	ifmt_super s;
	isuper out;
};

__u32 seed(__u64 nonce)
{
	return ~0u ^ static_cast<__u32>(nonce) ^ static_cast<__u32>(nonce >> 32);
}

struct Commit {
	explicit Commit(const icommit &from = example_commit()) { icommit_encode(&g, &from, &c); }
	void seal()
	{
		c.crc = 0;
		c.crc = cpu_to_le32(slow_crc32c(seed(g.nonce), &c, sizeof(c)));
	}
	bool decode(unsigned slot = 1) { return icommit_decode(&g, slot, &c, &out); }

	const igeo g = example().geo;
	ifmt_commit c;
	icommit out;
};

} // namespace

// Catches: retired not decoded; home_id one byte short.
TEST(Intent, ASuperblockComesBackAsItWas)
{
	const isuper sb = example();
	Super super;

	ASSERT_EQ(super.decode(), ISUPER_OK);
	EXPECT_EQ(memcmp(&super.out.geo, &sb.geo, sizeof(sb.geo)), 0);
	EXPECT_EQ(memcmp(super.out.uuid, sb.uuid, sizeof(sb.uuid)), 0);
	EXPECT_EQ(super.out.compat, sb.compat);
	EXPECT_EQ(super.out.ro_compat, sb.ro_compat);
	EXPECT_EQ(super.out.generation, sb.generation);
	EXPECT_EQ(super.out.retired, sb.retired);
	EXPECT_EQ(super.out.created_ms, sb.created_ms);
	EXPECT_STREQ(super.out.home_id, sb.home_id);
	EXPECT_EQ(strlen(super.out.home_id), 128u);
}

// Catches: slot_start and slot_len exchanged in both encode and decode.
TEST(Intent, EveryFieldOfASuperblockLiesWhereTheFormatSays)
{
	const isuper sb = example();
	const Super super;
	const __u8 *at = reinterpret_cast<const __u8 *>(&super.s);
	const auto u64_at = [&](size_t byte) {
		__le64 v;
		memcpy(&v, at + byte, sizeof(v));
		return le64_to_cpu(v);
	};

	EXPECT_EQ(memcmp(at, "\x89JBDint\n", 8), 0);
	EXPECT_EQ(at[12], 1);
	EXPECT_EQ(u64_at(16), sb.compat);
	EXPECT_EQ(u64_at(24), sb.ro_compat);
	EXPECT_EQ(u64_at(32), 0u);
	EXPECT_EQ(at[40], 0x80);
	EXPECT_EQ(u64_at(56), sb.geo.nonce);
	EXPECT_EQ(u64_at(64), sb.generation);
	EXPECT_EQ(u64_at(72), kHome);
	EXPECT_EQ(u64_at(80), 2048u);
	EXPECT_EQ(u64_at(88), (kDevice - 2048) / 2);
	EXPECT_EQ(u64_at(96), sb.geo.desc_blocks | 4096ull << 32);	// last_max
	EXPECT_EQ(u64_at(104), 13u);
	EXPECT_EQ(u64_at(112), 14u);
	EXPECT_EQ(at[120], 'x');
	EXPECT_EQ(at[247], 'x');
	EXPECT_EQ(at[248], 0);
}

// Catches: the checksum compared before the last 512 bytes, or not at all.
TEST(Intent, EveryFlippedBitOfASuperblockIsFound)
{
	for (size_t bit = 0; bit < sizeof(ifmt_super) * 8; bit++) {
		Super super;

		reinterpret_cast<__u8 *>(&super.s)[bit / 8] ^= static_cast<__u8>(1 << bit % 8);
		ASSERT_EQ(super.decode(), bit < 64 ? ISUPER_FOREIGN : ISUPER_TORN) << "bit " << bit;
	}
}

// Catches: each bound of geo_ok() left out, one at a time; retired not bounded.
TEST(Intent, ASuperblockThatContradictsItselfIsInsane)
{
	const igeo g = example().geo;
	const std::pair<const char *, std::function<void(ifmt_super &)>> lies[] = {
		{"version 0", [](ifmt_super &s) { s.version = 0; }},
		{"retired", [](ifmt_super &s) { s.retired = cpu_to_le64(JFMT_SEQ_MAX + 1ull); }},
		{"no home", [](ifmt_super &s) { s.home_len = 0; }},
		{"home too long", [](ifmt_super &s) { s.home_len = cpu_to_le64(JFMT_HOME_MASK + 1ull); }},
		{"start in superblock slot 1", [](ifmt_super &s) { s.slot_start = cpu_to_le64(128); }},
		{"start not aligned", [](ifmt_super &s) { s.slot_start = cpu_to_le64(2044); }},
		{"start beyond the end", [](ifmt_super &s) { s.slot_start = cpu_to_le64(kDevice + 8); }},
		{"start near the top", [](ifmt_super &s) { s.slot_start = cpu_to_le64(~7ull); }},
		{"slots too long", [&](ifmt_super &s) { s.slot_len = cpu_to_le64(g.slot_len + 8); }},
		{"slots that wrap", [](ifmt_super &s) { s.slot_len = cpu_to_le64(1ull << 63); }},
		{"slots not aligned", [&](ifmt_super &s) { s.slot_len = cpu_to_le64(g.slot_len - 4); }},
		{"no slots", [](ifmt_super &s) { s.slot_len = 0; }},
		{"no room for the last member", [&](ifmt_super &s) {
			s.slot_len = cpu_to_le64((1 + g.desc_blocks) * 8 + IFMT_LAST_MAX);
		}},
		{"no last member", [](ifmt_super &s) { s.last_max = 0; }},
		{"last member too long", [](ifmt_super &s) { s.last_max = cpu_to_le32(IFMT_LAST_MAX + 1); }},
		{"last member that wraps", [](ifmt_super &s) { s.last_max = cpu_to_le32(~0u); }},
		{"no descriptors", [](ifmt_super &s) { s.desc_blocks = 0; }},
		{"descriptors fill the slot", [&](ifmt_super &s) {
			s.desc_blocks = cpu_to_le32(static_cast<__u32>(g.slot_len / 8));
		}},
		{"too many descriptors", [](ifmt_super &s) { s.desc_blocks = cpu_to_le32(~0u); }},
	};

	for (const auto &[what, lie] : lies) {
		Super super;

		lie(super.s);
		super.seal();
		EXPECT_EQ(super.decode(), ISUPER_INSANE) << what;
	}
	EXPECT_EQ(Super().decode(kDevice - 8), ISUPER_INSANE);
	EXPECT_EQ(Super().decode(0), ISUPER_INSANE);
	EXPECT_EQ(Super().decode(kDevice + 8), ISUPER_OK);	// it may have grown
}

// A slot of more descriptor blocks than there may be, on a device that has room for it.
TEST(Intent, TheNumberOfDescriptorBlocksIsBounded)
{
	isuper sb = example();

	sb.geo.slot_len = 1ull << 30;
	sb.geo.desc_blocks = IFMT_DESC_MAX;
	EXPECT_EQ(Super(sb).decode(1ull << 32), ISUPER_OK);
	sb.geo.desc_blocks++;
	EXPECT_EQ(Super(sb).decode(1ull << 32), ISUPER_INSANE);
}

// Catches: unknown incompat bits passed over; a newer version called insane.
TEST(Intent, ANewerVersionIsToldFromATornOne)
{
	Super newer, incompat;

	newer.s.version = cpu_to_le32(IFMT_VERSION + 1);
	newer.s.slot_len = 0;			// may mean something else there
	newer.seal();
	EXPECT_EQ(newer.decode(), ISUPER_NEWER);
	incompat.s.incompat = cpu_to_le64(1ull << 63);
	incompat.seal();
	EXPECT_EQ(incompat.decode(), ISUPER_NEWER);
}

// Catches: the lower generation taken; a newer slot passed over; retired of another format taken.
TEST(Intent, TheNewestSuperblockCountsUnlessOneKnowsMore)
{
	isuper sb[2] = {example(), example()};
	const auto choose = [&](isuper_verdict a, isuper_verdict b) {
		const isuper_verdict v[2] = {a, b};
		return isuper_choose(v, sb);
	};

	EXPECT_EQ(choose(ISUPER_OK, ISUPER_OK), 0);
	sb[1].generation++;
	EXPECT_EQ(choose(ISUPER_OK, ISUPER_OK), 1);
	sb[0].generation += 2;
	EXPECT_EQ(choose(ISUPER_OK, ISUPER_OK), 0);
	for (isuper_verdict bad : {ISUPER_FOREIGN, ISUPER_TORN, ISUPER_UNREADABLE}) {
		EXPECT_EQ(choose(ISUPER_OK, bad), 0);
		EXPECT_EQ(choose(bad, ISUPER_OK), 1);
		EXPECT_EQ(choose(bad, bad), -1);
	}
	for (isuper_verdict bad : {ISUPER_NEWER, ISUPER_INSANE}) {
		EXPECT_EQ(choose(ISUPER_OK, bad), -1);
		EXPECT_EQ(choose(bad, ISUPER_OK), -1);
	}
	sb[1].uuid[15]++;
	EXPECT_EQ(choose(ISUPER_OK, ISUPER_OK), -1);
	sb[1] = sb[0];
	sb[1].geo.nonce++;
	EXPECT_EQ(choose(ISUPER_OK, ISUPER_OK), -1);
}

// Catches: payload_max and extents_max that reach into the other slot.
TEST(Intent, TheGeometryOfAnySizeIsSaneAndItsPartsDoNotOverlap)
{
	unsigned made = 0;

	for (__u64 len : {0ull, 2048ull, 4096ull, 10304ull, 10320ull, 16384ull, 16391ull, 1ull << 21, 1ull << 30, 1ull << 40}) {
		isuper sb = example();

		if (!igeo_make(len, &sb.geo)) {
			EXPECT_LE(len, 10304u);
			continue;
		}
		made++;
		sb.geo.nonce = 1;
		sb.geo.home_len = kHome;
		EXPECT_EQ(Super(sb).decode(len), ISUPER_OK) << len;
		const igeo &g = sb.geo;
		for (__u64 batch : {1ull, 2ull}) {
			EXPECT_EQ(igeo_desc(&g, batch), igeo_slot(&g, batch) + 8);
			EXPECT_EQ(igeo_payload(&g, batch), igeo_desc(&g, batch) + g.desc_blocks * 8ull);
			EXPECT_EQ(igeo_payload(&g, batch) + igeo_payload_max(&g), igeo_slot(&g, batch) + g.slot_len);
		}
		EXPECT_EQ(igeo_slot(&g, 1), igeo_slot(&g, 2) + g.slot_len);
		EXPECT_LE(igeo_slot(&g, 1) + g.slot_len, len);
		EXPECT_GT(igeo_payload_max(&g), IFMT_LAST_MAX);
		EXPECT_EQ(igeo_extents_max(&g), g.desc_blocks * 256);
	}
	EXPECT_EQ(made, 6u);
}

// Catches: desc_crc not encoded; batch truncated to 32 bits.
TEST(Intent, ACommitBlockComesBackAsItWas)
{
	const icommit from = example_commit();
	Commit commit;

	ASSERT_TRUE(commit.decode());
	EXPECT_EQ(commit.out.batch, from.batch);
	EXPECT_EQ(commit.out.payload_len, from.payload_len);
	EXPECT_EQ(commit.out.time_ms, from.time_ms);
	EXPECT_EQ(commit.out.nr_extents, from.nr_extents);
	EXPECT_EQ(commit.out.desc_crc, from.desc_crc);
	EXPECT_EQ(memcmp(commit.c.magic, "\x89JBDbat\n", 8), 0);
	EXPECT_EQ(le64_to_cpu(commit.c.nonce), commit.g.nonce);
	const __le32 crc = commit.c.crc;
	commit.seal();
	EXPECT_EQ(crc, commit.c.crc);
}

// Catches: the checksum of the first 512 bytes only; no checksum.
TEST(Intent, EveryFlippedBitOfACommitBlockIsFound)
{
	for (size_t bit = 0; bit < sizeof(ifmt_commit) * 8; bit++) {
		Commit commit;

		reinterpret_cast<__u8 *>(&commit.c)[bit / 8] ^= static_cast<__u8>(1 << bit % 8);
		ASSERT_FALSE(commit.decode()) << "bit " << bit;
	}
}

// A power cut leaves any of the block's sectors from before, here from the batch that lay in the slot.
TEST(Intent, ATornCommitBlockIsNone)
{
	icommit older = example_commit();
	older.batch -= 2;
	const Commit before(older), after;

	for (unsigned written = 0; written < 256; written++) {
		Commit mixed(older);
		for (unsigned sector = 0; sector < 8; sector++)
			if (written >> sector & 1)
				memcpy(reinterpret_cast<__u8 *>(&mixed.c) + sector * 512,
				       reinterpret_cast<const __u8 *>(&after.c) + sector * 512, 512);
		const bool is_before = !memcmp(&mixed.c, &before.c, sizeof(mixed.c));
		const bool is_after = !memcmp(&mixed.c, &after.c, sizeof(mixed.c));
		EXPECT_EQ(mixed.decode(), is_before || is_after) << written;
	}
}

// Catches: each condition of icommit_decode() left out, one at a time.
TEST(Intent, ACommitBlockOutOfBoundsIsNone)
{
	const std::pair<const char *, std::function<void(Commit &)>> lies[] = {
		{"magic", [](Commit &c) { c.c.magic[7]++; }},
		{"batch 0", [](Commit &c) { c.c.batch = 0; }},
		{"batch of the other slot", [](Commit &c) { c.c.batch = cpu_to_le64(8); }},
		{"batch above all sequences", [](Commit &c) { c.c.batch = cpu_to_le64(~0ull); }},
		{"no extents", [](Commit &c) { c.c.nr_extents = 0; }},
		{"too many extents", [](Commit &c) { c.c.nr_extents = cpu_to_le32(igeo_extents_max(&c.g) + 1); }},
		{"too much payload", [](Commit &c) { c.c.payload_len = cpu_to_le64(igeo_payload_max(&c.g) + 1); }},
		{"payload that wraps", [](Commit &c) { c.c.payload_len = cpu_to_le64(~0ull); }},
	};

	for (const auto &[what, lie] : lies) {
		Commit commit;

		lie(commit);
		commit.seal();
		EXPECT_FALSE(commit.decode(what == std::string("batch 0") ? 0 : 1)) << what;
	}
	Commit most;
	most.c.nr_extents = cpu_to_le32(igeo_extents_max(&most.g));
	most.c.payload_len = cpu_to_le64(igeo_payload_max(&most.g));
	most.seal();
	EXPECT_TRUE(most.decode());
	EXPECT_FALSE(most.decode(0));
}

// The checksum may be right by chance for another nonce: its two halves exchanged have the same seed.
TEST(Intent, ACommitBlockOfAFormerFormatIsNone)
{
	const igeo g = example().geo;
	igeo former = g;
	const icommit from = example_commit();
	ifmt_commit block;
	icommit out;

	former.nonce = g.nonce << 32 | g.nonce >> 32;
	icommit_encode(&former, &from, &block);
	EXPECT_TRUE(icommit_decode(&former, 1, &block, &out));
	EXPECT_FALSE(icommit_decode(&g, 1, &block, &out));
}

// Catches: the batch left out of the seed; its upper half left out.
TEST(Intent, TheSeedOfABatchIsThatOfTheFormat)
{
	const igeo g = example().geo;

	for (__u64 batch : {1ull, 2ull, 0x500000007ull})
		EXPECT_EQ(ibatch_seed(&g, batch),
			  seed(g.nonce) ^ static_cast<__u32>(batch) ^ static_cast<__u32>(batch >> 32));
	EXPECT_NE(ibatch_seed(&g, 1), ibatch_seed(&g, 1ull << 33 | 1));
	EXPECT_EQ(ibatch_crc(ibatch_seed(&g, 1), "payload", 7), slow_crc32c(ibatch_seed(&g, 1), "payload", 7));
}

// Catches: the kind not shifted; the crc of another field.
TEST(Intent, AnExtentComesBackAsItWas)
{
	const igeo g = example().geo;

	for (jfmt_kind kind : {JFMT_DATA, JFMT_DISCARD, JFMT_ZEROES}) {
		const iextent x = {.home = kHome - 100, .len = 100, .crc = 0x89abcdef, .kind = kind};
		jfmt_extent block;
		iextent out;

		iextent_encode(&x, &block);
		EXPECT_EQ(le64_to_cpu(block.where), x.home | static_cast<__u64>(kind) << 48);
		ASSERT_TRUE(iextent_decode(&g, &block, &out));
		EXPECT_EQ(out.home, x.home);
		EXPECT_EQ(out.len, x.len);
		EXPECT_EQ(out.crc, x.crc);
		EXPECT_EQ(out.kind, kind);
	}
}

// Catches: each condition of iextent_decode() left out, one at a time; home + len in 32 bits.
TEST(Intent, AnExtentOutOfBoundsIsRefused)
{
	const igeo g = example().geo;
	const auto good = [&](__u64 where, __u32 len) {
		const jfmt_extent block = {.where = cpu_to_le64(where), .len = cpu_to_le32(len), .crc = 0};
		iextent out;
		return iextent_decode(&g, &block, &out);
	};

	EXPECT_TRUE(good(kHome - 1, 1));
	EXPECT_FALSE(good(kHome - 1, 2));
	EXPECT_FALSE(good(kHome, 1));
	EXPECT_FALSE(good(0, 0));
	EXPECT_FALSE(good(1, ~0u));
	EXPECT_FALSE(good(JFMT_HOME_MASK, 1));
	EXPECT_FALSE(good(3ull << 48, 1));		// no such kind
	EXPECT_FALSE(good(1ull << 56, 1));		// reserved
}

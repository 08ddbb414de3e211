// SPDX-License-Identifier: GPL-2.0-only
//
// What decoding accepts. A log is not trusted: most tests here seal a lie with
// a good checksum.
#include <gtest/gtest.h>

#include <map>

#include "checksums.h"
#include "logimage.h"

namespace {

constexpr __u64 kLogLen = 136 + 1024;

jsuper example()
{
	jsuper sb = LogImage().sb;

	memset(sb.intent_uuid, 9, sizeof(sb.intent_uuid));
	strcpy(sb.label, "vol");
	memset(sb.home_id, 'x', sizeof(sb.home_id) - 1);	// as long as it may be
	sb.compat = 1ull << 40;
	sb.ro_compat = 1ull << 41;
	sb.generation = 12;
	sb.created_ms = 13;
	sb.flags = JFMT_SUPER_FP | JFMT_SUPER_RUNNING;
	sb.recoveries = 14;
	sb.tail_pos = jpos(15008);
	sb.tail_seq = 16;
	sb.tail_crc = 17;
	sb.durable_seq = 18;
	sb.ckpt_to_seq = 19;
	sb.ckpt_to_pos = jpos(32);
	sb.epoch = 21;
	sb.barrier_seq = 3;
	sb.barrier_pos = jpos(48);
	sb.barrier_crc = 23;
	sb.first_new_seq = 10;
	strcpy(reinterpret_cast<char *>(sb.mark[7].name), "before upgrade");
	sb.fp[31].valid = cpu_to_le32(1);
	return sb;
}

struct Slot {
	explicit Slot(const jsuper &sb) { jsuper_encode(&sb, &s); }
	void seal()
	{
		s.crc = 0;
		s.crc = cpu_to_le32(slow_crc32c(~0u, &s, sizeof(s)));
	}
	jsuper_verdict decode(__u64 log_len = kLogLen)
	{
		return jsuper_decode(&s, log_len, &out);
	}
	jfmt_super s;
	jsuper out;
};

TEST(Super, ComesBackAsItWasWritten)
{
	const jsuper sb = example();
	Slot slot(sb);

	ASSERT_EQ(slot.decode(), JSUPER_OK);
	Slot again(slot.out);
	EXPECT_EQ(memcmp(&slot.s, &again.s, sizeof(slot.s)), 0);
	EXPECT_STREQ(slot.out.label, sb.label);
	EXPECT_STREQ(slot.out.home_id, sb.home_id);
	EXPECT_EQ(slot.out.compat, sb.compat);
	EXPECT_EQ(slot.out.ro_compat, sb.ro_compat);
	EXPECT_EQ(slot.out.geo.nonce, sb.geo.nonce);
	EXPECT_EQ(slot.out.geo.record_max, sb.geo.record_max);
	EXPECT_EQ(slot.out.generation, 12u);
	EXPECT_EQ(slot.out.created_ms, 13u);
	EXPECT_EQ(slot.out.flags, sb.flags);
	EXPECT_EQ(slot.out.recoveries, 14u);
	EXPECT_EQ(slot.out.tail_pos.v, 15008u);
	EXPECT_EQ(slot.out.tail_seq, 16u);
	EXPECT_EQ(slot.out.tail_crc, 17u);
	EXPECT_EQ(slot.out.durable_seq, 18u);
	EXPECT_EQ(slot.out.ckpt_to_seq, 19u);
	EXPECT_EQ(slot.out.ckpt_to_pos.v, 32u);
	EXPECT_EQ(slot.out.epoch, 21u);
	EXPECT_EQ(slot.out.barrier_pos.v, 48u);
	EXPECT_EQ(slot.out.barrier_crc, 23u);
	EXPECT_EQ(slot.out.first_new_seq, 10u);
	EXPECT_EQ(memcmp(slot.out.mark, sb.mark, sizeof(sb.mark)), 0);
	EXPECT_EQ(memcmp(slot.out.fp, sb.fp, sizeof(sb.fp)), 0);
}

TEST(Super, ANameEndsAtItsFirstNul)
{
	Slot slot(example());

	memcpy(slot.s.label, "one\0two", 8);
	slot.seal();
	ASSERT_EQ(slot.decode(), JSUPER_OK);
	EXPECT_EQ(std::string(slot.out.label, 8), std::string("one\0\0\0\0\0", 8));
}

TEST(Super, ItsChecksumIsTheDocumentedOne)
{
	Slot slot(example());
	const __u32 crc = le32_to_cpu(slot.s.crc);

	slot.seal();
	EXPECT_EQ(le32_to_cpu(slot.s.crc), crc);
	EXPECT_EQ(slow_crc32c(~0u, "123456789", 9) ^ ~0u, 0xe3069283u);	// RFC 3720
	EXPECT_EQ(crc32c(~0u, "123456789", 9) ^ ~0u, 0xe3069283u);
}

TEST(Super, EveryFlippedBitIsSeen)
{
	Slot slot(example());
	__u8 *bytes = reinterpret_cast<__u8 *>(&slot.s);

	for (unsigned bit = 0; bit < sizeof(slot.s) * 8; bit++) {
		bytes[bit / 8] ^= 1 << bit % 8;
		ASSERT_EQ(slot.decode(), bit < 64 ? JSUPER_FOREIGN : JSUPER_TORN) << bit;
		bytes[bit / 8] ^= 1 << bit % 8;
	}
	EXPECT_EQ(slot.decode(), JSUPER_OK);
}

TEST(Super, ANewerVersionOrAnUnknownIncompatBitIsNewer)
{
	Slot version(example());
	version.s.version = cpu_to_le32(JFMT_VERSION + 1);
	version.seal();
	EXPECT_EQ(version.decode(), JSUPER_NEWER);

	Slot incompat(example());
	incompat.s.incompat = cpu_to_le64(1ull << 63);
	incompat.seal();
	EXPECT_EQ(incompat.decode(), JSUPER_NEWER);
}

TEST(Super, FieldsThatContradictEachOtherAreInsane)
{
	const std::map<const char *, void (*)(jfmt_super &)> lies = {
		{"version 0", [](jfmt_super &s) { s.version = 0; }},
		{"unit 0", [](jfmt_super &s) { s.unit = 0; }},
		{"unit 3", [](jfmt_super &s) { s.unit = cpu_to_le32(3); }},
		{"unit 16", [](jfmt_super &s) {
			s.unit = cpu_to_le32(16); s.area_start = cpu_to_le64(144);
			s.area_len = cpu_to_le64(1008); }},
		{"area not in units", [](jfmt_super &s) {
			s.unit = cpu_to_le32(8); s.area_len = cpu_to_le64(1020); }},
		{"area start not in units", [](jfmt_super &s) {
			s.unit = cpu_to_le32(8); s.area_start = cpu_to_le64(140);
			s.area_len = cpu_to_le64(1016); }},
		{"record_max not in units", [](jfmt_super &s) {
			s.unit = cpu_to_le32(8); s.record_max = cpu_to_le32(60); }},
		{"area over the slots", [](jfmt_super &s) { s.area_start = cpu_to_le64(135); }},
		{"area beyond the device", [](jfmt_super &s) { s.area_len = cpu_to_le64(1025); }},
		{"area wraps", [](jfmt_super &s) { s.area_len = cpu_to_le64(~0ull - 100); }},
		{"area starts beyond the device", [](jfmt_super &s) {
			s.area_start = cpu_to_le64(~0ull - 100); }},
		{"area too small", [](jfmt_super &s) { s.record_max = cpu_to_le32(257); }},
		{"record_max 0", [](jfmt_super &s) { s.record_max = 0; }},
		{"record_max without payload", [](jfmt_super &s) { s.record_max = cpu_to_le32(2); }},
		{"no home", [](jfmt_super &s) { s.home_len = 0; }},
		{"home too long", [](jfmt_super &s) { s.home_len = cpu_to_le64(1ull << 48); }},
		{"tail too far", [](jfmt_super &s) { s.tail_pos = cpu_to_le64(1ull << 62); }},
		{"tail not in units", [](jfmt_super &s) {
			s.unit = cpu_to_le32(8); s.tail_pos = cpu_to_le64(15004); }},
		{"ckpt_to not in units", [](jfmt_super &s) {
			s.unit = cpu_to_le32(8); s.ckpt_to_pos = cpu_to_le64(36); }},
		{"barrier too far", [](jfmt_super &s) { s.barrier_pos = cpu_to_le64(~0ull); }},
		{"tail not durable", [](jfmt_super &s) { s.tail_seq = cpu_to_le64(19); }},
		{"tail in a lost branch", [](jfmt_super &s) { s.tail_seq = cpu_to_le64(9); }},
		{"no new sequences", [](jfmt_super &s) { s.first_new_seq = cpu_to_le64(3); }},
		{"durable too great", [](jfmt_super &s) { s.durable_seq = cpu_to_le64(1ull << 63); }},
		{"ckpt_to too great", [](jfmt_super &s) { s.ckpt_to_seq = cpu_to_le64(1ull << 63); }},
		{"epoch too great", [](jfmt_super &s) { s.epoch = cpu_to_le64(1ull << 63); }},
		{"first_new too great", [](jfmt_super &s) {
			s.barrier_seq = s.tail_seq; s.first_new_seq = cpu_to_le64(1ull << 63); }},
	};

	for (const auto &[what, lie] : lies) {
		Slot slot(example());

		lie(slot.s);
		slot.seal();
		EXPECT_EQ(slot.decode(), JSUPER_INSANE) << what;
	}
	EXPECT_EQ(Slot(example()).decode(kLogLen - 1), JSUPER_INSANE);
	EXPECT_EQ(Slot(example()).decode(0), JSUPER_INSANE);
	EXPECT_EQ(Slot(example()).decode(kLogLen + 1), JSUPER_OK);
}

TEST(Super, ARecordMaxThatOverflows32BitsOfBytesIsInsane)
{
	jsuper sb = example();

	sb.geo.record_max = JRECORD_LEN_MAX + 1;
	sb.geo.area_len = 1ull << 40;
	EXPECT_EQ(Slot(sb).decode(1ull << 41), JSUPER_INSANE);
	sb.geo.record_max = JRECORD_LEN_MAX;
	EXPECT_EQ(Slot(sb).decode(1ull << 41), JSUPER_OK);
}

TEST(Super, AnAreaThatOverflowsPositionsIsInsane)
{
	jsuper sb = example();

	sb.geo.area_len = JFMT_POS_MAX + 1;
	EXPECT_EQ(Slot(sb).decode(~0ull), JSUPER_INSANE);
	sb.geo.area_len = JFMT_POS_MAX;
	EXPECT_EQ(Slot(sb).decode(~0ull), JSUPER_OK);
}

TEST(Super, EveryVerdictHasItsText)
{
	std::set<std::string> texts;

	for (int v = JSUPER_OK; v <= JSUPER_UNREADABLE; v++)
		texts.insert(jsuper_verdict_text(static_cast<jsuper_verdict>(v)));
	EXPECT_EQ(texts.size(), 6u);
}

int choose(jsuper_verdict v0, jsuper_verdict v1, __u64 gen0 = 0, __u64 gen1 = 0)
{
	jsuper sb[2] = {example(), example()};
	const jsuper_verdict v[2] = {v0, v1};

	sb[0].generation = gen0;
	sb[1].generation = gen1;
	return jsuper_choose(v, sb);
}

TEST(Super, TheGreaterGenerationIsChosen)
{
	EXPECT_EQ(choose(JSUPER_OK, JSUPER_OK, 8, 7), 0);
	EXPECT_EQ(choose(JSUPER_OK, JSUPER_OK, 8, 9), 1);
}

TEST(Super, ATornOrUnreadableSlotLeavesTheOther)
{
	for (jsuper_verdict bad : {JSUPER_TORN, JSUPER_UNREADABLE, JSUPER_FOREIGN}) {
		EXPECT_EQ(choose(JSUPER_OK, bad), 0);
		EXPECT_EQ(choose(bad, JSUPER_OK), 1);
	}
}

TEST(Super, TwoBadSlotsAreNoLog)
{
	EXPECT_EQ(choose(JSUPER_TORN, JSUPER_TORN), -1);
	EXPECT_EQ(choose(JSUPER_FOREIGN, JSUPER_UNREADABLE), -1);
}

TEST(Super, ASlotThatWasWrittenLastButCannotBeUsedHidesTheOther)
{
	for (jsuper_verdict bad : {JSUPER_NEWER, JSUPER_INSANE}) {
		EXPECT_EQ(choose(JSUPER_OK, bad), -1);
		EXPECT_EQ(choose(bad, JSUPER_OK), -1);
	}
}

TEST(Super, SlotsOfDifferentLogsAreNoLog)
{
	const jsuper_verdict v[2] = {JSUPER_OK, JSUPER_OK};
	jsuper sb[2] = {example(), example()};

	EXPECT_NE(jsuper_choose(v, sb), -1);
	sb[1].uuid[3] ^= 1;
	EXPECT_EQ(jsuper_choose(v, sb), -1);
	sb[1] = sb[0];
	sb[1].geo.nonce ^= 1;
	EXPECT_EQ(jsuper_choose(v, sb), -1);
}

TEST(RecordHeader, ItsChecksumIsTheDocumentedOne)
{
	for (__u32 unit : {1u, 8u}) {
		LogImage log({.unit = unit});
		const Record &r = log.commit({{1, 2}});
		const __u64 nonce = log.sb.geo.nonce;
		std::vector<__u8> block(log.at(r.pos), log.at(r.pos) + unit * JFMT_SECTOR);
		jfmt_extent x;

		memset(&block[4], 0, 4);
		EXPECT_EQ(r.crc, slow_crc32c(~0u ^ (__u32)nonce ^ (__u32)(nonce >> 32),
					     block.data(), block.size()));
		memcpy(&x, &block[sizeof(jfmt_record)], sizeof(x));
		EXPECT_EQ(le32_to_cpu(x.crc),
			  documented_payload_crc(~0u ^ (__u32)nonce ^ (__u32)(nonce >> 32),
						 {log.at(r.at[0]), log.at(r.at[0]) + 2 * JFMT_SECTOR}));
	}
}

// The format of version 1 never changes.
TEST(RecordHeader, IsTheSameAsEver)
{
	LogImage log({.first_pos = 40, .first_seq = 9});

	log.commit({{1, 2}, {5, 3, JFMT_DISCARD}});
	EXPECT_EQ(log.commit({{7, 1}}).crc, 0x05088489u);
	EXPECT_EQ(slow_crc32c(~0u, log.at(jpos(40)), 5 * JFMT_SECTOR),
		  0x066cae04u);
}

} // namespace

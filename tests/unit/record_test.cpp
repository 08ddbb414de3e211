// SPDX-License-Identifier: GPL-2.0-only
//
// Record headers and extents: what decoding refuses although its checksum holds.
#include <gtest/gtest.h>

#include <map>

#include "logimage.h"

namespace {

// A record in the middle of a log, its header open for lies.
struct Header {
	explicit Header(const Shape &shape = {}) : log(shape)
	{
		log.commit({{1, 3}});
		log.commit({{2, 3}});
		log.head_tail(log.written[0]);
		r = log.commit({{3, 2}, {9, 5, JFMT_ZEROES}, {4, 1}});
	}
	jfmt_record &h() { return *reinterpret_cast<jfmt_record *>(log.at(r.pos)); }
	jfmt_extent &x(int i)
	{
		return *reinterpret_cast<jfmt_extent *>(log.at(r.pos) + sizeof(jfmt_record) +
							i * sizeof(jfmt_extent));
	}
	bool decode()
	{
		jdesc_seal(&log.sb.geo, log.at(r.pos));
		return jrecord_decode(&log.sb.geo, r.pos, log.at(r.pos), &rec);
	}
	// the extents that can be had, then the last answer of the cursor
	std::pair<std::vector<Extent>, int> extents()
	{
		const size_t bytes = log.sb.geo.unit * JFMT_SECTOR;
		// a copy of one unit, so that the sanitizer sees a read beyond it
		std::vector<__u8> block(log.at(r.pos), log.at(r.pos) + bytes);
		std::vector<Extent> out;
		struct jpos need;
		jcursor c;
		jextent x;
		int ret;

		jcursor_init(&c, &log.sb.geo, &rec, block.data());
		while ((ret = jcursor_next(&c, &x, &need)) != 0) {
			if (ret == -EAGAIN) {
				block.assign(log.at(need), log.at(need) + bytes);
				ret = jcursor_feed(&c, block.data());
				if (!ret)
					continue;
			}
			if (ret < 0)
				break;
			out.push_back({x.home.v, x.len, x.kind});
			at.push_back(x.pos);
		}
		return {out, ret};
	}

	LogImage log;
	Record r;
	jrecord rec;
	std::vector<Pos> at;
};

TEST(RecordHeader, DecodesToWhatWasWritten)
{
	Header t;

	ASSERT_TRUE(t.decode());
	EXPECT_EQ(t.rec.seq, 3u);
	EXPECT_EQ(t.rec.prev_seq, 2u);
	EXPECT_EQ(t.rec.prev_crc, t.log.written[1].crc);
	EXPECT_EQ(t.rec.durable_seq, 2u);
	EXPECT_EQ(t.rec.tail_seq, 1u);
	EXPECT_EQ(t.rec.tail_pos.v, t.log.written[0].end().v);
	EXPECT_EQ(t.rec.pos.v, t.r.pos.v);
	EXPECT_EQ(t.rec.len, 4u);
	EXPECT_EQ(t.rec.nr_desc, 1u);
	EXPECT_EQ(t.rec.crc, t.r.crc);
}

TEST(RecordHeader, IsRefusedWhenAnyFieldIsOutOfBounds)
{
	const std::map<const char *, void (*)(jfmt_record &)> lies = {
		{"magic", [](jfmt_record &h) { h.magic = cpu_to_le32(JFMT_DESC_MAGIC); }},
		{"other nonce with the same seed", [](jfmt_record &h) {
			h.nonce = cpu_to_le64(le64_to_cpu(h.nonce) ^ 0x100000001ull); }},
		{"sequence 0", [](jfmt_record &h) { h.seq = 0; }},
		{"sequence too great", [](jfmt_record &h) { h.seq = cpu_to_le64(1ull << 63); }},
		{"other position", [](jfmt_record &h) { h.pos = cpu_to_le64(le64_to_cpu(h.pos) + 1024); }},
		{"epoch too great", [](jfmt_record &h) { h.epoch = cpu_to_le64(1ull << 63); }},
		{"names itself", [](jfmt_record &h) { h.prev_seq = h.seq; }},
		{"names a later one", [](jfmt_record &h) { h.prev_seq = cpu_to_le64(4); }},
		{"durable itself", [](jfmt_record &h) { h.durable_seq = h.seq; }},
		{"tail not durable", [](jfmt_record &h) { h.tail_seq = cpu_to_le64(3); }},
		{"tail behind itself", [](jfmt_record &h) { h.tail_pos = cpu_to_le64(9); }},
		{"length 0", [](jfmt_record &h) { h.len = 0; }},
		{"longer than record_max", [](jfmt_record &h) { h.len = cpu_to_le32(65); }},
		{"longest length", [](jfmt_record &h) { h.len = cpu_to_le32(~0u); }},
		{"too many extents", [](jfmt_record &h) { h.nr_extents = cpu_to_le16(25); }},
		{"no descriptor", [](jfmt_record &h) { h.nr_desc = 0; }},
		{"a next one of none", [](jfmt_record &h) {
			h.nr_desc = 0; h.next_desc = cpu_to_le32(2); }},
		{"a next one of one", [](jfmt_record &h) { h.next_desc = cpu_to_le32(2); }},
		{"no next one of two", [](jfmt_record &h) { h.nr_desc = cpu_to_le16(2); }},
		{"next beyond the record", [](jfmt_record &h) {
			h.nr_desc = cpu_to_le16(2); h.next_desc = h.len; }},
	};

	for (const auto &[what, lie] : lies) {
		Header t;

		ASSERT_TRUE(t.decode());
		lie(t.h());
		EXPECT_FALSE(t.decode()) << what;
	}
}

TEST(RecordHeader, IsRefusedWhenItIsNotMadeOfUnits)
{
	Header t({.unit = 8, .record_max = 64, .area_len = 1024});

	ASSERT_TRUE(t.decode());
	t.h().len = cpu_to_le32(12);
	EXPECT_FALSE(t.decode());
	t.h().len = cpu_to_le32(24);
	t.h().nr_desc = cpu_to_le16(2);
	t.h().next_desc = cpu_to_le32(12);
	EXPECT_FALSE(t.decode());
	t.h().next_desc = cpu_to_le32(16);
	EXPECT_TRUE(t.decode());
}

TEST(RecordHeader, IsRefusedWhenItCrossesTheEndOfTheArea)
{
	LogImage log({.record_max = 64, .area_len = 256, .first_pos = 250});

	log.tweak = [](jfmt_record &h) { h.len = cpu_to_le32(7); };
	log.write({{1, 3}});
	jrecord rec;
	EXPECT_FALSE(jrecord_decode(&log.sb.geo, jpos(250), log.at(jpos(250)), &rec));
	log.head = jpos(250);
	log.tweak = [](jfmt_record &h) { h.len = cpu_to_le32(6); };
	log.write({{1, 3}});
	EXPECT_TRUE(jrecord_decode(&log.sb.geo, jpos(250), log.at(jpos(250)), &rec));
}

TEST(RecordHeader, IsRefusedWhenItReachesALapBehindItsTail)
{
	LogImage log({.record_max = 64, .area_len = 256, .first_pos = 256});
	jrecord rec;

	log.tail_pos = jpos(4);
	log.write({{1, 3}});
	EXPECT_TRUE(jrecord_decode(&log.sb.geo, jpos(256), log.at(jpos(256)), &rec));
	log.head = jpos(256);
	log.tail_pos = jpos(3);
	log.write({{1, 3}});
	EXPECT_FALSE(jrecord_decode(&log.sb.geo, jpos(256), log.at(jpos(256)), &rec));
}

// Catches: nonce not in the seed.
TEST(RecordHeader, TheNonceSeedsItsChecksum)
{
	Header t;

	t.h().nonce ^= cpu_to_le64(1);
	jdesc_seal(&t.log.sb.geo, t.log.at(t.r.pos));
	t.log.sb.geo.nonce ^= 1;
	EXPECT_FALSE(jrecord_decode(&t.log.sb.geo, t.r.pos, t.log.at(t.r.pos), &t.rec));
}

TEST(Extents, ComeWithThePlaceOfTheirPayload)
{
	Header t;

	ASSERT_TRUE(t.decode());
	const auto [extents, end] = t.extents();
	EXPECT_EQ(end, 0);
	EXPECT_EQ(extents, t.r.extents);
	EXPECT_EQ(t.at[0].v, t.r.pos.v + 1);
	EXPECT_EQ(t.at[1].v, t.r.pos.v + 3);	// where the next payload lies
	EXPECT_EQ(t.at[2].v, t.r.pos.v + 3);
}

TEST(Extents, AreRefusedWhenOutOfBounds)
{
	const std::map<const char *, void (*)(Header &)> lies = {
		{"length 0", [](Header &t) { t.x(0).len = 0; }},
		{"beyond the record", [](Header &t) { t.x(2).len = cpu_to_le32(2); }},
		{"longest", [](Header &t) { t.x(0).len = cpu_to_le32(~0u); }},
		{"beyond the home", [](Header &t) { t.x(0).where = cpu_to_le64((1 << 20) - 1); }},
		{"last of all homes", [](Header &t) { t.x(0).where = cpu_to_le64(JFMT_HOME_MASK); }},
		{"unknown kind", [](Header &t) { t.x(0).where = cpu_to_le64(3ull << 48); }},
		{"high bits", [](Header &t) { t.x(0).where = cpu_to_le64(1ull << 56); }},
		{"empty discard", [](Header &t) { t.x(1).len = 0; }},
		{"too long a discard", [](Header &t) {
			t.log.sb.geo.home_len = 1ull << 40;
			t.x(1).len = cpu_to_le32(JFMT_NOPAYLOAD_MAX + 1); }},
		{"discard beyond the home", [](Header &t) { t.x(1).len = cpu_to_le32(1 << 20); }},
		{"more than were written", [](Header &t) { t.h().nr_extents = cpu_to_le16(4); }},
	};

	for (const auto &[what, lie] : lies) {
		Header t;

		lie(t);
		ASSERT_TRUE(t.decode()) << what;
		EXPECT_EQ(t.extents().second, -EBADMSG) << what;
	}
	Header longest;
	longest.log.sb.geo.home_len = 1ull << 40;
	longest.x(1).len = cpu_to_le32(JFMT_NOPAYLOAD_MAX);
	ASSERT_TRUE(longest.decode());
	EXPECT_EQ(longest.extents().second, 0);
}

// A record of three descriptors.
struct Descs : Header {
	Descs() : Header({.record_max = 256, .area_len = 2048})
	{
		std::vector<Extent> many;

		for (__u64 i = 0; i < 60; i++)
			many.push_back({i, 1 + (__u32)i % 2, i % 9 ? JFMT_DATA : JFMT_ZEROES});
		r = log.commit(many);	// at position 12
	}
	jfmt_desc &d(int n)
	{
		__u32 next = le32_to_cpu(h().next_desc);
		jfmt_desc *d = nullptr;

		while (n--) {
			d = reinterpret_cast<jfmt_desc *>(log.at(jpos_add(r.pos, next)));
			next = le32_to_cpu(d->next_desc);
		}
		return *d;
	}
};

TEST(Extents, RunThroughAllDescriptors)
{
	Descs t;

	ASSERT_TRUE(t.decode());
	EXPECT_EQ(t.rec.nr_desc, 3u);
	const auto [extents, end] = t.extents();
	EXPECT_EQ(end, 0);
	EXPECT_EQ(extents, t.r.extents);
	for (size_t i = 0; i < t.at.size(); i++)
		EXPECT_EQ(t.at[i].v, t.r.at[i].v) << i;
}

TEST(Descriptor, IsRefusedWhenItIsNotTheNextOfItsRecord)
{
	const std::map<const char *, void (*)(jfmt_desc &)> lies = {
		{"magic", [](jfmt_desc &d) { d.magic = cpu_to_le32(JFMT_RECORD_MAGIC); }},
		{"other nonce with the same seed", [](jfmt_desc &d) {
			d.nonce = cpu_to_le64(le64_to_cpu(d.nonce) ^ 0x100000001ull); }},
		{"other record", [](jfmt_desc &d) { d.seq = cpu_to_le64(2); }},
		{"other position", [](jfmt_desc &d) { d.pos = cpu_to_le64(le64_to_cpu(d.pos) + 2048); }},
		{"other index", [](jfmt_desc &d) { d.index = cpu_to_le16(2); }},
		{"no extents", [](jfmt_desc &d) { d.nr_extents = 0; }},
		{"too many extents", [](jfmt_desc &d) { d.nr_extents = cpu_to_le16(29); }},
		{"by far too many extents", [](jfmt_desc &d) { d.nr_extents = cpu_to_le16(~0); }},
		{"last too early", [](jfmt_desc &d) { d.next_desc = 0; }},
		{"next backwards", [](jfmt_desc &d) { d.next_desc = cpu_to_le32(1); }},
		{"next is itself", [](jfmt_desc &d) {
			d.next_desc = cpu_to_le32(le64_to_cpu(d.pos) - 12); }},
		{"next beyond the record", [](jfmt_desc &d) { d.next_desc = cpu_to_le32(255); }},
		{"next at the end of 32 bits", [](jfmt_desc &d) { d.next_desc = cpu_to_le32(~0u); }},
		{"payload over the next", [](jfmt_desc &d) {
			d.next_desc = cpu_to_le32(le32_to_cpu(d.next_desc) - 1); }},
	};

	for (const auto &[what, lie] : lies) {
		Descs t;

		lie(t.d(1));
		jdesc_seal(&t.log.sb.geo, &t.d(1));
		ASSERT_TRUE(t.decode());
		EXPECT_EQ(t.extents().second, -EBADMSG) << what;
	}
	Descs torn;
	torn.d(1).reserved[0] = 1;
	ASSERT_TRUE(torn.decode());
	EXPECT_EQ(torn.extents().second, -EBADMSG);
}

TEST(Descriptor, TheLastOneHasNoNext)
{
	Descs t;

	t.d(2).next_desc = cpu_to_le32(t.r.len - 1);
	jdesc_seal(&t.log.sb.geo, &t.d(2));
	ASSERT_TRUE(t.decode());
	EXPECT_EQ(t.extents().second, -EBADMSG);
}

TEST(Descriptor, PayloadOfTheHeaderEndsBeforeIt)
{
	Descs t;

	t.h().next_desc = cpu_to_le32(le32_to_cpu(t.h().next_desc) - 1);
	ASSERT_TRUE(t.decode());
	const auto [extents, end] = t.extents();
	EXPECT_EQ(end, -EBADMSG);
	EXPECT_LT(extents.size(), jgeo_header_extents(&t.log.sb.geo));
}

} // namespace

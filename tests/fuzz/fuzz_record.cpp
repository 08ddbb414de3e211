// SPDX-License-Identifier: GPL-2.0-only
//
// Any bytes as a record's descriptors: all that is decoded lies within the
// record, the lap and the home, and there is an end to it.
#include "fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Input in(data, size);
	const Shape shape = {.unit = 1u << in.below(4), .record_max = 256, .area_len = 2048};
	LogImage log(shape);
	const jgeo &g = log.sb.geo;
	const __u32 bytes = shape.unit * JFMT_SECTOR;
	std::vector<Extent> extents;
	jrecord rec;

	for (uint32_t n = in.below(100); n; n--)
		extents.push_back({in.below(1 << 16), 1, n % 8 ? JFMT_DATA : JFMT_ZEROES});
	const Record r = log.write(extents);

	// lies in every unit; those that are descriptors are sealed again
	while (!in.empty()) {
		const uint32_t at = in.below(r.len * JFMT_SECTOR);

		in.fill(log.at(r.pos) + at,
			std::min<size_t>(r.len * JFMT_SECTOR - at, 1 + in.below(8)));
	}
	for (__u32 at = 0; at < r.len; at += shape.unit) {
		__u8 *block = log.at(jpos_add(r.pos, at));
		__le32 magic;

		memcpy(&magic, block, sizeof(magic));
		if (le32_to_cpu(magic) == JFMT_RECORD_MAGIC || le32_to_cpu(magic) == JFMT_DESC_MAGIC)
			jdesc_seal(&g, block);
	}

	// on the heap, so that the sanitizer sees a read beyond the unit
	std::vector<__u8> block(log.at(r.pos), log.at(r.pos) + bytes);
	if (!jrecord_decode(&g, r.pos, block.data(), &rec))
		return 0;
	CHECK(rec.len <= g.record_max && rec.len <= jring_left(&g, rec.pos));
	CHECK(rec.seq > rec.prev_seq && rec.prev_seq >= rec.durable_seq);

	struct jpos need, end = jpos_add(rec.pos, rec.len);
	unsigned int fed = 0, given = 0;
	__u64 next = rec.pos.v + g.unit;
	jcursor c;
	jextent x;
	int ret;

	jcursor_init(&c, &g, &rec, block.data());
	while ((ret = jcursor_next(&c, &x, &need)) != 0) {
		if (ret == -EAGAIN) {
			CHECK(need.v >= next && need.v + g.unit <= end.v);
			CHECK(need.v % g.unit == 0);
			CHECK(++fed < rec.nr_desc);
			block.assign(log.at(need), log.at(need) + bytes);
			ret = jcursor_feed(&c, block.data());
			next = need.v + g.unit;
			if (!ret)
				continue;
		}
		if (ret == -EBADMSG)
			return 0;
		CHECK(ret == 1);
		CHECK(x.len && x.home.v + x.len <= g.home_len);
		CHECK(x.pos.v == next);
		if (x.kind == JFMT_DATA)
			next += x.len;
		else
			CHECK(x.len <= JFMT_NOPAYLOAD_MAX);
		CHECK(next <= end.v);
		given++;
	}
	CHECK(fed + 1 == rec.nr_desc);
	CHECK(given <= rec.nr_desc * jgeo_desc_extents(&g));
	return 0;
}

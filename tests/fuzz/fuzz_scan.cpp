// SPDX-License-Identifier: GPL-2.0-only
//
// A journal's life and a crash, as the input says. With a lawful one the scan finds
// every acknowledged record, and no damage. With a hostile one - headers that
// lie under a good checksum, rotten bytes, bad sectors - it stays in bounds, ends,
// and never gives what contradicts itself.
#include "fuzz.h"

namespace {

// Overwrite some bytes of the next header, before it is sealed.
void lie_in_header(LogImage &log, Input &in)
{
	const uint32_t at = 8 + in.below(sizeof(jfmt_record) - 8);
	std::vector<uint8_t> lie(std::min<size_t>(sizeof(jfmt_record) - at, 1 + in.below(8)));

	in.fill(lie.data(), lie.size());
	log.tweak = [at, lie](jfmt_record &h) {
		memcpy(reinterpret_cast<uint8_t *>(&h) + at, lie.data(), lie.size());
	};
}

std::vector<Extent> some_extents(Input &in, const jgeo &g)
{
	const uint8_t b = in.take<uint8_t>();
	__u32 room = g.record_max / 2;
	std::vector<Extent> out;

	for (int n = b % 8 == 7 ? 40 : 1 + b % 4; n && room; n--) {
		const __u32 len = std::min<__u32>(room, 1 + (b >> 3) % 8);

		out.push_back({in.below(1 << 16), len, jfmt_kind((b + n) % 5 ? 0 : 1 + n % 2)});
		room -= len;
	}
	return out;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Input in(data, size);
	const __u32 unit = 1u << in.below(4);
	LogImage log({.unit = unit, .record_max = 32 * unit, .area_len = 160 * unit,
		      .first_pos = in.below(200) * unit, .first_seq = 1ull + in.take<uint32_t>()});
	const jgeo &g = log.sb.geo;
	Scan::Options options = {.window = 80 * unit};
	size_t tail = 0, kept = 0;		// records below the tail; acknowledged records
	bool hostile = false;

	while (!in.empty() && log.written.size() < 2000) {
		const bool room = log.head.v + 66 * unit <= log.sb.tail_pos.v + g.area_len;
		const size_t n = log.written.size();

		switch (in.take<uint8_t>() % 12) {
		case 0: case 1: case 2:
			if (room)
				log.write(some_extents(in, g));
			break;
		case 3: case 4:
			if (room) {
				log.commit(some_extents(in, g));
				kept = log.written.size();
			}
			break;
		case 5:
			if (kept > tail) {
				tail += 1 + in.below(kept - tail);
				log.move_tail(log.written[tail - 1]);
			}
			break;
		case 6:			// a header knows a tail that no superblock does yet
			if (kept > tail)
				log.head_tail(log.written[tail + in.below(kept - tail)]);
			break;
		case 7:			// a crash and a recovery that lost the rest
			if (kept > tail && kept == n - std::min<size_t>(n - kept, 3)) {
				log.barrier(log.written[kept - 1]);
				log.written.resize(kept);
			}
			break;
		case 8:
			log.epoch += in.take<uint8_t>();
			break;
		case 9:
			lie_in_header(log, in);
			hostile = true;
			break;
		case 10:
			log.bytes[(g.area_start * JFMT_SECTOR) +
				  in.take<uint32_t>() % (g.area_len * JFMT_SECTOR)] ^=
				in.take<uint8_t>();
			hostile = true;
			break;
		case 11:
			options.bad_sectors.insert(g.area_start + in.below(g.area_len));
			hostile = true;
			break;
		}
	}
	// the crash: of what was in flight, any part is missing
	for (size_t i = kept; i < log.written.size(); i++)
		if (log.written[i].seq % 3 == 1)
			log.tear(log.written[i], log.written[i].seq % log.written[i].len);

	Scan scan(log, options);
	CHECK(!scan.out_of_area);
	CHECK(scan.reads.size() <= 8 * g.area_len);
	CHECK(scan.records.size() <= g.area_len / unit);
	CHECK(scan.r.head.v <= log.sb.tail_pos.v + g.area_len);
	__u64 end = log.sb.tail_pos.v, seq = log.sb.tail_seq;
	for (const Record &r : scan.records) {
		CHECK(r.seq > seq && r.pos.v >= end);
		seq = r.seq;
		end = r.end().v;
		for (size_t i = 0; i < r.extents.size(); i++) {
			CHECK(r.at[i].v > r.pos.v && r.at[i].v <= end);
			if (r.extents[i].kind == JFMT_DATA)
				CHECK(r.at[i].v + r.extents[i].len <= end);
			CHECK(r.extents[i].home + r.extents[i].len <= g.home_len);
		}
	}
	if (hostile)
		return 0;

	jsuper decoded;
	jfmt_super s;
	jsuper_encode(&log.sb, &s);
	CHECK(jsuper_decode(&s, g.area_start + g.area_len, &decoded) == JSUPER_OK);
	CHECK(scan.r.end == JSCAN_END);
	CHECK(scan.records.size() >= kept - tail);
	CHECK(scan.gave(tail, scan.records.size()));
	CHECK(scan.r.seen_seq >= scan.r.last_seq);
	return 0;
}

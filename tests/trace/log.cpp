// SPDX-License-Identifier: GPL-2.0-only
/*
 * A log write that is neither a superblock nor a whole record is strange, and is told; everything else here trusts
 * what was decoded.
 */
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <stdexcept>

#include "log.h"

namespace trace {

constexpr uint64_t SLOT = JFMT_SUPER_STRIDE / JFMT_SECTOR, SUPER_SECTORS = JFMT_SUPER_SIZE / JFMT_SECTOR;

Log::Log(const Tape &tape, uint64_t log_sectors)
{
	std::vector<std::pair<uint64_t, const Op *>> of_records;
	std::vector<Super> supers;

	records.push_back({});
	by_seq[0] = 0;
	for (const Op &op : tape.ops) {
		if (op.device != LOG || !op.writes())
			continue;
		/* formatting writes zeroes first */
		if (op.sub < tape.begin && op.kind == Kind::write && *op.hash == ZEROES)
			continue;
		if (op.kind == Kind::write && op.sectors == SUPER_SECTORS && (op.sector == 0 || op.sector == SLOT)) {
			Super s = {.super = {}, .op = &op, .tail = 0, .to = 0};

			if (jsuper_decode(op.data, log_sectors, &s.super) == JSUPER_OK)
				supers.push_back(s);
			else
				strange.push_back("not a superblock: " + name(op));
		} else if (op.sub > tape.begin) {
			uint64_t seq = 0;

			if (op.kind == Kind::write)
				std::memcpy(&seq, op.data + offsetof(jfmt_record, seq), sizeof(seq));
			of_records.emplace_back(seq, &op);
		}
	}
	if (supers.empty())
		throw std::runtime_error("the tape has no superblock");
	geo = supers[0].super.geo;
	versions.resize(geo.home_len);
	/* several may be on their way, and are submitted in any order */
	std::stable_sort(of_records.begin(), of_records.end(), [](const auto &a, const auto &b) { return a.first < b.first; });
	for (const auto &[seq, op] : of_records)
		take_record(*op);
	for (const Super &s : supers)
		take_super(s);
}

void Log::take_super(Super s)
{
	if (!find(s.super.tail_seq, s.tail) || !find(s.super.ckpt_to_seq, s.to))
		strange.push_back("a superblock with a tail or ckpt_to that no record has: " + name(*s.op));
	super_of[s.op] = s;
}

void Log::take_record(const Op &op)
{
	Record r;
	jcursor cursor;
	jextent x;
	struct jpos pos, need;
	uint64_t v;
	int got;

	if (op.kind != Kind::write || op.sectors < geo.unit) {
		strange.push_back("neither record nor superblock: " + name(op));
		return;
	}
	std::memcpy(&v, op.data + offsetof(jfmt_record, pos), sizeof(v));
	pos = jpos(v);
	if (!jrecord_decode(&geo, pos, op.data, &r.head) || jring_dev(&geo, pos) != op.sector ||
	    r.head.len != op.sectors) {
		strange.push_back("not a record: " + name(op));
		return;
	}
	if (r.head.seq <= records.back().head.seq)
		strange.push_back("a sequence that is there twice: " + name(op));
	uint32_t n = static_cast<uint32_t>(records.size());
	r.op = &op;
	jcursor_init(&cursor, &geo, &r.head, op.data);
	while ((got = jcursor_next(&cursor, &x, &need)) != 0) {
		static const Kind kinds[] = {Kind::write, Kind::discard, Kind::zeroes};

		if (got == -EAGAIN)
			got = jcursor_feed(&cursor, op.data + (need.v - pos.v) * SECTOR);
		else if (got > 0)
			r.extents.push_back({x.home.v, x.len, kinds[x.kind], static_cast<uint32_t>(x.pos.v - pos.v)});
		if (got < 0) {
			strange.push_back("a torn descriptor: " + name(op));
			return;
		}
	}
	for (const Extent &e : r.extents)
		for (uint32_t i = 0; i < e.len; i++) {
			Version version = {n, e.kind, ZEROES, nullptr};
			auto &of = versions[e.home + i];

			if (e.kind == Kind::write) {
				version.hash = op.hash[e.offset + i];
				version.data = op.data + (e.offset + i) * SECTOR;
			}
			if (!of.empty() && of.back().record == n)
				of.back() = version;
			else
				of.push_back(version);
		}
	by_seq[r.head.seq] = n;
	record_of[&op] = n;
	records.push_back(std::move(r));
}

const Version *Log::version(uint64_t home, uint32_t n) const
{
	const auto &of = versions[home];
	auto v = std::upper_bound(of.begin(), of.end(), n, [](uint32_t n, const Version &v) { return n < v.record; });

	return v == of.begin() ? nullptr : &v[-1];
}

bool Log::find(uint64_t seq, uint32_t &n) const
{
	auto found = by_seq.find(seq);

	if (found == by_seq.end())
		return false;
	n = found->second;
	return true;
}

} /* namespace trace */

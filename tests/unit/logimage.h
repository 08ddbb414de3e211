// SPDX-License-Identifier: GPL-2.0-only
//
// A log device in memory: LogImage writes one as the journal would, Scan reads it.
//
// Always true of a LogImage: everything in it was written by the rules of
// docs/format.md, until a test damages it by tear(), flip() or tweak; `written`
// remembers each record, and a scan may hand out nothing else.
#ifndef LOGIMAGE_H
#define LOGIMAGE_H

#include <errno.h>
#include <string.h>

#include <functional>
#include <set>
#include <string>
#include <vector>

extern "C" {
#include <linux/types.h>
#include <linux/kernel.h>
#include <linux/crc32c.h>
#include "../../dm-journal/scan.h"
}

using Pos = struct jpos;		// jpos() is also the function that makes one

struct Extent {
	__u64 home;
	__u32 len;
	jfmt_kind kind = JFMT_DATA;

	bool operator==(const Extent &) const = default;
};

struct Record {
	__u64 seq = 0;
	Pos pos{};
	__u32 len = 0, crc = 0;
	__u64 epoch = 0;
	std::vector<Extent> extents{};
	std::vector<Pos> at{};		// where each extent's payload lies

	Pos end() const { return jpos_add(pos, len); }
	bool operator==(const Record &o) const
	{
		return seq == o.seq && pos.v == o.pos.v && len == o.len && crc == o.crc &&
		       extents == o.extents;
	}
};

struct Shape {
	__u32 unit = 1;
	__u32 record_max = 64;
	__u64 area_len = 1024;
	__u64 first_pos = 0;
	__u64 first_seq = 1;
	__u64 nonce = 0x1122334455667788;
};

class LogImage {
public:
	explicit LogImage(const Shape &s = {})
	{
		sb.geo = {s.nonce, 136, s.area_len, s.unit, s.record_max, 1 << 20};
		memset(sb.uuid, 7, sizeof(sb.uuid));
		sb.tail_pos = sb.barrier_pos = head = tail_pos = jpos(s.first_pos);
		sb.tail_seq = sb.durable_seq = sb.barrier_seq = s.first_seq - 1;
		sb.tail_crc = sb.barrier_crc = link_crc = (__u32)s.nonce;
		sb.first_new_seq = next_seq = s.first_seq;
		tail_seq = durable = link_seq = s.first_seq - 1;
		bytes.resize((sb.geo.area_start + s.area_len) * JFMT_SECTOR);
	}

	// A write that is still in flight when the next record is sealed.
	const Record &write(std::vector<Extent> extents)
	{
		Record r{next_seq++, head, 0, 0, epoch, std::move(extents), {}};
		std::vector<__u8> buf = lay_out(r);

		if (r.len > jring_left(&sb.geo, r.pos)) {
			r.pos = jring_next_lap(&sb.geo, r.pos);
			buf = lay_out(r);
		}
		memcpy(at(r.pos), buf.data(), buf.size());
		head = r.end();
		link_seq = r.seq;
		link_crc = r.crc;
		written.push_back(r);
		return written.back();
	}

	// A write that was acknowledged as durable: the next header says so.
	const Record &commit(std::vector<Extent> extents)
	{
		const Record &r = write(std::move(extents));

		durable = r.seq;
		return r;
	}

	// The checkpoint of everything up to @r is done, the superblock says so.
	void move_tail(const Record &r)
	{
		head_tail(r);
		sb.tail_pos = tail_pos;
		sb.tail_seq = tail_seq;
		sb.tail_crc = r.crc;
		sb.durable_seq = durable;
		sb.epoch = epoch;
	}

	// Only the headers that follow say so.
	void head_tail(const Record &r)
	{
		tail_pos = r.end();
		tail_seq = r.seq;
	}

	// Recovery accepted @last, wrote a barrier, and cut off the branch that it gives up.
	void barrier(const Record &last, __u64 jump = 1000)
	{
		jrecord lost;

		if (jrecord_decode(&sb.geo, last.end(), at(last.end()), &lost) &&
		    lost.prev_seq == last.seq && lost.prev_crc == last.crc)
			memset(at(last.end()), 0, sb.geo.unit * JFMT_SECTOR);

		sb.barrier_seq = link_seq = durable = sb.durable_seq = last.seq;
		sb.barrier_crc = link_crc = last.crc;
		sb.barrier_pos = head = last.end();
		sb.first_new_seq = next_seq += jump;
		sb.recoveries++;
	}

	__u8 *at(Pos pos) { return &bytes[jring_dev(&sb.geo, pos) * JFMT_SECTOR]; }
	// What a write that never reached the medium leaves: what was there before.
	void lose(const Record &r, __u8 with = 0)
	{
		memset(at(r.pos), with, r.len * JFMT_SECTOR);
	}
	// A sector of the record that never reached the medium.
	void tear(const Record &r, __u32 sector)
	{
		memset(at(jpos_add(r.pos, sector)), 0xee, JFMT_SECTOR);
	}
	void flip(__u64 bit) { bytes[bit / 8] ^= 1 << bit % 8; }

	jsuper sb{};
	std::vector<__u8> bytes;
	std::vector<Record> written;

	// of the next record
	Pos head{};
	__u64 next_seq = 1, link_seq = 0, epoch = 1;
	__u32 link_crc = 0;
	// what its header will say
	__u64 durable = 0, tail_seq = 0;
	Pos tail_pos{};
	// changes a header before it is sealed
	std::function<void(jfmt_record &)> tweak;

private:
	// The bytes of @r at r.pos; sets its len, crc and at.
	std::vector<__u8> lay_out(Record &r)
	{
		const jgeo *g = &sb.geo;
		std::vector<__u8> buf(g->unit * JFMT_SECTOR);
		std::vector<size_t> desc{0};
		__u32 room = jgeo_header_extents(g), in_desc = 0;
		std::vector<__u32> counts{0};

		r.at.clear();
		for (const Extent &x : r.extents) {
			if (in_desc == room) {
				pad(buf);
				desc.push_back(buf.size());
				counts.push_back(0);
				buf.resize(buf.size() + g->unit * JFMT_SECTOR);
				room = jgeo_desc_extents(g);
				in_desc = 0;
			}
			jfmt_extent e{};
			size_t place = desc.back() + in_desc * sizeof(e) +
				(desc.size() == 1 ? sizeof(jfmt_record) : sizeof(jfmt_desc));
			r.at.push_back(jpos_add(r.pos, buf.size() / JFMT_SECTOR));
			e.where = cpu_to_le64(x.home | (__u64)x.kind << JFMT_HOME_BITS);
			e.len = cpu_to_le32(x.len);
			if (x.kind == JFMT_DATA) {
				std::vector<__u8> data(x.len * JFMT_SECTOR,
						       (__u8)(r.seq * 31 + x.home));
				buf.insert(buf.end(), data.begin(), data.end());
				e.crc = cpu_to_le32(jpayload_crc(jpayload_seed(g), data.data(),
								 data.size()));
			}
			memcpy(&buf[place], &e, sizeof(e));
			counts.back() = ++in_desc;
		}
		pad(buf);
		r.len = buf.size() / JFMT_SECTOR;
		for (size_t i = 1; i < desc.size(); i++) {
			jfmt_desc d{};
			d.magic = cpu_to_le32(JFMT_DESC_MAGIC);
			d.nonce = cpu_to_le64(g->nonce);
			d.seq = cpu_to_le64(r.seq);
			d.pos = cpu_to_le64(r.pos.v + desc[i] / JFMT_SECTOR);
			d.next_desc = cpu_to_le32(next_of(desc, i));
			d.index = cpu_to_le16(i);
			d.nr_extents = cpu_to_le16(counts[i]);
			memcpy(&buf[desc[i]], &d, sizeof(d));
			jdesc_seal(g, &buf[desc[i]]);
		}
		jfmt_record h{};
		h.magic = cpu_to_le32(JFMT_RECORD_MAGIC);
		h.nonce = cpu_to_le64(g->nonce);
		h.seq = cpu_to_le64(r.seq);
		h.pos = cpu_to_le64(r.pos.v);
		h.epoch = cpu_to_le64(r.epoch);
		h.prev_seq = cpu_to_le64(link_seq);
		h.prev_crc = cpu_to_le32(link_crc);
		h.len = cpu_to_le32(r.len);
		h.tail_pos = cpu_to_le64(tail_pos.v);
		h.tail_seq = cpu_to_le64(tail_seq);
		h.durable_seq = cpu_to_le64(durable);
		h.nr_desc = cpu_to_le16(desc.size());
		h.nr_extents = cpu_to_le16(counts[0]);
		h.next_desc = cpu_to_le32(next_of(desc, 0));
		if (tweak)
			tweak(h);
		memcpy(buf.data(), &h, sizeof(h));
		r.crc = jdesc_seal(g, buf.data());
		return buf;
	}

	void pad(std::vector<__u8> &buf) const
	{
		buf.resize(jround_unit(&sb.geo, buf.size() / JFMT_SECTOR) * JFMT_SECTOR);
	}

	static __u32 next_of(const std::vector<size_t> &desc, size_t i)
	{
		return i + 1 < desc.size() ? desc[i + 1] / JFMT_SECTOR : 0;
	}
};

// A scan of a log, what it handed out and what it read.
class Scan {
public:
	struct Read { __u64 sector; __u32 sectors; };
	struct Options {
		__u32 buf_sectors = JSCAN_BUF_MIN;
		__u64 window = 512;
		std::set<__u64> bad_sectors{};	// device sectors that cannot be read
		__u64 stop_at = 0;		// sequence at which the callback stops
	};

	explicit Scan(const LogImage &log) : Scan(log, Options()) {}
	Scan(const LogImage &log, Options o) : log_(log), o_(std::move(o))
	{
		static const jscan_ops ops = {read, record, extent};
		// of exactly that size on the heap, so that the sanitizer guards its end;
		// and kept, because some tests scan a hundred thousand times
		static std::vector<__u8> buf;

		if (buf.size() != o_.buf_sectors * JFMT_SECTOR)
			buf = std::vector<__u8>(o_.buf_sectors * JFMT_SECTOR);
		jscan(&log.sb, &ops, this, buf.data(), o_.buf_sectors, o_.window, &r);
	}

	// Were exactly the first @n records that the log wrote handed out?
	bool gave(size_t n) const { return gave(0, n); }
	bool gave(size_t first, size_t n) const
	{
		return first + n <= log_.written.size() && records ==
			std::vector<Record>(log_.written.begin() + first,
					    log_.written.begin() + first + n);
	}
	// Does any read touch the device sector?
	bool touched(__u64 sector) const
	{
		for (const Read &x : reads)
			if (sector >= x.sector && sector < x.sector + x.sectors)
				return true;
		return false;
	}

	jscan_result r{};
	std::vector<Record> records;
	std::vector<Read> reads;
	bool out_of_area = false;

private:
	static int read(void *ctx, __u64 sector, void *buf, __u32 sectors)
	{
		Scan *s = static_cast<Scan *>(ctx);
		const jgeo &g = s->log_.sb.geo;

		s->reads.push_back({sector, sectors});
		if (!sectors || sector < g.area_start || sectors % g.unit ||
		    sector % g.unit || sector + sectors > g.area_start + g.area_len) {
			s->out_of_area = true;
			return -EINVAL;
		}
		for (__u64 bad : s->o_.bad_sectors)
			if (bad >= sector && bad < sector + sectors)
				return -EIO;
		memcpy(buf, &s->log_.bytes[sector * JFMT_SECTOR], sectors * JFMT_SECTOR);
		return 0;
	}

	static int record(void *ctx, const jrecord *rec)
	{
		Scan *s = static_cast<Scan *>(ctx);

		if (s->o_.stop_at && rec->seq == s->o_.stop_at)
			return 77;
		s->records.push_back({rec->seq, rec->pos, rec->len, rec->crc, rec->epoch, {}, {}});
		return 0;
	}

	static int extent(void *ctx, const jrecord *, const jextent *x)
	{
		Record &r = static_cast<Scan *>(ctx)->records.back();

		r.extents.push_back({x->home.v, x->len, x->kind});
		r.at.push_back(x->pos);
		return 0;
	}

	const LogImage &log_;
	Options o_;
};

#endif

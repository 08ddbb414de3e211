// SPDX-License-Identifier: GPL-2.0-only
//
// Any image of a log through the whole of jbdctl's recovery: superblocks, scan,
// verify, replay. Input: seeds.py. It is sealed again after the fuzzer has changed it.
//
// Always true: a home sector is then as it was, or zero, or a sector of the log; a
// copy and the home itself become the same; and the log that was replayed has a
// superblock, and no record. It may still be called damaged: a header that hides in
// the payload of another one is seen when the other one is given up.
#include "fuzz.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <map>
#include <set>
#include <string_view>

#include "../../ctl/replay.h"

using namespace jbd;

namespace {

constexpr size_t kMost = 2 << 20;		// bytes of an image, and of a home
using Bytes = std::vector<__u8>;

enum Flags { seal_supers = 1, seal_descriptors = 2, seal_payload = 4 };

Bytes decode(Input &in)
{
	Bytes image(std::min<size_t>(in.take<uint16_t>() * JFMT_SECTOR, kMost));

	while (!in.empty()) {
		size_t at = (in.take<uint8_t>() | in.take<uint16_t>() << 8) * 16ul;
		const int times = in.take<uint8_t>();
		Bytes row(in.take<uint8_t>() % 33);
		in.fill(row.data(), row.size());
		for (int i = 0; i < times && at + row.size() <= image.size(); i++, at += row.size())
			std::copy(row.begin(), row.end(), image.begin() + static_cast<long>(at));
	}
	return image;
}

// Makes checksums right, and with them what refers to checksums.
class Sealer {
public:
	Sealer(Bytes &image, int flags) : image_(image), flags_(flags)
	{
		jsuper_verdict v[2];
		jsuper sb[2];

		for (int i = 0; i < 2; i++)
			v[i] = slot(i) ? seal_slot(i, sb[i]) : JSUPER_FOREIGN;
		const int chosen = jsuper_choose(v, sb);
		if (chosen < 0)
			return;
		g_ = sb[chosen].geo;
		if (flags & seal_descriptors)
			seal_records();
		for (int i = 0; i < 2; i++) {
			if (v[i] != JSUPER_OK)
				continue;
			follow(reinterpret_cast<jfmt_super *>(slot(i))->tail_crc);
			follow(reinterpret_cast<jfmt_super *>(slot(i))->barrier_crc);
			seal_slot(i, sb[i]);
		}
	}

private:
	__u8 *slot(int i)
	{
		const size_t at = i * JFMT_SUPER_STRIDE;
		return at + JFMT_SUPER_SIZE <= image_.size() ? &image_[at] : nullptr;
	}

	jsuper_verdict seal_slot(int i, jsuper &sb)
	{
		if (flags_ & seal_supers) {
			jfmt_super s;
			memcpy(&s, slot(i), sizeof(s));
			s.crc = 0;
			s.crc = cpu_to_le32(crc32c(~0u, &s, sizeof(s)));
			memcpy(slot(i), &s, sizeof(s));
		}
		return jsuper_decode(slot(i), image_.size() / JFMT_SECTOR, &sb);
	}

	void follow(__le32 &crc)
	{
		const auto found = sealed_.find(le32_to_cpu(crc));
		if (found != sealed_.end())
			crc = cpu_to_le32(found->second);
	}

	// In order of sequence, so that a link is made right before the header that it is in is sealed.
	void seal_records()
	{
		std::multimap<__u64, size_t> headers;
		const size_t unit = g_.unit * JFMT_SECTOR, start = g_.area_start * JFMT_SECTOR;
		const size_t end = start + g_.area_len * JFMT_SECTOR;

		for (size_t at = start; at + unit <= end; at += unit) {
			jfmt_record h;
			memcpy(&h, &image_[at], sizeof(h));
			if (le32_to_cpu(h.magic) == JFMT_RECORD_MAGIC) {
				headers.emplace(le64_to_cpu(h.seq), at);
				seal_extents(at, sizeof(jfmt_record), le16_to_cpu(h.nr_extents), end);
			} else if (le32_to_cpu(h.magic) == JFMT_DESC_MAGIC) {
				seal_extents(at, sizeof(jfmt_desc), le16_to_cpu(reinterpret_cast<jfmt_desc &>(h).nr_extents), end);
				jdesc_seal(&g_, &image_[at]);
			}
		}
		for (const auto &[seq, at] : headers) {
			jfmt_record h;
			memcpy(&h, &image_[at], sizeof(h));
			follow(h.prev_crc);
			const __u32 before = le32_to_cpu(h.crc);
			memcpy(&image_[at], &h, sizeof(h));
			sealed_[before] = jdesc_seal(&g_, &image_[at]);
		}
	}

	void seal_extents(size_t at, size_t first, size_t extents, size_t end)
	{
		const size_t unit = g_.unit * JFMT_SECTOR;
		size_t payload = at + unit;

		for (size_t i = 0; (flags_ & seal_payload) && i < extents && first + 16 * (i + 1) <= unit; i++) {
			jfmt_extent x;
			memcpy(&x, &image_[at + first + 16 * i], sizeof(x));
			const size_t bytes = static_cast<size_t>(le32_to_cpu(x.len)) * JFMT_SECTOR;
			if (le64_to_cpu(x.where) >> JFMT_HOME_BITS || bytes > end - payload)
				continue;
			x.crc = cpu_to_le32(jpayload_crc(jpayload_seed(&g_), &image_[payload], static_cast<__u32>(bytes)));
			memcpy(&image_[at + first + 16 * i], &x, sizeof(x));
			payload += bytes;
		}
	}

	Bytes &image_;
	const int flags_;
	jgeo g_{};
	std::map<__u32, __u32> sealed_;		// by the crc that it had
};

class File {
public:
	explicit File(const char *name) : fd_(memfd_create(name, 0)), path_("/proc/self/fd/" + std::to_string(fd_))
	{
		CHECK(fd_ >= 0);
	}
	~File() { close(fd_); }
	void put(const Bytes &bytes)
	{
		CHECK(!ftruncate(fd_, static_cast<off_t>(bytes.size())));
		CHECK(pwrite(fd_, bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()));
	}
	Bytes get() const
	{
		Bytes bytes(static_cast<size_t>(lseek(fd_, 0, SEEK_END)));
		CHECK(pread(fd_, bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()));
		return bytes;
	}
	Device open() const
	{
		Result<Device> device = Device::open(path_, Device::Access::write);
		CHECK(device);
		return std::move(*device);
	}

private:
	const int fd_;
	const std::string path_;
};

std::string_view sector(const Bytes &bytes, size_t at)
{
	return {reinterpret_cast<const char *>(&bytes[at]), JFMT_SECTOR};
}

void check_home(const Bytes &before, const Bytes &after, const Bytes &image)
{
	static const Bytes zero(JFMT_SECTOR);
	std::set<std::string_view> known{sector(zero, 0)};

	CHECK(before.size() == after.size());
	for (size_t at = 0; at + JFMT_SECTOR <= image.size(); at += JFMT_SECTOR)
		known.insert(sector(image, at));
	for (size_t at = 0; at < after.size(); at += JFMT_SECTOR)
		CHECK(sector(after, at) == sector(before, at) || known.contains(sector(after, at)));
}

void recover(const Bytes &image)
{
	static File log_file("log"), home_file("home"), copy_file("copy");
	Progress quiet("fuzz", 1, true);

	log_file.put(image);
	Log log(log_file.open());
	const Result<jsuper> super = log.super();
	if (!super || super->geo.home_len * JFMT_SECTOR > kMost)
		return;
	const Result<Verdict> verdict = verify(log, *super, true, quiet);
	CHECK(verdict);			// a file can be read
	CHECK(verdict->records <= super->geo.area_len / super->geo.unit);

	Bytes before(super->geo.home_len * JFMT_SECTOR);
	for (size_t i = 0; i < before.size(); i += JFMT_SECTOR)
		memset(&before[i], static_cast<int>(1 + i / JFMT_SECTOR % 255), JFMT_SECTOR);
	copy_file.put(before);
	home_file.put(before);
	const Device copy = copy_file.open(), home = home_file.open();
	CHECK(Replay(log, nullptr, copy, *super, *verdict, quiet).run());
	check_home(before, copy_file.get(), image);
	CHECK(log_file.get() == image);

	const Result<> replayed = Replay(log, &log, home, *super, *verdict, quiet).run();
	if (super->ro_compat & ~JFMT_RO_COMPAT_ALL) {
		CHECK(!replayed && log_file.get() == image && home_file.get() == before);
		return;
	}
	CHECK(replayed);
	CHECK(home_file.get() == copy_file.get());
	const Result<jsuper> after = log.super();
	CHECK(after);
	if (after->flags & JFMT_SUPER_RETIRED)
		return;			// it may not be replayed; or it has no sequence left
	const Result<Verdict> again = verify(log, *after, true, quiet);
	CHECK(again && !again->records);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Input in(data, size);
	const int flags = in.take<uint8_t>();
	Bytes image = decode(in);

	Sealer(image, flags);
	recover(image);
	return 0;
}

// SPDX-License-Identifier: GPL-2.0-only
//
// Any intent device through the whole of jbdctl's recovery: superblocks, commit blocks,
// descriptors, payload, home. Input: flags (what is sealed again: Flags), then two
// batches with their extents, then lies that are written over what lies in the device.
//
// Always true: a batch that is found good is the newest one beyond what is retired, and
// the home is then exactly what its descriptors say; else the home is as it was. A
// batch that was applied and retired is pending no more. A valid superblock comes back as it was.
#include "fuzz.h"

#include <sys/mman.h>
#include <unistd.h>

#include <map>

#include "../../ctl/intent.h"

using namespace jbd;

namespace {

constexpr __u64 kDevice = 2048, kHome = 256, kHomeMost = 4096;	// sectors
constexpr size_t kExtentsMost = 600;
using Bytes = std::vector<__u8>;

enum Flags { seal_supers = 1, seal_commits = 2, seal_descriptors = 4, seal_payload = 8, one_super = 16 };

// A sparse file, and what of it is not zero.
class File {
public:
	explicit File(const char *name) : fd_(memfd_create(name, 0)), path_("/proc/self/fd/" + std::to_string(fd_))
	{
		CHECK(fd_ >= 0);
	}
	void reset(__u64 sectors)
	{
		CHECK(!ftruncate(fd_, 0) && !ftruncate(fd_, static_cast<off_t>(sectors * JFMT_SECTOR)));
	}
	void put(__u64 byte, const void *data, size_t n)
	{
		CHECK(pwrite(fd_, data, n, static_cast<off_t>(byte)) == static_cast<ssize_t>(n));
	}
	void get(__u64 byte, void *data, size_t n) const
	{
		if (!n)
			return;
		memset(data, 0, n);
		CHECK(pread(fd_, data, n, static_cast<off_t>(byte)) >= 0);
	}
	Bytes all() const
	{
		Bytes bytes(static_cast<size_t>(lseek(fd_, 0, SEEK_END)));
		get(0, bytes.data(), bytes.size());
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

File device_file("intent"), home_file("home");

// The place of each structure, from the geometry that the superblocks had at first.
struct Places {
	igeo g{};

	Places()
	{
		g = {.nonce = 0x0123456789abcdef, .home_len = kHome, .slot_start = 136, .slot_len = 952, .desc_blocks = 2,
		     .last_max = 16};
	}
	__u64 commit(__u64 batch) const { return igeo_slot(&g, batch) * JFMT_SECTOR; }
	__u64 descriptors(__u64 batch) const { return igeo_desc(&g, batch) * JFMT_SECTOR; }
	__u64 payload(__u64 batch) const { return igeo_payload(&g, batch) * JFMT_SECTOR; }
};

const Places at;

void write_supers(Input &in, int flags)
{
	isuper sb{};
	Bytes block(IFMT_BLOCK);

	sb.geo = at.g;
	sb.retired = in.below(4);
	for (__u64 slot = 0; slot < (flags & one_super ? 1u : 2u); slot++) {
		sb.generation = slot;
		isuper_encode(&sb, block.data());
		device_file.put(slot * IFMT_SUPER_STRIDE, block.data(), block.size());
	}
}

void write_batch(Input &in, __u64 number)
{
	std::vector<jfmt_extent> descriptors;
	Bytes block(IFMT_BLOCK), payload;
	const unsigned shape = in.take<uint8_t>();
	const size_t n = shape % 16 == 15 ? 200 + shape : 1 + shape % 8;

	for (size_t i = 0; i < n; i++) {
		iextent x = {in.below(kHome), 1 + in.take<uint8_t>() % 12u, 0, jfmt_kind(shape / 16 % 3 ? 0 : i % 3)};
		x.len = std::min<__u32>(n > 8 ? 1 : x.len, static_cast<__u32>(kHome - x.home));
		if (x.kind == JFMT_DATA) {
			const size_t start = payload.size();
			for (__u32 s = 0; s < x.len; s++)
				payload.insert(payload.end(), JFMT_SECTOR, static_cast<__u8>(1 + number * 64 + i + s));
			x.crc = ibatch_crc(ibatch_seed(&at.g, number), &payload[start], x.len * JFMT_SECTOR);
		}
		jfmt_extent encoded;
		iextent_encode(&x, &encoded);
		descriptors.push_back(encoded);
	}
	const __u32 bytes = static_cast<__u32>(n * sizeof(jfmt_extent));
	const icommit commit = {
		number, payload.size() / JFMT_SECTOR, 1, static_cast<__u32>(n),
		ibatch_crc(ibatch_seed(&at.g, number), descriptors.data(), bytes),
	};
	icommit_encode(&at.g, &commit, block.data());
	device_file.put(at.payload(number), payload.data(), payload.size());
	device_file.put(at.descriptors(number), descriptors.data(), bytes);
	device_file.put(at.commit(number), block.data(), block.size());
}

// Lies in the first bytes of a superblock, a commit block, descriptors, or payload.
void lie(Input &in)
{
	const unsigned where = in.take<uint8_t>();
	const __u64 batch = where & 1;
	Bytes bytes(1 + in.take<uint8_t>() % 16);
	const __u64 starts[] = {batch * IFMT_SUPER_STRIDE, at.commit(batch), at.descriptors(batch), at.payload(batch)};
	const __u64 start = starts[where / 2 % 4] + in.below(where & 64 ? IFMT_BLOCK : 256);

	in.fill(bytes.data(), bytes.size());
	device_file.put(start, bytes.data(), bytes.size());
}

void seal_super(unsigned slot)
{
	ifmt_super s;

	device_file.get(slot * IFMT_SUPER_STRIDE, &s, sizeof(s));
	s.crc = 0;
	s.crc = cpu_to_le32(crc32c(~0u, &s, sizeof(s)));
	device_file.put(slot * IFMT_SUPER_STRIDE, &s, sizeof(s));
}

// Makes checksums right by what the commit block and the descriptors say, within what a file of this size can hold.
void seal_batch(const igeo &g, unsigned slot, int flags)
{
	const __u64 commit_at = igeo_slot(&g, slot) * JFMT_SECTOR;
	const __u32 nonce_seed = ~0u ^ static_cast<__u32>(g.nonce) ^ static_cast<__u32>(g.nonce >> 32);
	ifmt_commit c;

	device_file.get(commit_at, &c, sizeof(c));
	const __u32 seed = ibatch_seed(&g, le64_to_cpu(c.batch));
	std::vector<jfmt_extent> descriptors(std::min<size_t>(le32_to_cpu(c.nr_extents), kExtentsMost));
	const size_t bytes = descriptors.size() * sizeof(jfmt_extent);
	device_file.get(igeo_desc(&g, slot) * JFMT_SECTOR, descriptors.data(), bytes);
	__u64 from = igeo_payload(&g, slot) * JFMT_SECTOR;
	for (jfmt_extent &x : descriptors) {
		const __u64 len = static_cast<__u64>(le32_to_cpu(x.len)) * JFMT_SECTOR;
		if (!(flags & seal_payload) || le64_to_cpu(x.where) >> JFMT_HOME_BITS || len > kHomeMost * JFMT_SECTOR)
			continue;
		Bytes data(len);
		device_file.get(from, data.data(), data.size());
		x.crc = cpu_to_le32(ibatch_crc(seed, data.data(), static_cast<__u32>(len)));
		from += len;
	}
	if (flags & seal_payload)
		device_file.put(igeo_desc(&g, slot) * JFMT_SECTOR, descriptors.data(), bytes);
	if (flags & seal_descriptors)
		c.desc_crc = cpu_to_le32(ibatch_crc(seed, descriptors.data(), static_cast<__u32>(bytes)));
	if (flags & seal_commits) {
		c.crc = 0;
		c.crc = cpu_to_le32(crc32c(nonce_seed, &c, sizeof(c)));
	}
	device_file.put(commit_at, &c, sizeof(c));
}

void check_round_trip(const isuper &sb, __u64 sectors)
{
	Bytes block(IFMT_BLOCK);
	isuper again;

	isuper_encode(&sb, block.data());
	CHECK(isuper_decode(block.data(), sectors, &again) == ISUPER_OK);
	CHECK(!memcmp(&sb, &again, sizeof(sb)));
	CHECK(sb.geo.slot_start + 2 * sb.geo.slot_len <= sectors);
}

// What the descriptors on the device say, without the code that is tested.
Bytes expected(Bytes home, const igeo &g, const icommit &commit)
{
	const __u64 slot = g.slot_start + commit.batch % 2 * g.slot_len;
	__u64 payload = (slot + 8 + 8ull * g.desc_blocks) * JFMT_SECTOR;

	for (__u64 i = 0; i < commit.nr_extents; i++) {
		jfmt_extent x;
		device_file.get((slot + 8) * JFMT_SECTOR + i * sizeof(x), &x, sizeof(x));
		const __u64 where = le64_to_cpu(x.where), first = where & JFMT_HOME_MASK, n = le32_to_cpu(x.len);
		CHECK(n && (first + n) * JFMT_SECTOR <= home.size());
		if (where >> JFMT_HOME_BITS) {
			memset(&home[first * JFMT_SECTOR], 0, n * JFMT_SECTOR);
			continue;
		}
		device_file.get(payload, &home[first * JFMT_SECTOR], n * JFMT_SECTOR);
		payload += n * JFMT_SECTOR;
	}
	CHECK(payload <= (slot + g.slot_len) * JFMT_SECTOR);
	return home;
}

void recover()
{
	const Device device = device_file.open();
	Intent intent(device);
	Result<isuper> super = intent.super();
	Progress quiet("fuzz", 1, true);

	if (!super)
		return;
	check_round_trip(*super, device.sectors());
	if (super->geo.home_len > kHomeMost)
		return;
	Bytes before(super->geo.home_len * JFMT_SECTOR);
	for (size_t i = 0; i < before.size(); i += JFMT_SECTOR)
		memset(&before[i], static_cast<int>(255 - i / JFMT_SECTOR % 32), JFMT_SECTOR);
	home_file.reset(super->geo.home_len);
	home_file.put(0, before.data(), before.size());

	const Result<std::optional<icommit>> pending = intent.pending(*super);
	CHECK(pending);			// a file can be read
	for (unsigned slot = 0; slot < 2; slot++) {
		const Result<std::optional<icommit>> commit = intent.commit(*super, slot);
		CHECK(commit);
		CHECK(!*commit || (*commit)->batch <= std::max<__u64>(super->retired, *pending ? (*pending)->batch : 0));
	}
	if (!*pending)
		return;
	CHECK((*pending)->batch > super->retired);
	const Result<Batch> batch = intent.read(*super, **pending, quiet);
	CHECK(home_file.all() == before);
	if (!batch) {
		CHECK(batch.error().code == Exit::damage);
		return;
	}
	const Bytes wanted = expected(before, super->geo, **pending);
	const Device home = home_file.open();
	CHECK(intent.apply(*super, *batch, home, quiet));
	CHECK(home_file.all() == wanted);
	if (super->ro_compat & ~IFMT_RO_COMPAT_ALL) {
		CHECK(!intent.writable(*super));
		CHECK(!intent.retire(*super, batch->commit.batch));
		return;
	}
	CHECK(intent.writable(*super));
	CHECK(intent.retire(*super, batch->commit.batch));
	const Intent again(device);
	CHECK(again.agree());
	const Result<isuper> after = again.super();
	CHECK(after && after->retired == batch->commit.batch);
	const Result<std::optional<icommit>> left = again.pending(*after);
	CHECK(left && !*left);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Input in(data, size);
	const int flags = in.take<uint8_t>();

	device_file.reset(kDevice);
	write_supers(in, flags);
	const __u64 first = 1 + in.below(8);
	write_batch(in, first);
	write_batch(in, first + 1);
	for (int n = 0; n < 64 && !in.empty(); n++)
		lie(in);
	for (unsigned slot = 0; slot < 2; slot++)
		if (flags & seal_supers && !(slot && flags & one_super))
			seal_super(slot);
	{
		const Device device = device_file.open();
		const Result<isuper> super = Intent(device).super();
		if (super)
			for (unsigned slot = 0; slot < 2; slot++)
				seal_batch(super->geo, slot, flags);
	}
	recover();
	return 0;
}

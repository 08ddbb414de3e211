// SPDX-License-Identifier: GPL-2.0-only
//
// Always true: nothing but write_super() writes. Crashes leave what image.h says.
#include "image.h"

#include <fmt/core.h>

#include <algorithm>
#include <cerrno>
#include <chrono>

namespace jbd {

namespace {

constexpr std::uint32_t buffer_sectors = 2048;

struct ScanContext {
	const Device &device;
	const Log::Visitor &visitor;
};

int scan_read(void *ctx, __u64 sector, void *buffer, __u32 sectors)
{
	return -static_cast<ScanContext *>(ctx)->device.read_raw(sector, buffer, sectors);
}

int scan_record(void *ctx, const jrecord *record)
{
	return static_cast<ScanContext *>(ctx)->visitor.record(*record) ? 0 : -ECANCELED;
}

int scan_extent(void *ctx, const jrecord *record, const jextent *extent)
{
	return static_cast<ScanContext *>(ctx)->visitor.extent(*record, *extent) ? 0 : -ECANCELED;
}

} // namespace

Log::Log(Device device) : device_(std::move(device)), buffer_(make_buffer(buffer_sectors * sector_size))
{
	for (unsigned i = 0; i < JFMT_SUPER_SLOTS; i++) {
		const int error = device_.read_raw(i * (JFMT_SUPER_STRIDE / JFMT_SECTOR), buffer_.get(),
						   JFMT_SUPER_SIZE / JFMT_SECTOR);
		slots_[i].super = {};
		/* too short for a slot: no log */
		slots_[i].verdict = error == ENODATA ? JSUPER_FOREIGN : error ? JSUPER_UNREADABLE :
			jsuper_decode(buffer_.get(), device_.sectors(), &slots_[i].super);
	}
}

bool Log::is_log() const
{
	return std::ranges::any_of(slots_, [](const Slot &slot) {
		return slot.verdict != JSUPER_FOREIGN && slot.verdict != JSUPER_UNREADABLE;
	});
}

Result<jsuper> Log::super() const
{
	const jsuper_verdict verdicts[2] = {slots_[0].verdict, slots_[1].verdict};
	jsuper supers[2] = {slots_[0].super, slots_[1].super};
	const int chosen = jsuper_choose(verdicts, supers);

	if (chosen >= 0)
		return supers[chosen];
	if (std::ranges::count(verdicts, JSUPER_NEWER))
		return Error{Exit::device, fmt::format("{}: the log was written by a newer version", path()),
			     "Install the modules and the jbdctl of that version; this one leaves it alone."};
	if (!is_log() && !std::ranges::count(verdicts, JSUPER_UNREADABLE))
		return Error{Exit::device, fmt::format("{} is not a journal log", path()),
			     "Is it the right device? 'jbdctl create' makes a log."};
	if (verdicts[0] == JSUPER_OK && verdicts[1] == JSUPER_OK)
		return Error{Exit::damage, fmt::format("{}: the two superblocks are of different logs", path()),
			     "Wipe the slot of the old one; 'jbdctl log dump' shows both."};
	return Error{Exit::damage,
		     fmt::format("{}: no usable superblock: slot 0 at byte 0: {}; slot 1 at byte {}: {}", path(),
				 jsuper_verdict_text(verdicts[0]), JFMT_SUPER_STRIDE, jsuper_verdict_text(verdicts[1])),
		     "The log cannot be replayed. The home alone is a consistent state from before what the log held: if it has an "
		     "intent device, once 'jbdctl recover --home HOME --intent DEV' has run; with order relaxed, if no checkpoint was "
		     "running."};
}

Result<OpenLog> open_log(const std::string &path, Device::Access access)
{
	Result<Device> device = Device::open(path, access);
	if (!device)
		return device.error();
	Log log(std::move(*device));
	const Result<jsuper> super = log.super();
	if (!super)
		return super.error();
	return OpenLog{std::move(log), *super};
}

Result<> Log::write_super(jsuper &next)
{
	if (next.ro_compat & ~JFMT_RO_COMPAT_ALL)
		return Error{Exit::device, fmt::format("{}: the log has features that this version can only read", path()),
			     "Nothing was written. Use the jbdctl of that version, or 'jbdctl recover --onto COPY'."};
	next.generation++;
	const unsigned i = next.generation % JFMT_SUPER_SLOTS;
	const Buffer block = make_buffer(JFMT_SUPER_SIZE);
	jsuper_encode(&next, block.get());
	/* what it refers to is on stable storage first */
	Result<> result = device_.sync();
	if (result)
		result = device_.write(i * (JFMT_SUPER_STRIDE / JFMT_SECTOR), block.get(), JFMT_SUPER_SIZE / JFMT_SECTOR);
	if (result)
		result = device_.sync();
	if (result)
		slots_[i] = {JSUPER_OK, next};
	return result;
}

jscan_result Log::scan(const jsuper &super, const Visitor &visitor) const
{
	const jscan_ops ops = {scan_read, scan_record, scan_extent};
	ScanContext context = {device_, visitor};
	jscan_result result;

	/* the window is the whole area: no damage is overlooked for having been long ago */
	jscan(&super, &ops, &context, buffer_.get(), buffer_sectors, super.geo.area_len, &result);
	return result;
}

std::optional<std::string> Log::fork(const jsuper &super, const Device &home) const
{
	struct Pair {
		const Device &log, &home;
	} pair = {device_, home};
	const jfork_ops ops = {
		[](void *ctx, __u64 sector, void *buffer, __u32 sectors) {
			return -static_cast<Pair *>(ctx)->log.read_raw(sector, buffer, sectors);
		},
		[](void *ctx, __u64 sector, void *buffer, __u32 sectors) {
			return -static_cast<Pair *>(ctx)->home.read_raw(sector, buffer, sectors);
		},
	};
	jsuper judged = super;
	__u64 sector = 0;

	if (!jfork_check(&judged, &ops, &pair, buffer_.get(), buffer_sectors, &sector))
		return {};
	return fmt::format("{} was written elsewhere since the log {} was used: sector {} is neither what the home held "
			   "nor what the log has for it", home.path(), path(), sector);
}

Result<> Log::read_payload(const jgeo &geo, struct jpos pos, void *buffer, std::uint32_t sectors) const
{
	return device_.read(jring_dev(&geo, pos), buffer, sectors);
}

Result<bool> Log::payload_good(const jgeo &geo, const jextent &extent) const
{
	const Buffer data = make_buffer(std::min(extent.len, buffer_sectors) * sector_size);
	std::uint32_t crc = jpayload_seed(&geo);

	for (std::uint32_t at = 0; at < extent.len;) {
		const std::uint32_t n = std::min(extent.len - at, buffer_sectors);
		const Result<> read = read_payload(geo, jpos_add(extent.pos, at), data.get(), n);
		if (!read)
			return read.error();
		crc = jpayload_crc(crc, data.get(), n * JFMT_SECTOR);
		at += n;
	}
	return crc == extent.crc;
}

Result<> empty(const Device &home, jfmt_kind kind, std::uint64_t sector, std::uint64_t sectors)
{
	return kind == JFMT_DISCARD ? home.discard(sector, sectors) : home.zero(sector, sectors);
}

std::string uuid_digits(const std::uint8_t (&uuid)[16])
{
	std::string text;

	for (std::uint8_t byte : uuid)
		text += fmt::format("{:02x}", byte);
	return text;
}

std::string uuid_text(const std::uint8_t (&uuid)[16])
{
	std::string text = uuid_digits(uuid);

	for (std::size_t at : {8, 13, 18, 23})
		text.insert(at, 1, '-');
	return text;
}

std::uint64_t now_ms()
{
	using namespace std::chrono;

	return static_cast<std::uint64_t>(duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count());
}

} // namespace jbd

// SPDX-License-Identifier: GPL-2.0-only
//
// Always true: the superblock is written last, when nothing of what was there
// before can be found any more. Crashes leave what format_log.h says.
#include "format_log.h"

#include <sys/random.h>

#include <fmt/core.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>

#include "image.h"
#include "units.h"

namespace jbd {

namespace {

constexpr std::uint32_t record_least = 16 * 2, record_default_least = 128, record_default_most = 2304;

std::uint64_t round_down(std::uint64_t value, std::uint64_t to)
{
	return value / to * to;
}

} // namespace

Result<jgeo> choose_geometry(std::uint64_t log_sectors, unsigned logical, unsigned physical,
			     std::uint64_t home_sectors, const LogWish &wish)
{
	const std::uint64_t unit_most = JFMT_UNIT_MAX * sector_size;
	const std::uint64_t unit = wish.unit.value_or(std::min<std::uint64_t>(std::max(logical, physical), unit_most));
	jgeo geo{};

	if (!std::has_single_bit(unit) || unit < sector_size || unit > unit_most)
		return Error{Exit::usage, fmt::format("the unit cannot be {} bytes", unit), "It is 512, 1024, 2048 or 4096."};
	if (unit < logical)
		return Error{Exit::usage, fmt::format("the unit of {} bytes is smaller than the log's logical block of {}",
						      unit, logical),
			     fmt::format("Use --unit {} or leave it out.", logical)};
	geo.unit = static_cast<std::uint32_t>(unit / sector_size);
	geo.area_start = JFMT_AREA_START;
	geo.area_len = log_sectors > JFMT_AREA_START ? round_down(log_sectors - JFMT_AREA_START, geo.unit) : 0;
	geo.home_len = home_sectors;

	if (wish.record_kib) {
		const std::uint64_t sectors = std::min<std::uint64_t>(*wish.record_kib, JRECORD_LEN_MAX) * 2;
		if (sectors < record_least || sectors > JRECORD_LEN_MAX || sectors % geo.unit)
			return Error{Exit::usage, fmt::format("a record cannot be {} KiB long", *wish.record_kib),
				     fmt::format("It is between {} and {} KiB, in multiples of {}.", record_least / 2,
						 JRECORD_LEN_MAX / 2, (geo.unit + 1) / 2)};
		geo.record_max = static_cast<std::uint32_t>(sectors);
	} else {
		geo.record_max = static_cast<std::uint32_t>(
			std::clamp<std::uint64_t>(round_down(geo.area_len / 8, geo.unit),
						  record_default_least, record_default_most));
	}
	if (geo.area_len < jgeo_area_min(geo.record_max))
		return Error{Exit::device,
			     fmt::format("the log is too small: it has {}, records of {} need at least {}",
					 format_sectors(log_sectors), format_sectors(geo.record_max),
					 format_sectors(JFMT_AREA_START + jgeo_area_min(geo.record_max))),
			     wish.record_kib ? "Use a larger device, or smaller records." : "Use a larger device."};
	if (!home_sectors || home_sectors > JFMT_HOME_MASK)
		return Error{Exit::device, fmt::format("a home of {} sectors cannot be journalled", home_sectors), {}};
	return geo;
}

Result<jgeo> choose_geometry(const Device &log, const Device &home, const LogWish &wish)
{
	if (log.logical_block() > home.logical_block())
		return Error{Exit::device,
			     fmt::format("the log {} has logical blocks of {} bytes, the home {} of {}", log.path(),
					 log.logical_block(), home.path(), home.logical_block()),
			     "The volume would need the larger block size, and what is on the home could no longer be "
			     "mounted. Use a log with blocks that are no larger than the home's."};
	Result<jgeo> geo = choose_geometry(log.sectors(), log.logical_block(), log.physical_block(), home.sectors(), wish);
	if (!geo)
		return Error{geo.error().code, log.path() + ": " + geo.error().text, geo.error().hint};
	return geo;
}

Result<> draw_identity(std::uint8_t (&uuid)[16], __u64 &nonce)
{
	if (getrandom(uuid, sizeof(uuid), 0) != sizeof(uuid) || getrandom(&nonce, sizeof(nonce), 0) != sizeof(nonce))
		return os_error(errno, "drawing a random identity");
	uuid[6] = (uuid[6] & 0x0f) | 0x40;	/* RFC 4122, version 4 */
	uuid[8] = (uuid[8] & 0x3f) | 0x80;
	return done();
}

Result<jsuper> new_super(const jgeo &geo, const std::string &label, const std::string &home_id)
{
	jsuper super{};

	super.geo = geo;
	const Result<> drawn = draw_identity(super.uuid, super.geo.nonce);
	if (!drawn)
		return drawn.error();
	super.created_ms = now_ms();
	super.first_new_seq = 1;
	label.copy(super.label, sizeof(super.label) - 1);
	home_id.copy(super.home_id, sizeof(super.home_id) - 1);
	return super;
}

Result<> write_new_log(const Device &log, const jsuper &super)
{
	const Buffer block = make_buffer(JFMT_SUPER_SIZE);
	jsuper first = super;

	first.generation = 0;
	jsuper_encode(&first, block.get());
	return write_first_super(log, block.get());
}

Result<> write_first_super(const Device &device, const void *block)
{
	static_assert(JFMT_SUPER_SIZE == IFMT_BLOCK && JFMT_AREA_START == IFMT_SLOT_START);
	const std::uint64_t end = round_down(device.sectors(), std::max(1u, device.logical_block() / 512));
	const std::uint64_t ends_with = std::min<std::uint64_t>(end - JFMT_AREA_START, 2048);

	/* signatures lie at either end of a device */
	Result<> result = device.zero(0, JFMT_AREA_START);
	if (result)
		result = device.zero(end - ends_with, ends_with);
	if (result)
		result = device.sync();
	if (result)
		result = device.write(0, block, JFMT_SUPER_SIZE / JFMT_SECTOR);
	return result ? device.sync() : result;
}

} // namespace jbd

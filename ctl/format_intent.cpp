// SPDX-License-Identifier: GPL-2.0-only
//
// Always true: the superblock is written last, when nothing of what was there before
// can be found any more. Crashes leave what format_intent.h says.
#include "format_intent.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstring>

#include "format_log.h"
#include "sysfs.h"
#include "units.h"
#include "verbs.h"

namespace jbd {

namespace {

constexpr std::uint64_t sectors_least = (8 << 20) / sector_size;

Result<> check_blocks(const Device &intent, const Device &home)
{
	if (intent.logical_block() <= home.logical_block())
		return done();
	return Error{Exit::device,
		     fmt::format("the intent device {} has logical blocks of {} bytes, the home {} of {}", intent.path(),
				 intent.logical_block(), home.path(), home.logical_block()),
		     "Use an intent device with blocks that are no larger than the home's."};
}

std::string identity_of(const Device &home)
{
	return home.is_block() ? device_identity(home.number()) : "";
}

} // namespace

Result<isuper> new_intent(const Device &device, const Device &home)
{
	isuper super{};
	Result<> result = check_blocks(device, home);

	if (!result)
		return result.error();
	if (device.sectors() < sectors_least || !igeo_make(device.sectors(), &super.geo))
		return Error{Exit::device, fmt::format("the intent device {} is too small: it has {}, at least {} are needed",
						       device.path(), format_sectors(device.sectors()),
						       format_sectors(sectors_least)), "Use a larger device."};
	super.geo.home_len = home.sectors();
	result = draw_identity(super.uuid, super.geo.nonce);
	if (!result)
		return result.error();
	super.created_ms = now_ms();
	identity_of(home).copy(super.home_id, sizeof(super.home_id) - 1);
	return super;
}

Result<> write_new_intent(const Device &device, const isuper &super)
{
	const Buffer block = make_buffer(IFMT_BLOCK);

	isuper_encode(&super, block.get());
	const Result<> first = write_first_super(device, block.get());
	return first ? Intent(device).retire(super, 0) : first;
}

bool is_bound(const jsuper &log)
{
	return std::ranges::any_of(log.intent_uuid, [](std::uint8_t byte) { return byte != 0; });
}

Result<> check_bound(const std::string &log, const jsuper &log_super, const std::string &path, const isuper *super)
{
	const std::string wanted = uuid_text(log_super.intent_uuid);

	if (!is_bound(log_super)) {
		if (!super)
			return done();
		return Error{Exit::device, fmt::format("the log {} is not bound to an intent device, so {} is not its own", log, path),
			     "'jbdctl create --intent' makes a log that is; this one goes without --intent."};
	}
	if (!super)
		return Error{Exit::device, fmt::format("the log {} is bound to the intent device {}", log, wanted),
			     "Give that device by --intent; 'jbdctl log dump DEVICE' shows a device's uuid. If it is lost, 'jbdctl "
			     "recover --intent-lost' replays the log without it."};
	if (std::memcmp(super->uuid, log_super.intent_uuid, sizeof(super->uuid)))
		return Error{Exit::device, fmt::format("the log {} is bound to the intent device {}, and {} is {}", log, wanted, path,
						       uuid_text(super->uuid)),
			     "Give the right device by --intent; 'jbdctl log dump DEVICE' shows a device's uuid."};
	if (super->geo.home_len != log_super.geo.home_len)
		return Error{Exit::device, fmt::format("the intent device {} is for a home of {} sectors, the log {} for one of {}",
						       path, super->geo.home_len, log, log_super.geo.home_len), {}};
	return done();
}

Result<> check_intent_home(const Intent &intent, const isuper &super, const Device &home)
{
	const std::string identity = identity_of(home);

	if (super.geo.home_len != home.sectors())
		return Error{Exit::device,
			     fmt::format("{} has {} sectors, but the intent device {} is for a home of {}", home.path(),
					 home.sectors(), intent.path(), super.geo.home_len),
			     fmt::format("Is it the right home? 'jbdctl log dump {}' shows what the device is for.", intent.path())};
	if (*super.home_id && !identity.empty() && identity != super.home_id)
		warn(fmt::format("{} identifies itself as '{}', but the intent device {} was made for '{}'", home.path(), identity,
				 intent.path(), super.home_id));
	return check_blocks(intent.device(), home);
}

std::uint64_t batch_mib_most(const igeo &geo)
{
	return (igeo_payload_max(&geo) - geo.last_max) * sector_size >> 20;
}

} // namespace jbd

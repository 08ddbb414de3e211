// SPDX-License-Identifier: GPL-2.0-only
//
// Always true: a device whose uuid is not a volume's is left alone.
// Crashes leave what volume.h says.
#include "volume.h"

#include <unistd.h>

#include <fmt/core.h>

#include <algorithm>
#include <cctype>

#include "image.h"
#include "signals.h"
#include "sysfs.h"

namespace jbd {

namespace {

// LVM passes over a device with this prefix: it is inside a stack that is not its own.
// Without it, it would take NAME-home for a second copy of a physical volume on NAME.
const std::string inner_prefix = "CRYPT-SUBDEV-";
const std::string uuid_prefix = "JBD-", volume_suffix = "-vol", home_suffix = "-home";

bool is_volume(const std::string &uuid)
{
	return uuid.starts_with(uuid_prefix) && uuid.ends_with(volume_suffix);
}

bool is_home(const std::string &uuid)
{
	return uuid.starts_with(inner_prefix + uuid_prefix) && uuid.ends_with(home_suffix);
}

Error not_ours(const std::string &name)
{
	return {Exit::device, fmt::format("{} is a device-mapper device, but not a journalled volume", name),
		"'jbdctl list' shows those."};
}

Error in_use(const std::string &name, const std::string &users)
{
	return {Exit::busy, fmt::format("/dev/mapper/{} is in use{}", name, users.empty() ? "" : ": " + users),
		"Release it first (umount, vgchange -an, swapoff), then try again."};
}

} // namespace

std::string table_name(const Device &device)
{
	const std::string &path = device.path();
	const bool plain = path.starts_with('/') && std::ranges::none_of(path, [](unsigned char c) {
		return std::isspace(c) || c == '\\';
	});
	return plain || !device.is_block() ? path : device_name(device.number());
}

std::string home_name(const std::string &name)
{
	return name + home_suffix;
}

Result<> need_root(const std::string &verb)
{
	if (geteuid() == 0)
		return done();
	return Error{Exit::permission, fmt::format("'jbdctl {}' has to be run as root", verb),
		     fmt::format("Try 'sudo jbdctl {} ...'.", verb)};
}

Result<> check_name(const std::string &name)
{
	constexpr std::size_t name_most = 127;
	const bool good = !name.empty() && name.size() + home_suffix.size() <= name_most &&
		std::isalnum(static_cast<unsigned char>(name[0])) &&
		std::ranges::all_of(name, [](unsigned char c) { return std::isalnum(c) || std::string_view("#+-.:=@_").find(static_cast<char>(c)) != std::string_view::npos; });

	if (good)
		return done();
	return Error{Exit::usage, fmt::format("'{}' cannot be the name of a volume", name),
		     fmt::format("Use at most {} letters, digits and any of #+-.:=@_, a letter or digit first.",
				 name_most - home_suffix.size())};
}

Result<> check_unused(const std::string &name)
{
	for (const std::string &device : {name, home_name(name)}) {
		const Result<dm::Info> info = dm::info(device);
		if (!info)
			return info.error();
		if (info->exists)
			return Error{Exit::busy, fmt::format("/dev/mapper/{} exists already", device),
				     is_volume(info->uuid) || is_home(info->uuid) ?
				     fmt::format("'jbdctl close {}' closes that volume.", name) : "Choose another name."};
	}
	return done();
}

Plan make_plan(const std::string &name, const jsuper &super, const Device &home, const Device &log,
	       const Options &options)
{
	const std::uint64_t sectors = super.geo.home_len;

	return {name, uuid_digits(super.uuid),
		{sectors, table_name(home), options.checkpoint},
		{sectors, "/dev/mapper/" + home_name(name), table_name(log), options.journal}};
}

std::string Plan::text() const
{
	return fmt::format("{}: {}\n{}: {}\n", home_name(name), home.line(), name, journal.line());
}

Result<> activate(const Plan &plan)
{
	const std::string base = uuid_prefix + plan.uuid;
	Result<> result = dm::create({home_name(plan.name), inner_prefix + base + home_suffix, true, plan.home.sectors,
				      "checkpoint", plan.home.params()});
	if (!result)
		return result;
	result = dm::create({plan.name, base + volume_suffix, false, plan.journal.sectors, "journal",
			     plan.journal.params()});
	if (result)
		return result;
	const Result<> removed = dm::remove(home_name(plan.name));
	if (removed)
		return result;
	Error error = result.error();
	error.hint += fmt::format("{}Then remove {} by 'jbdctl close {}'.", error.hint.empty() ? "" : " ",
				  home_name(plan.name), plan.name);
	return error;
}

// True if the device was there.
static Result<bool> remove_device(const std::string &name, bool (*ours)(const std::string &uuid))
{
	const Result<dm::Info> info = dm::info(name);

	if (!info)
		return info.error();
	if (!info->exists)
		return false;
	if (!ours(info->uuid))
		return not_ours(name);
	const Result<> removed = dm::remove(name);
	if (!removed && removed.error().code == Exit::busy)
		return in_use(name, device_users(info->number));
	if (!removed)
		return removed.error();
	return true;
}

Result<> deactivate(const std::string &name)
{
	const Result<bool> volume = remove_device(name, is_volume);
	if (!volume)
		return volume.error();
	const Result<bool> home = remove_device(home_name(name), is_home);
	if (!home)
		return home.error();
	if (*volume || *home)
		return done();
	return Error{Exit::device, fmt::format("there is no volume {}", name), "'jbdctl list' shows those that are open."};
}

Result<Volume> find_volume(const std::string &name)
{
	Volume volume{name, {}, {}, {}, {}, {}, {}};
	const Result<dm::Info> info = dm::info(name);

	if (!info)
		return info.error();
	if (!info->exists) {
		const Result<dm::Info> home = dm::info(home_name(name));
		if (home && is_home(home->uuid))
			return Error{Exit::device, fmt::format("of the volume {} only {} exists", name, home_name(name)),
				     fmt::format("'jbdctl close {}' removes it; then open the volume again.", name)};
		return Error{Exit::device, fmt::format("there is no volume {}", name),
			     "'jbdctl list' shows those that are open; 'jbdctl open' opens one."};
	}
	if (!is_volume(info->uuid))
		return not_ours(name);
	volume.uuid = info->uuid;
	volume.device = *info;

	const Result<dm::Target> table = dm::table(name), status = dm::status(name);
	if (!table || !status)
		return (!table ? table : status).error();
	const Result<JournalTable> journal = parse_journal_table(table->sectors, table->params);
	if (!journal)
		return journal.error();
	volume.table = *journal;
	const Result<JournalStatus> parsed = parse_journal_status(status->params);
	if (!parsed)
		return parsed.error();
	volume.status = *parsed;

	/* somebody may have put another device between the two: then these stay unknown */
	const Result<dm::Target> home_table = dm::table(home_name(name)), home_status = dm::status(home_name(name));
	if (home_table && home_table->type == "checkpoint") {
		const Result<CheckpointTable> found = parse_checkpoint_table(home_table->sectors, home_table->params);
		if (found)
			volume.home_table = *found;
	}
	if (home_status && home_status->type == "checkpoint") {
		const Result<CheckpointStatus> found = parse_checkpoint_status(home_status->params);
		if (found)
			volume.home_status = *found;
	}
	return volume;
}

std::string Volume::home() const
{
	return device_name(home_table ? home_table->home : table.checkpoint);
}

std::string Volume::log() const
{
	return device_name(table.log);
}

std::optional<std::string> Volume::intent() const
{
	if (!home_table)
		return {};
	const auto option = std::ranges::find(home_table->options, "intent", &Option::key);
	if (option == home_table->options.end())
		return {};
	return device_name(option->value);
}

Result<std::vector<std::string>> volume_names()
{
	const Result<std::vector<dm::Name>> devices = dm::list();
	std::vector<std::string> names;

	if (!devices)
		return devices.error();
	for (const dm::Name &device : *devices) {
		if (is_volume(device.uuid))
			names.push_back(device.name);
		else if (is_home(device.uuid) && device.name.ends_with(home_suffix))
			names.push_back(device.name.substr(0, device.name.size() - home_suffix.size()));
	}
	std::ranges::sort(names);
	names.erase(std::unique(names.begin(), names.end()), names.end());
	return names;
}

Result<> check_idle(const std::string &name)
{
	constexpr unsigned tries = 25, pause_ms = 200;	/* as long as libdevmapper tries to remove */

	for (unsigned i = 0;; i++) {
		const Result<dm::Info> info = dm::info(name);
		if (!info)
			return info.error();
		if (!info->open_count)
			return done();
		/* udevd looks at a device that has just been released */
		const std::string users = device_users(info->number);
		if (!users.empty() || i == tries)
			return in_use(name, users);
		Interruptible::pause_ms(pause_ms);
	}
}

} // namespace jbd

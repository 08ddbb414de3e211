// SPDX-License-Identifier: GPL-2.0-only
//
// Always true: only reads. Crashes leave nothing here.
#include "sysfs.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

namespace jbd {

namespace fs = std::filesystem;

static fs::path sys(dev_t number)
{
	return fmt::format("/sys/dev/block/{}:{}", major(number), minor(number));
}

static std::string first_line(const fs::path &path)
{
	std::ifstream file(path);
	std::string line;

	std::getline(file, line);
	line.erase(0, line.find_first_not_of(" \t"));
	line.erase(line.find_last_not_of(" \t\n") + 1);
	return line;
}

static dev_t parse_number(std::string_view text)
{
	const std::size_t colon = text.find(':');
	unsigned high = 0, low = 0;

	if (colon == text.npos)
		return 0;
	std::from_chars(text.data(), text.data() + colon, high);
	std::from_chars(text.data() + colon + 1, text.data() + text.size(), low);
	return makedev(high, low);
}

std::string device_name(dev_t number)
{
	const std::string mapped = first_line(sys(number) / "dm/name");
	std::error_code error;

	if (!mapped.empty())
		return "/dev/mapper/" + mapped;
	const fs::path real = fs::canonical(sys(number), error);
	if (error)
		return fmt::format("{}:{}", major(number), minor(number));
	std::string name = real.filename();
	for (char &c : name)
		c = c == '!' ? '/' : c;
	return "/dev/" + name;
}

std::string device_name(std::string_view major_minor)
{
	const dev_t number = parse_number(major_minor);

	return number ? device_name(number) : std::string(major_minor);
}

dev_t whole_disk(dev_t number)
{
	std::error_code error;
	const fs::path real = fs::canonical(sys(number), error);

	if (error || !fs::exists(real / "partition"))
		return number;
	return parse_number(first_line(real.parent_path() / "dev"));
}

// The disks at the bottom. @depth ends what the kernel does not allow anyway, a loop.
static void add_disks(dev_t number, std::set<dev_t> &disks, unsigned depth = 16)
{
	std::error_code error;
	const dev_t whole = whole_disk(number);
	bool bottom = true;

	for (const fs::directory_entry &slave : fs::directory_iterator(sys(whole) / "slaves", error)) {
		const dev_t below = parse_number(first_line(slave.path() / "dev"));
		bottom = false;
		if (depth && below)
			add_disks(below, disks, depth - 1);
	}
	if (bottom)
		disks.insert(whole);
}

bool share_disk(dev_t one, dev_t other)
{
	std::set<dev_t> a, b;

	add_disks(one, a);
	add_disks(other, b);
	return std::ranges::any_of(a, [&](dev_t disk) { return b.contains(disk); });
}

// mountinfo: "36 35 8:1 / /srv rw,noatime ..."
static std::string mounted_on(dev_t number)
{
	const std::string wanted = fmt::format("{}:{}", major(number), minor(number));
	std::ifstream mounts("/proc/self/mountinfo");
	std::string line, id, parent, device, root, where;

	while (std::getline(mounts, line)) {
		std::istringstream words(line);
		if (words >> id >> parent >> device >> root >> where && device == wanted)
			return where;
	}
	return {};
}

static bool is_swap(dev_t number)
{
	std::ifstream swaps("/proc/swaps");
	std::string line;
	struct stat found;

	while (std::getline(swaps, line)) {
		line.erase(std::min(line.find(' '), line.size()));
		if (!stat(line.c_str(), &found) && S_ISBLK(found.st_mode) && found.st_rdev == number)
			return true;
	}
	return false;
}

std::string device_users(dev_t number)
{
	std::string users;
	std::error_code error;

	for (const fs::directory_entry &holder : fs::directory_iterator(sys(number) / "holders", error)) {
		const dev_t above = parse_number(first_line(holder.path() / "dev"));
		users += fmt::format("{}part of {}", users.empty() ? "" : ", ", device_name(above));
	}
	const std::string mount = mounted_on(number);
	if (!mount.empty())
		users += fmt::format("{}mounted on {}", users.empty() ? "" : ", ", mount);
	if (is_swap(number))
		users += fmt::format("{}used as swap", users.empty() ? "" : ", ");
	return users;
}

std::string device_identity(dev_t number)
{
	const std::string uuid = first_line(sys(number) / "dm/uuid");
	std::error_code error;
	std::string identity;

	if (!uuid.empty())
		return "dm:" + uuid;
	const std::string partition = first_line(sys(number) / "partition");
	const fs::path disk = sys(whole_disk(number));
	for (const char *attribute : {"wwid", "device/wwid", "serial", "device/serial"}) {
		identity = first_line(disk / attribute);
		if (!identity.empty())
			break;
	}
	if (!identity.empty() && !partition.empty())
		identity += " partition " + partition;
	return identity;
}

std::string loop_over(const std::string &path)
{
	std::error_code error;
	const fs::path real = fs::canonical(path, error);

	if (error)
		return {};
	for (const fs::directory_entry &disk : fs::directory_iterator("/sys/block", error)) {
		const std::string name = disk.path().filename();
		if (name.starts_with("loop") && first_line(disk.path() / "loop/backing_file") == real)
			return "/dev/" + name;
	}
	return {};
}

} // namespace jbd

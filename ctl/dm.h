// SPDX-License-Identifier: GPL-2.0-only
//
// Device-mapper, as much of it as a volume needs. dm.cpp is the only user of
// libdevmapper.
//
// Always true: a device that could not be made completely does not exist; device
// nodes are there when a call returns, with or without udevd.
#ifndef JBDCTL_DM_H
#define JBDCTL_DM_H

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "fd.h"
#include "result.h"

namespace jbd::dm {

struct Device {
	std::string name, uuid;
	bool hidden;		// udev, LVM and blkid leave it alone
	std::uint64_t sectors;
	std::string target, params;
};

struct Info {
	bool exists;
	std::string uuid;
	int open_count;
	bool suspended;
	dev_t number;
};

struct Target {
	std::string type, params;
	std::uint64_t sectors;
};

struct Name {
	std::string name, uuid;
};

Result<> create(const Device &device);
Result<> remove(const std::string &name);
Result<> suspend(const std::string &name);
Result<> resume(const std::string &name);
Result<Info> info(const std::string &name);
Result<Target> table(const std::string &name);
Result<Target> status(const std::string &name);
// The text that the target answers, which may be empty.
Result<std::string> message(const std::string &name, const std::string &text);
// All devices, by name.
Result<std::vector<Name>> list();
// Does the kernel know the target?
Result<bool> has_target(const std::string &target);

// Events of all devices. Where the kernel does not tell, wait() only waits.
class Events {
public:
	Events();
	void forget();				// those so far
	bool wait(unsigned ms);			// has there been one since? A signal cuts it short

private:
	Fd control_;
};

} // namespace jbd::dm

#endif

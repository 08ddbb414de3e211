// SPDX-License-Identifier: GPL-2.0-only
//
// Always true: libdevmapper prints nothing by itself; its last message goes into the
// Error. Where udevd runs, every change waits for it by a cookie; where it does not,
// the library makes the nodes.
//
// A crash leaves at most a device without a table, which `jbdctl close` removes.
#include "dm.h"

#include <fcntl.h>
#include <libdevmapper.h>
#include <linux/dm-ioctl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>

#include <fmt/core.h>

#include <algorithm>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <memory>

#include "kernel_log.h"

namespace jbd::dm {

namespace {

struct Destroy {
	void operator()(dm_task *task) const { dm_task_destroy(task); }
};
using Task = std::unique_ptr<dm_task, Destroy>;

char last_message[256];

void keep_message(int level, const char *, int, int, const char *format, ...)
{
	va_list args;

	if ((level & 7) > 4)	/* only errors and worse */
		return;
	va_start(args, format);
	std::vsnprintf(last_message, sizeof(last_message), format, args);
	va_end(args);
}

Error failed(dm_task *task, const std::string &what)
{
	const int error = task ? dm_task_get_errno(task) : 0;

	if (error == ENXIO)
		return {Exit::device, fmt::format("{}: there is no such device-mapper device", what),
			"See 'jbdctl list'."};
	if (error)
		return os_error(error, what);
	return {Exit::kernel, fmt::format("{}: {}", what, *last_message ? last_message : "device-mapper failed"),
		"Is device-mapper in the kernel? 'modprobe dm_mod' loads it."};
}

// What a target answers to a message, where its errors have meanings of their own.
Error refused(dm_task *task, const std::string &name, const std::string &what)
{
	Error error = failed(task, what);

	switch (dm_task_get_errno(task)) {
	case EAGAIN:
		return {Exit::busy, what + ": it is suspended", fmt::format("'dmsetup resume {}' lets it go on.", name)};
	case ENOSPC:
		error.code = Exit::busy;
		break;
	case EINVAL:
		error.code = Exit::kernel;
		break;
	}
	return error;
}

Result<Task> start(int type, const std::string &name, const std::string &what)
{
	static const bool ready = [] {
		dm_log_with_errno_init(keep_message);
		return true;
	}();
	static_cast<void>(ready);
	*last_message = 0;
	Task task(dm_task_create(type));
	if (!task || (!name.empty() && !dm_task_set_name(task.get(), name.c_str())))
		return failed(task.get(), what);
	return task;
}

// Run a task that changes device nodes, and wait until they have changed.
bool run_with_udev(dm_task *task, std::uint16_t flags)
{
	std::uint32_t cookie = 0;

	if (!dm_task_set_cookie(task, &cookie, flags))
		return false;
	const bool ok = dm_task_run(task);
	return dm_udev_wait(cookie) && ok;
}

Result<Target> query(int type, const std::string &name)
{
	const std::string what = fmt::format("asking for the {} of {}",
					     type == DM_DEVICE_TABLE ? "table" : "status", name);
	Result<Task> task = start(type, name, what);
	if (!task)
		return task.error();
	std::uint64_t from = 0, length = 0;
	char *target = nullptr, *params = nullptr;
	if (!dm_task_no_flush(task->get()) || !dm_task_run(task->get()))
		return failed(task->get(), what);
	dm_get_next_target(task->get(), nullptr, &from, &length, &target, &params);
	if (!target)
		return Error{Exit::device, fmt::format("{}: the device has no table", name),
			     fmt::format("Remove it by 'dmsetup remove {}'.", name)};
	return Target{target, params ? params : "", length};
}

} // namespace

Result<> create(const Device &device)
{
	const std::string what = fmt::format("creating /dev/mapper/{}", device.name);
	const std::uint16_t flags = device.hidden ? DM_UDEV_DISABLE_SUBSYSTEM_RULES_FLAG |
		DM_UDEV_DISABLE_DISK_RULES_FLAG | DM_UDEV_DISABLE_OTHER_RULES_FLAG : 0;
	KernelLog log;

	Result<Task> task = start(DM_DEVICE_CREATE, device.name, what);
	if (!task)
		return task.error();
	if (dm_task_set_uuid(task->get(), device.uuid.c_str()) &&
	    dm_task_add_target(task->get(), 0, device.sectors, device.target.c_str(), device.params.c_str()) &&
	    run_with_udev(task->get(), flags))
		return done();

	const std::string kernel = log.device_mapper();
	Error error = failed(task->get(), what);
	if (!kernel.empty()) {
		error.text = fmt::format("{}: the kernel refused: {}", what, kernel);
		error.hint.clear();
	}
	if (error.code == Exit::io)
		error.code = Exit::kernel;
	return error;
}

Result<> remove(const std::string &name)
{
	const std::string what = fmt::format("removing /dev/mapper/{}", name);
	Result<Task> task = start(DM_DEVICE_REMOVE, name, what);

	if (!task)
		return task.error();
	if (!dm_task_retry_remove(task->get()) || !run_with_udev(task->get(), 0))
		return failed(task->get(), what);
	return done();
}

Result<> suspend(const std::string &name)
{
	const std::string what = fmt::format("suspending {}", name);
	Result<Task> task = start(DM_DEVICE_SUSPEND, name, what);

	if (!task)
		return task.error();
	if (!dm_task_run(task->get()))
		return failed(task->get(), what);
	return done();
}

Result<> resume(const std::string &name)
{
	const std::string what = fmt::format("resuming {}", name);
	Result<Task> task = start(DM_DEVICE_RESUME, name, what);

	if (!task)
		return task.error();
	if (!run_with_udev(task->get(), 0))
		return failed(task->get(), what);
	return done();
}

Result<Info> info(const std::string &name)
{
	const std::string what = fmt::format("looking for {}", name);
	Result<Task> task = start(DM_DEVICE_INFO, name, what);
	dm_info found;

	if (!task)
		return task.error();
	if (!dm_task_run(task->get()) || !dm_task_get_info(task->get(), &found))
		return failed(task->get(), what);
	if (!found.exists)
		return Info{};
	const char *uuid = dm_task_get_uuid(task->get());
	return Info{true, uuid ? uuid : "", found.open_count, found.suspended != 0,
		    makedev(found.major, found.minor)};
}

Result<Target> table(const std::string &name)
{
	return query(DM_DEVICE_TABLE, name);
}

Result<Target> status(const std::string &name)
{
	return query(DM_DEVICE_STATUS, name);
}

Result<std::string> message(const std::string &name, const std::string &text)
{
	const std::string what = fmt::format("sending '{}' to {}", text, name);
	Result<Task> task = start(DM_DEVICE_TARGET_MSG, name, what);
	KernelLog log;

	if (!task)
		return task.error();
	if (!dm_task_set_sector(task->get(), 0) || !dm_task_set_message(task->get(), text.c_str()) ||
	    !dm_task_run(task->get())) {
		Error error = refused(task->get(), name, what);
		const std::string kernel = log.device_mapper();
		if (!kernel.empty())
			error.text += fmt::format(" ({})", kernel);
		return error;
	}
	const char *answer = dm_task_get_message_response(task->get());
	return std::string(answer ? answer : "");
}

Result<std::vector<Name>> list()
{
	Result<Task> task = start(DM_DEVICE_LIST, {}, "listing device-mapper devices");
	std::vector<Name> found;

	if (!task)
		return task.error();
	if (!dm_task_run(task->get()))
		return failed(task->get(), "listing device-mapper devices");
	const dm_names *names = dm_task_get_names(task->get());
	while (names && names->dev) {
		const Result<Info> device = info(names->name);
		if (device && device->exists)
			found.push_back({names->name, device->uuid});
		if (!names->next)
			break;
		names = reinterpret_cast<const dm_names *>(reinterpret_cast<const char *>(names) + names->next);
	}
	std::ranges::sort(found, {}, &Name::name);
	return found;
}

Result<bool> has_target(const std::string &target)
{
	Result<Task> task = start(DM_DEVICE_LIST_VERSIONS, {}, "listing device-mapper targets");

	if (!task)
		return task.error();
	if (!dm_task_run(task->get()))
		return failed(task->get(), "listing device-mapper targets");
	const dm_versions *version = dm_task_get_versions(task->get());
	while (version) {
		if (version->name == target)
			return true;
		if (!version->next)
			break;
		version = reinterpret_cast<const dm_versions *>(reinterpret_cast<const char *>(version) + version->next);
	}
	return false;
}

/* libdevmapper can arm its own descriptor, but does not show it to poll(). */
Events::Events() : control_(open("/dev/mapper/control", O_RDWR | O_CLOEXEC))
{
}

void Events::forget()
{
	dm_ioctl arm = {};

	arm.version[0] = DM_VERSION_MAJOR;
	arm.version[1] = 37;		/* the first that has it */
	arm.data_size = sizeof(arm);
	if (control_ && ioctl(control_.get(), DM_DEV_ARM_POLL, &arm) < 0)
		control_.reset();
}

bool Events::wait(unsigned ms)
{
	pollfd one = {control_ ? control_.get() : -1, POLLIN, 0};

	return poll(&one, 1, static_cast<int>(ms)) > 0;
}

} // namespace jbd::dm

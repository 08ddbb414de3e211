/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A mapped device, spoken to by ioctl: a program for each command would take most of the time of a test under emulation.
 *
 * Always true: nothing is kept here but the name; what a call returned is in the buffer until the next one.
 */
#ifndef CRASH_MAPPER_H
#define CRASH_MAPPER_H

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <stdexcept>
#include <string>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

namespace crash {

class Mapper {
public:
	explicit Mapper(std::string name) : name(std::move(name)), fd(open("/dev/mapper/control", O_RDWR | O_CLOEXEC))
	{
		if (fd < 0)
			throw std::runtime_error("/dev/mapper/control: " + std::string(std::strerror(errno)));
	}
	~Mapper() { close(fd); }
	Mapper(const Mapper &) = delete;

	bool message(const std::string &text)
	{
		dm_ioctl *c = prepare();

		/* behind the sector, which stays 0 */
		put(sizeof(dm_ioctl) + sizeof(dm_target_msg), text);
		return !ioctl(fd, DM_TARGET_MSG, c);
	}

	/* What the last call returned. */
	const char *data() const
	{
		return buffer + reinterpret_cast<const dm_ioctl *>(buffer)->data_start;
	}

	/* The target's status line; waits for an event behind number @event first, unless it is -1. */
	bool status(int64_t event, std::string &line, uint32_t &now)
	{
		dm_ioctl *c = prepare();

		if (event >= 0)
			c->event_nr = static_cast<uint32_t>(event);
		if (ioctl(fd, event >= 0 ? DM_DEV_WAIT : DM_TABLE_STATUS, c))
			return false;
		now = c->event_nr;
		line = data() + sizeof(dm_target_spec);
		return true;
	}

	/* With one target from sector 0 on. False, with errno, leaves no device. */
	bool create(uint64_t sectors, const std::string &target, const std::string &words)
	{
		dm_ioctl *c = prepare();

		if (ioctl(fd, DM_DEV_CREATE, c))
			return false;
		dev = static_cast<dev_t>(c->dev);
		if (load(sectors, target, words) && resume())
			return true;
		int error = errno;
		remove();
		errno = error;
		return false;
	}

	/* The table that the next resume() takes. */
	bool load(uint64_t sectors, const std::string &target, const std::string &words)
	{
		dm_ioctl *c = prepare();

		c->target_count = 1;
		auto *spec = reinterpret_cast<dm_target_spec *>(buffer + sizeof(dm_ioctl));
		spec->length = sectors;
		target.copy(spec->target_type, sizeof(spec->target_type) - 1);
		put(sizeof(dm_ioctl) + sizeof(dm_target_spec), words);
		return !ioctl(fd, DM_TABLE_LOAD, c);
	}

	/* Suspends first, if there is a table to take; no file system is asked. */
	bool resume()
	{
		dm_ioctl *c = prepare();

		c->flags = DM_SKIP_LOCKFS_FLAG;
		return !ioctl(fd, DM_DEV_SUSPEND, c);
	}

	/* False if it is in use, or there is none. */
	bool remove() { return !ioctl(fd, DM_DEV_REMOVE, prepare()); }

	/* Of the device that create() made. */
	std::string number() const { return std::to_string(major(dev)) + ":" + std::to_string(minor(dev)); }

	/* Open it, past the page cache; -1 with errno. */
	int open_device(int flags) const
	{
		std::string node = "/dev/crash-" + name;

		unlink(node.c_str());
		if (mknod(node.c_str(), S_IFBLK | 0600, dev))
			return -1;
		return open(node.c_str(), flags | O_DIRECT | O_CLOEXEC);
	}

private:
	std::string name;
	int fd;
	dev_t dev = 0;
	alignas(8) char buffer[4096];

	dm_ioctl *prepare()
	{
		auto *c = reinterpret_cast<dm_ioctl *>(buffer);

		std::memset(buffer, 0, sizeof(buffer));
		c->version[0] = DM_VERSION_MAJOR;
		c->data_size = sizeof(buffer);
		c->data_start = sizeof(dm_ioctl);
		name.copy(c->name, sizeof(c->name) - 1);
		return c;
	}

	void put(size_t at, const std::string &text) { text.copy(buffer + at, sizeof(buffer) - at - 1); }
};

} /* namespace crash */

#endif

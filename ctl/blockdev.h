// SPDX-License-Identifier: GPL-2.0-only
//
// A block device, or an image file in its place.
//
// Always true: while an exclusive Device lives nobody else has the device, be it a
// mount, a device-mapper table, or another jbdctl. A block device is read and
// written past the page cache. Lengths and places are in sectors of 512 bytes.
//
// What a crash leaves: whatever was written before sync() returned is there.
#ifndef JBDCTL_BLOCKDEV_H
#define JBDCTL_BLOCKDEV_H

#include <sys/types.h>

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>

#include "fd.h"
#include "result.h"

namespace jbd {

struct Free {
	void operator()(void *memory) const { std::free(memory); }
};
using Buffer = std::unique_ptr<std::uint8_t[], Free>;

Buffer make_buffer(std::size_t bytes);		// aligned for any device

class Device {
public:
	enum class Access { read, write };

	// Exclusive, so the same device cannot be opened twice: see check_distinct().
	static Result<Device> open(const std::string &path, Access access);

	const std::string &path() const { return path_; }
	bool is_block() const { return block_; }
	dev_t number() const { return number_; }	// of a block device
	std::uint64_t sectors() const { return sectors_; }
	unsigned logical_block() const { return logical_; }	// bytes
	unsigned physical_block() const { return physical_; }
	int fd() const { return fd_.get(); }

	// 0 or an errno value, for who makes an Error with more to say
	int read_raw(std::uint64_t sector, void *buffer, std::uint64_t sectors) const;
	Result<> read(std::uint64_t sector, void *buffer, std::uint64_t sectors) const;
	Result<> write(std::uint64_t sector, const void *buffer, std::uint64_t sectors) const;
	Result<> zero(std::uint64_t sector, std::uint64_t sectors) const;
	// What is there afterwards is undefined; a device that cannot discard keeps what it has.
	Result<> discard(std::uint64_t sector, std::uint64_t sectors) const;
	Result<> sync() const;

	// On one physical disk, as far as sysfs knows.
	bool shares_disk_with(const Device &other) const;

private:
	Device() = default;

	std::string path_;
	Fd fd_;
	bool block_ = false;
	dev_t number_ = 0;
	std::uint64_t sectors_ = 0;
	unsigned logical_ = 512, physical_ = 4096;
};

// They are neither the same, by whatever name, nor is one a partition of the other.
Result<> check_distinct(const std::string &one, const std::string &other);

} // namespace jbd

#endif

// SPDX-License-Identifier: GPL-2.0-only
//
// Always true: every error names the device and the byte. Crashes leave what
// blockdev.h says.
#include "blockdev.h"

#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/core.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>

#include "sysfs.h"

namespace jbd {

namespace {

constexpr std::uint64_t sector_bytes = 512;
constexpr std::size_t buffer_alignment = 4096;
constexpr std::uint64_t bounce_bytes = 1 << 20;

Error in_use(const std::string &path, const std::string &by)
{
	return {Exit::busy, fmt::format("{} is in use{}", path, by.empty() ? "" : ": " + by),
		"Release it first (umount, vgchange -an, swapoff, 'jbdctl close'), then try again."};
}

Error place_error(int error, const char *what, const std::string &path, std::uint64_t sector)
{
	return os_error(error, fmt::format("{} {} at sector {}", what, path, sector),
			"See the kernel log (dmesg) for what the device says.");
}

// QEMU locks bytes of an image that it has open, not all of it (file-posix.c, RAW_LOCK_PERM_BASE).
bool locked_in_part(int fd)
{
	struct flock lock = {};

	lock.l_type = F_WRLCK;
	lock.l_whence = SEEK_SET;
	return !fcntl(fd, F_OFD_GETLK, &lock) && lock.l_type != F_UNLCK;
}

} // namespace

Buffer make_buffer(std::size_t bytes)
{
	void *memory = std::aligned_alloc(buffer_alignment, (bytes + buffer_alignment - 1) & ~(buffer_alignment - 1));

	if (!memory)
		throw std::bad_alloc();
	return Buffer(static_cast<std::uint8_t *>(memory));
}

Result<Device> Device::open(const std::string &path, Access access)
{
	struct stat found;
	Device d;

	if (stat(path.c_str(), &found))
		return os_error(errno, path);
	d.path_ = path;
	d.block_ = S_ISBLK(found.st_mode);
	if (!d.block_ && !S_ISREG(found.st_mode))
		return Error{Exit::device, path + " is neither a block device nor an image file"};

	const int flags = (access == Access::write ? O_RDWR : O_RDONLY) | O_CLOEXEC |
		(d.block_ ? O_EXCL | O_DIRECT : 0);
	d.fd_ = Fd(::open(path.c_str(), flags));
	if (!d.fd_ && errno == EBUSY)
		return in_use(path, device_users(found.st_rdev));
	if (!d.fd_)
		return os_error(errno, path);

	if (!d.block_) {
		const std::string loop = loop_over(path);
		if (!loop.empty())
			return in_use(path, "attached to " + loop);
		if (flock(d.fd_.get(), LOCK_EX | LOCK_NB) || locked_in_part(d.fd_.get()))
			return in_use(path, "locked by another process");
		d.sectors_ = static_cast<std::uint64_t>(found.st_size) / sector_bytes;
		return d;
	}
	std::uint64_t bytes = 0;
	int logical = 0;
	if (ioctl(d.fd_.get(), BLKGETSIZE64, &bytes) || ioctl(d.fd_.get(), BLKSSZGET, &logical) ||
	    ioctl(d.fd_.get(), BLKPBSZGET, &d.physical_))
		return os_error(errno, path);
	d.number_ = found.st_rdev;
	d.sectors_ = bytes / sector_bytes;
	d.logical_ = static_cast<unsigned>(logical);
	return d;
}

// O_DIRECT wants place, length and memory aligned to the logical block: what is not
// goes through a buffer of its own.
int Device::read_raw(std::uint64_t sector, void *buffer, std::uint64_t sectors) const
{
	const std::uint64_t align = block_ ? logical_ : 1;
	std::uint64_t at = sector * sector_bytes, left = sectors * sector_bytes;
	std::uint8_t *to = static_cast<std::uint8_t *>(buffer);
	const bool direct = !((at | left) & (align - 1)) &&
		!(block_ && reinterpret_cast<std::uintptr_t>(buffer) % buffer_alignment);
	const Buffer bounce = direct ? nullptr : make_buffer(std::min(left + 2 * align, bounce_bytes));

	while (left) {
		const std::uint64_t start = at & ~(align - 1), skew = at - start;
		const std::uint64_t want = direct ? left :
			std::min((skew + left + align - 1) & ~(align - 1), bounce_bytes);
		const ssize_t n = pread(fd_.get(), direct ? to : bounce.get(), want, static_cast<off_t>(start));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno;
		if (static_cast<std::uint64_t>(n) <= skew)
			return ENODATA;		/* beyond the end */
		const std::uint64_t got = std::min(static_cast<std::uint64_t>(n) - skew, left);
		if (!direct)
			std::memcpy(to, bounce.get() + skew, got);
		to += got;
		at += got;
		left -= got;
	}
	return 0;
}

Result<> Device::read(std::uint64_t sector, void *buffer, std::uint64_t sectors) const
{
	const int error = read_raw(sector, buffer, sectors);

	if (error)
		return place_error(error, "reading", path_, sector);
	return done();
}

Result<> Device::write(std::uint64_t sector, const void *buffer, std::uint64_t sectors) const
{
	const std::uint8_t *from = static_cast<const std::uint8_t *>(buffer);
	std::uint64_t at = sector * sector_bytes, left = sectors * sector_bytes;

	if (block_ && ((at | left) & (logical_ - 1)))
		return Error{Exit::device, fmt::format("{} has logical blocks of {} bytes; cannot write {} sectors at sector {}",
						       path_, logical_, sectors, sector)};
	Buffer aligned;
	if (block_ && reinterpret_cast<std::uintptr_t>(from) % buffer_alignment) {
		aligned = make_buffer(left);
		std::memcpy(aligned.get(), from, left);
		from = aligned.get();
	}
	while (left) {
		const ssize_t n = pwrite(fd_.get(), from, left, static_cast<off_t>(at));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return place_error(n ? errno : ENOSPC, "writing", path_, at / sector_bytes);
		from += n;
		at += static_cast<std::uint64_t>(n);
		left -= static_cast<std::uint64_t>(n);
	}
	return done();
}

Result<> Device::zero(std::uint64_t sector, std::uint64_t sectors) const
{
	std::uint64_t range[2] = {sector * sector_bytes, sectors * sector_bytes};

	if (block_) {
		if (ioctl(fd_.get(), BLKZEROOUT, range))
			return place_error(errno, "zeroing", path_, sector);
		return done();
	}
	if (!fallocate(fd_.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		       static_cast<off_t>(range[0]), static_cast<off_t>(range[1])))
		return done();
	const Buffer zeroes = make_buffer(bounce_bytes);
	std::memset(zeroes.get(), 0, bounce_bytes);
	while (sectors) {
		const std::uint64_t n = std::min(sectors, bounce_bytes / sector_bytes);
		const Result<> written = write(sector, zeroes.get(), n);
		if (!written)
			return written;
		sector += n;
		sectors -= n;
	}
	return done();
}

Result<> Device::discard(std::uint64_t sector, std::uint64_t sectors) const
{
	std::uint64_t range[2] = {sector * sector_bytes, sectors * sector_bytes};

	if (!block_)
		return zero(sector, sectors);
	if (ioctl(fd_.get(), BLKDISCARD, range) && errno != EOPNOTSUPP)
		return place_error(errno, "discarding", path_, sector);
	return done();
}

Result<> Device::sync() const
{
	if (fdatasync(fd_.get()))
		return os_error(errno, "flushing " + path_, "What was written may be lost: do not trust the device.");
	return done();
}

bool Device::shares_disk_with(const Device &other) const
{
	return block_ && other.block_ && share_disk(number_, other.number_);
}

Result<> check_distinct(const std::string &one, const std::string &other)
{
	const std::string hint = "Home, log and intent device have to be different devices.";
	struct stat a, b;

	if (stat(one.c_str(), &a) || stat(other.c_str(), &b))
		return done();		/* opening it says what is wrong */
	if (S_ISBLK(a.st_mode) && S_ISBLK(b.st_mode)) {
		if (a.st_rdev == b.st_rdev)
			return Error{Exit::device, fmt::format("{} and {} are the same device", one, other), hint};
		if (whole_disk(a.st_rdev) == b.st_rdev || whole_disk(b.st_rdev) == a.st_rdev)
			return Error{Exit::device, fmt::format("{} and {} overlap: one is a partition of the other", one, other), hint};
	} else if (a.st_dev == b.st_dev && a.st_ino == b.st_ino) {
		return Error{Exit::device, fmt::format("{} and {} are the same file", one, other), hint};
	}
	return done();
}

} // namespace jbd

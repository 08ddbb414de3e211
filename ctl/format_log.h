// SPDX-License-Identifier: GPL-2.0-only
//
// Making a log out of a device.
//
// Always true: only the log device is written.
//
// What a crash leaves: a device without a valid superblock, or the new, empty log.
#ifndef JBDCTL_FORMAT_LOG_H
#define JBDCTL_FORMAT_LOG_H

#include <optional>

#include "blockdev.h"
#include "core.h"

namespace jbd {

struct LogWish {
	std::optional<std::uint64_t> unit;		// bytes
	std::optional<std::uint64_t> record_kib;
};

// What the superblock's fixed part will be; nonce excepted.
Result<jgeo> choose_geometry(const Device &log, const Device &home, const LogWish &wish);
// The same for plain numbers: sectors, and bytes of the log's blocks.
Result<jgeo> choose_geometry(std::uint64_t log_sectors, unsigned logical, unsigned physical,
			     std::uint64_t home_sectors, const LogWish &wish);

// An empty log, with an identity of its own.
Result<jsuper> new_super(const jgeo &geo, const std::string &label, const std::string &home_id);
Result<> write_new_log(const Device &log, const jsuper &super);

// A random uuid and nonce.
Result<> draw_identity(std::uint8_t (&uuid)[16], __u64 &nonce);
// Wipe what signatures there may be, then write @block, the superblock in slot 0.
Result<> write_first_super(const Device &device, const void *block);

} // namespace jbd

#endif

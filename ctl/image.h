// SPDX-License-Identifier: GPL-2.0-only
//
// A log seen from userspace: its two superblock slots, and its records through the
// scan that the kernel's recovery uses; and what its extents do to a home.
//
// Always true: a superblock is written to the slot that does not hold the newest
// one, and is durable when write_super() returns.
//
// What a crash leaves: the superblock before, or the new one.
#ifndef JBDCTL_IMAGE_H
#define JBDCTL_IMAGE_H

#include <functional>
#include <optional>

#include "blockdev.h"
#include "core.h"

namespace jbd {

struct Slot {
	jsuper_verdict verdict;
	jsuper super;		// if the checksum holds
};

class Log {
public:
	explicit Log(Device device);

	const Device &device() const { return device_; }
	const std::string &path() const { return device_.path(); }
	const Slot &slot(unsigned i) const { return slots_[i]; }

	// One of the slots has the magic of a log.
	bool is_log() const;
	// The slot to go by; else the reason, and what to do.
	Result<jsuper> super() const;

	// Make @next the newest superblock, with its generation set here.
	Result<> write_super(jsuper &next);

	// Hands out accepted records and their extents, in order; false ends the scan.
	struct Visitor {
		std::function<bool(const jrecord &)> record = [](const jrecord &) { return true; };
		std::function<bool(const jrecord &, const jextent &)> extent =
			[](const jrecord &, const jextent &) { return true; };
	};
	jscan_result scan(const jsuper &super, const Visitor &visitor) const;

	// Was the home written elsewhere since this log was used? What was found, else nothing.
	std::optional<std::string> fork(const jsuper &super, const Device &home) const;

	// Does the payload in the log match the extent's checksum? An errno value if it cannot be read.
	Result<bool> payload_good(const jgeo &geo, const jextent &extent) const;
	Result<> read_payload(const jgeo &geo, struct jpos pos, void *buffer, std::uint32_t sectors) const;

private:
	Device device_;
	Slot slots_[JFMT_SUPER_SLOTS];
	Buffer buffer_;
};

struct OpenLog {
	Log log;
	jsuper super;	// the one to go by
};
Result<OpenLog> open_log(const std::string &path, Device::Access access);

// What an extent without payload does to a home: a discard stays one, so thin space below is freed.
Result<> empty(const Device &home, jfmt_kind kind, std::uint64_t sector, std::uint64_t sectors);

std::string uuid_text(const std::uint8_t (&uuid)[16]);	// with dashes
std::string uuid_digits(const std::uint8_t (&uuid)[16]);	// without
std::uint64_t now_ms();

} // namespace jbd

#endif

// SPDX-License-Identifier: GPL-2.0-only
//
// Sizes and times as people write and read them.
//
// Always true: what format_* prints has at most three significant digits before
// the unit; what parse_* refuses it names. Crashes leave nothing here.
#ifndef JBDCTL_UNITS_H
#define JBDCTL_UNITS_H

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "result.h"

namespace jbd {

// "4096", "512B", "4K", "4KiB", "1.5G": bytes. A suffix is a power of 1024.
Result<std::uint64_t> parse_size(std::string_view text);
Result<std::uint64_t> parse_number(std::string_view text);	// digits
// "90", "90s", "5m", "2h": seconds; none of an empty text. Times are a year at most, longer ones too.
Result<std::optional<std::uint64_t>> parse_timeout(std::string_view text);
// "500ms", "2", "1.5s", "1m": milliseconds, at least one.
Result<std::uint64_t> parse_interval_ms(std::string_view text);

std::string format_bytes(std::uint64_t bytes);		// 1.50 GiB
std::string format_sectors(std::uint64_t sectors);	// the same, of 512 bytes
std::string format_ms(std::uint64_t ms);		// 340 ms, 12.5 s, 3 min 05 s, 2 h 10 min
std::string format_time(std::uint64_t ms_since_1970);	// 2024-01-31 12:00:00
std::string format_bar(std::uint64_t part, std::uint64_t whole, unsigned width);	// [###---]
unsigned percent(std::uint64_t part, std::uint64_t whole);

} // namespace jbd

#endif

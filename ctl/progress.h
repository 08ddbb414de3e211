// SPDX-License-Identifier: GPL-2.0-only
//
// One line that shows how far long work has come, how fast it is, and how long it
// will take.
//
// Always true: it goes to standard error; on a terminal the line is rewritten in
// place, elsewhere a new one is printed every five seconds. Crashes leave nothing here.
#ifndef JBDCTL_PROGRESS_H
#define JBDCTL_PROGRESS_H

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace jbd {

// "vol: 45 % of 2.50 GiB, 85.0 MiB/s, 12.0 s left"
std::string progress_line(const std::string &what, std::uint64_t done, std::uint64_t total,
			  std::uint64_t rate);

class Progress {
public:
	Progress(std::string what, std::uint64_t total_bytes, bool quiet = false);
	~Progress();
	Progress(const Progress &) = delete;
	Progress &operator=(const Progress &) = delete;

	// @rate: bytes a second, if the caller knows; else it is measured.
	void update(std::uint64_t done_bytes, std::optional<std::uint64_t> rate = {});
	void set_total(std::uint64_t total_bytes) { total_ = total_bytes; }

private:
	using Clock = std::chrono::steady_clock;

	std::string what_;
	std::uint64_t total_;
	bool quiet_, terminal_, shown_ = false;
	Clock::time_point start_, last_shown_;
};

} // namespace jbd

#endif

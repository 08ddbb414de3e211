// SPDX-License-Identifier: GPL-2.0-only
//
// Always true: a terminal's line is ended before anything else is printed there,
// for the destructor ends it. Crashes leave nothing here.
#include "progress.h"

#include <unistd.h>

#include <fmt/core.h>

#include <algorithm>

#include "units.h"

namespace jbd {

static constexpr double longest_ms = 9999.0 * 3600 * 1000;

std::string progress_line(const std::string &what, std::uint64_t done, std::uint64_t total,
			  std::uint64_t rate)
{
	done = std::min(done, total);
	std::string line = fmt::format("{}: {} % of {}", what, percent(done, total), format_bytes(total));
	if (rate) {
		const double ms = static_cast<double>(total - done) / static_cast<double>(rate) * 1000;
		line += fmt::format(", {}/s, {} left", format_bytes(rate),
				    format_ms(static_cast<std::uint64_t>(std::min(ms, longest_ms))));
	}
	return line;
}

Progress::Progress(std::string what, std::uint64_t total_bytes, bool quiet)
	: what_(std::move(what)), total_(total_bytes), quiet_(quiet),
	  terminal_(isatty(STDERR_FILENO)), start_(Clock::now()), last_shown_(start_)
{
}

void Progress::update(std::uint64_t done_bytes, std::optional<std::uint64_t> rate)
{
	using namespace std::chrono;
	const Clock::time_point now = Clock::now();
	const Clock::duration every = terminal_ ? Clock::duration(milliseconds(200)) : seconds(5);

	if (quiet_ || now - last_shown_ < every)
		return;
	last_shown_ = now;
	shown_ = true;
	if (!rate) {
		const double elapsed = duration<double>(now - start_).count();
		rate = static_cast<std::uint64_t>(static_cast<double>(done_bytes) / elapsed);
	}
	const std::string line = progress_line(what_, done_bytes, total_, *rate);
	to_stderr(terminal_ ? fmt::format("\r{}\033[K", line) : line + "\n");
}

Progress::~Progress()
{
	if (shown_ && terminal_)
		to_stderr("\n");
}

} // namespace jbd

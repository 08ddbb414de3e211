// SPDX-License-Identifier: GPL-2.0-only
//
// Crashes leave nothing here.
#include "watch.h"

#include <unistd.h>

#include <fmt/core.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>

#include "dm.h"
#include "signals.h"

namespace jbd {

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr unsigned least_ms = 50;	/* events of other devices may be many */
constexpr unsigned step_ms = 200;	/* a signal that comes just before the wait is seen so late */

constexpr const char *to_top = "\033[H", *clear_line_end = "\033[K", *clear_below = "\033[J";

// Over the last block, line by line: nothing is blank in between.
std::string redrawn(const std::string &block)
{
	std::string text = to_top;

	for (char c : block)
		text += c == '\n' ? std::string(clear_line_end) + c : std::string{c};
	return text + clear_below;
}

Result<> print(const std::string &text)
{
	if (std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && !std::fflush(stdout))
		return done();
	return os_error(errno, "printing");
}

void pause(dm::Events &events, std::uint64_t interval_ms)
{
	const Clock::time_point end = Clock::now() + milliseconds(interval_ms);

	Interruptible::pause_ms(static_cast<unsigned>(std::min<std::uint64_t>(interval_ms, least_ms)));
	while (!Interruptible::requested()) {
		const auto left = std::chrono::ceil<milliseconds>(end - Clock::now()).count();
		if (left <= 0 || events.wait(static_cast<unsigned>(std::min<std::int64_t>(left, step_ms))))
			return;
	}
}

} // namespace

Result<> watch(std::uint64_t interval_ms, Between between, const std::function<Result<std::string>()> &look)
{
	const Interruptible interruptible;
	const bool terminal = between == Between::blocks && isatty(STDOUT_FILENO);
	dm::Events events;

	for (bool first = true; !Interruptible::requested(); first = false) {
		events.forget();
		const Result<std::string> block = look();
		if (!block)
			return block.error();
		const Result<> printed = print(terminal ? redrawn(*block) :
					       (between == Between::blocks && !first ? "\n" : "") + *block);
		if (!printed)
			return printed;
		pause(events, interval_ms);
	}
	return terminal ? print("\n") : done();	/* behind the ^C */
}

} // namespace jbd

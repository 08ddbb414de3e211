// SPDX-License-Identifier: GPL-2.0-only
//
// Always true: it asks for the status, which causes no I/O, and changes nothing.
// Crashes leave nothing here.
#include "wait.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <chrono>

#include "hold.h"
#include "progress.h"
#include "signals.h"
#include "volume.h"

namespace jbd {

namespace {

using Clock = std::chrono::steady_clock;

constexpr unsigned poll_ms = 50, poll_most_ms = 250;
constexpr auto stalled_grace = std::chrono::seconds(5);		/* the kernel tries again every second */

Error stopped(const JournalStatus &status, const std::string &name, const std::string &why)
{
	return {Exit::interrupted,
		fmt::format("{}: {} before the checkpoint was done: record {} of {} is at home", name, why,
			    status.tail_seq, status.head_seq),
		"The volume works on and the checkpoint goes on by itself; 'jbdctl checkpoint --status' shows how far it is."};
}

// @words: "checkpoint", or that and how far.
Result<std::uint64_t> request(const std::string &name, const std::string &words)
{
	const Result<Volume> volume = find_volume(name);
	if (!volume)
		return volume.error();
	if (volume->status.held)
		return check_not_held(name, volume->status).error();
	const Result<std::string> answer = dm::message(name, words);
	std::uint64_t target = 0;

	if (!answer)
		return answer.error();
	const char *end = answer->data() + answer->size();
	auto [stop, status] = std::from_chars(answer->data(), end, target);
	if (status != std::errc{})
		return Error{Exit::kernel, fmt::format("{}: the kernel answers '{}' to 'checkpoint'", name, *answer),
			     "The modules and jbdctl are of different versions: install both from the same release."};
	return target;
}

} // namespace

Result<std::uint64_t> request_checkpoint(const std::string &name)
{
	return request(name, "checkpoint");
}

Result<> wait_for_checkpoint(const std::string &name, std::uint64_t target,
			     std::optional<std::uint64_t> timeout_s, bool quiet)
{
	const Interruptible interruptible;
	const Clock::time_point start = Clock::now();
	Clock::time_point well = start;		/* when the checkpoint was last seen not to stall */
	bool asked_again = false;
	std::optional<std::uint64_t> first_seq;
	std::uint64_t total = 0;
	Progress progress(name, 0, quiet);

	for (unsigned pause = poll_ms;; pause = std::min(2 * pause, poll_most_ms)) {
		const Result<Volume> volume = find_volume(name);
		if (!volume)
			return volume.error();
		const JournalStatus &status = volume->status;
		const Clock::time_point now = Clock::now();

		if (status.tail_seq >= target)
			return done();
		/* nothing that was asked for is left: sequences were skipped, or the volume was closed and opened */
		if (!status.target_seq) {
			if (asked_again)
				return done();
			asked_again = true;
			const Result<std::uint64_t> asked = request(name, fmt::format("checkpoint {}", target));
			if (!asked)
				return asked.error();
			continue;
		}
		if (status.mode == "error")
			return Error{Exit::io, fmt::format("{}: the log {} has failed ({})", name, volume->log(),
							   status.reason.value_or("unknown")),
				     fmt::format("See the kernel log (dmesg). All that was acknowledged as durable is still in the log: bring it "
						 "back, then close and open the volume. If it is gone for good, 'jbdctl close {}' leaves the home "
						 "as a crash would have left it{}.", name,
						 volume->intent() ? ", once 'jbdctl recover --home HOME --intent DEV' has run" : "")};
		if (status.home != "stalled")
			well = now;
		else if (now - well > stalled_grace)
			return Error{Exit::io, fmt::format("{}: the checkpoint to {} stalls ({})", name, volume->home(),
							   status.reason.value_or("unknown")),
				     "See the kernel log (dmesg). Nothing is lost: the log holds it, and the kernel tries "
				     "again every second."};
		/* what was set meanwhile, and is reached */
		if (status.held || std::ranges::any_of(status.marks, [&](const auto &mark) { return mark.seq <= status.tail_seq; }))
			return check_not_held(name, status);
		if (!first_seq) {
			first_seq = status.tail_seq;
			total = status.log_used * 512;
			progress.set_total(total);
		}
		/* sequences that a recovery skipped are never written */
		const double last = static_cast<double>(std::clamp(status.head_seq, *first_seq + 1, target));
		const double part = static_cast<double>(status.tail_seq - *first_seq) /
			(last - static_cast<double>(*first_seq));
		progress.update(static_cast<std::uint64_t>(part * static_cast<double>(total)), status.rate * 512);

		if (Interruptible::requested())
			return stopped(status, name, "interrupted");
		if (timeout_s && now - start >= std::chrono::seconds(*timeout_s))
			return stopped(status, name, fmt::format("{} s passed", *timeout_s));
		Interruptible::pause_ms(pause);
	}
}

} // namespace jbd

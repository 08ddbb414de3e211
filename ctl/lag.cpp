// SPDX-License-Identifier: GPL-2.0-only
//
// Crashes leave nothing here.
#include "lag.h"

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>

#include "hold.h"
#include "units.h"

namespace jbd {

using Json = nlohmann::ordered_json;

namespace {

constexpr unsigned bar_width = 56;

// The kernel's words for what is wrong; {name}, {home}, {log} and {record} are filled in.
struct Reason {
	std::string_view word, what, next;
};
constexpr Reason reasons[] = {
	{"home-write", "{home} did not take a write",
	 "See the kernel log (dmesg) for the error of {home}, and bring it back."},
	{"home-fence", "{home} failed a flush, or a write before it",
	 "See the kernel log (dmesg) for the error of {home}, and bring it back."},
	{"log-unreadable", "record {record} cannot be read back from {log}",
	 "See the kernel log (dmesg) for the error of {log}. If it stays, copy /dev/mapper/{name} as far as it can be read, "
	 "close it, copy {log} with ddrescue, and use 'jbdctl recover --log COPY --accept-loss'."},
	{"no-memory", "there is no memory for a batch", "Free memory, or open the volume with a smaller batch_mib."},
	{"batch_mib-too-small", "a batch was begun with a larger batch_mib",
	 "Open the volume with the batch_mib that it had."},
	{"no-intent-device", "the checkpoint device takes no batches of several epochs",
	 "Open the volume with --intent DEV, with --order relaxed, or without batch_mib."},
	{"intent-too-small", "a batch does not fit in the intent device",
	 "Open the volume with the intent device that it had, or a larger one."},
	{"log-write", "{log} did not take a write",
	 "See the kernel log (dmesg) for the error of {log}, bring it back, then close and open the volume."},
	{"log-superblock", "{log} did not take a superblock",
	 "See the kernel log (dmesg) for the error of {log}, bring it back, then close and open the volume."},
	{"hold-released", "the log was full: hold and marks were dropped, checkpoints go on",
	 "There is no way back to the marks. 'jbdctl open --opt on_hold_full=error' keeps them the next time."},
	{"hold-full", "the log is full while checkpoints are held: writes fail with ENOSPC",
	 "'jbdctl checkpoint {name} --release' keeps what was written since, 'jbdctl rollback {name} MARK' gives it up."},
};

std::string filled_in(std::string_view text, const LagView &v, std::string_view record)
{
	return fmt::format(fmt::runtime(text), fmt::arg("name", v.name), fmt::arg("home", v.home),
			   fmt::arg("log", v.log), fmt::arg("record", record));
}

// The intent device may be what the checkpoint device could not write.
bool is_intent(const LagView &v, std::string_view word)
{
	return word.starts_with("home-") && v.intent && v.home_status && v.home_status->last_error &&
		v.home_status->last_error->starts_with("intent:");
}

Trouble reason_trouble(const LagView &v, std::string_view reason)
{
	const std::size_t colon = std::min(reason.find(':'), reason.size());
	const std::string_view word = reason.substr(0, colon);
	const std::string_view record = reason.substr(std::min(colon + 1, reason.size()));
	const std::string label = record.empty() ? std::string(word) : fmt::format("{} at record {}", word, record);
	const auto known = std::ranges::find(reasons, word, &Reason::word);

	if (known == std::end(reasons))
		return {label, "See the kernel log (dmesg).", {}};
	LagView names = v;
	if (is_intent(v, word))
		names.home = *v.intent;
	return {fmt::format("{}: {}", label, filled_in(known->what, names, record)), filled_in(known->next, names, record), {}};
}

std::uint64_t remainder(std::uint64_t whole, std::initializer_list<std::uint64_t> parts)
{
	for (std::uint64_t part : parts)
		whole -= std::min(whole, part);
	return whole;
}

// Sectors of the log that may go home, as far as can be told: what hold or marks keep back will have what is in memory only as well.
std::uint64_t may_go(const JournalStatus &s)
{
	const bool kept = s.held || !s.marks.empty();

	if (!s.parts)
		return s.held ? 0 : s.log_used;
	return remainder(s.log_used, {s.parts->held, kept ? s.parts->uncommitted : 0});
}

bool nothing_may_go(const JournalStatus &s)
{
	return s.home == "stalled" || s.mode != "rw" || !may_go(s);
}

std::string rate_text(const JournalStatus &s)
{
	const std::optional<std::uint64_t> left = seconds_left(s);
	std::string text = s.rate ? format_sectors(s.rate) + "/s" : "not known yet";

	if (s.home != "checkpointing" && s.rate)
		text += " lately";
	if (left)
		text += fmt::format(", {} left at that rate", format_ms(*left * 1000));
	else if (s.home != "clean" && nothing_may_go(s))
		text += ", nothing goes home now";
	if (s.target_seq)
		text += fmt::format("; asked for up to record {}", *s.target_seq);
	return text;
}

std::string home_text(const LagView &v)
{
	if (!v.home_status || !v.home_status->batches)
		return v.home;
	const std::string &state = v.home_status->batches->home;
	return state == "consistent" ? fmt::format("{}, home=consistent@{}", v.home, v.status.home_epoch) :
				       fmt::format("{}, home={}", v.home, state);
}

template <typename T>
Json or_null(const std::optional<T> &value)
{
	return value ? Json(*value) : Json(nullptr);
}

Json parts_json(const JournalStatus &s)
{
	Json json = {{"total_bytes", s.log_total * 512}, {"used_bytes", s.log_used * 512},
		     {"checkpointing_bytes", nullptr}, {"lagging_bytes", nullptr}, {"held_bytes", nullptr},
		     {"uncommitted_bytes", nullptr}, {"free_bytes", nullptr}};

	for (const LogPart &part : log_parts(s))
		json[fmt::format("{}_bytes", part.name)] = part.sectors * 512;
	return json;
}

} // namespace

std::optional<std::uint64_t> LagView::max_lag_ms() const
{
	const auto option = std::ranges::find(options, "max_lag_ms", &Option::key);
	std::uint64_t ms = 0;

	if (option != options.end())
		std::from_chars(option->value.data(), option->value.data() + option->value.size(), ms);
	return ms ? std::optional(ms) : std::nullopt;
}

std::vector<LogPart> log_parts(const JournalStatus &s)
{
	const LogPart free{"free", '-', "", remainder(s.log_total, {s.log_used})};

	if (!s.parts)
		return {{"used", '#', "not at home", s.log_used}, free};
	const JournalStatus::Parts &p = *s.parts;
	return {
		{"checkpointing", '>', "on its way home", p.checkpointing},
		{"lagging", '#', "durable in the log, not at home", remainder(s.log_used, {p.checkpointing, p.held, p.uncommitted})},
		{"held", '=', "kept from the home by a hold or a mark", p.held},
		{"uncommitted", '+', "in memory only until it is committed", p.uncommitted},
		free,
	};
}

std::string parts_bar(const std::vector<LogPart> &parts, unsigned width)
{
	std::vector<unsigned> columns;
	double whole = 0;
	unsigned sum = 0;

	for (const LogPart &part : parts)
		whole += static_cast<double>(part.sectors);
	for (const LogPart &part : parts) {
		const double share = whole > 0 ? static_cast<double>(part.sectors) / whole : 0;
		columns.push_back(std::max(static_cast<unsigned>(share * width), part.sectors ? 1u : 0u));
		sum += columns.back();
	}
	/* what rounding took or gave is the widest part's */
	if (whole > 0)
		*std::ranges::max_element(columns) += width - sum;
	std::string bar;
	for (std::size_t i = 0; i < parts.size(); i++)
		bar += std::string(columns[i], parts[i].drawn);
	return fmt::format("[{:<{}}]", bar, width);
}

std::optional<Trouble> trouble(const LagView &v)
{
	const JournalStatus &s = v.status;

	if (s.reason) {
		Trouble found = reason_trouble(v, *s.reason);
		if (s.mode == "error")
			found.meanwhile = "Writes and flushes fail; what was acknowledged as durable is in the log.";
		else if (s.home == "stalled")
			found.meanwhile = "Nothing is lost: the log has it, and the kernel tries again every second. Writes fail when it is full.";
		return found;
	}
	if (!s.late)
		return {};
	if (s.held || !s.marks.empty())
		return Trouble{"late: checkpoints are held back",
			       fmt::format("'jbdctl checkpoint {} --release' lets them go on, and drops all marks.", v.name), {}};
	return Trouble{"late: what waits for the home is older than max_lag_ms",
		       fmt::format("If it stays so, {} is slower than what is written, or rate_mib slows the checkpoint down.", v.home), {}};
}

std::optional<std::uint64_t> seconds_left(const JournalStatus &s)
{
	if (s.home == "clean" || !s.rate || nothing_may_go(s))
		return {};
	return may_go(s) / s.rate;
}

std::string row(const char *label, const std::string &text)
{
	return fmt::format("  {:<11} {}\n", label, text);
}

std::string state_text(const JournalStatus &s, bool suspended)
{
	if (s.mode == "error")
		return "error: " + s.reason.value_or("unknown");
	if (s.mode == "new")
		return "not started";
	const std::string state = s.home + (s.held ? ", held" : s.marks.empty() ? "" : ", marked") + (s.late ? ", late" : "") +
		(suspended ? ", suspended" : "");
	return s.reason ? fmt::format("{}: {}", state, *s.reason) : state;
}

std::string lag_text(const LagView &v)
{
	const JournalStatus &s = v.status;
	const std::optional<std::uint64_t> limit = v.max_lag_ms();
	std::string text;

	if (s.home == "clean")
		text = "none: the home has everything";
	else
		text = fmt::format("{} in {} epochs, oldest {} ago (lost if the log dies now)", format_sectors(s.dirty),
				   s.epochs_behind(), format_ms(s.lag_ms));
	if (limit)
		text += fmt::format("; max_lag_ms is {}{}", *limit, s.late ? ": late" : "");
	return text;
}

std::string order_text(const CheckpointStatus::Batches &b, const std::optional<std::string> &intent)
{
	if (b.order == "strict")
		return "strict, epoch after epoch: the home alone is what a disk could have crashed into";
	const std::string state = b.home == "torn" ? "the home alone is torn" :
		b.home == "applying" ? "the home is between two states, the intent device has the batch" :
		b.home == "unknown" ? "the home alone may be what a crash left until the next checkpoint has ended" :
		"the home alone is consistent";
	return fmt::format("{}{}; {}; {} batches{}", b.order, intent ? " device " + *intent : "", state, b.batches,
			   b.failed ? fmt::format(", {} failed", b.failed) : "");
}

std::string trouble_text(const LagView &v)
{
	const std::optional<Trouble> found = trouble(v);

	if (!found)
		return {};
	return row("Reason", found->what) + row("Next", found->next) +
		(found->meanwhile.empty() ? "" : row("Meanwhile", found->meanwhile));
}

std::string lag_picture(const LagView &v)
{
	const JournalStatus &s = v.status;
	const std::vector<LogPart> parts = log_parts(s);
	std::string text = fmt::format("{}: {}\n", v.name, state_text(s, v.suspended));

	text += row("Log", parts_bar(parts, bar_width));
	text += row("", fmt::format("{} % of {} on {} used", percent(s.log_used, s.log_total), format_sectors(s.log_total), v.log));
	for (const LogPart &part : parts)
		text += row("", fmt::format("{} {:<13} {:>9}{}{}", part.drawn, part.name, format_sectors(part.sectors),
					    *part.means ? "  " : "", part.means));
	text += row("Lag", lag_text(v));
	text += row("Epochs", fmt::format("{} at home, {} now: {} behind", s.home_epoch, s.epoch, s.epochs_behind()));
	text += row("Rate", rate_text(s));
	text += row("Home", home_text(v));
	if (v.home_status && v.home_status->batches)
		text += row("Order", order_text(*v.home_status->batches, v.intent));
	if (s.held || !s.marks.empty())
		text += row("Held", hold_text(s));
	text += row("Waiting", fmt::format("{} requests deferred now", s.deferred_now));
	return text + trouble_text(v);
}

Json marks_json(const JournalStatus &s)
{
	Json json = Json::array();

	for (const JournalStatus::Mark &mark : s.marks)
		json.push_back({{"name", mark.name}, {"record", mark.seq}});
	return json;
}

Json lag_json(const LagView &v)
{
	const JournalStatus &s = v.status;
	const std::optional<Trouble> found = trouble(v);
	Json json = {
		{"name", v.name}, {"state", s.home}, {"mode", s.mode}, {"target_record", or_null(s.target_seq)},
		{"epoch_at_home", s.home_epoch}, {"epoch", s.epoch}, {"epochs_behind", s.epochs_behind()},
		{"log_bytes_left", s.log_used * 512}, {"rate_bytes_per_second", s.rate * 512},
		{"eta_seconds", or_null(seconds_left(s))},
		{"lag_ms", s.lag_ms}, {"lag_bytes", s.dirty * 512},
		{"max_lag_ms", or_null(v.max_lag_ms())}, {"late", s.late},
		{"held", s.held}, {"marks", marks_json(s)}, {"deferred_now", s.deferred_now},
		{"log", parts_json(s)}, {"order", nullptr}, {"home_alone", nullptr},
		{"reason", or_null(s.reason)}, {"reason_text", nullptr}, {"next_step", nullptr},
	};

	if (v.home_status && v.home_status->batches) {
		json["order"] = v.home_status->batches->order;
		json["home_alone"] = v.home_status->batches->home;
	}
	if (found) {
		json["reason_text"] = found->what;
		json["next_step"] = found->next;
	}
	return json;
}

} // namespace jbd

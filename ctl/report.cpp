// SPDX-License-Identifier: GPL-2.0-only
//
// Always true: only prints. Crashes leave nothing here.
#include "report.h"

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include <algorithm>

#include "hold.h"
#include "units.h"

namespace jbd {

using Json = nlohmann::ordered_json;

namespace {

std::string options_text(const std::vector<Option> &options)
{
	std::string text;

	for (const Option &option : options)
		text += fmt::format("{}{}={}", text.empty() ? "" : " ", option.key, option.value);
	return text;
}

Json options_json(const std::vector<Option> &options)
{
	Json json = Json::object();

	for (const Option &option : options)
		json[option.key] = option.value;
	return json;
}

template <typename T>
Json or_null(const std::optional<T> &value)
{
	return value ? Json(*value) : Json(nullptr);
}

} // namespace

LagView lag_view(const Volume &v)
{
	return {v.name, v.home(), v.log(), v.intent(), v.table.options, v.status, v.home_status, v.device.suspended};
}

std::string checkpoint_text(const Volume &v)
{
	const JournalStatus &s = v.status;
	const std::optional<std::uint64_t> left = seconds_left(s);
	std::string text;

	if (s.target_seq)
		text = fmt::format("asked for, up to record {}", *s.target_seq);
	if (s.home == "checkpointing")
		text += fmt::format("{}at {}/s{}", text.empty() ? "running " : ", ", format_sectors(s.rate),
				    left ? fmt::format(", {} left", format_ms(*left * 1000)) : "");
	return text;
}

std::string volume_text(const Volume &v)
{
	const JournalStatus &s = v.status;
	std::string text = fmt::format("{}: {}\n", v.name, state_text(s, v.device.suspended));
	const std::string checkpoint = checkpoint_text(v), options = options_text(v.table.options);

	text += row("Volume", fmt::format("/dev/mapper/{}, {}, {}", v.name, format_sectors(v.table.sectors),
					  v.device.open_count ? "in use" : "not in use"));
	text += row("Home", fmt::format("{}{}", v.home(), v.home_status && v.home_status->last_error ?
					", last error " + *v.home_status->last_error : ""));
	if (v.home_status && v.home_status->batches)
		text += row("Order", order_text(*v.home_status->batches, v.intent()));
	text += row("Log", fmt::format("{}  {} {} % of {} used", v.log(), format_bar(s.log_used, s.log_total, 24),
				       percent(s.log_used, s.log_total), format_sectors(s.log_total)));
	text += row("Lag", lag_text(lag_view(v)));
	if (!checkpoint.empty())
		text += row("Checkpoint", checkpoint);
	if (s.held || !s.marks.empty())
		text += row("Held", hold_text(s));
	text += row("Epochs", fmt::format("{} at home, {} now", s.home_epoch, s.epoch));
	text += row("Records", fmt::format("{} at home, {} durable, {} newest", s.tail_seq, s.durable_seq, s.head_seq));
	text += row("Waiting", fmt::format("{} requests deferred now", s.deferred_now));
	text += row("Index", fmt::format("{} of {}", format_bytes(s.index_used), format_bytes(s.index_cap)));
	text += row("Atomic", fmt::format("writes up to {} KiB are never torn", s.atomic_kib));
	if (!options.empty())
		text += row("Options", options);
	text += trouble_text(lag_view(v));
	text += "  Counters\n";
	for (std::size_t i = 0; i < journal_counters.size(); i++)
		text += fmt::format("    {:<22}{:>14}{}", journal_counters[i], s.counters[i],
				    i % 2 && i + 1 < journal_counters.size() ? "\n" : "    ");
	text.erase(text.find_last_not_of(' ') + 1);
	return text + "\n";
}

Json volume_json(const Volume &v)
{
	const JournalStatus &s = v.status;
	Json counters = Json::object();

	for (std::size_t i = 0; i < journal_counters.size(); i++)
		counters[journal_counters[i]] = s.counters[i];
	Json json = {
		{"name", v.name}, {"device", "/dev/mapper/" + v.name}, {"uuid", v.uuid},
		{"home_device", v.home()}, {"log_device", v.log()}, {"intent_device", or_null(v.intent())},
		{"bytes", v.table.sectors * 512}, {"open_count", v.device.open_count}, {"suspended", v.device.suspended},
		{"options", options_json(v.table.options)},
		{"mode", s.mode}, {"home", s.home}, {"reason", or_null(s.reason)},
		{"held", s.held}, {"marks", marks_json(s)},
		{"log_used_sectors", s.log_used}, {"log_total_sectors", s.log_total},
		{"tail_record", s.tail_seq}, {"durable_record", s.durable_seq}, {"head_record", s.head_seq},
		{"epoch_at_home", s.home_epoch}, {"epoch", s.epoch},
		{"checkpoint", lag_json(lag_view(v))},
		{"lag_ms", s.lag_ms}, {"max_lag_ms", or_null(lag_view(v).max_lag_ms())}, {"late", s.late}, {"dirty_sectors", s.dirty}, {"deferred_now", s.deferred_now},
		{"index_bytes", s.index_used}, {"index_cap_bytes", s.index_cap}, {"atomic_kib", s.atomic_kib},
		{"counters", counters},
	};
	json["home_options"] = v.home_table ? options_json(v.home_table->options) : Json(nullptr);
	json["home_target"] = nullptr;
	if (v.home_status) {
		const CheckpointStatus &h = *v.home_status;
		json["home_target"] = {
			{"state", h.state}, {"fences", h.fences}, {"fences_failed", h.fences_failed},
			{"writes", h.writes}, {"write_sectors", h.write_sectors}, {"discards", h.discards},
			{"reads", h.reads}, {"in_flight", h.in_flight}, {"queued", h.queued}, {"held", h.held},
			{"write_errors", h.write_errors}, {"last_error", or_null(h.last_error)},
		};
		if (h.batches) {
			const CheckpointStatus::Batches &b = *h.batches;
			json["home_target"].update({
				{"order", b.order}, {"home", b.home}, {"batches", b.batches}, {"batches_failed", b.failed},
				{"intent_sectors", b.intent_sectors}, {"applied_sectors", b.applied_sectors},
			});
		}
	}
	return json;
}

std::string columns(const std::vector<std::vector<std::string>> &rows)
{
	std::vector<std::size_t> widths;
	std::string text;

	for (const std::vector<std::string> &cells : rows) {
		widths.resize(std::max(widths.size(), cells.size()));
		for (std::size_t i = 0; i < cells.size(); i++)
			widths[i] = std::max(widths[i], cells[i].size());
	}
	for (const std::vector<std::string> &cells : rows) {
		for (std::size_t i = 0; i < cells.size(); i++)
			text += i + 1 < cells.size() ? fmt::format("{:<{}}  ", cells[i], widths[i]) : cells[i];
		text += '\n';
	}
	return text;
}

} // namespace jbd

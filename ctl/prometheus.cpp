// SPDX-License-Identifier: GPL-2.0-only
//
// Crashes leave nothing here.
#include "prometheus.h"

#include <fmt/core.h>

#include <functional>
#include <initializer_list>

namespace jbd {

namespace {

// The value of a label: backslash, quote and newline are escaped.
std::string quoted(std::string_view value)
{
	std::string text = "\"";

	for (char c : value)
		text += c == '\n' ? "\\n" : c == '\\' || c == '"' ? std::string{'\\', c} : std::string{c};
	return text + '"';
}

std::string head(const std::string &metric, const char *type, const std::string &help)
{
	return fmt::format("# HELP {0} {2}\n# TYPE {0} {1}\n", metric, type, help);
}

std::string sample(const std::string &metric, const std::string &volume, const std::string &labels, const std::string &value)
{
	return fmt::format("{}{{volume={}{}{}}} {}\n", metric, quoted(volume), labels.empty() ? "" : ",", labels, value);
}

std::string label(const char *name, std::string_view value)
{
	return fmt::format("{}={}", name, quoted(value));
}

std::string bytes(std::uint64_t sectors)
{
	return fmt::format("{}", sectors * 512);
}

std::string seconds(std::uint64_t ms)
{
	return fmt::format("{}.{:03}", ms / 1000, ms % 1000);
}

struct Gauge {
	const char *name, *help;
	std::function<std::optional<std::string>(const LagView &)> value;	// none: no sample
};

const Gauge gauges[] = {
	{"jbd_lag_seconds", "Age of the oldest write that the home has not got: what is lost, in time, if the log dies now.",
	 [](const LagView &v) { return seconds(v.status.lag_ms); }},
	{"jbd_max_lag_seconds", "The limit for it that was set by max_lag_ms.",
	 [](const LagView &v) {
		 const std::optional<std::uint64_t> limit = v.max_lag_ms();
		 return limit ? std::optional(seconds(*limit)) : std::nullopt;
	 }},
	{"jbd_late", "1 while the lag exceeds max_lag_ms.",
	 [](const LagView &v) { return fmt::format("{:d}", v.status.late); }},
	{"jbd_lag_bytes", "What the log has in a newer version than the home.",
	 [](const LagView &v) { return bytes(v.status.dirty); }},
	{"jbd_epochs_behind", "Epochs that the home has not got.",
	 [](const LagView &v) { return fmt::format("{}", v.status.epochs_behind()); }},
	{"jbd_log_bytes", "Size of the log.",
	 [](const LagView &v) { return bytes(v.status.log_total); }},
	{"jbd_log_used_bytes", "How much of it is in use.",
	 [](const LagView &v) { return bytes(v.status.log_used); }},
	{"jbd_checkpoint_rate_bytes_per_second", "Log that went home a second, recently.",
	 [](const LagView &v) { return bytes(v.status.rate); }},
	{"jbd_deferred_now", "Requests in the queue for admission to the log.",
	 [](const LagView &v) { return fmt::format("{}", v.status.deferred_now); }},
	{"jbd_held", "1 while checkpoints are held.",
	 [](const LagView &v) { return fmt::format("{:d}", v.status.held); }},
	{"jbd_marks", "Marks that keep checkpoints back.",
	 [](const LagView &v) { return fmt::format("{}", v.status.marks.size()); }},
};

// One of the words is true; a word that is not among them is shown as well.
struct States {
	const char *name, *help;
	std::initializer_list<const char *> words;
	std::function<std::optional<std::string>(const LagView &)> word;
};

const States states[] = {
	{"jbd_mode", "1 for the log's mode; error: it failed, and writes fail.", {"rw", "error", "new"},
	 [](const LagView &v) { return v.status.mode; }},
	{"jbd_checkpoint_state", "1 for the state of the checkpoint; stalled: it cannot go on.",
	 {"clean", "lagging", "checkpointing", "stalled"},
	 [](const LagView &v) { return v.status.home; }},
	{"jbd_home_alone", "1 for what the home is without the log; applying: consistent together with its intent device.",
	 {"consistent", "applying", "torn", "unknown"},
	 [](const LagView &v) -> std::optional<std::string> {
		 if (!v.home_status || !v.home_status->batches)
			 return {};
		 return v.home_status->batches->home;
	 }},
};

std::string state_samples(const States &state, const LagView &v)
{
	const std::optional<std::string> is = state.word(v);
	std::string text;
	bool known = false;

	if (!is)
		return {};
	for (const char *word : state.words) {
		known |= *is == word;
		text += sample(state.name, v.name, label("state", word), *is == word ? "1" : "0");
	}
	return known ? text : text + sample(state.name, v.name, label("state", *is), "1");
}

std::string parts_text(const std::vector<LagView> &views)
{
	std::string text = head("jbd_log_part_bytes", "gauge", "What the log is used for; the parts are the whole log.");

	for (const LagView &v : views)
		for (const LogPart &part : log_parts(v.status))
			text += sample("jbd_log_part_bytes", v.name, label("part", part.name), bytes(part.sectors));
	return text;
}

} // namespace

std::string prometheus_text(const std::vector<LagView> &views, const std::vector<std::string> &broken)
{
	std::string text = head("jbd_up", "gauge", "1 if the volume's status could be read.");

	for (const LagView &v : views)
		text += sample("jbd_up", v.name, {}, "1");
	for (const std::string &name : broken)
		text += sample("jbd_up", name, {}, "0");
	for (const Gauge &gauge : gauges) {
		text += head(gauge.name, "gauge", gauge.help);
		for (const LagView &v : views)
			if (const std::optional<std::string> value = gauge.value(v))
				text += sample(gauge.name, v.name, {}, *value);
	}
	text += parts_text(views);
	for (const States &state : states) {
		text += head(state.name, "gauge", state.help);
		for (const LagView &v : views)
			text += state_samples(state, v);
	}
	for (std::size_t i = 0; i < journal_counters.size(); i++) {
		const std::string name = fmt::format("jbd_{}_total", journal_counters[i]);
		text += head(name, "counter", fmt::format("The counter {} of the journal's status.", journal_counters[i]));
		for (const LagView &v : views)
			text += sample(name, v.name, {}, fmt::format("{}", v.status.counters[i]));
	}
	return text;
}

} // namespace jbd

// SPDX-License-Identifier: GPL-2.0-only
//
// jbdctl checkpoint: bring everything home, or show how far it is.
//
// Always true: the kernel does the work; ending this command does not end it.
// Crashes leave nothing here.
#include <fmt/core.h>

#include <algorithm>

#include "json.h"
#include "prometheus.h"
#include "report.h"
#include "units.h"
#include "verbs.h"
#include "wait.h"
#include "watch.h"

namespace jbd {

namespace {

constexpr std::uint64_t watch_ms = 1000;

struct Words {
	std::string name, timeout;
	std::optional<std::string> watch;	// empty: the usual interval
	bool hold = false, release = false, status = false, wait = true, no_wait = false, quiet = false;
	bool as_json = false, as_metrics = false;
};

std::vector<std::string> table_row(const Volume &volume)
{
	const JournalStatus &s = volume.status;
	const std::optional<std::uint64_t> left = seconds_left(s);
	const std::string text = checkpoint_text(volume);

	return {volume.name, state_text(s, volume.device.suspended), fmt::format("{}", s.epochs_behind()), format_sectors(s.log_used),
		s.rate ? format_sectors(s.rate) + "/s" : "-", left ? format_ms(*left * 1000) : "-",
		s.home == "clean" ? "-" : format_ms(s.lag_ms) + (s.late ? " LATE" : ""), text.empty() ? "-" : text};
}

// How far one volume is.
Result<std::string> look_at_one(const Words &words)
{
	const Result<Volume> volume = find_volume(words.name);
	if (!volume)
		return volume.error();
	const LagView view = lag_view(*volume);

	if (words.as_metrics)
		return prometheus_text({view}, {});
	if (words.as_json)
		return json_text(lag_json(view), words.watch ? one_line : indented) + "\n";
	return lag_picture(view);
}

// How far all of them are. One that cannot be read hides no other.
Result<std::string> look_at_all(const Words &words)
{
	std::vector<std::vector<std::string>> rows{{"NAME", "STATE", "EPOCHS BEHIND", "IN LOG", "RATE", "ETA", "LAG", "CHECKPOINT"}};
	nlohmann::ordered_json json = nlohmann::ordered_json::array();
	std::vector<std::string> broken;
	std::vector<LagView> views;
	std::string lines;

	const Result<std::vector<std::string>> names = volume_names();
	if (!names)
		return names.error();
	for (const std::string &name : *names) {
		const Result<Volume> volume = find_volume(name);
		if (volume) {
			rows.push_back(table_row(*volume));
			views.push_back(lag_view(*volume));
			json.push_back(lag_json(views.back()));
		} else {
			rows.push_back({name, volume.error().text});
			broken.push_back(name);
			json.push_back({{"name", name}, {"error", volume.error().text}});
		}
		lines += json_text(json.back(), one_line) + "\n";
	}
	if (words.as_metrics)
		return prometheus_text(views, broken);
	if (words.as_json)
		return words.watch ? lines : json_text(json, indented) + "\n";
	return names->empty() ? "No volume is open.\n" : columns(rows);
}

Result<std::string> look(const Words &words)
{
	return words.name.empty() ? look_at_all(words) : look_at_one(words);
}

Result<> show_again(const Words &words)
{
	const Result<std::uint64_t> interval = words.watch->empty() ? watch_ms : parse_interval_ms(*words.watch);
	if (!interval && words.name.empty())
		return Error{Exit::usage, interval.error().text, interval.error().hint + " A volume's name goes before --watch."};
	if (!interval)
		return interval.error();
	const Result<> root = need_root("checkpoint");
	if (!root)
		return root;
	bool seen = false;
	return watch(*interval, words.as_json ? Between::nothing : Between::blocks, [&]() -> Result<std::string> {
		const Result<std::string> text = look(words);
		if (!text && seen && text.error().code == Exit::device)
			return Error{Exit::device, fmt::format("the volume {} is gone: it was closed or removed meanwhile", words.name),
				     "'jbdctl list' shows the volumes that are open."};
		seen = true;
		return text;
	});
}

Result<> show(const Words &words)
{
	if (words.watch)
		return show_again(words);
	const Result<> root = need_root("checkpoint");
	if (!root)
		return root;
	const Result<std::string> text = look(words);
	if (!text)
		return text.error();
	fmt::print("{}", *text);
	return done();
}

bool ends_when_full(const Volume &volume)
{
	return std::ranges::find(volume.table.options, Option{"on_hold_full", "error"}) == volume.table.options.end();
}

Result<> hold(const Words &words, const Volume &volume)
{
	const Result<std::string> answer = dm::message(words.name, "hold");

	if (!answer)
		return answer.error();
	fmt::print("{0}: nothing reaches the home {1} until 'jbdctl checkpoint {0} --release'{2}.\n", words.name, volume.home(),
		   ends_when_full(volume) ? ", or until the log is full" : "");
	return done();
}

// Who has copied the home under a hold that did not last has to know, also if another reason than a full log is shown by now.
Result<> release(const Words &words, const Volume &volume)
{
	const JournalStatus &was = volume.status;
	const Result<std::string> answer = dm::message(words.name, "release");

	if (!answer)
		return answer.error();
	if (!was.held && was.marks.empty())
		return Error{Exit::busy, fmt::format("{}: {}: {} may have changed, and a copy of it be no single state", words.name,
						     was.reason == "hold-released" ? "the hold had ended before, as the log was full" :
										     "there was neither a hold nor a mark", volume.home()),
			     "Copy again. A volume opened with --opt on_hold_full=error keeps its hold, and fails writes instead."};
	fmt::print("{}: nothing holds checkpoints back{}.\n", words.name,
		   was.held ? "" : "; there were marks, but no hold");
	return done();
}

Result<> checkpoint(const Words &words)
{
	if (words.status)
		return show(words);
	const Result<> root = need_root("checkpoint");
	if (!root)
		return root;
	if (words.name.empty())
		return Error{Exit::usage, "which volume?", "Use 'jbdctl checkpoint NAME', or --status for all of them."};
	const Result<std::optional<std::uint64_t>> timeout = parse_timeout(words.timeout);
	if (!timeout)
		return timeout.error();
	const Result<Volume> volume = find_volume(words.name);
	if (!volume)
		return volume.error();
	if (words.hold)
		return hold(words, *volume);
	if (words.release)
		return release(words, *volume);
	const Result<std::uint64_t> target = request_checkpoint(words.name);
	if (!target)
		return target.error();
	if (words.no_wait) {
		fmt::print("{}: checkpoint asked for, up to record {}.\n", words.name, *target);
		return done();
	}
	const Result<> waited = wait_for_checkpoint(words.name, *target, *timeout, words.quiet);
	if (!waited)
		return waited;
	fmt::print("{}: the home {} has everything that was written before{}.\n", words.name, volume->home(),
		   volume->status.marks.empty() ? "" : " the first mark");
	return done();
}

} // namespace

void add_checkpoint(const Command &app)
{
	const auto words = std::make_shared<Words>();
	const Command command = app.add("checkpoint", "Bring home all that was written so far");

	command.argument("NAME", words->name, "The volume");
	CLI::Option *status = command.flag("--status", words->status, "Only show how far the checkpoints are");
	CLI::Option *no_wait = command.flag("--no-wait", words->no_wait, "Ask for it and return");
	exclusive(command.flag("--wait", words->wait, "Return when it is done, which is the default"), {status, no_wait});
	exclusive(command.option("--timeout", "TIME", words->timeout, "Stop waiting after this time"), {status, no_wait});
	exclusive(no_wait, {status});
	CLI::Option *hold = command.flag("--hold", words->hold, "Let nothing reach the home from now on, and return when nothing does");
	exclusive(hold, {status, no_wait});
	exclusive(command.flag("--release", words->release, "End the hold, drop all marks, and let checkpoints go on"),
		  {status, no_wait, hold});
	command.flag("-q,--quiet", words->quiet, "Show no progress");
	CLI::Option *json = command.flag("--json", words->as_json, "With --status: for programs");
	CLI::Option *metrics = command.flag("--prometheus", words->as_metrics, "With --status: for Prometheus");
	CLI::Option *watch = command.option_with_default("--watch", "[INTERVAL]", words->watch,
		"With --status: again after each INTERVAL (default: 1s), and at events, until Ctrl-C");
	for (CLI::Option *option : {json, metrics, watch})
		needs(option, status);
	exclusive(metrics, {json, watch});
	command.example("jbdctl checkpoint srv --timeout 5m\n"
			"jbdctl checkpoint --status\n"
			"jbdctl checkpoint srv --status --watch 2");
	command.does([=] { return checkpoint(*words); });
}

} // namespace jbd

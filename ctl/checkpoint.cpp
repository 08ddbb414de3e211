// SPDX-License-Identifier: GPL-2.0-only
//
// jbdctl checkpoint: bring everything home, or show how far it is.
//
// Always true: the kernel does the work; ending this command does not end it.
// Crashes leave nothing here.
#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "report.h"
#include "units.h"
#include "verbs.h"
#include "wait.h"

namespace jbd {

namespace {

struct Words {
	std::string name, timeout;
	bool hold = false, release = false, status = false, wait = true, no_wait = false, as_json = false, quiet = false;
};

Result<> show(const Words &words)
{
	std::vector<std::vector<std::string>> rows{{"NAME", "STATE", "EPOCHS BEHIND", "IN LOG", "RATE", "ETA", "LAG", "CHECKPOINT"}};
	nlohmann::ordered_json json = nlohmann::ordered_json::array();
	std::vector<std::string> names{words.name};

	if (words.name.empty()) {
		const Result<std::vector<std::string>> all = volume_names();
		if (!all)
			return all.error();
		names = *all;
	}
	for (const std::string &name : names) {
		const Result<Volume> volume = find_volume(name);
		if (!volume)
			return volume.error();
		const JournalStatus &s = volume->status;
		const nlohmann::ordered_json each = checkpoint_json(*volume);
		const std::string text = checkpoint_text(*volume);
		json.push_back(each);
		rows.push_back({name, state_text(s), fmt::format("{}", s.epochs_behind()), format_sectors(s.log_used),
				s.rate ? format_sectors(s.rate) + "/s" : "-",
				each["eta_seconds"].is_null() ? "-" : format_ms(each["eta_seconds"].get<std::uint64_t>() * 1000),
				s.home == "clean" ? "-" : format_ms(s.lag_ms), text.empty() ? "-" : text});
	}
	if (words.as_json)
		fmt::print("{}\n", (words.name.empty() ? json : json[0]).dump(2));
	else if (names.empty())
		fmt::print("No volume is open.\n");
	else
		fmt::print("{}", columns(rows));
	return done();
}

Result<> hold(const Words &words, const Volume &volume)
{
	const Result<std::string> answer = dm::message(words.name, words.hold ? "hold" : "release");

	if (!answer)
		return answer.error();
	fmt::print("{}: {}\n", words.name, words.hold ?
		   fmt::format("nothing reaches the home {} until 'jbdctl checkpoint {} --release'.", volume.home(), words.name) :
		   "nothing holds checkpoints back.");
	return done();
}

Result<> checkpoint(const Words &words)
{
	std::optional<std::uint64_t> timeout;

	const Result<> root = need_root("checkpoint");
	if (!root)
		return root;
	if (words.status)
		return show(words);
	if (words.name.empty())
		return Error{Exit::usage, "which volume?", "Use 'jbdctl checkpoint NAME', or --status for all of them."};
	if (!words.timeout.empty()) {
		const Result<std::uint64_t> seconds = parse_seconds(words.timeout);
		if (!seconds)
			return seconds.error();
		timeout = *seconds;
	}
	const Result<Volume> volume = find_volume(words.name);
	if (!volume)
		return volume.error();
	if (words.hold || words.release)
		return hold(words, *volume);
	const Result<std::uint64_t> target = request_checkpoint(words.name);
	if (!target)
		return target.error();
	if (words.no_wait) {
		fmt::print("{}: checkpoint asked for, up to record {}.\n", words.name, *target);
		return done();
	}
	const Result<> waited = wait_for_checkpoint(words.name, *target, timeout, words.quiet);
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
	needs(command.flag("--json", words->as_json, "With --status: for programs"), status);
	command.example("jbdctl checkpoint srv --timeout 5m\njbdctl checkpoint --status");
	command.does([=] { return checkpoint(*words); });
}

} // namespace jbd

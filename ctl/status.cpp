// SPDX-License-Identifier: GPL-2.0-only
//
// jbdctl status: everything about one volume or all. Only reads. Crashes leave nothing here.
#include <fmt/core.h>

#include "json.h"
#include "prometheus.h"
#include "report.h"
#include "verbs.h"

namespace jbd {

static Result<> status(const std::string &name, bool as_json, bool as_metrics)
{
	nlohmann::ordered_json json = nlohmann::ordered_json::array();
	std::vector<std::string> names{name}, broken;
	std::vector<LagView> views;
	std::string text;

	const Result<> root = need_root("status");
	if (!root)
		return root;
	if (name.empty()) {
		const Result<std::vector<std::string>> all = volume_names();
		if (!all)
			return all.error();
		names = *all;
	}
	for (const std::string &each : names) {
		const Result<Volume> volume = find_volume(each);
		if (!volume && !name.empty())
			return volume.error();
		if (!volume) {
			text += fmt::format("{}: {}\n", each, volume.error().text);
			json.push_back({{"name", each}, {"error", volume.error().text}});
			broken.push_back(each);
			continue;
		}
		text += (text.empty() ? "" : "\n") + volume_text(*volume);
		json.push_back(volume_json(*volume));
		views.push_back(lag_view(*volume));
	}
	if (as_metrics)
		fmt::print("{}", prometheus_text(views, broken));
	else if (as_json)
		fmt::print("{}\n", json_text(name.empty() ? json : json[0], indented));
	else
		fmt::print("{}", names.empty() ? "No volume is open.\n" : text);
	return done();
}

void add_status(const Command &app)
{
	const auto name = std::make_shared<std::string>();
	const auto as_json = std::make_shared<bool>(false);
	const auto as_metrics = std::make_shared<bool>(false);
	const Command command = app.add("status", "Show a volume, or all of them, in full");

	command.argument("NAME", *name, "The volume (default: all)");
	CLI::Option *json = command.flag("--json", *as_json, "For programs: an object, or without NAME an array of them");
	exclusive(command.flag("--prometheus", *as_metrics, "For Prometheus: metrics of one volume or all"), {json});
	command.example("jbdctl status srv\njbdctl status srv --json | jq .lag_ms");
	command.does([=] { return status(*name, *as_json, *as_metrics); });
}

} // namespace jbd

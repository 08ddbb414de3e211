// SPDX-License-Identifier: GPL-2.0-only
//
// jbdctl list: one line a volume. Only reads. Crashes leave nothing here.
#include <fmt/core.h>

#include "json.h"
#include "report.h"
#include "units.h"
#include "verbs.h"

namespace jbd {

static Result<> list(bool as_json)
{
	std::vector<std::vector<std::string>> rows{{"NAME", "STATE", "SIZE", "LOG USED", "LAG", "HOME", "LOG"}};
	nlohmann::ordered_json json = nlohmann::ordered_json::array();

	const Result<> root = need_root("list");
	if (!root)
		return root;
	const Result<std::vector<std::string>> names = volume_names();
	if (!names)
		return names.error();
	for (const std::string &name : *names) {
		const Result<Volume> volume = find_volume(name);
		if (!volume) {
			rows.push_back({name, volume.error().text});
			json.push_back({{"name", name}, {"error", volume.error().text}});
			continue;
		}
		const JournalStatus &s = volume->status;
		rows.push_back({name, state_text(s, volume->device.suspended), format_sectors(volume->table.sectors),
				fmt::format("{} %", percent(s.log_used, s.log_total)),
				s.home == "clean" ? "-" : format_ms(s.lag_ms), volume->home(), volume->log()});
		json.push_back({{"name", name}, {"mode", s.mode}, {"home", s.home},
				{"bytes", volume->table.sectors * 512},
				{"log_used_sectors", s.log_used}, {"log_total_sectors", s.log_total},
				{"lag_ms", s.lag_ms}, {"late", s.late}, {"held", s.held}, {"marks", marks_json(s)},
				{"home_device", volume->home()}, {"log_device", volume->log()}});
	}
	if (as_json)
		fmt::print("{}\n", json_text(json, indented));
	else if (names->empty())
		fmt::print("No volume is open.\n");
	else
		fmt::print("{}", columns(rows));
	return done();
}

void add_list(const Command &app)
{
	const auto as_json = std::make_shared<bool>(false);
	const Command command = app.add("list", "List the open volumes");

	command.flag("--json", *as_json, "For programs");
	command.example("jbdctl list");
	command.does([=] { return list(*as_json); });
}

} // namespace jbd

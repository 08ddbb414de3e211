// SPDX-License-Identifier: GPL-2.0-only
//
// How far the home is behind, for people and for programs.
//
// Always true: what is shown follows from the status lines alone, so the same view
// gives the same text. What the kernel does not say is left out, never guessed.
// Crashes leave nothing here.
#ifndef JBDCTL_LAG_H
#define JBDCTL_LAG_H

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "table.h"

namespace jbd {

// A volume, as far as its lag goes: the names of its devices and what the kernel says.
struct LagView {
	std::string name, home, log;
	std::optional<std::string> intent;
	std::vector<Option> options;	// of the journal
	JournalStatus status;
	std::optional<CheckpointStatus> home_status;
	bool suspended = false;

	std::optional<std::uint64_t> max_lag_ms() const;	// none: no limit
};

// What the log's sectors are for, from its tail on. Together they are the whole log.
struct LogPart {
	const char *name;
	char drawn;
	const char *means;
	std::uint64_t sectors;
};
std::vector<LogPart> log_parts(const JournalStatus &status);
// [>>###==+----]: whoever has a sector has a column. @width is at least the number of parts.
std::string parts_bar(const std::vector<LogPart> &parts, unsigned width);

// What is wrong, what to do about it, and what holds until then.
struct Trouble {
	std::string what, next, meanwhile;
};
std::optional<Trouble> trouble(const LagView &view);

// Until all that may go home is there, at the last rate. None: nothing may, or no rate is known.
std::optional<std::uint64_t> seconds_left(const JournalStatus &status);

std::string row(const char *label, const std::string &text);
std::string state_text(const JournalStatus &status, bool suspended);	// "lagging, late", "error: log-write"
std::string lag_text(const LagView &view);
std::string order_text(const CheckpointStatus::Batches &batches, const std::optional<std::string> &intent);
std::string trouble_text(const LagView &view);		// rows, or nothing

// All of `jbdctl checkpoint NAME --status`.
std::string lag_picture(const LagView &view);
nlohmann::ordered_json lag_json(const LagView &view);
nlohmann::ordered_json marks_json(const JournalStatus &status);

} // namespace jbd

#endif

// SPDX-License-Identifier: GPL-2.0-only
//
// A volume: the device NAME that people use, and NAME-home below it, which is only
// for the journal.
//
// Always true: NAME-home is made first and removed last, so whenever NAME exists,
// what it needs does. Nothing here writes to a home or a log.
//
// What a crash leaves: NAME-home alone at most, which `jbdctl close NAME` removes.
#ifndef JBDCTL_VOLUME_H
#define JBDCTL_VOLUME_H

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "blockdev.h"
#include "core.h"
#include "dm.h"
#include "table.h"

namespace jbd {

// What is needed to activate a volume.
struct Plan {
	std::string name, uuid;		// uuid: of the log, digits only
	CheckpointTable home;
	JournalTable journal;

	std::string text() const;	// the tables, for people and for dmsetup
};

// How a table names the device: its path, unless a table cannot hold it.
std::string table_name(const Device &device);
Plan make_plan(const std::string &name, const jsuper &super, const Device &home, const Device &log,
	       const Options &options);

// An active volume.
struct Volume {
	std::string name, uuid;		// uuid: of the device
	dm::Info device;
	JournalTable table;
	JournalStatus status;
	std::optional<CheckpointTable> home_table;
	std::optional<CheckpointStatus> home_status;

	std::string home() const;	// names of the devices
	std::string log() const;
	std::optional<std::string> intent() const;
};

Result<> need_root(const std::string &verb);
std::string home_name(const std::string &name);
// A name that device-mapper takes, and that no device has yet.
Result<> check_name(const std::string &name);
Result<> check_unused(const std::string &name);

Result<> activate(const Plan &plan);
// Fails, and leaves everything as it is, while the volume is in use.
Result<> deactivate(const std::string &name);

Result<Volume> find_volume(const std::string &name);
// Of all volumes, also those of which only NAME-home exists.
Result<std::vector<std::string>> volume_names();
// Error when somebody has the volume open, and keeps it open.
Result<> check_idle(const std::string &name);

} // namespace jbd

#endif

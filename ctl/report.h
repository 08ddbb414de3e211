// SPDX-License-Identifier: GPL-2.0-only
//
// Volumes as people and programs want to see them.
//
// Always true: --json holds every number of the status lines, under names that stay.
// Crashes leave nothing here.
#ifndef JBDCTL_REPORT_H
#define JBDCTL_REPORT_H

#include <nlohmann/json_fwd.hpp>

#include <string>

#include "lag.h"
#include "volume.h"

namespace jbd {

LagView lag_view(const Volume &volume);
std::string volume_text(const Volume &volume);
nlohmann::ordered_json volume_json(const Volume &volume);

// Bytes a second and time left of the checkpoint; empty: none is running.
std::string checkpoint_text(const Volume &volume);

// Columns as wide as their widest cell; the first row is the heading.
std::string columns(const std::vector<std::vector<std::string>> &rows);

} // namespace jbd

#endif

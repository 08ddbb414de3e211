// SPDX-License-Identifier: GPL-2.0-only
//
// JSON as text.
//
// Always true: what a device says of itself, or a label, may be no UTF-8; it is printed
// with U+FFFD in its place, not refused. Crashes leave nothing here.
#ifndef JBDCTL_JSON_H
#define JBDCTL_JSON_H

#include <nlohmann/json.hpp>

#include <string>

namespace jbd {

constexpr int one_line = -1, indented = 2;

inline std::string json_text(const nlohmann::ordered_json &json, int indent)
{
	return json.dump(indent, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

} // namespace jbd

#endif

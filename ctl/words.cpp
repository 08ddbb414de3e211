// SPDX-License-Identifier: GPL-2.0-only
//
// Words that verbs have in common. Crashes leave nothing here.
#include <fmt/core.h>

#include "verbs.h"

namespace jbd {

void TableWords::add_to(const Command &command)
{
	command.option("--flush", "log|home", flush, "A flush is done when the data is in the log (default) or at the home");
	command.option("--opt", "KEY=VALUE", options, "An option of the targets, such as staging_mib=256; may be repeated");
}

Result<Options> TableWords::parse() const
{
	Options parsed;

	if (!flush.empty()) {
		const Result<> added = add_option(parsed, "flush=" + flush);
		if (!added)
			return added.error();
	}
	for (const std::string &word : options) {
		const Result<> added = add_option(parsed, word);
		if (!added)
			return added.error();
	}
	return parsed;
}

void warn(const std::string &text)
{
	fmt::print(stderr, "jbdctl: warning: {}\n", text);
}

} // namespace jbd

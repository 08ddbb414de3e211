// SPDX-License-Identifier: GPL-2.0-only
//
// Words and texts that verbs have in common. Crashes leave nothing here.
#include <fmt/core.h>

#include "verbs.h"

namespace jbd {

void TableWords::add_to(CLI::App &app)
{
	app.add_option("--flush", flush, "A flush is done when the data is in the log (default) or at the home")
		->option_text("log|home");
	app.add_option("--opt", options, "An option of the targets, such as staging_mib=256; may be repeated")
		->option_text("KEY=VALUE")->allow_extra_args(false);
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

std::string example(const std::string &lines)
{
	std::string text = "Example:\n";

	for (std::size_t at = 0; at < lines.size();) {
		const std::size_t end = std::min(lines.find('\n', at), lines.size());
		text += fmt::format("  {}\n", lines.substr(at, end - at));
		at = end + 1;
	}
	return text + "\nExit codes are listed by 'jbdctl --help' and in jbdctl(8).";
}

void warn(const std::string &text)
{
	fmt::print(stderr, "jbdctl: warning: {}\n", text);
}

} // namespace jbd

// SPDX-License-Identifier: GPL-2.0-only
//
// Words that verbs have in common. Crashes leave nothing here.
//
// Always true: a table names an intent device, or says `relaxed`, exactly if the journal
// above it has a batch_mib.
#include <fmt/core.h>

#include <algorithm>

#include "format_intent.h"
#include "verbs.h"

namespace jbd {

void TableWords::add_to(const Command &command)
{
	command.option("--flush", "log|home", flush, "A flush is done when the data is in the log (default) or at the home");
	command.option("--intent", "DEV", intent, "The intent device, which makes a checkpoint atomic; best on the home's own disk");
	command.option("--order", "strict|relaxed", order,
		       "relaxed: the home alone is torn while a checkpoint runs, and of no use if the log dies then");
	command.option("--opt", "KEY=VALUE", options, "An option of the targets, such as staging_mib=256; may be repeated");
}

std::string TableWords::text() const
{
	std::string words;

	for (const auto &[option, value] : {std::pair(" --flush ", flush), {" --intent ", intent}, {" --order ", order}})
		if (!value.empty())
			words += option + value;
	for (const std::string &option : options)
		words += " --opt " + option;
	return words;
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
	if (!order.empty() && order != "strict" && order != "relaxed")
		return Error{Exit::usage, fmt::format("the order cannot be '{}'", order),
			     "It is strict, which is the default, or relaxed."};
	if (order == "relaxed" && !intent.empty())
		return Error{Exit::usage, "--order relaxed is for a home without intent device",
			     "Leave out one of --intent and --order."};
	if (order == "relaxed")
		parsed.checkpoint.insert(parsed.checkpoint.begin(), {"order", "relaxed"});
	if (journal_number(parsed, "low") >= journal_number(parsed, "high"))
		return Error{Exit::usage, fmt::format("low is {} and high is {}", journal_number(parsed, "low"), journal_number(parsed, "high")),
			     "low must be less than high: checkpoints begin at high % of the log, and end at low %."};
	if (std::ranges::none_of(parsed.journal, [](const Option &option) { return option.key == "batch_mib"; }))
		return parsed;
	const bool none = !journal_number(parsed, "batch_mib");
	const bool coalesces = order == "relaxed" || !intent.empty();
	if (none && coalesces)
		return Error{Exit::usage, "batch_mib=0 makes no batches, which --intent and --order relaxed are for",
			     "Leave one of them out."};
	if (!none && !coalesces)
		return Error{Exit::usage, "batches of several epochs (batch_mib) would tear the home in strict order",
			     "Give an intent device by --intent, or accept that by --order relaxed."};
	return parsed;
}

Result<> TableWords::complete(Options &parsed, const jgeo &log, const igeo *geo, const std::string &intent_name) const
{
	constexpr std::uint64_t batch_mib_default = 64, log_share = 4;
	const auto batch = std::ranges::find(parsed.journal, "batch_mib", &Option::key);

	if (geo)
		parsed.checkpoint.insert(parsed.checkpoint.begin(), {"intent", intent_name});
	else if (order != "relaxed")
		return done();
	if (batch == parsed.journal.end()) {
		std::uint64_t mib = std::min<std::uint64_t>(batch_mib_default, (log.area_len / log_share * sector_size) >> 20);
		if (geo)
			mib = std::min(mib, batch_mib_most(*geo));
		parsed.journal.push_back({"batch_mib", std::to_string(std::max<std::uint64_t>(mib, 1))});
		return done();
	}
	if (!geo || journal_number(parsed, "batch_mib") <= batch_mib_most(*geo))
		return done();
	return Error{Exit::usage, fmt::format("batches of {} MiB do not fit in the intent device {}", batch->value, intent),
		     fmt::format("batch_mib is {} at most there.", batch_mib_most(*geo))};
}

void warn(const std::string &text)
{
	to_stderr(fmt::format("jbdctl: warning: {}\n", text));
}

} // namespace jbd

// SPDX-License-Identifier: GPL-2.0-only
//
// jbdctl log verify: read all of a log, or the batch of an intent device, and judge. Only reads. Crashes leave nothing here.
#include <fmt/core.h>

#include "intent_dump.h"
#include "json.h"
#include "signals.h"
#include "units.h"
#include "verbs.h"
#include "verify.h"

namespace jbd {

namespace {

struct Words {
	std::string log;
	bool as_json = false, quiet = false;
};

void print_text(const Log &log, const jsuper &super, const Verdict &verdict)
{
	for (unsigned i = 0; i < JFMT_SUPER_SLOTS; i++)
		fmt::print("Superblock in slot {}: {}\n", i, jsuper_verdict_text(log.slot(i).verdict));
	fmt::print("Records: {} good ones in {} epochs, {} of data{}; the last is {}\n", verdict.records, verdict.epochs,
		   format_sectors(verdict.payload_sectors),
		   verdict.emptied_sectors ? fmt::format(", {} discarded or zeroed", format_sectors(verdict.emptied_sectors)) : "",
		   verdict.good.seq);
	if (super.flags & JFMT_SUPER_RETIRED)
		fmt::print("The log is retired: its home went on without it.\n");
	if (verdict.damage)
		return;
	fmt::print("End at log sector {}: {}\n{}\n", verdict.scan.head_dev, verdict.scan.why,
		   verdict.records ? "The log is good; the home may lack what it holds." :
		   "The log is good and empty: the home has everything.");
}

void print_json(const Log &log, const jsuper &super, const Verdict &verdict)
{
	const nlohmann::ordered_json json = {
		{"slots", {jsuper_verdict_text(log.slot(0).verdict), jsuper_verdict_text(log.slot(1).verdict)}},
		{"verdict", verdict.damage ? "damaged" : verdict.records ? "good" : "empty"},
		{"damage", verdict.damage ? nlohmann::ordered_json(*verdict.damage) : nlohmann::ordered_json(nullptr)},
		{"retired", (super.flags & JFMT_SUPER_RETIRED) != 0},
		{"records", verdict.records}, {"epochs", verdict.epochs}, {"last_seq", verdict.good.seq},
		{"durable_seq", verdict.scan.durable_seq},
		{"payload_sectors", verdict.payload_sectors}, {"emptied_sectors", verdict.emptied_sectors},
	};

	fmt::print("{}\n", json_text(json, indented));
}

Result<> verify_log(const Words &words)
{
	const Interruptible interruptible;
	Result<Device> device = Device::open(words.log, Device::Access::read);
	if (!device)
		return device.error();
	if (const Intent intent(*device); intent.is_intent())
		return verify_intent(intent, words.as_json, words.quiet);
	const Log log(std::move(*device));
	const Result<jsuper> super = log.super();
	if (!super)
		return super.error();
	Progress progress(words.log, super->geo.area_len * sector_size, words.quiet);
	const Result<Verdict> verdict = verify(log, *super, true, progress);
	if (!verdict)
		return verdict.error();
	if (words.as_json)
		print_json(log, *super, *verdict);
	else
		print_text(log, *super, *verdict);
	if (verdict->damage)
		return Error{Exit::damage, fmt::format("{} is damaged: {}", words.log, *verdict->damage),
			     fmt::format("Everything up to record {} can be had by 'jbdctl recover --accept-loss'.",
					 verdict->good.seq)};
	return done();
}

} // namespace

void add_log_verify(const Command &log)
{
	const auto words = std::make_shared<Words>();
	const Command command = log.add("verify", "Read a log or an intent device that is not in use, and check every checksum");

	required({command.argument("LOG", words->log, "The device or image file with the log, or the intent device")});
	command.flag("--json", words->as_json, "For programs");
	command.flag("-q,--quiet", words->quiet, "Show no progress");
	command.example("jbdctl log verify /dev/nvme0n1p3 && echo good");
	command.does([=] { return verify_log(*words); });
}

} // namespace jbd

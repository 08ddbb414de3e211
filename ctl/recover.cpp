// SPDX-License-Identifier: GPL-2.0-only
//
// jbdctl recover: replay a log in userspace, without the modules.
//
// Always true: nothing is written before the whole log was read and judged; with
// --onto the log is not written at all.
// A crash leaves what replay.h says; the same command goes on from there.
#include <fmt/core.h>

#include "hold.h"
#include "replay.h"
#include "signals.h"
#include "sysfs.h"
#include "units.h"
#include "verbs.h"

namespace jbd {

namespace {

struct Words {
	std::string log, home, onto;
	bool accept_loss = false, ignore_fork = false, release = false, dry_run = false, quiet = false;
};

Result<> check_target(const Log &log, const jsuper &super, const Device &target, bool copy)
{
	const std::uint64_t sectors = super.geo.home_len;

	if (super.flags & JFMT_SUPER_RETIRED)
		return Error{Exit::device, fmt::format("{}: the log is retired: its home went on without it", log.path()),
			     "Replaying it would destroy what was written since."};
	if (copy ? target.sectors() < sectors : target.sectors() != sectors)
		return Error{Exit::device,
			     fmt::format("{} has {} sectors, but the log {} is for a home of {}", target.path(),
					 target.sectors(), log.path(), sectors),
			     fmt::format("Is it the right home? 'jbdctl log dump {}' shows what the log is for.", log.path())};
	const std::string identity = !copy && target.is_block() ? device_identity(target.number()) : "";
	if (*super.home_id && !identity.empty() && identity != super.home_id)
		warn(fmt::format("{} identifies itself as '{}', but the log {} was made for '{}'", target.path(), identity,
				 log.path(), super.home_id));
	return done();
}

Result<> recover(const Words &words)
{
	using Access = Device::Access;
	const Interruptible interruptible;
	const bool copy = !words.onto.empty();

	if (copy == !words.home.empty())
		return Error{Exit::usage, "where to?", "Use either --home HOME, or --onto COPY to leave home and log alone."};
	Result<> result = check_distinct(copy ? words.onto : words.home, words.log);
	if (!result)
		return result;
	Result<Device> device = Device::open(words.log, copy || words.dry_run ? Access::read : Access::write);
	if (!device)
		return device.error();
	const Result<Device> target = Device::open(copy ? words.onto : words.home, words.dry_run ? Access::read : Access::write);
	if (!target)
		return target.error();
	Log log(std::move(*device));
	Result<jsuper> super = log.super();
	if (!super)
		return super.error();
	result = check_target(log, *super, *target, copy);
	if (result && !copy && !words.release)
		result = check_not_held(words.log, *super);
	if (!result)
		return result;
	jmark_release(&*super, nullptr);

	std::optional<Verdict> verdict;
	{
		Progress reading("reading " + words.log, super->geo.area_len * sector_size, words.quiet);
		Result<Verdict> judged = verify(log, *super, true, reading);
		if (!judged)
			return judged.error();
		verdict = std::move(*judged);
	}
	const std::optional<std::string> fork = words.ignore_fork ? std::nullopt : log.fork(*super, *target);
	if (fork)
		return Error{Exit::device, *fork, "Nothing was written. Replaying would destroy what was written there; --ignore-fork does it."};
	if (verdict->damage && !words.accept_loss)
		return Error{Exit::damage, fmt::format("{} is damaged: {}", words.log, *verdict->damage),
			     fmt::format("Nothing was written. --accept-loss replays up to record {} and gives up the rest.",
					 verdict->good.seq)};
	if (verdict->damage)
		warn(fmt::format("{} is damaged, giving up what follows record {}: {}", words.log, verdict->good.seq,
				 *verdict->damage));
	const std::string what = fmt::format("{} records in {} epochs, {} of data", verdict->records, verdict->epochs,
					     format_sectors(verdict->payload_sectors));
	if (words.dry_run) {
		fmt::print("Would replay {} onto {}.\n", what, target->path());
		return done();
	}
	if (!verdict->records && !verdict->damage && !(super->flags & JFMT_SUPER_RUNNING)) {
		fmt::print("Nothing to replay: {} has everything.\n", target->path());
		return done();
	}
	Progress writing(target->path(), verdict->payload_sectors * sector_size, words.quiet);
	result = Replay(log, copy ? nullptr : &log, *target, *super, *verdict, writing).run();
	if (!result)
		return result;
	fmt::print("Replayed {} onto {}. {}\n", what, target->path(),
		   copy ? "The log is as it was." : "The log is empty now.");
	return done();
}

} // namespace

void add_recover(const Command &app)
{
	const auto words = std::make_shared<Words>();
	const Command command = app.add("recover", "Replay a log onto its home, or onto a copy, without the kernel modules");

	required({command.option("--log", "LOG", words->log, "The device or image file with the log")});
	CLI::Option *home = command.option("--home", "HOME", words->home, "Replay onto the home; the log is empty afterwards");
	exclusive(command.option("--onto", "COPY", words->onto, "Replay onto a copy of the home; the log stays as it is"),
		  {home});
	command.flag("--accept-loss", words->accept_loss, "If the log is damaged, replay what is before the damage");
	command.flag("--ignore-fork", words->ignore_fork, "Replay even over a home that was written elsewhere meanwhile");
	command.flag("--release", words->release, "Replay even if the log is held or has marks, and drop them");
	command.flag("--dry-run", words->dry_run, "Read and judge the log, write nothing");
	command.flag("-q,--quiet", words->quiet, "Show no progress");
	command.example("jbdctl recover --log /dev/nvme0n1p3 --home /dev/sdb\n"
			"jbdctl recover --log log.img --onto copy-of-home.img");
	command.does([=] { return recover(*words); });
}

} // namespace jbd

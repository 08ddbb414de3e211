// SPDX-License-Identifier: GPL-2.0-only
//
// jbdctl recover: apply the batch of an intent device and replay a log, without the modules.
//
// Always true: nothing is written before all of the batch and the log was read and
// judged; the log is replayed when the batch is durable at home, and retired; with
// --onto neither log nor intent device is written at all.
// A crash leaves what intent.h and replay.h say; the same command goes on from there.
#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "format_intent.h"
#include "hold.h"
#include "intent.h"
#include "replay.h"
#include "signals.h"
#include "sysfs.h"
#include "units.h"
#include "verbs.h"

namespace jbd {

namespace {

struct Words {
	std::string log, home, onto, intent;
	bool accept_loss = false, ignore_fork = false, intent_lost = false, release = false, dry_run = false, quiet = false;
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

// What is to be applied, and what is to be replayed; all of it has been read and judged.
struct Intended {
	Device device;
	isuper super;
	std::optional<Batch> batch;	// nothing: the home has every batch
};

struct Logged {
	Log log;
	jsuper super;			// without hold and marks
	bool was_held;
	Verdict verdict;
};

bool is_copy(const Words &words)
{
	return !words.onto.empty();
}

Device::Access access_to_source(const Words &words)
{
	return is_copy(words) || words.dry_run ? Device::Access::read : Device::Access::write;
}

Result<Intended> judge_intent(const Words &words, const Device &target)
{
	Result<Device> device = Device::open(words.intent, access_to_source(words));
	if (!device)
		return device.error();
	const Intent intent(*device);
	const Result<isuper> super = intent.super();
	if (!super)
		return super.error();
	if (!is_copy(words)) {
		const Result<> home = check_intent_home(intent, *super, target);
		if (!home)
			return home.error();
	} else if (target.sectors() < super->geo.home_len) {
		return Error{Exit::device, fmt::format("{} has {} sectors, but the intent device {} is for a home of {}",
						       target.path(), target.sectors(), words.intent, super->geo.home_len), {}};
	}
	const Result<std::optional<icommit>> pending = intent.pending(*super);
	if (!pending)
		return pending.error();
	std::optional<Batch> batch;
	if (*pending) {
		Progress reading("reading " + words.intent, (*pending)->payload_len * sector_size, words.quiet);
		Result<Batch> read = intent.read(*super, **pending, reading);
		if (!read)
			return Error{read.error().code, read.error().text, "Nothing was written. " + read.error().hint};
		batch = std::move(*read);
	}
	return Intended{std::move(*device), *super, std::move(batch)};
}

Result<> check_damage(const Words &words, const Logged &logged, const Intended *intended)
{
	const Verdict &verdict = logged.verdict;
	const std::string &target = is_copy(words) ? words.onto : words.home;

	if (!verdict.damage)
		return done();
	/* the batch brings the home beyond what is left, which would then be mixed with it */
	if (intended && verdict.good.seq < logged.super.ckpt_to_seq)
		return Error{Exit::damage, fmt::format("{} is damaged: {}", words.log, *verdict.damage),
			     fmt::format("Nothing was written. 'jbdctl recover --intent {} {} {}' without the log brings {} "
					 "to a consistent state, which may be as new as record {}.", words.intent,
					 is_copy(words) ? "--onto" : "--home", target,
					 is_copy(words) ? "the copy" : "the home", logged.super.ckpt_to_seq)};
	if (!words.accept_loss)
		return Error{Exit::damage, fmt::format("{} is damaged: {}", words.log, *verdict.damage),
			     fmt::format("Nothing was written. --accept-loss replays up to record {} and gives up the rest.",
					 verdict.good.seq)};
	warn(fmt::format("{} is damaged, giving up what follows record {}: {}", words.log, verdict.good.seq, *verdict.damage));
	if (!words.ignore_fork && verdict.good.seq < logged.super.ckpt_to_seq)
		warn(fmt::format("whether {} was written elsewhere since cannot be told any more", target));
	return done();
}

Result<Logged> judge_log(const Words &words, const Device &target, const Intended *intended)
{
	Result<OpenLog> opened = open_log(words.log, access_to_source(words));
	if (!opened)
		return opened.error();
	auto &[log, super] = *opened;
	Result<> result = check_target(log, super, target, is_copy(words));
	if (result && !words.intent_lost)
		result = check_bound(words.log, super, words.intent, intended ? &intended->super : nullptr);
	if (result && !is_copy(words) && !words.release)
		result = check_not_held(words.log, super);
	if (!result)
		return result.error();
	const bool was_held = jmark_any(&super);
	jmark_release(&super, nullptr);

	Progress reading("reading " + words.log, super.geo.area_len * sector_size, words.quiet);
	Result<Verdict> verdict = verify(log, super, true, reading);
	if (!verdict)
		return verdict.error();
	const std::optional<std::string> fork = words.ignore_fork ? std::nullopt : log.fork(super, target);
	if (fork)
		return Error{Exit::device, *fork, "Nothing was written. Replaying would destroy what was written there; --ignore-fork does it."};
	Logged logged{std::move(log), super, was_held, std::move(*verdict)};
	result = check_damage(words, logged, intended);
	if (!result)
		return result.error();
	return logged;
}

// Afterwards it is never applied again, before anybody else writes to the home.
Result<> apply(const Words &words, Intended &intended, const Device &target)
{
	Intent intent(intended.device);

	if (!intended.batch) {
		if (words.log.empty())
			fmt::print("Nothing to apply: {} has every batch of {}.\n", target.path(), words.intent);
		return words.dry_run || is_copy(words) || intent.agree() ? done() :
			intent.retire(intended.super, intended.super.retired);
	}
	if (words.dry_run) {
		fmt::print("Would apply {} to {}.\n", intended.batch->text(), target.path());
		return done();
	}
	Progress writing(target.path(), intended.batch->commit.payload_len * sector_size, words.quiet);
	Result<> result = is_copy(words) ? done() : intent.writable(intended.super);
	if (result)
		result = intent.apply(intended.super, *intended.batch, target, writing);
	if (result && !is_copy(words))
		result = intent.retire(intended.super, intended.batch->commit.batch);
	if (result)
		fmt::print("Applied {} to {}.\n", intended.batch->text(), target.path());
	return result;
}

Result<> replay(const Words &words, Logged &logged, const Device &target)
{
	const Verdict &verdict = logged.verdict;
	const std::string what = fmt::format("{} records in {} epochs, {} of data", verdict.records, verdict.epochs,
					     format_sectors(verdict.payload_sectors));

	if (words.dry_run) {
		fmt::print("Would replay {} onto {}.\n", what, target.path());
		return done();
	}
	if (words.intent_lost && is_bound(logged.super)) {
		std::ranges::fill(logged.super.intent_uuid, 0);
		const Result<> unbound = is_copy(words) ? done() : logged.log.write_super(logged.super);
		if (!unbound)
			return unbound;
	}
	if (!verdict.records && !verdict.damage && !(logged.super.flags & JFMT_SUPER_RUNNING) && (!logged.was_held || is_copy(words))) {
		fmt::print("Nothing to replay: {} has everything.\n", target.path());
		return done();
	}
	Progress writing(target.path(), verdict.payload_sectors * sector_size, words.quiet);
	const Result<> result = Replay(logged.log, is_copy(words) ? nullptr : &logged.log, target, logged.super, verdict,
				       writing).run();
	if (!result)
		return result;
	fmt::print("Replayed {} onto {}. {}\n", what, target.path(),
		   is_copy(words) ? "The log is as it was." : "The log is empty now.");
	return done();
}

Result<> check_words(const Words &words, const std::string &target)
{
	if (words.log.empty() && words.intent.empty())
		return Error{Exit::usage, "where from?", "Use --log LOG, --intent DEV, or both."};
	if (is_copy(words) == !words.home.empty())
		return Error{Exit::usage, "where to?", "Use either --home HOME, or --onto COPY to leave home and log alone."};
	for (const auto &[one, other] : {std::pair(target, words.log), {target, words.intent}, {words.log, words.intent}}) {
		const Result<> distinct = one.empty() || other.empty() ? done() : check_distinct(one, other);
		if (!distinct)
			return distinct;
	}
	return done();
}

Result<> recover(const Words &words)
{
	const Interruptible interruptible;
	const std::string &path = is_copy(words) ? words.onto : words.home;
	std::optional<Intended> intended;
	std::optional<Logged> logged;

	Result<> result = check_words(words, path);
	if (!result)
		return result;
	const Result<Device> target = Device::open(path, words.dry_run ? Device::Access::read : Device::Access::write);
	if (!target)
		return target.error();
	if (!words.intent.empty()) {
		Result<Intended> judged = judge_intent(words, *target);
		if (!judged)
			return judged.error();
		intended = std::move(*judged);
	}
	if (!words.log.empty()) {
		Result<Logged> judged = judge_log(words, *target, intended ? &*intended : nullptr);
		if (!judged)
			return judged.error();
		logged.emplace(std::move(*judged));
	}
	if (intended)
		result = apply(words, *intended, *target);
	if (result && logged)
		result = replay(words, *logged, *target);
	return result;
}

} // namespace

void add_recover(const Command &app)
{
	const auto words = std::make_shared<Words>();
	const Command command = app.add("recover", "Replay a log, and apply an intent device, without the kernel modules");

	command.option("--log", "LOG", words->log, "The device or image file with the log");
	CLI::Option *intent = command.option("--intent", "DEV", words->intent, "The intent device or image file; its batch comes first");
	CLI::Option *home = command.option("--home", "HOME", words->home, "Replay onto the home; the log is empty afterwards");
	exclusive(command.option("--onto", "COPY", words->onto, "Replay onto a copy of the home; the log stays as it is"),
		  {home});
	exclusive(command.flag("--intent-lost", words->intent_lost,
			       "Replay a log whose intent device is lost; afterwards it is bound to none"), {intent});
	command.flag("--accept-loss", words->accept_loss, "If the log is damaged, replay what is before the damage");
	command.flag("--ignore-fork", words->ignore_fork, "Replay even over a home that was written elsewhere meanwhile");
	command.flag("--release", words->release, "Replay even if the log is held or has marks, and drop them");
	command.flag("--dry-run", words->dry_run, "Read and judge everything, write nothing");
	command.flag("-q,--quiet", words->quiet, "Show no progress");
	command.example("jbdctl recover --log /dev/nvme0n1p3 --home /dev/sdb\n"
			"jbdctl recover --intent /dev/sdb2 --home /dev/sdb1\n"
			"jbdctl recover --log log.img --onto copy-of-home.img");
	command.does([=] { return recover(*words); });
}

} // namespace jbd

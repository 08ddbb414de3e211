// SPDX-License-Identifier: GPL-2.0-only
//
// jbdctl open: activate a volume from its home, its log and its intent device.
//
// Always true: all superblocks have been judged before the kernel is asked; no
// device is written here, but for the log's superblock with --ignore-fork.
// A crash leaves at most NAME-home, which `jbdctl close NAME` removes.
#include <fmt/core.h>

#include "format_intent.h"
#include "image.h"
#include "intent.h"
#include "modules.h"
#include "sysfs.h"
#include "units.h"
#include "verbs.h"
#include "volume.h"

namespace jbd {

namespace {

struct Words {
	std::string name, home, log;
	TableWords table;
	bool ignore_fork = false, dry_run = false;
};

// Does the log belong to this home, and can both be used together?
Result<> check_pair(const Log &log, const jsuper &super, const Device &home)
{
	const Device &device = log.device();

	if (super.flags & JFMT_SUPER_RETIRED)
		return Error{Exit::device, fmt::format("{}: the log is retired: its home went on without it", log.path()),
			     "Never replay it. 'jbdctl create' makes a new log of the device."};
	if (super.geo.home_len != home.sectors())
		return Error{Exit::device,
			     fmt::format("{} has {} sectors, but the log {} is for a home of {}", home.path(), home.sectors(),
					 log.path(), super.geo.home_len),
			     fmt::format("Is it the right home? 'jbdctl log dump {}' shows what the log is for.", log.path())};
	if (device.logical_block() > super.geo.unit * sector_size)
		return Error{Exit::device,
			     fmt::format("{} has logical blocks of {} bytes, but its log was made for {}", log.path(),
					 device.logical_block(), super.geo.unit * sector_size),
			     "Replay it by 'jbdctl recover', then make a new log by 'jbdctl create'."};
	if (device.logical_block() > home.logical_block())
		return Error{Exit::device,
			     fmt::format("the log {} has logical blocks of {} bytes, the home {} of {}", log.path(),
					 device.logical_block(), home.path(), home.logical_block()),
			     "Use a log with blocks that are no larger than the home's."};
	const std::string identity = home.is_block() ? device_identity(home.number()) : "";
	if (*super.home_id && !identity.empty() && identity != super.home_id)
		warn(fmt::format("{} identifies itself as '{}', but the log {} was made for '{}'", home.path(), identity,
				 log.path(), super.home_id));
	return done();
}

Result<> check_image(const Device &device, const Words &words)
{
	if (device.is_block() || words.dry_run)
		return done();
	return Error{Exit::device, fmt::format("{} is an image file, not a block device", device.path()),
		     fmt::format("Attach it by 'losetup -f --show {}' and use that device.", device.path())};
}

// Does the intent device that was given, if there is one, belong to the log and to the home?
Result<> judge_intent(const Words &words, Options &options, const jsuper &log, const Device &home)
{
	const std::string &path = words.table.intent;

	if (path.empty()) {
		const Result<> bound = check_bound(words.log, log, path, nullptr);
		return bound ? words.table.complete(options, log.geo, nullptr, "") : bound;
	}
	for (const std::string &other : {words.home, words.log}) {
		const Result<> distinct = check_distinct(other, path);
		if (!distinct)
			return distinct;
	}
	const Result<Device> device = Device::open(path, Device::Access::read);
	if (!device)
		return device.error();
	const Intent intent(*device);
	const Result<isuper> super = intent.super();
	if (!super)
		return super.error();
	Result<> result = check_bound(words.log, log, path, &*super);
	if (result)
		result = check_intent_home(intent, *super, home);
	if (result)
		result = check_image(*device, words);
	return result ? words.table.complete(options, log.geo, &super->geo, table_name(*device)) : result;
}

struct Judged {
	Plan plan;
	bool forks;	// and that is to be ignored
};

// The devices are released when it returns, for the kernel to take them.
Result<Judged> judge(const Words &words, Options options)
{
	const Result<> distinct = check_distinct(words.home, words.log);
	if (!distinct)
		return distinct.error();
	Result<Device> home = Device::open(words.home, Device::Access::read);
	if (!home)
		return home.error();
	const Result<OpenLog> opened = open_log(words.log, Device::Access::read);
	if (!opened)
		return opened.error();
	const auto &[log, super] = *opened;
	const Result<> pair = check_pair(log, super, *home);
	if (!pair)
		return pair.error();
	Result<> checked = check_image(*home, words);
	if (checked)
		checked = check_image(log.device(), words);
	if (checked)
		checked = judge_intent(words, options, super, *home);
	if (!checked)
		return checked.error();
	const std::optional<std::string> fork = log.fork(super, *home);
	if (fork && !words.ignore_fork)
		return Error{Exit::device, *fork,
			     "If what was written there may be lost, open it with --ignore-fork; if what the log holds may, make a "
			     "new log by 'jbdctl create --force'."};
	return Judged{make_plan(words.name, super, *home, log.device(), options), fork.has_value()};
}

// What the log says of the home: the kernel would refuse that of a fork. @generation: of the superblock that is to be
// changed, or 0 for whichever it is; and then of the one that was written.
Result<> set_fingerprint(const std::string &path, bool valid, std::uint64_t &generation)
{
	Result<OpenLog> opened = open_log(path, Device::Access::write);
	if (!opened)
		return opened.error();
	auto &[log, super] = *opened;
	if (generation && super.generation != generation)
		return done();
	super.flags = valid ? super.flags | JFMT_SUPER_FP : super.flags & ~JFMT_SUPER_FP;
	const Result<> result = log.write_super(super);
	generation = super.generation;
	return result;
}

Result<> open_volume(const Words &words)
{
	Result<> result = check_name(words.name);
	if (result && !words.dry_run)
		result = need_root("open");
	if (!result)
		return result;
	const Result<Options> options = words.table.parse();
	if (!options)
		return options.error();
	const Result<Judged> judged = judge(words, *options);
	if (!judged)
		return judged.error();
	if (words.dry_run) {
		fmt::print("{}", judged->plan.text());
		return done();
	}
	result = check_unused(words.name);
	if (result)
		result = ensure_targets();
	std::uint64_t generation = 0;
	if (result && judged->forks)
		result = set_fingerprint(words.log, false, generation);
	if (result)
		result = activate(judged->plan);
	/* the next one that tries is to be warned as well */
	if (!result && generation) {
		const Result<> recalled = set_fingerprint(words.log, true, generation);
		if (!recalled)
			warn(fmt::format("{}: {}; the next 'jbdctl open' replays it over {} without a word", words.log,
					 recalled.error().text, words.home));
	}
	if (!result)
		return result;
	const Result<Volume> volume = find_volume(words.name);
	if (!volume)
		return volume.error();
	fmt::print("/dev/mapper/{} is open: {} on {}; the log {} holds {} that the home has not got yet.\n", words.name,
		   format_sectors(volume->table.sectors), words.home, words.log, format_sectors(volume->status.dirty));
	return done();
}

} // namespace

void add_open(const Command &app)
{
	const auto words = std::make_shared<Words>();
	const Command open = app.add("open", "Open a volume; after a crash this recovers it from the log");

	required({open.argument("NAME", words->name, "The volume appears as /dev/mapper/NAME"),
		  open.argument("HOME", words->home, "The device with the data"),
		  open.argument("LOG", words->log, "The device with the log")});
	words->table.add_to(open);
	open.flag("--ignore-fork", words->ignore_fork, "Recover even over a home that was written elsewhere meanwhile");
	open.flag("--dry-run", words->dry_run, "Check both devices and print the tables, load nothing");
	open.example("jbdctl open srv /dev/sdb /dev/nvme0n1p3\nmount /dev/mapper/srv /srv");
	open.does([=] { return open_volume(*words); });
}

} // namespace jbd

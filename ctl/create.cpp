// SPDX-License-Identifier: GPL-2.0-only
//
// jbdctl create: make a log, and an intent device if one is wished, and open the volume.
//
// Always true: the home is never written, so what is on it stays as it is. Log and
// intent device are written only after both were found to hold nothing, or by --force;
// the log last, because it names the intent device.
// A crash leaves a log without a valid superblock, or an empty log; `jbdctl open` takes it from there.
#include <fmt/core.h>

#include <algorithm>
#include <cstring>

#include "format_intent.h"
#include "format_log.h"
#include "image.h"
#include "intent.h"
#include "modules.h"
#include "signature.h"
#include "sysfs.h"
#include "units.h"
#include "verbs.h"
#include "verify.h"
#include "volume.h"

namespace jbd {

namespace {

struct Words {
	std::string name, home, log, unit, label, record_kib;
	TableWords table;
	bool force = false, dry_run = false, no_open = false;
};

constexpr std::size_t label_most = sizeof(jsuper::label) - 1;	/* bytes */
const std::string force_hint = "If nothing on it is needed any more, use --force.";

// What an old log on the device would lose; "" if nothing.
Result<std::string> old_log(const Log &log)
{
	const Result<jsuper> super = log.super();

	if (!super)
		return std::string("a log whose superblocks cannot be used");
	if (super->flags & JFMT_SUPER_RETIRED)
		return std::string();
	Progress progress(log.path(), 0, true);
	const Result<Verdict> verdict = verify(log, *super, false, progress);
	if (!verdict)
		return verdict.error();
	if (!verdict->records && !verdict->damage)
		return std::string();
	return fmt::format("the log of volume '{}' ({}) with {} of data in {} records that its home may not have{}",
			   super->label, uuid_text(super->uuid), format_sectors(verdict->payload_sectors),
			   verdict->records, verdict->damage ? ", and damage behind them" : "");
}

// What would be lost with the intent device: a log is bound to it until `jbdctl remove` wipes it.
Result<std::string> old_intent(const Intent &intent)
{
	const Result<isuper> super = intent.super();

	if (!super)
		return std::string("an intent device whose superblocks cannot be used");
	const Result<std::optional<icommit>> pending = intent.pending(*super);
	if (!pending)
		return pending.error();
	if (!*pending)
		return fmt::format("the intent device {}, without which the log that is bound to it is not opened any more",
				   uuid_text(super->uuid));
	return fmt::format("the intent device {} with batch {} of {}, which its home may have in part only",
			   uuid_text(super->uuid), (*pending)->batch, format_sectors((*pending)->payload_len));
}

// @log: the device, whatever it is to become.
Result<> check_free(const Log &log)
{
	const Intent intent(log.device());

	if (log.is_log()) {
		const Result<std::string> content = old_log(log);
		if (!content)
			return content.error();
		if (content->empty())
			return done();
		return Error{Exit::busy, fmt::format("{} holds {}", log.path(), *content),
			     "Open that volume, or replay the log by 'jbdctl recover'. " + force_hint};
	}
	if (intent.is_intent()) {
		const Result<std::string> content = old_intent(intent);
		if (!content)
			return content.error();
		return Error{Exit::busy, fmt::format("{} holds {}", log.path(), *content),
			     "Open that volume; 'jbdctl recover' applies a batch, 'jbdctl remove' frees the device. " + force_hint};
	}
	const Result<std::string> signature = find_signature(log.device());
	if (!signature)
		return signature.error();
	if (signature->empty())
		return done();
	return Error{Exit::busy, fmt::format("{} holds {}", log.path(), *signature),
		     "Are the devices in the right places? " + force_hint};
}

Result<> check_home(const Device &home, const Device &log)
{
	std::uint8_t magic[sector_size];

	if (home.shares_disk_with(log))
		warn(fmt::format("{} and {} are on the same disk, so the log is no faster than the home", home.path(),
				 log.path()));
	const Result<> read = home.read(0, magic, 1);
	if (!read)
		return read;
	if (!std::memcmp(magic, IFMT_SUPER_MAGIC, sizeof(IFMT_SUPER_MAGIC) - 1))
		return Error{Exit::device, fmt::format("the home {} is itself an intent device", home.path()),
			     fmt::format("Are the devices in the right places? If it is meant so, "
					 "'dd if=/dev/zero of={} bs=1M count=1' makes it a home like any other.", home.path())};
	if (!std::memcmp(magic, JFMT_SUPER_MAGIC, sizeof(JFMT_SUPER_MAGIC) - 1))
		return Error{Exit::device, fmt::format("the home {} is itself a journal log", home.path()),
			     fmt::format("Are HOME and LOG the right way round? If it is meant so, "
					 "'dd if=/dev/zero of={} bs=1M count=1' makes it a home like any other.", home.path())};
	return done();
}

Result<> check_usable(const Device &device, const Words &words)
{
	if (device.is_block() || words.no_open || words.dry_run)
		return done();
	return Error{Exit::device, fmt::format("{} is an image file, not a block device", device.path()),
		     "Use --no-open to only make a log, or a device made by losetup."};
}

// An intent device that is not written yet.
struct NewIntent {
	Log device;		// may be a log now
	isuper super;
};

Result<std::optional<NewIntent>> prepare_intent(const Words &words, const Device &home, const Device &log)
{
	const std::string &path = words.table.intent;

	if (path.empty())
		return std::optional<NewIntent>();
	for (const std::string &other : {words.home, words.log}) {
		const Result<> distinct = check_distinct(other, path);
		if (!distinct)
			return distinct.error();
	}
	Result<Device> device = Device::open(path, words.dry_run ? Device::Access::read : Device::Access::write);
	if (!device)
		return device.error();
	const Result<> usable = check_usable(*device, words);
	if (!usable)
		return usable.error();
	if (!words.force && device->shares_disk_with(log))
		return Error{Exit::device, fmt::format("the intent device {} is on the disk of the log {}", path, words.log),
			     "It is to survive the log, so it belongs on another disk, best the home's. --force takes it all the same."};
	const Result<isuper> super = new_intent(*device, home);
	if (!super)
		return super.error();
	NewIntent made{Log(std::move(*device)), *super};
	if (!words.force) {
		const Result<> free = check_free(made.device);
		if (!free)
			return free.error();
	}
	return std::optional<NewIntent>(std::move(made));
}

struct Made {
	jsuper super;
	std::optional<isuper> intent;
	Plan plan;
};

// All checks, then intent device and log. The devices are released when it returns, for the kernel to take them.
Result<Made> make(const Words &words, Options options)
{
	LogWish wish{};
	if (!words.record_kib.empty()) {
		const Result<std::uint64_t> kib = parse_number(words.record_kib);
		if (!kib)
			return kib.error();
		wish.record_kib = *kib;
	}
	if (words.label.size() > label_most)
		return Error{Exit::usage, fmt::format("the label has {} bytes", words.label.size()),
			     fmt::format("It may have {}.", label_most)};
	if (!words.unit.empty()) {
		const Result<std::uint64_t> unit = parse_size(words.unit);
		if (!unit)
			return unit.error();
		wish.unit = *unit;
	}
	Result<> result = check_distinct(words.home, words.log);
	if (!result)
		return result.error();
	Result<Device> home = Device::open(words.home, Device::Access::read);
	if (!home)
		return home.error();
	Result<Device> device = Device::open(words.log, words.dry_run ? Device::Access::read : Device::Access::write);
	if (!device)
		return device.error();
	for (const Device *each : {&*home, &*device}) {
		result = check_usable(*each, words);
		if (!result)
			return result.error();
	}
	result = check_home(*home, *device);
	if (!result)
		return result.error();
	const Result<jgeo> geo = choose_geometry(*device, *home, wish);
	if (!geo)
		return geo.error();
	const Log log(std::move(*device));
	if (!words.force) {
		result = check_free(log);
		if (!result)
			return result.error();
	}
	const Result<std::optional<NewIntent>> intent = prepare_intent(words, *home, log.device());
	if (!intent)
		return intent.error();
	result = words.table.complete(options, *geo, *intent ? &(*intent)->super.geo : nullptr,
				      *intent ? table_name((*intent)->device.device()) : "");
	if (!result)
		return result.error();
	Result<jsuper> super = new_super(*geo, words.label.empty() ? words.name : words.label,
					       home->is_block() ? device_identity(home->number()) : "");
	if (!super)
		return super.error();
	if (*intent)
		std::ranges::copy((*intent)->super.uuid, super->intent_uuid);
	if (!words.dry_run) {
		result = *intent ? write_new_intent((*intent)->device.device(), (*intent)->super) : done();
		if (result)
			result = write_new_log(log.device(), *super);
		if (!result)
			return result.error();
	}
	return Made{*super, *intent ? std::optional((*intent)->super) : std::nullopt,
		    make_plan(words.name, *super, *home, log.device(), options)};
}

std::string describe(const Words &words, const Made &made)
{
	const jgeo &geo = made.super.geo;
	std::string text = fmt::format("{}: a log of {}, records up to {}, unit {}, for a home of {}", words.log,
				       format_sectors(geo.area_len), format_sectors(geo.record_max), format_sectors(geo.unit),
				       format_sectors(geo.home_len));

	if (made.intent)
		text += fmt::format("\n{}: its intent device, for batches of up to {}", words.table.intent,
				    format_sectors(igeo_payload_max(&made.intent->geo)));
	return text;
}

Result<> create(const Words &words)
{
	const bool activates = !words.no_open && !words.dry_run;
	Result<> result = check_name(words.name);
	if (result && activates)
		result = need_root("create");
	if (!result)
		return result;
	const Result<Options> options = words.table.parse();
	if (!options)
		return options.error();
	if (activates) {
		result = check_unused(words.name);
		if (result)
			result = ensure_targets();
		if (!result)
			return result;
	}
	const Result<Made> made = make(words, *options);
	if (!made)
		return made.error();
	if (words.dry_run) {
		fmt::print("Would format {}\n{}", describe(words, *made), words.no_open ? "" : made->plan.text());
		return done();
	}
	fmt::print("Formatted {}\n", describe(words, *made));
	if (words.no_open)
		return done();
	result = activate(made->plan);
	if (!result)
		return Error{result.error().code, result.error().text,
			     fmt::format("{} The log is ready: 'jbdctl open {} {} {}{}' tries again.", result.error().hint,
					 words.name, words.home, words.log, words.table.text())};
	fmt::print("/dev/mapper/{} is open. Use it in place of {} from now on, never both.\n", words.name, words.home);
	return done();
}

} // namespace

void add_create(const Command &app)
{
	const auto words = std::make_shared<Words>();
	const Command command = app.add("create", "Make a log for a device and open the volume; the device keeps its contents");

	required({command.argument("NAME", words->name, "The volume appears as /dev/mapper/NAME"),
		  command.argument("HOME", words->home, "The device with the data; used in place, not written"),
		  command.argument("LOG", words->log, "The device for the log; what is on it is lost")});
	command.option("--unit", "SIZE", words->unit,
		       "What the log is written in multiples of (default: the log's physical block)");
	command.option("--record-kib", "KIB", words->record_kib, "The longest record, and with it the largest atomic write");
	command.option("--label", "TEXT", words->label, "A name kept in the log (default: NAME)");
	words->table.add_to(command);
	command.flag("--force", words->force, "Overwrite what is on LOG, and on the intent device");
	command.flag("--no-open", words->no_open, "Only make log and intent device; takes image files as well");
	command.flag("--dry-run", words->dry_run, "Check, and print what would be done, do nothing");
	command.example("umount /srv\n"
			"jbdctl create srv /dev/sdb /dev/nvme0n1p3\n"
			"mount /dev/mapper/srv /srv\n"
			"jbdctl create srv /dev/sdb1 /dev/nvme0n1p3 --intent /dev/sdb2");
	command.does([=] { return create(*words); });
}

} // namespace jbd

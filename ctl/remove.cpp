// SPDX-License-Identifier: GPL-2.0-only
//
// jbdctl remove: bring everything home, close the volume, retire its log and wipe its
// intent device.
//
// Always true: the log is retired only after a scan found nothing in it, and nothing in
// the intent device, that the home has not got. Ctrl-C before that leaves a working volume.
// A crash leaves the volume, or a closed one whose log is empty; both can be opened
// again. Or a retired log, and an intent device that holds nothing.
#include <fmt/core.h>

#include "hold.h"
#include "image.h"
#include "intent.h"
#include "units.h"
#include "verbs.h"
#include "verify.h"
#include "volume.h"
#include "wait.h"

namespace jbd {

namespace {

struct Words {
	std::string name, timeout;
	bool quiet = false;
};

// What to do when the volume is closed, and its log not retired.
std::string reopen(const Volume &volume)
{
	const std::optional<std::string> intent = volume.intent();

	return fmt::format("Open it again by 'jbdctl open {} {} {}{}', then try again.", volume.name, volume.home(), volume.log(),
			   intent ? " --intent " + *intent : "");
}

Result<> check_empty(const Intent &intent)
{
	const Result<isuper> super = intent.super();
	if (!super)
		return super.error();
	const Result<std::optional<icommit>> pending = intent.pending(*super);
	if (!pending)
		return pending.error();
	if (!*pending)
		return done();
	return Error{Exit::busy, fmt::format("the intent device {} holds batch {}, which the home may have in part only",
					     intent.path(), (*pending)->batch)};
}

// The intent device, if there is one, stays open.
Result<> retire(const std::string &path, const std::optional<std::string> &intent_path, const Volume &volume,
		std::optional<Device> &intent_device)
{
	if (intent_path) {
		Result<Device> opened = Device::open(*intent_path, Device::Access::write);
		if (!opened)
			return opened.error();
		intent_device = std::move(*opened);
		const Result<> empty = check_empty(Intent(*intent_device));
		if (!empty)
			return empty;
	}
	Result<OpenLog> opened = open_log(path, Device::Access::write);
	if (!opened)
		return opened.error();
	auto &[log, super] = *opened;
	Progress progress(path, 0, true);
	const Result<Verdict> verdict = verify(log, super, false, progress);
	if (!verdict)
		return verdict.error();
	if (verdict->damage)
		return Error{Exit::damage, fmt::format("{}: {}", path, *verdict->damage)};
	if (verdict->records)
		return Error{Exit::busy, fmt::format("{} was written while it was being removed; the log {} holds {} records",
						     volume.name, path, verdict->records)};
	super.flags = (super.flags | JFMT_SUPER_RETIRED) & ~JFMT_SUPER_RUNNING;
	return log.write_super(super);
}

Result<> remove_volume(const Words &words)
{
	Result<> result = need_root("remove");
	if (!result)
		return result;
	const Result<std::optional<std::uint64_t>> timeout = parse_timeout(words.timeout);
	if (!timeout)
		return timeout.error();
	const Result<Volume> volume = find_volume(words.name);
	if (!volume)
		return volume.error();
	result = check_not_held(words.name, volume->status);
	if (result)
		result = check_idle(words.name);
	if (!result)
		return result;
	const Result<std::uint64_t> target = request_checkpoint(words.name);
	if (!target)
		return target.error();
	result = wait_for_checkpoint(words.name, *target, *timeout, words.quiet);
	if (result)
		result = deactivate(words.name);
	if (!result)
		return result;
	std::optional<Device> intent_device;
	result = retire(volume->log(), volume->intent(), *volume, intent_device);
	if (!result)
		return Error{result.error().code,
			     fmt::format("{} is closed, but its log is not retired: {}", words.name, result.error().text),
			     result.error().hint.empty() ? reopen(*volume) : result.error().hint};
	if (intent_device)
		result = Intent(*intent_device).wipe();
	if (!result)
		return Error{result.error().code,
			     fmt::format("{} is removed and its log {} is retired, but the intent device {} is not wiped: {}", words.name,
					 volume->log(), *volume->intent(), result.error().text),
			     fmt::format("{} has everything and can be used by itself; 'dd if=/dev/zero of={} bs=1M count=1' does the rest.", volume->home(),
					 *volume->intent())};
	fmt::print("{} is removed. {} has everything and can be used by itself; the log {} is retired{}.\n", words.name,
		   volume->home(), volume->log(),
		   volume->intent() ? fmt::format(", the intent device {} is wiped", *volume->intent()) : "");
	return done();
}

} // namespace

void add_remove(const Command &app)
{
	const auto words = std::make_shared<Words>();
	const Command remove = app.add("remove", "Bring everything home, close the volume and retire its log and intent device");

	required({remove.argument("NAME", words->name, "The volume")});
	remove.option("--timeout", "TIME", words->timeout, "Give up after this time; the volume works on");
	remove.flag("-q,--quiet", words->quiet, "Show no progress");
	remove.example("umount /srv\njbdctl remove srv --timeout 10m\nmount /dev/sdb /srv");
	remove.does([=] { return remove_volume(*words); });
}

} // namespace jbd

// SPDX-License-Identifier: GPL-2.0-only
//
// jbdctl rollback: return a volume to a mark.
//
// Always true: the log ends at the mark from one superblock on, a barrier in both slots, behind
// which nothing older is ever accepted again; the home is not written. It is done by
// the kernel if the volume is open, and here if it is not.
// A crash leaves the volume as it was, or at the mark.
#include <fmt/core.h>

#include <algorithm>

#include "hold.h"
#include "image.h"
#include "signals.h"
#include "verbs.h"
#include "volume.h"

namespace jbd {

namespace {

constexpr std::uint64_t sequence_jump = 1ull << 32;	/* more than may have been in flight, seen or not */

struct Words {
	std::string volume, name;
};

Error no_mark(const std::string &of, const std::string &name)
{
	return {Exit::device, fmt::format("{} has no mark {}", of, name), "'jbdctl status' and 'jbdctl log dump' show the marks."};
}

Result<> rollback_open(const Words &words, const Volume &volume)
{
	if (std::ranges::none_of(volume.status.marks, [&](const auto &mark) { return mark.name == words.name; }))
		return no_mark(words.volume, words.name);
	Result<> result = check_idle(words.volume);
	const Interruptible whole;	/* or whoever is impatient would leave it suspended */
	if (result && !volume.device.suspended)
		result = dm::suspend(words.volume);
	if (!result)
		return result;
	const Result<std::string> answer = dm::message(words.volume, "rollback " + words.name);
	result = volume.device.suspended ? done() : dm::resume(words.volume);
	if (!answer && !result)
		return Error{answer.error().code, fmt::format("{}; and {}", answer.error().text, result.error().text),
			     fmt::format("{0} is still suspended: 'dmsetup resume {0}'.", words.volume)};
	if (!answer)
		return answer.error();
	if (result)
		fmt::print("{} is what it was at the mark {}.{}\n", words.volume, words.name,
			   volume.device.suspended ? " It is still suspended." : "");
	return result;
}

// Where the log ends from now on, if the mark is in it.
Result<jscan_result> find_cut(const Log &log, const jsuper &super, const std::string &name, const jcut &cut)
{
	bool found = cut.seq == super.tail_seq && cut.crc == super.tail_crc && cut.pos.v == super.tail_pos.v;
	const jscan_result scan = log.scan(super, {
		.record = [&](const jrecord &record) {
			found |= record.seq == cut.seq && record.crc == cut.crc && record.pos.v + record.len == cut.pos.v;
			return true;
		},
	});

	if (scan.end == JSCAN_UNREADABLE)
		return os_error(-scan.error, fmt::format("{}: {}: log sector {}", log.path(), scan.why, scan.error_dev),
				"See the kernel log (dmesg) for what the device says.");
	if (scan.end != JSCAN_END || !found)
		return Error{Exit::damage, fmt::format("{} is damaged: the way to the mark {} is not whole: {} at log sector {}",
						       log.path(), name, scan.why, scan.head_dev),
			     "Nothing was written. 'jbdctl recover --release --accept-loss' replays what is before the damage."};
	return scan;
}

Result<> rollback_log(const Words &words)
{
	Result<OpenLog> opened = open_log(words.volume, Device::Access::write);
	if (!opened)
		return opened.error();
	auto &[log, super] = *opened;
	const jfmt_mark *mark = jmark_find(&super, words.name.c_str());
	if (!mark)
		return no_mark(words.volume, words.name);
	const jcut cut = jmark_cut(mark);
	const Result<jscan_result> scan = find_cut(log, super, words.name, cut);
	if (!scan)
		return scan.error();
	const std::uint64_t used = std::max<std::uint64_t>({scan->seen_seq, scan->durable_seq, super.first_new_seq});
	if (used > JFMT_SEQ_MAX - 2 * sequence_jump)
		return Error{Exit::device, fmt::format("{}: the log has used up its sequence numbers", log.path()),
			     "Use 'jbdctl recover --release', then make a new log by 'jbdctl create'."};
	super.barrier_seq = super.durable_seq = cut.seq;
	super.barrier_pos = cut.pos;
	super.barrier_crc = cut.crc;
	super.first_new_seq = used + sequence_jump;
	super.epoch = std::max<std::uint64_t>(super.epoch, scan->last_epoch) + 1;
	super.flags &= ~JFMT_SUPER_RUNNING;
	super.recoveries++;
	jmark_forget_behind(&super, cut.seq);
	// In both slots: the branch must not come back when one of them rots.
	Result<> result = log.write_super(super);
	if (result)
		result = log.write_super(super);
	if (result)
		fmt::print("{} ends at the mark {} (record {}) now; open the volume to use it.\n", log.path(), words.name, cut.seq);
	return result;
}

Result<> rollback(const Words &words)
{
	const Result<> named = check_mark_name(words.name);
	if (!named)
		return named;
	if (words.volume.find('/') != std::string::npos)
		return rollback_log(words);
	const Result<> root = need_root("rollback");
	if (!root)
		return root;
	const Result<Volume> volume = find_volume(words.volume);
	return volume ? rollback_open(words, *volume) : volume.error();
}

} // namespace

void add_rollback(const Command &app)
{
	const auto words = std::make_shared<Words>();
	const Command command = app.add("rollback", "Return a volume that nobody uses to a mark");

	required({command.argument("VOLUME", words->volume, "The volume; or, if it is closed, the device or image file with its log"),
		  command.argument("NAME", words->name, "The mark; it stays, and later ones go")});
	command.example("umount /srv\njbdctl rollback srv before-upgrade\nmount /dev/mapper/srv /srv");
	command.does([=] { return rollback(*words); });
}

} // namespace jbd

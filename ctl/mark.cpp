// SPDX-License-Identifier: GPL-2.0-only
//
// jbdctl mark: name a point of an open volume, that checkpoints do not pass.
//
// Always true: the kernel does it, in both superblocks; when this returns, the mark is durable.
// A crash leaves the mark, or none.
#include <fmt/core.h>

#include "hold.h"
#include "verbs.h"
#include "volume.h"

namespace jbd {

namespace {

struct Words {
	std::string volume, name;
	bool release = false;
};

Result<> mark(const Words &words)
{
	Result<> result = need_root("mark");
	if (result)
		result = check_mark_name(words.name);
	if (!result)
		return result;
	const Result<Volume> before = find_volume(words.volume);
	if (!before)
		return before.error();
	const Result<std::string> answer = dm::message(words.volume, (words.release ? "release " : "mark ") + words.name);
	if (!answer)
		return answer.error();
	const Result<Volume> volume = find_volume(words.volume);
	if (!volume)
		return volume.error();
	if (words.release) {
		fmt::print("{}: the mark {} is released. {}\n", words.volume, words.name, hold_text(volume->status));
		return done();
	}
	for (const JournalStatus::Mark &each : volume->status.marks)
		if (each.name == words.name)
			fmt::print("{}: the mark {} stands behind record {}. The home {} gets nothing that is written from now on, until\n"
				   "'jbdctl rollback {} {}' or 'jbdctl mark {} {} --release'.\n", words.volume, words.name, each.seq,
				   volume->home(), words.volume, words.name, words.volume, words.name);
	return done();
}

} // namespace

void add_mark(const Command &app)
{
	const auto words = std::make_shared<Words>();
	const Command command = app.add("mark", "Name the volume as it is now, to return to it by rollback");

	required({command.argument("VOLUME", words->volume, "The volume, which may be in use"),
		  command.argument("NAME", words->name, "Letters, digits, and any of . _ + -")});
	command.flag("--release", words->release, "Drop the mark: what was written since stays, and goes home");
	command.example("jbdctl mark srv before-upgrade");
	command.does([=] { return mark(*words); });
}

} // namespace jbd

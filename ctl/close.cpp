// SPDX-License-Identifier: GPL-2.0-only
//
// jbdctl close: take a volume's devices away, keep its log.
//
// Always true: what the volume acknowledged is in the log or at home before its
// device is gone, because removing it suspends it.
// A crash leaves the volume, or NAME-home alone; the same command goes on from there.
#include <fmt/core.h>

#include "verbs.h"
#include "volume.h"

namespace jbd {

static Result<> close_volume(const std::string &name)
{
	const Result<> root = need_root("close");
	if (!root)
		return root;
	const Result<Volume> volume = find_volume(name);
	if (volume && volume->status.mode == "error")
		warn(fmt::format("{}: the log {} had failed ({}): writes that were not yet durable are lost with the device",
				 name, volume->log(), volume->status.reason.value_or("unknown")));
	const Result<> closed = deactivate(name);
	if (!closed)
		return closed;
	if (!volume)
		fmt::print("{} is closed.\n", name);
	else if (volume->status.home == "clean")
		fmt::print("{} is closed. The home {} has everything.\n", name, volume->home());
	else
		fmt::print("{} is closed. The log {} holds what the home {} has not got yet.\n", name, volume->log(),
			   volume->home());
	return done();
}

void add_close(const Command &app)
{
	const auto name = std::make_shared<std::string>();
	const Command close = app.add("close", "Close a volume; the log keeps what the home has not got yet");

	required({close.argument("NAME", *name, "The volume")});
	close.example("umount /srv\njbdctl close srv");
	close.does([=] { return close_volume(*name); });
}

} // namespace jbd

// SPDX-License-Identifier: GPL-2.0-only
//
// jbdctl: from the command line to a verb, and from its result to an exit code.
//
// Always true: an error is printed once, here. Crashes leave nothing here.
#include <fcntl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <fmt/core.h>

#include <cerrno>
#include <cstdio>
#include <exception>

#include "core.h"
#include "verbs.h"

namespace {

constexpr const char *version = "1.0.0";

constexpr const char *footer =
	"Sizes and times take suffixes: 4K, 1.5G, 90s, 5m.\n"
	"\n"
	"Exit codes:\n"
	"  0  done\n"
	"  1  wrong words on the command line\n"
	"  2  permission denied\n"
	"  3  device not found, or not the right one\n"
	"  4  in use, or exists already\n"
	"  5  the log, or the intent device, is damaged\n"
	"  6  a device failed\n"
	"  7  interrupted, or the time was up; the work can be taken up again\n"
	"  8  the kernel module is missing, or refused\n"
	"\n"
	"'jbdctl VERB --help' explains a verb and gives an example.";

int report(const jbd::Error &error)
{
	std::string text = fmt::format("jbdctl: {}\n", error.text);

	if (!error.hint.empty())
		text += fmt::format("        {}\n", error.hint);
	jbd::to_stderr(text);
	return static_cast<int>(error.code);
}

// A device must not become what messages are written to.
void open_standard_streams()
{
	while (true) {
		const int fd = open("/dev/null", O_RDWR);
		if (fd > STDERR_FILENO)
			close(fd);
		if (fd < 0 || fd > STDERR_FILENO)
			return;
	}
}

jbd::Result<> flush_output()
{
	if (std::fflush(stdout) || std::ferror(stdout))
		return jbd::os_error(errno, "printing");
	return jbd::done();
}

} // namespace

int main(int argc, char **argv)
{
	open_standard_streams();
	CLI::App app("Put a write-back journal on a fast device under any block device, and manage it.", "jbdctl");
	jbd::Verb verb;

	app.set_version_flag("--version", fmt::format("jbdctl {} (log format {})", version, JFMT_VERSION));
	app.require_subcommand(0, 1);
	app.get_formatter()->column_width(26);

	const jbd::Command commands(&app, &verb);
	jbd::add_create(commands);
	jbd::add_open(commands);
	jbd::add_close(commands);
	jbd::add_remove(commands);
	jbd::add_list(commands);
	jbd::add_status(commands);
	jbd::add_checkpoint(commands);
	jbd::add_mark(commands);
	jbd::add_rollback(commands);
	const jbd::Command log = commands.add("log", "Look into a log, on a device or in an image file");
	jbd::add_log_dump(log);
	jbd::add_log_verify(log);
	log.example("jbdctl log verify /dev/nvme0n1p3");
	jbd::add_recover(commands);
	app.footer(footer);	/* last, because verbs inherit it */

	try {
		app.parse(argc, argv);
		if (!verb)
			return report({jbd::Exit::usage, "what is to be done?", "'jbdctl --help' lists the verbs."});
		const jbd::Result<> result = verb(), printed = flush_output();
		if (!result || !printed)
			return report((result ? printed : result).error());
		return 0;
	} catch (const CLI::ParseError &error) {
		const bool help = error.get_exit_code() == 0;
		app.exit(error);
		return static_cast<int>(help ? jbd::Exit::ok : jbd::Exit::usage);
	} catch (const std::exception &error) {
		return report({jbd::Exit::io, error.what(), {}});
	}
}

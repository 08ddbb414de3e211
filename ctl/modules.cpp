// SPDX-License-Identifier: GPL-2.0-only
//
// Always true: a module is asked for only if the kernel does not know its target.
// Crashes leave nothing here.
#include "modules.h"

#include <spawn.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fmt/core.h>

#include <cerrno>

#include "dm.h"
#include "fd.h"

extern char **environ;

namespace jbd {

// What modprobe printed, which is nothing if it succeeded.
static std::string modprobe(std::string module)
{
	char name[] = "modprobe";
	char *argv[] = {name, module.data(), nullptr};
	posix_spawn_file_actions_t actions;
	int ends[2], status = 0;
	std::string output;
	char buffer[512];
	pid_t pid;

	if (pipe(ends))
		return "no pipe";
	Fd from(ends[0]), to(ends[1]);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addclose(&actions, ends[0]);
	posix_spawn_file_actions_adddup2(&actions, ends[1], STDERR_FILENO);
	posix_spawn_file_actions_addclose(&actions, ends[1]);
	int error = posix_spawnp(&pid, name, &actions, nullptr, argv, environ);
	if (error == ENOENT)
		error = posix_spawn(&pid, "/sbin/modprobe", &actions, nullptr, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	to.reset();
	if (error)
		return "modprobe is not installed (package kmod)";
	for (ssize_t n; (n = read(from.get(), buffer, sizeof(buffer))) > 0;)
		output.append(buffer, static_cast<std::size_t>(n));
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFEXITED(status) && !WEXITSTATUS(status))
		return {};
	while (output.ends_with('\n'))
		output.pop_back();
	return output.empty() ? "modprobe failed" : output;
}

Result<> ensure_targets()
{
	for (const std::string target : {"checkpoint", "journal"}) {
		const std::string module = "dm-" + target;
		Result<bool> known = dm::has_target(target);
		if (!known)
			return known.error();
		if (*known)
			continue;
		const std::string said = modprobe(module);
		known = dm::has_target(target);
		if (!known)
			return known.error();
		if (*known)
			continue;
		utsname kernel;
		uname(&kernel);
		return Error{Exit::kernel, fmt::format("the kernel has no target '{}'{}", target,
						       said.empty() ? "" : ": " + said),
			     fmt::format("Build and install the module {} for kernel {} ('make install' in the sources, "
					 "or the DKMS package), then try again.", module, kernel.release)};
	}
	return done();
}

} // namespace jbd

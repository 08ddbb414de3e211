// SPDX-License-Identifier: GPL-2.0-only
//
// Always true: every errno value has one exit code. Crashes leave nothing here.
#include "result.h"

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace jbd {

static Exit exit_for(int error)
{
	switch (error) {
	case EPERM:
	case EACCES:
	case EROFS:
		return Exit::permission;
	case ENOENT:
	case ENXIO:
	case ENODEV:
	case ENOTBLK:
	case ENOTDIR:
	case EISDIR:
		return Exit::device;
	case EBUSY:
	case EEXIST:
	case ETXTBSY:
		return Exit::busy;
	case EUCLEAN:
		return Exit::damage;
	case EINTR:
		return Exit::interrupted;
	default:
		return Exit::io;
	}
}

Error os_error(int error, const std::string &what, std::string hint)
{
	if (hint.empty() && exit_for(error) == Exit::permission && error != EROFS)
		hint = "Run it as root.";
	return {exit_for(error), what + ": " + std::strerror(error), std::move(hint)};
}

void to_stderr(const std::string &text) noexcept
{
	std::fwrite(text.data(), 1, text.size(), stderr);
	std::fflush(stderr);
}

} // namespace jbd

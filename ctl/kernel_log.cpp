// SPDX-License-Identifier: GPL-2.0-only
//
// Always true: a kernel log that cannot be read is an empty one. Crashes leave nothing here.
#include "kernel_log.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string_view>

namespace jbd {

KernelLog::KernelLog() : fd_(open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC))
{
	if (fd_ && lseek(fd_.get(), 0, SEEK_END) < 0)
		fd_.reset();
}

// A read gives one line: "6,339,5140900,-;device-mapper: journal: text\n KEY=value\n"
std::string KernelLog::device_mapper()
{
	constexpr std::string_view prefix = "device-mapper: ";
	std::string lines, last;
	char buffer[8192];

	while (fd_) {
		const ssize_t n = read(fd_.get(), buffer, sizeof(buffer));
		if (n < 0 && (errno == EPIPE || errno == EINTR))
			continue;	/* EPIPE: overwritten before we read it; go on with the next */
		if (n <= 0)
			break;
		std::string_view line(buffer, static_cast<std::size_t>(n));
		line.remove_prefix(std::min(line.find(';') + 1, line.size()));
		line = line.substr(0, line.find('\n'));
		if (!line.starts_with(prefix) || line.substr(prefix.size()) == last)
			continue;
		last = line.substr(prefix.size());
		lines += (lines.empty() ? "" : "; ") + last;
	}
	return lines;
}

} // namespace jbd

// SPDX-License-Identifier: GPL-2.0-only
//
// Always true: an Fd owns its descriptor and closes it once. Crashes leave nothing here.
#ifndef JBDCTL_FD_H
#define JBDCTL_FD_H

#include <unistd.h>

#include <utility>

namespace jbd {

class Fd {
public:
	explicit Fd(int fd = -1) : fd_(fd) {}
	Fd(Fd &&other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
	Fd &operator=(Fd &&other) noexcept
	{
		std::swap(fd_, other.fd_);
		return *this;
	}
	~Fd() { reset(); }

	explicit operator bool() const { return fd_ >= 0; }
	int get() const { return fd_; }
	void reset()
	{
		if (fd_ >= 0)
			close(std::exchange(fd_, -1));
	}

private:
	int fd_;
};

} // namespace jbd

#endif

// SPDX-License-Identifier: GPL-2.0-only
//
// Ctrl-C in long work.
//
// Always true: while an Interruptible lives, SIGINT, SIGTERM and SIGHUP only set a
// flag, and what was ignored before still is; whoever works looks at it between two consistent states.
// Crashes leave nothing here.
#ifndef JBDCTL_SIGNALS_H
#define JBDCTL_SIGNALS_H

#include <csignal>

namespace jbd {

class Interruptible {
public:
	Interruptible();
	~Interruptible();
	Interruptible(const Interruptible &) = delete;
	Interruptible &operator=(const Interruptible &) = delete;

	static bool requested();
	// Sleep that a signal cuts short.
	static void pause_ms(unsigned ms);

private:
	struct sigaction before_[3];
};

} // namespace jbd

#endif

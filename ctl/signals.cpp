// SPDX-License-Identifier: GPL-2.0-only
//
// Always true: the handler does nothing but set the flag. Crashes leave nothing here.
#include "signals.h"

#include <ctime>

namespace jbd {

static constexpr int handled[] = {SIGINT, SIGTERM, SIGHUP};
static volatile std::sig_atomic_t flag;

Interruptible::Interruptible()
{
	struct sigaction action = {};

	action.sa_handler = [](int) { flag = 1; };
	for (unsigned i = 0; i < 3; i++) {
		sigaction(handled[i], &action, &before_[i]);
		if (before_[i].sa_handler == SIG_IGN)	/* nohup */
			sigaction(handled[i], &before_[i], nullptr);
	}
}

Interruptible::~Interruptible()
{
	for (unsigned i = 0; i < 3; i++)
		sigaction(handled[i], &before_[i], nullptr);
}

bool Interruptible::requested()
{
	return flag;
}

void Interruptible::pause_ms(unsigned ms)
{
	const timespec time = {ms / 1000, ms % 1000 * 1000000L};

	nanosleep(&time, nullptr);
}

} // namespace jbd

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The options of both targets that are numbers: X(key, default, least, most). Compiled into the modules and into jbdctl.
 */
#ifndef JOURNAL_OPTIONS_H
#define JOURNAL_OPTIONS_H

/* low is less than high */
#define JOURNAL_NUMBERS(X)			\
	X(staging_mib, 32, 1, 4096)		\
	X(autocommit_ms, 1000, 1, 60000)	\
	X(high, 70, 1, 99)			\
	X(low, 40, 0, 98)			\
	X(max_lag_ms, 0, 0, 86400000)		\
	X(idle_ms, 1000, 0, 86400000)		\
	X(inflight_kib, 4096, 64, 1048576)	\
	X(index_mib, 512, 4, 65536)		\
	X(batch_mib, 0, 0, 4096)

#define CHECKPOINT_NUMBERS(X)			\
	X(depth, 32, 1, 1024)			\
	X(rate_mib, 0, 0, 65536)

#endif

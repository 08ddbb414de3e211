/* SPDX-License-Identifier: GPL-2.0-only */
/* A home whose cache gets what the product's pace.c allows, and is flushed then, again and again, in virtual time. */
#ifndef PACE_HOME_H
#define PACE_HOME_H

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

struct pace_home {
	double fixed_ms;	/* a flush takes so long in any case, */
	double write_ms;	/* and so long for each write in the cache */
	bool reads;		/* somebody reads now and then */
};

struct pace_result {
	unsigned int room;	/* writes between two flushes in the end */
	unsigned int urgent;	/* the same where somebody waits for them */
};

struct pace_result pace_flushes(const struct pace_home *h);

#ifdef __cplusplus
}
#endif

#endif

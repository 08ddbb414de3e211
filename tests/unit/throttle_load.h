/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A log under more load than its home takes: the product's throttle.c in virtual time, with nothing around it but a head, a
 * tail, and a checkpoint that needs so long for a batch.
 */
#ifndef THROTTLE_LOAD_H
#define THROTTLE_LOAD_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct load {
	uint64_t area, batch;		/* sectors of log */
	uint32_t high, low;		/* percent */
	uint64_t write;			/* sectors of log that one takes */
	double writes;			/* offered, a second */
	double seconds;			/* of load */
	double (*home)(double now);	/* sectors of log a second that it takes, for the batch that starts now */
};

struct load_result {
	double longest;			/* that a write waited for the one before it, s */
	double early;			/* the same before the zone began for the first time */
	double fullest;			/* of the log, of 1 */
	uint64_t batches;
	double admitted, sent;		/* sectors of log a second, in the second half */
};

struct load_result throttle_load(const struct load *l);

#ifdef __cplusplus
}
#endif

#endif

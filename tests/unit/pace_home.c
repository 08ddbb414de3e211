// SPDX-License-Identifier: GPL-2.0-only
/*
 * Always true: time passes here only. The first flush is that of a single write, as it is behind most epochs.
 */
#include "../../dm-checkpoint/checkpoint.h"
#include "one_task.h"
#include "pace_home.h"

#define FLUSHES	40

struct pace_result pace_flushes(const struct pace_home *h)
{
	struct checkpoint c = { .depth = 32 };
	unsigned int weight = 1;
	int i;

	now_ns = 100 * NSEC_PER_SEC;
	pace_init(&c);
	for (i = 0; i < FLUSHES; i++) {
		u64 ns = (h->fixed_ms + weight * h->write_ms) * NSEC_PER_MSEC;

		if (h->reads) {
			pace_read(&c);
			pace_read_done(&c);
		}
		now_ns += ns;
		pace_flushed(&c, weight, ns);
		weight = pace_room(&c, false);
	}
	return (struct pace_result) { .room = pace_room(&c, false), .urgent = pace_room(&c, true) };
}

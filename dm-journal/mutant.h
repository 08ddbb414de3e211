/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Faults that the power-cut tests must find (tests/crash/mutants): each takes
 * away one thing that a promise rests on. Built in only by
 * make JOURNAL_MUTANT=<name>; otherwise MUTANT() is constant 0.
 */
#ifndef JBD_MUTANT_H
#define JBD_MUTANT_H

#define MUTANT_COMMIT_NO_FUA	1	/* a record stays in the log's cache */
#define MUTANT_FENCE_NO_FLUSH	2	/* a fence is answered, the home not flushed */
#define MUTANT_TAIL_EARLY	3	/* the tail passes a batch that is not at home */
#define MUTANT_NO_LINK		4	/* recovery takes any record at the right place */

#ifdef JOURNAL_MUTANT
#define MUTANT(name)	(JOURNAL_MUTANT == MUTANT_##name)
#else
#define MUTANT(name)	0
#endif

#endif

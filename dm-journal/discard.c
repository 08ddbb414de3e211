// SPDX-License-Identifier: GPL-2.0-only
/*
 * Discards and write-zeroes: ordered extents without payload.
 *
 * Always true: like a write, they have one place in the log, which decides what
 * they hide and what hides them; from their acknowledgement on the range reads
 * as zeroes from the log. At home they are carried out in their epoch.
 *
 * A crash keeps or loses them with the record that they are in.
 */
#include "journal.h"
#include "trace.h"

bool journal_discard(struct journal *j, struct bio *bio)
{
	struct jsec home = journal_home_sector(j, bio);
	enum jfmt_kind kind = bio_op(bio) == REQ_OP_DISCARD ? JFMT_DISCARD : JFMT_ZEROES;
	u32 len = bio_sectors(bio);
	struct jslot slot;
	struct jmap m;

	if (!journal_reserve(j, len, true))
		return false;
	spin_lock_irq(&j->lock);
	if (j->error || !space_take(j, home, len, kind, &slot)) {	/* D1 */
		bool failed = j->error;

		spin_unlock_irq(&j->lock);
		jindex_unreserve(j->index, len);
		if (failed)
			journal_end(bio, BLK_STS_IOERR);
		return failed;
	}
	journal_write_order(j, bio, slot.rec);
	spin_unlock_irq(&j->lock);

	m = (struct jmap) {
		.home = home, .len = len, .kind = kind, .mapped = true, .pos = slot.pos,
	};
	jindex_insert(j->index, &m);					/* D2 */
	this_cpu_inc(j->stats->discards);
	trace_journal_discard(j, home, len, slot.rec->seq);
	journal_write_end(j, bio, &slot);					/* D3 */
	return true;
}

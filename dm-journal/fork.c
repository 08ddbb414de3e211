// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The fork fingerprint.
 *
 * Always true: an entry that counts names a home sector and the crc of what the
 * home held there when the tail of the same superblock was written. What a
 * checkpoint may have put there since is in the log.
 *
 * The fixed entries are where file systems and LVM keep what they write when
 * they are used; the others follow the checkpoint around.
 */
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/string.h>

#include "fork.h"

#define FORK_FIXED	6u		/* the first entries */
#define FORK_BLOCK	8u		/* sectors; suits every home */

JFMT_ASSERT(JFORK_ENTRIES <= JFMT_FP);

/* The home sector of a fixed entry: superblocks, labels, partition tables. */
static __u64 fork_fixed(const struct jgeo *g, unsigned int i)
{
	static const __u64 place[FORK_FIXED - 1] = { 0, 1, 2, 8, 128 };

	return i < FORK_FIXED - 1 ? place[i] : g->home_len - 1;
}

static void fork_set(struct jfmt_fp *fp, __u64 sector, bool known, __u32 crc)
{
	fp->sector = cpu_to_le64(sector);
	fp->crc = cpu_to_le32(known ? crc : 0);
	fp->valid = cpu_to_le32(known);
}

void jfork_note(struct jsuper *sb, __u64 sector, bool known, __u32 crc)
{
	bool found = false;
	unsigned int i;

	for (i = 0; i < JFORK_ENTRIES; i++) {
		if (le64_to_cpu(sb->fp[i].sector) != sector ||
		    (i >= FORK_FIXED && !le32_to_cpu(sb->fp[i].valid)))
			continue;
		fork_set(&sb->fp[i], sector, known, crc);
		found = true;
	}
	i = FORK_FIXED + (__u32)sb->generation % (JFORK_ENTRIES - FORK_FIXED);
	if (!found)
		fork_set(&sb->fp[i], sector, known, crc);
}

struct fork {
	const struct jfork_ops	*ops;
	void			*ctx;
	const struct jsuper	*sb;
	__u8			*block;		/* FORK_BLOCK sectors */
	__u64			block_at;	/* home sector that it starts with */
	bool			block_read;
	struct {
		__u64	sector;
		__u32	crc;		/* of what the home holds */
		bool	readable;
		bool	changed;	/* not what was recorded, nor found in the log yet */
		bool	explained;	/* not what was recorded, but what the log has */
	} entry[JFORK_ENTRIES];
	unsigned int		changed;
};

static bool fork_read_home(struct fork *f, __u64 sector, __u32 *crc)
{
	__u64 at = sector & ~(__u64)(FORK_BLOCK - 1), left = f->sb->geo.home_len - at;
	__u32 n = left < FORK_BLOCK ? left : FORK_BLOCK;

	if (!f->block_read || f->block_at != at) {
		f->block_read = !f->ops->read_home(f->ctx, at, f->block, n);
		f->block_at = at;
		if (!f->block_read)
			return false;
	}
	*crc = jpayload_crc(0, f->block + (sector - at) * JFMT_SECTOR, JFMT_SECTOR);
	return true;
}

static int fork_read_log(void *ctx, __u64 sector, void *buf, __u32 sectors)
{
	struct fork *f = ctx;

	return f->ops->read_log(f->ctx, sector, buf, sectors);
}

static int fork_record(void *ctx, const struct jrecord *rec)
{
	return 0;
}

/* Is what the home holds at entry @i what this extent put there? */
static bool fork_is_from(struct fork *f, unsigned int i, const struct jextent *x)
{
	const struct jgeo *g = &f->sb->geo;
	__u64 at;
	__u32 skip;

	if (x->kind == JFMT_DISCARD)
		return true;
	if (x->kind == JFMT_ZEROES) {
		memset(f->block, 0, JFMT_SECTOR);
		return jpayload_crc(0, f->block, JFMT_SECTOR) == f->entry[i].crc;
	}
	at = jring_dev(g, jpos_add(x->pos, f->entry[i].sector - x->home.v));
	skip = (__u32)(at - g->area_start) & (g->unit - 1);
	if (f->ops->read_log(f->ctx, at - skip, f->block, g->unit))
		return false;
	return jpayload_crc(0, f->block + skip * JFMT_SECTOR, JFMT_SECTOR) == f->entry[i].crc;
}

static int fork_extent(void *ctx, const struct jrecord *rec, const struct jextent *x)
{
	struct fork *f = ctx;
	unsigned int i;

	for (i = 0; i < JFORK_ENTRIES; i++) {
		if (!f->entry[i].changed || f->entry[i].sector < x->home.v ||
		    f->entry[i].sector >= x->home.v + x->len || !fork_is_from(f, i, x))
			continue;
		f->entry[i].changed = false;
		f->entry[i].explained = true;
		f->changed--;
	}
	return 0;
}

int jfork_check(struct jsuper *sb, const struct jfork_ops *ops, void *ctx, void *buf,
		__u32 buf_sectors, __u64 *sector)
{
	static const struct jscan_ops scan_ops = {
		.read = fork_read_log, .record = fork_record, .extent = fork_extent,
	};
	struct fork f = { .ops = ops, .ctx = ctx, .sb = sb, .block = buf };
	struct jscan_result res;
	unsigned int i;

	for (i = 0; i < JFORK_ENTRIES; i++) {
		const struct jfmt_fp *fp = &sb->fp[i];
		bool known = (sb->flags & JFMT_SUPER_FP) && le32_to_cpu(fp->valid) == 1;
		__u64 at = i < FORK_FIXED ? fork_fixed(&sb->geo, i) : le64_to_cpu(fp->sector);

		if ((i >= FORK_FIXED && !known) || at >= sb->geo.home_len)
			continue;
		f.entry[i].sector = at;
		f.entry[i].readable = fork_read_home(&f, at, &f.entry[i].crc);
		f.entry[i].changed = known && f.entry[i].readable &&
				     le64_to_cpu(fp->sector) == at &&
				     le32_to_cpu(fp->crc) != f.entry[i].crc;
		f.changed += f.entry[i].changed;
	}
	if (f.changed) {
		jscan(sb, &scan_ops, &f, f.block + FORK_BLOCK * JFMT_SECTOR,
		      buf_sectors - FORK_BLOCK, 0, &res);
		/*
		 * A log without records does no harm. Damage is for others to report, and may be given up
		 * then; what lies behind it may have put something there, if it may be at home at all.
		 */
		if (f.changed && res.records &&
		    (res.end == JSCAN_END ||
		     (res.end == JSCAN_DAMAGE && res.last_seq >= sb->ckpt_to_seq))) {
			for (i = 0; !f.entry[i].changed; i++)
				;
			*sector = f.entry[i].sector;
			return -ESTALE;
		}
	}
	/* what the log explains may lie in the home's cache, and the recorded contents come back */
	for (i = 0; i < JFORK_ENTRIES; i++)
		if (!f.entry[i].explained)
			fork_set(&sb->fp[i], f.entry[i].sector, f.entry[i].readable,
				 f.entry[i].crc);
	sb->flags |= JFMT_SUPER_FP;
	return 0;
}

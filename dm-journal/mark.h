/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Hold and marks, as the superblock has them. Pure: no I/O, no state.
 *
 * A mark is a named cut behind a record. Checkpoints may reach it and not pass it,
 * so the home is always at or before every mark, and the log can go back to it.
 * A hold lets no checkpoint go on at all.
 */
#ifndef JBD_MARK_H
#define JBD_MARK_H

#include "scan.h"

/* The longest name, which leaves room for a NUL. */
#define JMARK_NAME_MAX	(sizeof(((struct jfmt_mark *)0)->name) - 1)

/* Where a chain may end: a record, and its end. */
struct jcut {
	__u64		seq;
	__u32		crc;
	struct jpos	pos;
};

/* 1 to JMARK_NAME_MAX letters, digits, and any of . _ + - */
bool jmark_name_ok(const char *name);
/* The slot that is in use under this name, or NULL. */
const struct jfmt_mark *jmark_find(const struct jsuper *sb, const char *name);
struct jcut jmark_cut(const struct jfmt_mark *m);
/* Does the superblock hold checkpoints back? */
bool jmark_any(const struct jsuper *sb);
/* No batch may end behind this position. */
struct jpos jmark_limit(const struct jsuper *sb);

/* These change @sb only. 0, -EINVAL: not a name; -EEXIST; -ENOSPC: no slot is free. */
int jmark_set(struct jsuper *sb, const char *name, const struct jcut *cut, __u64 time_ms);
void jmark_hold(struct jsuper *sb);
/* Drop the mark, or with NULL the hold and all marks. -ENOENT: there is no such mark. */
int jmark_release(struct jsuper *sb, const char *name);
/* Record @seq is the last one: what names a later one is dropped. */
void jmark_forget_behind(struct jsuper *sb, __u64 seq);

#endif

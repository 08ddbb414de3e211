// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Hold and marks, as the superblock has them.
 *
 * Always true: JFMT_RO_COMPAT_HOLD is set exactly while something holds
 * checkpoints back, so whoever does not know of marks does not write to the log.
 *
 * A crash here leaves nothing: no I/O, no state.
 */
#include <linux/types.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/string.h>

#include "mark.h"

static bool used(const struct jfmt_mark *m)
{
	return m->name[0];
}

bool jmark_name_ok(const char *name)
{
	unsigned int n;

	for (n = 0; name[n]; n++) {
		char c = name[n];

		if (n == JMARK_NAME_MAX ||
		    !((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		      c == '.' || c == '_' || c == '+' || c == '-'))
			return false;
	}
	return n;
}

const struct jfmt_mark *jmark_find(const struct jsuper *sb, const char *name)
{
	unsigned int i;

	for (i = 0; jmark_name_ok(name) && i < JFMT_MARKS; i++)
		if (!strncmp((const char *)sb->mark[i].name, name, sizeof(sb->mark[i].name)))
			return &sb->mark[i];
	return NULL;
}

struct jcut jmark_cut(const struct jfmt_mark *m)
{
	struct jcut cut = {
		.seq = le64_to_cpu(m->seq), .crc = le32_to_cpu(m->crc),
		.pos = jpos(le64_to_cpu(m->pos)),
	};

	return cut;
}

bool jmark_any(const struct jsuper *sb)
{
	return jmark_limit(sb).v != ~0ull;
}

struct jpos jmark_limit(const struct jsuper *sb)
{
	struct jpos limit = jpos(sb->flags & JFMT_SUPER_HELD ? 0 : ~0ull);
	unsigned int i;

	for (i = 0; i < JFMT_MARKS; i++)
		if (used(&sb->mark[i]) && le64_to_cpu(sb->mark[i].pos) < limit.v)
			limit = jpos(le64_to_cpu(sb->mark[i].pos));
	return limit;
}

static void set_feature(struct jsuper *sb)
{
	if (jmark_any(sb))
		sb->ro_compat |= JFMT_RO_COMPAT_HOLD;
	else
		sb->ro_compat &= ~JFMT_RO_COMPAT_HOLD;
}

int jmark_set(struct jsuper *sb, const char *name, const struct jcut *cut, __u64 time_ms)
{
	struct jfmt_mark *m = sb->mark;

	if (!jmark_name_ok(name))
		return -EINVAL;
	if (jmark_find(sb, name))
		return -EEXIST;
	while (used(m))
		if (++m == sb->mark + JFMT_MARKS)
			return -ENOSPC;
	memset(m, 0, sizeof(*m));
	memcpy(m->name, name, strlen(name));
	m->seq = cpu_to_le64(cut->seq);
	m->pos = cpu_to_le64(cut->pos.v);
	m->crc = cpu_to_le32(cut->crc);
	m->time_ms = cpu_to_le64(time_ms);
	set_feature(sb);
	return 0;
}

void jmark_hold(struct jsuper *sb)
{
	sb->flags |= JFMT_SUPER_HELD;
	set_feature(sb);
}

int jmark_release(struct jsuper *sb, const char *name)
{
	const struct jfmt_mark *m = name ? jmark_find(sb, name) : NULL;

	if (name && !m)
		return -ENOENT;
	if (m) {
		memset(&sb->mark[m - sb->mark], 0, sizeof(*m));
	} else {
		memset(sb->mark, 0, sizeof(sb->mark));
		sb->flags &= ~JFMT_SUPER_HELD;
	}
	set_feature(sb);
	return 0;
}

void jmark_forget_behind(struct jsuper *sb, __u64 seq)
{
	unsigned int i;

	for (i = 0; i < JFMT_MARKS; i++)
		if (used(&sb->mark[i]) && le64_to_cpu(sb->mark[i].seq) > seq)
			memset(&sb->mark[i], 0, sizeof(sb->mark[i]));
	set_feature(sb);
}

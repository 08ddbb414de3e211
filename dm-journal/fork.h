/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The fork fingerprint: was the home written elsewhere since its log was used?
 * Pure: reads through callbacks, writes nothing, allocates nothing.
 *
 * It finds that out as far as it can: a file system that was mounted elsewhere
 * has written its superblock, or something that a checkpoint wrote lately.
 */
#ifndef JBD_FORK_H
#define JBD_FORK_H

#include "scan.h"

/* Entries of jsuper.fp[] that are used. */
#define JFORK_ENTRIES	16u

struct jfork_ops {
	/* read @sectors at device sector @sector into @buf; 0 or -errno */
	int (*read_log)(void *ctx, __u64 sector, void *buf, __u32 sectors);
	int (*read_home)(void *ctx, __u64 sector, void *buf, __u32 sectors);
};

/*
 * Compare the home with the fingerprint of @sb, and with what the log from its
 * tail on may have put there; then let @sb hold the fingerprint of the home as it
 * is, but for what the log explains: that may not be durable there. -ESTALE: there are records to replay, and home sector *@sector holds what
 * neither knows; 0 otherwise. A home sector that cannot be read tells nothing, nor does any when the log is damaged
 * below what the home may have got.
 * @buf: work space of @buf_sectors (at least JSCAN_BUF_MIN + 8). May sleep.
 */
int jfork_check(struct jsuper *sb, const struct jfork_ops *ops, void *ctx, void *buf,
		__u32 buf_sectors, __u64 *sector);

/*
 * The home durably holds contents with this jpayload_crc() (seed 0) at @sector, or, if not
 * @known, contents that nobody knows. A sector without an entry takes the place
 * of an older one. Any context.
 */
void jfork_note(struct jsuper *sb, __u64 sector, bool known, __u32 crc);

#endif

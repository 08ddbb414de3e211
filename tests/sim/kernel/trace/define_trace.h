/* SPDX-License-Identifier: GPL-2.0-only */
/* Everything is in linux/tracepoint.h. */

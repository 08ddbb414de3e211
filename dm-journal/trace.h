/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tracepoints. The step of docs/paths.md that each stands for is the first
 * word of its output: perf trace -e 'journal:*', or tracefs.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM journal

#if !defined(JOURNAL_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define JOURNAL_TRACE_H

#include <linux/tracepoint.h>

#define jtrace_dev(j)	disk_devt(dm_disk((j)->md))

DECLARE_EVENT_CLASS(journal_range,
	TP_PROTO(struct journal *j, struct jsec home, u32 len, u64 seq),
	TP_ARGS(j, home, len, seq),
	TP_STRUCT__entry(
		__field(dev_t, dev)
		__field(u64, home)
		__field(u32, len)
		__field(u64, seq)
	),
	TP_fast_assign(
		__entry->dev = jtrace_dev(j);
		__entry->home = home.v;
		__entry->len = len;
		__entry->seq = seq;
	),
	TP_printk("%d:%d sector %llu + %u record %llu", MAJOR(__entry->dev),
		  MINOR(__entry->dev), __entry->home, __entry->len, __entry->seq)
);

/* W5: in the index, before it is acknowledged */
DEFINE_EVENT(journal_range, journal_write,
	TP_PROTO(struct journal *j, struct jsec home, u32 len, u64 seq),
	TP_ARGS(j, home, len, seq));

/* D2 */
DEFINE_EVENT(journal_range, journal_discard,
	TP_PROTO(struct journal *j, struct jsec home, u32 len, u64 seq),
	TP_ARGS(j, home, len, seq));

/* W3: no room now */
TRACE_EVENT(journal_defer,
	TP_PROTO(struct journal *j, struct bio *bio),
	TP_ARGS(j, bio),
	TP_STRUCT__entry(
		__field(dev_t, dev)
		__field(u64, sector)
		__field(u32, len)
	),
	TP_fast_assign(
		__entry->dev = jtrace_dev(j);
		__entry->sector = bio->bi_iter.bi_sector;
		__entry->len = bio_sectors(bio);
	),
	TP_printk("%d:%d sector %llu + %u", MAJOR(__entry->dev), MINOR(__entry->dev),
		  __entry->sector, __entry->len)
);

/* C1 */
TRACE_EVENT(journal_flush,
	TP_PROTO(struct journal *j, u64 target, u64 durable),
	TP_ARGS(j, target, durable),
	TP_STRUCT__entry(
		__field(dev_t, dev)
		__field(u64, target)
		__field(u64, durable)
	),
	TP_fast_assign(
		__entry->dev = jtrace_dev(j);
		__entry->target = target;
		__entry->durable = durable;
	),
	TP_printk("%d:%d waits for record %llu, durable %llu", MAJOR(__entry->dev),
		  MINOR(__entry->dev), __entry->target, __entry->durable)
);

DECLARE_EVENT_CLASS(journal_log,
	TP_PROTO(struct journal *j, u64 seq, struct jpos pos, u64 n),
	TP_ARGS(j, seq, pos, n),
	TP_STRUCT__entry(
		__field(dev_t, dev)
		__field(u64, seq)
		__field(u64, pos)
		__field(u64, n)
	),
	TP_fast_assign(
		__entry->dev = jtrace_dev(j);
		__entry->seq = seq;
		__entry->pos = pos.v;
		__entry->n = n;
	),
	TP_printk("%d:%d record %llu position %llu n %llu", MAJOR(__entry->dev),
		  MINOR(__entry->dev), __entry->seq, __entry->pos, __entry->n)
);

/* C4: n is the sectors written */
DEFINE_EVENT(journal_log, journal_commit,
	TP_PROTO(struct journal *j, u64 seq, struct jpos pos, u64 n),
	TP_ARGS(j, seq, pos, n));

/* C5: the last durable record and its end; n is the commits in flight */
DEFINE_EVENT(journal_log, journal_durable,
	TP_PROTO(struct journal *j, u64 seq, struct jpos pos, u64 n),
	TP_ARGS(j, seq, pos, n));

/* K1: the last record of a batch and its end; n is the sectors of log in it */
DEFINE_EVENT(journal_log, journal_batch,
	TP_PROTO(struct journal *j, u64 seq, struct jpos pos, u64 n),
	TP_ARGS(j, seq, pos, n));

/* K7: the tail; n is the sectors of log freed */
DEFINE_EVENT(journal_log, journal_tail,
	TP_PROTO(struct journal *j, u64 seq, struct jpos pos, u64 n),
	TP_ARGS(j, seq, pos, n));

/* H3: the record that a mark stands behind and its end; n: 0, or the error */
DEFINE_EVENT(journal_log, journal_mark,
	TP_PROTO(struct journal *j, u64 seq, struct jpos pos, u64 n),
	TP_ARGS(j, seq, pos, n));

/* H5: the last record kept and its end; n is the records given up */
DEFINE_EVENT(journal_log, journal_rollback,
	TP_PROTO(struct journal *j, u64 seq, struct jpos pos, u64 n),
	TP_ARGS(j, seq, pos, n));

/* V5: the last record accepted and its end; n is the records found */
DEFINE_EVENT(journal_log, journal_recover,
	TP_PROTO(struct journal *j, u64 seq, struct jpos pos, u64 n),
	TP_ARGS(j, seq, pos, n));

DECLARE_EVENT_CLASS(journal_map,
	TP_PROTO(struct journal *j, const struct jmap *m),
	TP_ARGS(j, m),
	TP_STRUCT__entry(
		__field(dev_t, dev)
		__field(u64, home)
		__field(u32, len)
		__field(bool, mapped)
		__field(int, kind)
		__field(u64, pos)
	),
	TP_fast_assign(
		__entry->dev = jtrace_dev(j);
		__entry->home = m->home.v;
		__entry->len = m->len;
		__entry->mapped = m->mapped;
		__entry->kind = m->mapped ? m->kind : 0;
		__entry->pos = m->mapped ? m->pos.v : 0;
	),
	TP_printk("%d:%d sector %llu + %u %s kind %d position %llu", MAJOR(__entry->dev),
		  MINOR(__entry->dev), __entry->home, __entry->len,
		  __entry->mapped ? "log" : "home", __entry->kind, __entry->pos)
);

/* R1 */
DEFINE_EVENT(journal_map, journal_read,
	TP_PROTO(struct journal *j, const struct jmap *m),
	TP_ARGS(j, m));

/* K3 */
DEFINE_EVENT(journal_map, journal_home,
	TP_PROTO(struct journal *j, const struct jmap *m),
	TP_ARGS(j, m));

#endif

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH dm-journal
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>

// SPDX-License-Identifier: GPL-2.0-only
/*
 * The device-mapper face of the journal: tables, bios, status, messages.
 *
 * Always true: map() copies, looks up and queues, and never waits; a bio that
 * needs more is taken over (DM_MAPIO_SUBMITTED) and served from a completion.
 */
#include <linux/module.h>

#include "compat.h"
#include "journal.h"
#include "options.h"

#define CREATE_TRACE_POINTS
#include "trace.h"

static const struct journal_opts journal_defaults = {
#define DEFAULT(name, value, min, max) .name = value,
	JOURNAL_NUMBERS(DEFAULT)
#undef DEFAULT
};

static const struct {
	const char	*key;
	size_t		offset;
	unsigned int	min, max;
} journal_keys[] = {
#define KEY(name, value, min, max) { #name, offsetof(struct journal_opts, name), min, max },
	JOURNAL_NUMBERS(KEY)
#undef KEY
};

/* The options whose value is one of two words. */
static const struct {
	const char	*key;
	size_t		offset;		/* of a bool: it is the second */
	const char	*word[2];
} journal_words[] = {
	{ "flush", offsetof(struct journal_opts, flush_home), { "log", "home" } },
	{ "on_hold_full", offsetof(struct journal_opts, full_error), { "release", "error" } },
};

/* journal_opts.set */
#define OPT_WORD(i)	BIT(i)
#define OPT_KEY(i)	BIT(ARRAY_SIZE(journal_words) + (i))

static unsigned int *journal_opt(struct journal_opts *o, unsigned int i)
{
	return (unsigned int *)((char *)o + journal_keys[i].offset);
}

static bool *journal_word(struct journal_opts *o, unsigned int i)
{
	return (bool *)((char *)o + journal_words[i].offset);
}

static int journal_parse_pair(struct dm_target *ti, struct journal_opts *o, const char *key,
			      const char *value)
{
	unsigned int i, v;

	for (i = 0; i < ARRAY_SIZE(journal_words); i++) {
		bool second = !strcasecmp(value, journal_words[i].word[1]);

		if (strcasecmp(key, journal_words[i].key))
			continue;
		if (!second && strcasecmp(value, journal_words[i].word[0])) {
			DMERR("%s: %s must be %s or %s, not %s", dm_table_device_name(ti->table),
			      key, journal_words[i].word[0], journal_words[i].word[1], value);
			ti->error = "Unknown option value";
			return -EINVAL;
		}
		*journal_word(o, i) = second;
		o->set |= OPT_WORD(i);
		return 0;
	}
	for (i = 0; i < ARRAY_SIZE(journal_keys); i++) {
		if (strcasecmp(key, journal_keys[i].key))
			continue;
		if (kstrtouint(value, 10, &v) || v < journal_keys[i].min ||
		    v > journal_keys[i].max) {
			DMERR("%s: %s must be a number from %u to %u, not %s",
			      dm_table_device_name(ti->table), key, journal_keys[i].min,
			      journal_keys[i].max, value);
			ti->error = "Option value out of range";
			return -EINVAL;
		}
		*journal_opt(o, i) = v;
		o->set |= OPT_KEY(i);
		return 0;
	}
	DMERR("%s: unknown option %s", dm_table_device_name(ti->table), key);
	ti->error = "Unknown option";
	return -EINVAL;
}

static int journal_parse(struct dm_target *ti, struct journal_opts *o, struct dm_arg_set *as)
{
	static const struct dm_arg counts[] = {
		{ 0, 2 * (ARRAY_SIZE(journal_keys) + ARRAY_SIZE(journal_words)),
		  "Invalid number of option words" },
	};
	unsigned int n;
	int r;

	*o = journal_defaults;
	if (!as->argc)
		return 0;
	r = dm_read_arg_group(counts, as, &n, &ti->error);
	if (r)
		return r;
	if (n != as->argc || n % 2) {
		ti->error = "The number of option words does not match the words that follow";
		return -EINVAL;
	}
	while (as->argc) {
		const char *key = dm_shift_arg(as);

		r = journal_parse_pair(ti, o, key, dm_shift_arg(as));
		if (r)
			return r;
	}
	if (o->low >= o->high) {
		ti->error = "low must be less than high";
		return -EINVAL;
	}
	return 0;
}

static int journal_get_devices(struct dm_target *ti, struct journal_table *t,
			       struct dm_arg_set *as)
{
	int r = dm_get_device(ti, dm_shift_arg(as), dm_table_get_mode(ti->table), &t->home);

	if (r) {
		ti->error = "Cannot open the checkpoint device";
		return r;
	}
	r = dm_get_device(ti, dm_shift_arg(as), dm_table_get_mode(ti->table), &t->log);
	if (r) {
		ti->error = "Cannot open the log device";
		return r;
	}
	if (t->home->bdev == t->log->bdev) {
		ti->error = "The log and the checkpoint device are the same";
		return -EINVAL;
	}
	if (ti->begin || ti->len > bdev_nr_sectors(t->home->bdev)) {
		ti->error = "The table must start at 0 and fit in the checkpoint device";
		return -EINVAL;
	}
	if (!bdev_write_cache(t->home->bdev)) {
		ti->error = "The checkpoint device takes no flushes: it must be a checkpoint target, its write_cache not switched off";
		return -EINVAL;
	}
	return 0;
}

static void journal_dtr(struct dm_target *ti)
{
	struct journal_table *t = ti->private;

	if (t->j)
		journal_put(t->j);
	if (t->log)
		dm_put_device(ti, t->log);
	if (t->home)
		dm_put_device(ti, t->home);
	kfree(t);
}

static int journal_ctr(struct dm_target *ti, unsigned int argc, char **argv)
{
	struct dm_arg_set as = { .argc = argc, .argv = argv };
	struct journal_table *t;
	int r;

	if (argc < 2) {
		ti->error = "Needs a checkpoint device and a log device";
		return -EINVAL;
	}
	t = kzalloc(sizeof(*t), GFP_KERNEL);
	if (!t) {
		ti->error = "Out of memory";
		return -ENOMEM;
	}
	ti->private = t;
	r = journal_get_devices(ti, t, &as);
	if (!r)
		r = journal_parse(ti, &t->opts, &as);
	if (!r)
		r = journal_get(ti, t);
	if (r) {
		journal_dtr(ti);
		return r;
	}
	ti->per_io_data_size = sizeof(struct jbio);
	ti->num_flush_bios = 1;
	ti->flush_supported = true;
	ti->num_discard_bios = 1;
	ti->discards_supported = true;
	/* a record without payload must not be more in a batch than an intent device has room for */
	ti->num_write_zeroes_bios = !t->opts.batch_mib || bdev_write_zeroes_sectors(t->home->bdev);
	ti->limit_swap_bios = true;
	return 0;
}

static int journal_map(struct dm_target *ti, struct bio *bio)
{
	struct journal *j = ((struct journal_table *)ti->private)->j;
	struct jbio *b = jbio_of(bio);

	b->j = j;
	b->pin = -1;
	b->remapped = false;
	if (READ_ONCE(j->last_io) != jiffies)
		WRITE_ONCE(j->last_io, jiffies);

	if (bio->bi_opf & REQ_PREFLUSH) {
		journal_flush(j, bio);
		return DM_MAPIO_SUBMITTED;
	}
	switch (bio_op(bio)) {
	case REQ_OP_READ:
		return journal_read(j, bio);
	case REQ_OP_WRITE:
		journal_write(j, bio);
		return DM_MAPIO_SUBMITTED;
	case REQ_OP_DISCARD:
	case REQ_OP_WRITE_ZEROES:
		if (bio_sectors(bio) > JFMT_NOPAYLOAD_MAX)
			dm_accept_partial_bio(bio, JFMT_NOPAYLOAD_MAX);
		journal_defer(j, bio);
		return DM_MAPIO_SUBMITTED;
	default:
		return DM_MAPIO_KILL;
	}
}

static int journal_end_io(struct dm_target *ti, struct bio *bio, blk_status_t *error)
{
	/* a write, or a read that went to the home: no pin, nothing to judge */
	if (jbio_of(bio)->pin < 0)
		return DM_ENDIO_DONE;
	return journal_read_end(((struct journal_table *)ti->private)->j, bio, *error);
}

static void journal_sum_stats(struct journal *j, struct jstats *sum)
{
	u64 *to = (u64 *)sum;
	unsigned int i;
	int cpu;

	memset(sum, 0, sizeof(*sum));
	for_each_possible_cpu(cpu)
		for (i = 0; i < sizeof(*sum) / sizeof(u64); i++)
			to[i] += ((u64 *)per_cpu_ptr(j->stats, cpu))[i];
}

/* What one look under the lock shows; the rest of the status needs no consistency. */
struct journal_view {
	const char	*mode, *home, *reason;
	u64		used, tail_seq, durable_seq, head_seq, home_epoch, epoch, goal;
	u64		rate, lag_ms, reason_seq;
	u64		going, held_back, uncommitted;	/* sectors of used */
	unsigned int	deferred;
	bool		held, late;
	struct jfmt_mark mark[JFMT_MARKS];
};

/* [lock] */
static void journal_look_parts(const struct journal *j, struct journal_view *v)
{
	u64 held_from = max(j->tail.pos.v + j->pace.going, j->hold.limit.v);

	v->going = j->pace.going;
	v->held_back = j->durable.pos.v > held_from ? j->durable.pos.v - held_from : 0;
	v->uncommitted = j->head.v - j->durable.pos.v;
}

static void journal_look(struct journal *j, struct journal_view *v)
{
	spin_lock_irq(&j->lock);
	v->mode = j->error ? "error" : j->recovered ? "rw" : "new";
	if (j->ckpt_stalled)
		v->home = "stalled";
	else if (READ_ONCE(j->ckpt_running))
		v->home = "checkpointing";
	else
		v->home = j->head.v == j->tail.pos.v ? "clean" : "lagging";
	v->used = space_used(j);
	journal_look_parts(j, v);
	v->tail_seq = j->tail.seq;
	v->durable_seq = j->durable.last;
	v->head_seq = j->open ? j->open->seq : j->link_seq;
	v->home_epoch = j->tail.epoch;
	v->epoch = j->epoch;
	v->goal = journal_is_home(j, j->ckpt_goal) ? 0 : j->ckpt_goal;
	v->rate = j->rate;
	v->lag_ms = journal_lag_ms(j);
	v->late = j->late;
	v->deferred = j->nr_deferred;
	v->reason = j->reason ? j->reason : j->hold.reason;
	v->reason_seq = j->reason ? j->reason_seq : 0;
	v->held = j->hold.flags;
	memcpy(v->mark, j->hold.mark, sizeof(v->mark));
	spin_unlock_irq(&j->lock);
}

/*
 * held, mark:<name>:<seq>, ... or -; names that no message could have set are shown as ?
 * Returns the length of the line so far.
 */
static unsigned int journal_status_hold(const struct journal_view *v, char *result,
					unsigned int sz, unsigned int maxlen)
{
	const char *comma = "";
	unsigned int i;

	if (v->held) {
		DMEMIT("held");
		comma = ",";
	}
	for (i = 0; i < JFMT_MARKS; i++) {
		const struct jfmt_mark *m = &v->mark[i];

		if (!m->name[0])
			continue;
		DMEMIT("%smark:%s:%llu", comma,
		       jmark_name_ok((const char *)m->name) ? (const char *)m->name : "?",
		       le64_to_cpu(m->seq));
		comma = ",";
	}
	if (!*comma)
		DMEMIT("-");
	return sz;
}

static void journal_status_info(struct journal *j, char *result, unsigned int maxlen)
{
	struct journal_view v;
	struct jindex_stats ix;
	struct jstats st;
	unsigned int sz = 0;

	journal_look(j, &v);
	journal_sum_stats(j, &st);
	jindex_stats(j->index, &ix);
	DMEMIT("%s %s %llu/%llu %llu:%llu:%llu %llu:%llu ", v.mode, v.home, v.used,
	       j->geo.area_len, v.tail_seq, v.durable_seq, v.head_seq, v.home_epoch, v.epoch);
	if (v.goal)
		DMEMIT("%llu ", v.goal);
	else
		DMEMIT("- ");
	DMEMIT("%llu %llu %llu %u %llu/%llu %u ", v.rate, v.lag_ms,
	       ix.sectors[JFMT_DATA] + ix.sectors[JFMT_DISCARD] + ix.sectors[JFMT_ZEROES],
	       v.deferred, ix.bytes, ix.cap_bytes, journal_atomic(j) / 2);
	DMEMIT("%llu %llu %llu ", st.reads, st.reads_staging, st.reads_log);
	DMEMIT("%llu %llu %llu %llu %llu %llu %llu ", st.writes, st.write_sectors, st.flushes,
	       st.elided, st.fuas, st.discards, st.deferred);
	DMEMIT("%llu %llu %llu ", st.log_writes, st.log_sectors, st.log_preflushes);
	DMEMIT("%llu %llu %llu %llu ", st.batches, st.home_writes, st.home_sectors, st.fences);
	DMEMIT("%llu %llu ", st.log_errors, st.home_errors);
	if (!v.reason)
		DMEMIT("- ");
	else if (v.reason_seq)
		DMEMIT("%s:%llu ", v.reason, v.reason_seq);
	else
		DMEMIT("%s ", v.reason);
	sz = journal_status_hold(&v, result, sz, maxlen);
	DMEMIT(" %s %llu:%llu:%llu", v.late ? "late" : "-", v.going, v.held_back, v.uncommitted);
}

static void journal_status(struct dm_target *ti, status_type_t type, unsigned int status_flags,
			   char *result, unsigned int maxlen)
{
	struct journal_table *t = ti->private;
	unsigned int sz = 0, i;

	switch (type) {
	case STATUSTYPE_INFO:
		journal_status_info(t->j, result, maxlen);
		break;
	case STATUSTYPE_TABLE:
		DMEMIT("%s %s %u", t->home->name, t->log->name, 2 * hweight32(t->opts.set));
		for (i = 0; i < ARRAY_SIZE(journal_words); i++)
			if (t->opts.set & OPT_WORD(i))
				DMEMIT(" %s %s", journal_words[i].key,
				       journal_words[i].word[*journal_word(&t->opts, i)]);
		for (i = 0; i < ARRAY_SIZE(journal_keys); i++)
			if (t->opts.set & OPT_KEY(i))
				DMEMIT(" %s %u", journal_keys[i].key, *journal_opt(&t->opts, i));
		break;
	case STATUSTYPE_IMA:
		DMEMIT_TARGET_NAME_VERSION(ti->type);
		DMEMIT(",checkpoint_device=%s,log_device=%s", t->home->name, t->log->name);
		for (i = 0; i < ARRAY_SIZE(journal_words); i++)
			DMEMIT(",%s=%s", journal_words[i].key,
			       journal_words[i].word[*journal_word(&t->opts, i)]);
		for (i = 0; i < ARRAY_SIZE(journal_keys); i++)
			DMEMIT(",%s=%u", journal_keys[i].key, *journal_opt(&t->opts, i));
		DMEMIT(";");
		break;
	}
}

static int journal_message(struct dm_target *ti, unsigned int argc, char **argv, char *result,
			   unsigned int maxlen)
{
	struct journal *j = ((struct journal_table *)ti->private)->j;
	unsigned int sz = 0;
	u64 seq = 0;
	int cpu, r;

	if (!strcasecmp(argv[0], "checkpoint") && argc <= 2) {
		if (argc == 2 && kstrtoull(argv[1], 10, &seq))
			return -EINVAL;
		if (!j->recovered || dm_suspended(ti))
			return -EAGAIN;
		if (READ_ONCE(j->hold.flags)) {
			DMERR("%s: checkpoints are held; release them first", journal_name(j));
			return -EBUSY;
		}
		DMEMIT("%llu", journal_request_checkpoint(j, seq));
		return 1;
	}
	if (!strcasecmp(argv[0], "clear_stats") && argc == 1) {
		for_each_possible_cpu(cpu)
			memset(per_cpu_ptr(j->stats, cpu), 0, sizeof(struct jstats));
		return 0;
	}
	r = journal_hold_message(ti, argc, argv);
	if (r != -ENOTTY)
		return r;
	DMERR("%s: unknown message %s, or wrong number of words", journal_name(j), argv[0]);
	return -EINVAL;
}

/* The volume is the home, so only the home's limits count; the log's never leak in. */
static int journal_iterate_devices(struct dm_target *ti, iterate_devices_callout_fn fn,
				   void *data)
{
	struct journal_table *t = ti->private;

	return fn(ti, t->home, 0, ti->len, data);
}

static void journal_io_hints(struct dm_target *ti, struct queue_limits *limits)
{
	compat_set_max_discard(limits, JFMT_NOPAYLOAD_MAX);
	limits->discard_granularity = limits->logical_block_size;
	limits->discard_alignment = 0;
}

static struct target_type journal_target = {
	.name		= "journal",
	.version	= { 1, 0, 0 },
	.features	= DM_TARGET_SINGLETON,
	.module		= THIS_MODULE,
	.ctr		= journal_ctr,
	.dtr		= journal_dtr,
	.map		= journal_map,
	.end_io		= journal_end_io,
	.presuspend	= journal_presuspend,
	.presuspend_undo = journal_presuspend_undo,
	.postsuspend	= journal_postsuspend,
	.preresume	= journal_preresume,
	.status		= journal_status,
	.message	= journal_message,
	.iterate_devices = journal_iterate_devices,
	.io_hints	= journal_io_hints,
};

static int __init journal_init(void)
{
	int r = journal_life_init();

	if (r)
		return r;
	r = dm_register_target(&journal_target);
	if (r)
		journal_life_exit();
	return r;
}

static void __exit journal_exit(void)
{
	dm_unregister_target(&journal_target);
	journal_life_exit();
}

module_init(journal_init);
module_exit(journal_exit);

MODULE_DESCRIPTION("device-mapper write-back journal");
MODULE_LICENSE("GPL");
MODULE_SOFTDEP("pre: crc32c");

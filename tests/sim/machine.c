// SPDX-License-Identifier: GPL-2.0-only
/*
 * Both targets, stacked over the disks: volume (journal) over vol-home (checkpoint) over home, and log.
 *
 * Always true: the product's writable data are put back to what they were at its module_init() with each new machine,
 * so no run sees another one.
 */
#include <linux/device-mapper.h>

#include "dm-checkpoint/intent_codec.h"
#include "dm-checkpoint/checkpoint.h"
#undef DM_MSG_PREFIX
#include "dm-journal/journal.h"
#include "machine.h"

#define NONCE(o)	(0x123456789abcdef1ull + (o)->format * 0x100000001ull)

int simk_module_journal_init(void);
int simk_module_checkpoint_init(void);
void simk_kernel_reset(void);
void simk_log_enable(bool on);

/* All of the product's data, gathered by the linker. */
extern char __start_product_data[], __stop_product_data[];
static char *pristine;

static struct {
	struct block_device disk[DISKS];
	struct mapped_device *vol, *home;
	struct dm_target *active, *active_home;
} mc;

void machine_once(void)
{
	size_t n = __stop_product_data - __start_product_data;

	if (simk_module_journal_init() || simk_module_checkpoint_init())
		abort();
	pristine = malloc(n);
	memcpy(pristine, __start_product_data, n);
}

void machine_log(bool on)
{
	simk_log_enable(on);
}

void machine_reset(uint64_t seed, const struct simk_mood *mood)
{
	memcpy(__start_product_data, pristine, __stop_product_data - __start_product_data);
	memset(&mc, 0, sizeof(mc));
	simk_kernel_reset();
	simk_reset(seed, mood);
}

void machine_format(const struct machine_opts *o, void *slot0, void *slot1)
{
	struct jsuper sb = {
		.geo = {
			.nonce = NONCE(o), .area_start = SIM_AREA_START, .area_len = o->area_len, .unit = o->unit,
			.record_max = o->record_max, .home_len = o->home_len,
		},
		.tail_pos = { o->first_pos }, .tail_seq = o->first_seq, .tail_crc = (u32)NONCE(o),
		.durable_seq = o->first_seq, .ckpt_to_seq = o->first_seq, .ckpt_to_pos = { o->first_pos },
		.barrier_seq = o->first_seq, .barrier_pos = { o->first_pos }, .barrier_crc = (u32)NONCE(o),
		.first_new_seq = o->first_seq + 1,
	};

	jsuper_encode(&sb, slot0);
	sb.generation = 1;
	jsuper_encode(&sb, slot1);
}

void machine_format_intent(const struct machine_opts *o, void *slot0, void *slot1)
{
	struct isuper sb = {
		.geo = {
			.nonce = NONCE(o) + 1, .home_len = o->home_len, .slot_start = SIM_AREA_START,
			.slot_len = SIM_SLOT_LEN(o), .desc_blocks = 1, .last_max = o->home_len,
		},
	};

	isuper_encode(&sb, slot0);
	sb.generation = 1;
	isuper_encode(&sb, slot1);
}

static void opts_of(const struct machine_opts *o, struct journal_opts *out)
{
	*out = (struct journal_opts) {
		.flush_home = o->flush_home, .staging_mib = o->staging_mib, .autocommit_ms = o->autocommit_ms,
		.high = o->high, .low = o->low, .max_lag_ms = o->max_lag_ms, .idle_ms = o->idle_ms,
		.inflight_kib = o->inflight_kib, .index_mib = 4,
		.batch_mib = o->batch_mib,
		.full_error = o->full_error,
	};
}

/* As the constructor does it, but for limits that keep a log from being as small as the format allows. */
static int load_table(const struct machine_opts *o, struct dm_target **out)
{
	struct dm_target *ti = kzalloc(sizeof(*ti), GFP_KERNEL);
	struct journal_table *t = kzalloc(sizeof(*t), GFP_KERNEL);
	int r;

	ti->type = simk_target("journal");
	simk_md_table(mc.vol, ti);
	dm_get_device(ti, "vol-home", 0, &t->home);
	dm_get_device(ti, "log", 0, &t->log);
	opts_of(o, &t->opts);
	ti->private = t;
	ti->per_io_data_size = sizeof(struct jbio);
	r = journal_get(ti, t);
	if (!r)
		*out = ti;
	return r;
}

static int load_home(const struct machine_opts *o, struct dm_target **out)
{
	bool more = o->batch_payload || o->relaxed;
	char depth[16];
	char *argv[] = { "home", more ? "4" : "2", "depth", depth, o->relaxed ? "order" : "intent",
			 o->relaxed ? "relaxed" : "intent" };
	struct dm_target *ti = kzalloc(sizeof(*ti), GFP_KERNEL);

	snprintf(depth, sizeof(depth), "%u", o->depth);
	ti->type = simk_target("checkpoint");
	simk_md_table(mc.home, ti);
	*out = ti;
	return ti->type->ctr(ti, more ? 6 : 4, argv);
}

/* The home's limits, and what the target makes of them. */
static int resume_home(const struct machine_opts *o)
{
	struct queue_limits l = {
		.max_discard_sectors = o->discard_max, .max_hw_discard_sectors = o->discard_max,
		.max_write_zeroes_sectors = o->zeroes_max,
	};

	mc.active_home->type->io_hints(mc.active_home, &l);
	mc.home->bdev.discard_max = l.max_discard_sectors;
	mc.home->bdev.zeroes_max = l.max_write_zeroes_sectors;
	return simk_md_resume(mc.home, mc.active_home);
}

int machine_start(const struct machine_opts *o)
{
	int r;

	mc.disk[LOG_DISK] = (struct block_device) {
		.disk = LOG_DISK, .bd_dev = 1, .sectors = SIM_AREA_START + o->area_len, .block = o->log_block,
		.dma_alignment = o->log_align, .write_cache = true,
	};
	mc.disk[HOME_DISK] = (struct block_device) {
		.disk = HOME_DISK, .bd_dev = 2, .sectors = o->home_len, .block = 512, .dma_alignment = 3,
		.discard_max = o->stale_limits ? 0 : o->discard_max, .zeroes_max = o->stale_limits ? 0 : o->zeroes_max,
		.write_cache = true,
	};
	mc.disk[INTENT_DISK] = (struct block_device) {
		.disk = INTENT_DISK, .bd_dev = 3, .sectors = SIM_INTENT_LEN(o), .block = 512, .dma_alignment = 3,
		.write_cache = true,
	};
	mc.vol = simk_md_create("vol", o->home_len);
	mc.home = simk_md_create("vol-home", o->home_len);
	simk_register_bdev("log", &mc.disk[LOG_DISK]);
	simk_register_bdev("home", &mc.disk[HOME_DISK]);
	simk_register_bdev("intent", &mc.disk[INTENT_DISK]);
	simk_register_bdev("vol-home", &mc.home->bdev);

	r = load_home(o, &mc.active_home);
	if (!r)
		r = resume_home(o);
	if (!r)
		r = load_table(o, &mc.active);
	return r ? r : simk_md_resume(mc.vol, mc.active);
}

int machine_suspend(bool noflush)
{
	simk_md_suspend(mc.vol, noflush);
	return 0;
}

int machine_resume(const struct machine_opts *o)
{
	struct dm_target *old = mc.active, *loaded = old;
	int r;

	/* one that is refused when it is loaded changes nothing */
	if (o && !load_table(o, &loaded))
		mc.active = loaded;
	r = simk_md_resume(mc.vol, mc.active);
	if (!r && mc.active != old)
		old->type->dtr(old);
	return r;
}

int machine_reload_home(const struct machine_opts *o)
{
	struct dm_target *old = mc.active_home;
	int r;

	simk_md_suspend(mc.home, false);
	r = load_home(o, &mc.active_home);
	if (!r)
		r = resume_home(o);
	if (!r)
		old->type->dtr(old);
	return r;
}

int machine_checkpoint(uint64_t *seq)
{
	char *argv[] = { "checkpoint" }, result[32] = "";
	int r;

	if (mc.vol->blocked)
		return -EAGAIN;
	r = mc.active->type->message(mc.active, 1, argv, result, sizeof(result));
	*seq = strtoull(result, NULL, 10);
	return r < 0 ? r : 0;
}

bool machine_is_home(uint64_t seq)
{
	struct journal *j = ((struct journal_table *)mc.active->private)->j;
	bool r;

	spin_lock_irq(&j->lock);
	/* as jbdctl judges by the status line */
	r = journal_is_home(j, seq) || journal_is_home(j, j->ckpt_goal) || j->error || j->ckpt_stalled;
	spin_unlock_irq(&j->lock);
	return r;
}

int machine_hold(const char *word, const char *name)
{
	char *argv[] = { (char *)word, (char *)name }, result[32] = "";
	int r = mc.active->type->message(mc.active, *name ? 2 : 1, argv, result, sizeof(result));

	return r < 0 ? r : 0;
}

static struct journal *active_journal(void)
{
	return ((struct journal_table *)mc.active->private)->j;
}

uint64_t machine_mark_seq(const char *name)
{
	const struct jfmt_mark *m = jmark_find(&active_journal()->super, name);

	return m ? jmark_cut(m).seq : ~0ull;
}

bool machine_gave_up(void)
{
	const struct journal *j = active_journal();

	/* the superblocks without them may be on their way */
	return j->error || (j->hold.reason && !strcmp(j->hold.reason, "hold-released")) ||
	       memcmp(j->hold.mark, j->super.mark, sizeof(j->hold.mark)) ||
	       j->hold.flags != (j->super.flags & JFMT_SUPER_HELD);
}

int machine_status(char *out, unsigned int bytes)
{
	mc.active->type->status(mc.active, STATUSTYPE_INFO, 0, out, bytes);
	return strlen(out);
}

static void client_end_io(struct bio *bio)
{
	struct machine_bio *b = bio->bi_private;

	b->end(b, blk_status_to_errno(bio->bi_status));
}

bool machine_home_whole(void)
{
	const struct checkpoint *c = mc.active_home ? mc.active_home->private : NULL;

	return c && c->known && !c->torn;
}

void machine_submit(struct machine_bio *b)
{
	static const blk_opf_t opf[] = {
		[OP_WRITE] = REQ_OP_WRITE, [OP_FUA] = REQ_OP_WRITE | REQ_FUA,
		[OP_FLUSH] = REQ_OP_WRITE | REQ_PREFLUSH, [OP_FLUSH_WRITE] = REQ_OP_WRITE | REQ_PREFLUSH,
		[OP_FLUSH_FUA] = REQ_OP_WRITE | REQ_PREFLUSH | REQ_FUA, [OP_DISCARD] = REQ_OP_DISCARD,
		[OP_ZEROES] = REQ_OP_WRITE_ZEROES, [OP_READ] = REQ_OP_READ,
	};
	/* two vectors, so that runs of memory are not runs of pages by chance */
	struct { struct bio bio; struct bio_vec vec[2]; } *x = kzalloc(sizeof(*x), GFP_KERNEL);
	uint32_t bytes = b->sectors * 512, first = bytes > 1024 ? 1024 : bytes;

	bio_init(&x->bio, &mc.vol->bdev, x->vec, 2, opf[b->kind]);
	x->bio.bi_iter.bi_sector = b->sector;
	x->bio.bi_end_io = client_end_io;
	x->bio.bi_private = b;
	if (b->data) {
		__bio_add_page(&x->bio, vmalloc_to_page(b->data), first, offset_in_page(b->data));
		if (bytes > first)
			__bio_add_page(&x->bio, vmalloc_to_page((char *)b->data + first), bytes - first,
				       offset_in_page((char *)b->data + first));
	} else {
		x->bio.bi_iter.bi_size = bytes;
	}
	submit_bio_noacct(&x->bio);
}

/*----------------------------------------------------------------
 * Recovery of an image
 *--------------------------------------------------------------*/

static int image_read(void *ctx, __u64 sector, void *buf, __u32 sectors)
{
	const struct machine_reader *rd = ctx;

	memcpy(buf, rd->log + sector * 512, sectors * 512ul);
	return 0;
}

static int image_record(void *ctx, const struct jrecord *rec)
{
	(void)ctx, (void)rec;
	return 0;
}

static struct jgeo image_geo;

static int image_extent(void *ctx, const struct jrecord *rec, const struct jextent *x)
{
	const struct machine_reader *rd = ctx;
	u32 i;

	(void)rec;
	for (i = 0; i < x->len; i++)
		rd->volume[x->home.v + i] = x->kind != JFMT_DATA ? rd->zero :
			rd->value(rd->log + jring_dev(&image_geo, jpos_add(x->pos, i)) * 512, x->home.v + i);
	return 0;
}

const char *machine_apply(const uint8_t *intent, uint64_t sectors, uint32_t *home,
			  uint32_t (*value)(const uint8_t *sector, uint64_t home), uint32_t zero, bool discards)
{
	const struct jfmt_extent *x;
	struct icommit commit, newest = { 0 };
	const uint8_t *payload;
	enum isuper_verdict v[2];
	struct isuper sb[2];
	struct iextent e;
	struct igeo *g;
	int best;
	u32 i, s;

	v[0] = isuper_decode(intent, sectors, &sb[0]);
	v[1] = isuper_decode(intent + SIM_SLOT1 * 512, sectors, &sb[1]);
	best = isuper_choose(v, sb);
	if (best < 0)
		return "no superblock slot of the intent device counts";
	g = &sb[best].geo;
	for (s = 0; s < 2; s++)
		if (icommit_decode(g, s, intent + igeo_slot(g, s) * 512, &commit) && commit.batch > newest.batch)
			newest = commit;
	if (newest.batch <= sb[best].retired)
		return NULL;
	x = (const void *)(intent + igeo_desc(g, newest.batch) * 512);
	if (ibatch_crc(ibatch_seed(g, newest.batch), x, newest.nr_extents * sizeof(*x)) != newest.desc_crc)
		return "the descriptors of a committed batch are not what was committed";
	payload = intent + igeo_payload(g, newest.batch) * 512;
	for (i = 0; i < newest.nr_extents; i++, x++) {
		if (!iextent_decode(g, x, &e))
			return "a committed batch has an extent that cannot be";
		if (e.kind == JFMT_DATA &&
		    ibatch_crc(ibatch_seed(g, newest.batch), payload, e.len * 512) != e.crc)
			return "the payload of a committed batch is not what was committed";
		for (s = 0; s < e.len; s++)
			if (e.kind == JFMT_DATA)
				home[e.home + s] = value(payload + s * 512, e.home + s);
			else if (e.kind == JFMT_ZEROES || discards)
				home[e.home + s] = zero;
		if (e.kind == JFMT_DATA)
			payload += e.len * 512;
	}
	return NULL;
}

void machine_recover(const struct machine_reader *rd, struct machine_found *found)
{
	static const struct jscan_ops ops = {
		.read = image_read, .record = image_record, .extent = image_extent,
	};
	static _Alignas(64) char buf[256 * 512];
	static struct jsuper sb[2];
	static struct jscan_result res;
	enum jsuper_verdict v[2];
	unsigned int i;
	int best;

	v[0] = jsuper_decode(rd->log, rd->log_sectors, &sb[0]);
	v[1] = jsuper_decode(rd->log + SIM_SLOT1 * 512, rd->log_sectors, &sb[1]);
	best = jsuper_choose(v, sb);
	found->ok = false;
	found->passed = false;
	if (best < 0) {
		found->why = "no superblock slot counts";
		return;
	}
	image_geo = sb[best].geo;
	found->tail_seq = sb[best].tail_seq;
	found->marks = sb[best].flags & JFMT_SUPER_HELD ? MACHINE_HELD : 0;
	for (i = 0; i < MACHINE_MARKS; i++) {
		char name[] = { 'm', '0' + i, 0 };
		const struct jfmt_mark *m = jmark_find(&sb[best], name);

		if (!m)
			continue;
		found->marks |= 1u << i;
		found->passed |= jmark_cut(m).seq < sb[best].ckpt_to_seq;
	}
	jscan(&sb[best], &ops, (void *)rd, buf, 256, rd->window, &res);
	found->last_seq = res.last_seq;
	found->why = res.why;
	found->ok = res.end == JSCAN_END;
}

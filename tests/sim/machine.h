/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The volume as its user sees it, for the C++ side: formatted, brought up, written to, suspended, reloaded.
 *
 * Always true: everything here runs the product's own entry points; nothing is called that a kernel would not call.
 */
#ifndef SIM_MACHINE_H
#define SIM_MACHINE_H

#include "kernel/simk.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { LOG_DISK, HOME_DISK, INTENT_DISK, DISKS };

struct machine_opts {
	uint64_t home_len, area_len;
	uint32_t unit, record_max;
	uint64_t first_seq, first_pos;		/* of a fresh log */
	uint32_t format;			/* changes the nonce */
	uint32_t log_block, log_align;		/* bytes; alignment as a mask */
	uint32_t discard_max, zeroes_max;	/* of the home */
	uint32_t flush_home, staging_mib, autocommit_ms, high, low, max_lag_ms, idle_ms, inflight_kib, depth;
	uint32_t batch_mib;
	uint32_t batch_payload;			/* sectors of a batch in the intent device; 0: there is none */
	uint32_t full_error;			/* on_hold_full error */
	uint32_t relaxed;			/* batches without an intent device */
	uint32_t stale_limits;			/* the home can neither discard nor write zeroes, whatever its limits say */
};

/* Whether a discard reaches the home. */
static inline bool machine_discards(const struct machine_opts *o)
{
	return o->discard_max && !o->stale_limits;
}

#define SIM_AREA_START	136u
#define SIM_SLOT_SECTORS 8u
#define SIM_SLOT1	128u

/* Sectors of the intent device; its batch slots have one block of descriptors. */
#define SIM_SLOT_LEN(o)		(16u + (o)->batch_payload)
#define SIM_INTENT_LEN(o)	((o)->batch_payload ? SIM_AREA_START + 2 * SIM_SLOT_LEN(o) : 0u)

enum machine_kind { OP_WRITE, OP_FUA, OP_FLUSH, OP_FLUSH_WRITE, OP_FLUSH_FUA, OP_DISCARD, OP_ZEROES, OP_READ };

struct machine_bio {
	enum machine_kind kind;
	uint64_t sector;
	uint32_t sectors;
	void *data;
	void (*end)(struct machine_bio *b, int error);
	void *arg;
};

void machine_once(void);		/* before the first machine */
void machine_log(bool on);
void machine_reset(uint64_t seed, const struct simk_mood *mood);
void machine_format(const struct machine_opts *o, void *slot0, void *slot1);
void machine_format_intent(const struct machine_opts *o, void *slot0, void *slot1);

/* in fibers */
int machine_start(const struct machine_opts *o);	/* load both tables, resume */
int machine_suspend(bool noflush);
int machine_resume(const struct machine_opts *o);	/* @o: with a new table; NULL: with the old one */
int machine_reload_home(const struct machine_opts *o);	/* a new table of the checkpoint target, whatever is under way */
int machine_checkpoint(uint64_t *seq);
bool machine_is_home(uint64_t seq);
/* hold, mark, release, rollback; @name: "" for none. 0 or -errno. */
int machine_hold(const char *word, const char *name);
uint64_t machine_mark_seq(const char *name);	/* ~0: there is no such mark */
bool machine_gave_up(void);			/* a full log ended the hold, or a failed one perhaps did */
int machine_status(char *out, unsigned int bytes);
bool machine_home_whole(void);			/* the checkpoint target says that the home alone is consistent */
void machine_submit(struct machine_bio *b);

/* Recovery of an image without the machine: as the kernel does it, up to the point of writing. */
#define MACHINE_MARKS	4
#define MACHINE_HELD	(1u << MACHINE_MARKS)

struct machine_found {
	bool ok;			/* a log that ends, not one that is damaged */
	const char *why;
	uint64_t last_seq, tail_seq;
	uint32_t marks;			/* a bit each of m0, m1, ..; MACHINE_HELD */
	bool passed;			/* a batch goes beyond one of them */
};

struct machine_reader {
	const uint8_t *log;		/* image; sectors of 512 bytes */
	uint64_t log_sectors;
	uint64_t window;		/* sectors searched behind the end */
	uint32_t *volume;		/* value of each sector: the home's, then what the log says */
	uint32_t (*value)(const uint8_t *sector, uint64_t home);
	uint32_t zero;
};

/* Bring home what is committed in an intent device, as its recovery does. NULL, or what is wrong. */
const char *machine_apply(const uint8_t *intent, uint64_t sectors, uint32_t *home,
			  uint32_t (*value)(const uint8_t *sector, uint64_t home), uint32_t zero, bool discards);

void machine_recover(const struct machine_reader *rd, struct machine_found *found);

#ifdef __cplusplus
}
#endif
#endif

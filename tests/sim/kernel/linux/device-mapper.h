/* SPDX-License-Identifier: GPL-2.0-only */
/* The device-mapper core: clones with per-bio data, splits, flushes before data, suspend and resume. */
#ifndef SIM_LINUX_DEVICE_MAPPER_H
#define SIM_LINUX_DEVICE_MAPPER_H

#include <linux/bio.h>
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/mutex.h>
#include <linux/workqueue.h>

#define DM_MAPIO_SUBMITTED	0
#define DM_MAPIO_REMAPPED	1
#define DM_MAPIO_KILL		4
#define DM_ENDIO_DONE		0
#define DM_ENDIO_INCOMPLETE	1
#define DM_TARGET_SINGLETON	1

typedef enum { STATUSTYPE_INFO, STATUSTYPE_TABLE, STATUSTYPE_IMA } status_type_t;

struct dm_table {
	struct mapped_device *md;
};

struct dm_dev {
	struct block_device *bdev;
	char name[16];
};

struct dm_target {
	struct dm_table *table;
	struct target_type *type;
	sector_t begin, len;
	unsigned int per_io_data_size;
	unsigned int num_flush_bios, num_discard_bios, num_write_zeroes_bios;
	bool flush_supported, discards_supported, limit_swap_bios;
	void *private;
	char *error;
};

typedef int (*iterate_devices_callout_fn)(struct dm_target *ti, struct dm_dev *dev, sector_t start,
					  sector_t len, void *data);

struct target_type {
	const char *name;
	unsigned int version[3];
	u64 features;
	void *module;
	int (*ctr)(struct dm_target *ti, unsigned int argc, char **argv);
	void (*dtr)(struct dm_target *ti);
	int (*map)(struct dm_target *ti, struct bio *bio);
	int (*end_io)(struct dm_target *ti, struct bio *bio, blk_status_t *error);
	void (*presuspend)(struct dm_target *ti);
	void (*presuspend_undo)(struct dm_target *ti);
	void (*postsuspend)(struct dm_target *ti);
	int (*preresume)(struct dm_target *ti);
	void (*status)(struct dm_target *ti, status_type_t type, unsigned int flags, char *result, unsigned int maxlen);
	int (*message)(struct dm_target *ti, unsigned int argc, char **argv, char *result, unsigned int maxlen);
	int (*iterate_devices)(struct dm_target *ti, iterate_devices_callout_fn fn, void *data);
	void (*io_hints)(struct dm_target *ti, struct queue_limits *limits);
};

struct mapped_device {
	struct block_device bdev;
	struct dm_table table;
	struct dm_target *ti;
	char name[16];
	struct workqueue_struct *wq;
	struct work_struct work;	/* submits what is deferred */
	struct bio_list deferred;
	unsigned int pending;
	bool blocked, noflush;
	wait_queue_head_t wait;
	unsigned int events;
};

struct dm_arg_set {
	unsigned int argc;
	char **argv;
};

struct dm_arg {
	unsigned int min, max;
	char *error;
};

int dm_register_target(struct target_type *t);
static inline void dm_unregister_target(struct target_type *t) { (void)t; }
struct target_type *simk_target(const char *name);
struct mapped_device *simk_md_create(const char *name, u64 sectors);
void simk_md_submit(struct mapped_device *md, struct bio *bio);
void simk_dm_reset(void);
void simk_md_table(struct mapped_device *md, struct dm_target *ti);
void simk_md_suspend(struct mapped_device *md, bool noflush);
int simk_md_resume(struct mapped_device *md, struct dm_target *ti);
/* Devices that dm_get_device() finds by name. */
void simk_register_bdev(const char *name, struct block_device *bdev);

void *dm_per_bio_data(struct bio *bio, size_t size);
struct bio *dm_bio_from_per_bio_data(void *data, size_t size);
void dm_accept_partial_bio(struct bio *bio, unsigned int sectors);
void dm_submit_bio_remap(struct bio *clone, struct bio *tgt_clone);
void dm_table_event(struct dm_table *t);
int dm_get_device(struct dm_target *ti, const char *path, unsigned int mode, struct dm_dev **out);
static inline void dm_put_device(struct dm_target *ti, struct dm_dev *dev) { (void)ti; simk_free(dev); }
int dm_read_arg(const struct dm_arg *arg, struct dm_arg_set *as, unsigned int *v, char **error);
int dm_read_arg_group(const struct dm_arg *arg, struct dm_arg_set *as, unsigned int *n, char **error);

static inline const char *dm_shift_arg(struct dm_arg_set *as)
{
	if (!as->argc)
		return NULL;
	as->argc--;
	return *as->argv++;
}

/* The one user of a volume closes it before a rollback. */
struct gendisk;
static inline struct gendisk *dm_disk(struct mapped_device *md) { return (struct gendisk *)md; }
static inline unsigned int disk_openers(struct gendisk *disk) { (void)disk; return 0; }

static inline const char *dm_device_name(struct mapped_device *md) { return md->name; }
static inline struct mapped_device *dm_table_get_md(struct dm_table *t) { return t->md; }
static inline const char *dm_table_device_name(struct dm_table *t) { return t->md->name; }
static inline unsigned int dm_table_get_mode(struct dm_table *t) { (void)t; return 0; }
static inline sector_t dm_target_offset(struct dm_target *ti, sector_t s) { return s - ti->begin; }
static inline bool dm_noflush_suspending(struct dm_target *ti) { return ti->table->md->noflush; }
static inline bool dm_suspended(struct dm_target *ti) { return ti->table->md->blocked; }

void simk_log(const char *fmt, ...);
#define DMERR(fmt, ...)		simk_log(DM_MSG_PREFIX ": " fmt, ##__VA_ARGS__)
#define DMERR_LIMIT		DMERR
#define DMINFO			DMERR
#define DMWARN			DMERR
#define DMEMIT(...)		\
	((sz >= maxlen) ? 0 : (sz += snprintf(result + sz, maxlen - sz, __VA_ARGS__)))
#define DMEMIT_TARGET_NAME_VERSION(t)	DMEMIT("target_name=%s", (t)->name)

/* one CPU is enough: counters are not what is tested */
#define alloc_percpu(type)	((type *)kzalloc(sizeof(type), GFP_KERNEL))
#define free_percpu(p)		simk_free(p)
#define this_cpu_inc(x)		((x)++)
#define this_cpu_add(x, n)	((x) += (n))
#define per_cpu_ptr(p, cpu)	((void)(cpu), (p))
#define for_each_possible_cpu(cpu)	for ((cpu) = 0; (cpu) < 1; (cpu)++)
static inline unsigned int hweight32(u32 v) { return __builtin_popcount(v); }

#endif

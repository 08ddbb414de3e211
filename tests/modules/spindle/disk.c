// SPDX-License-Identifier: GPL-2.0-only
/*
 * How long a spinning disk takes. One arm, one access at a time; a volatile write cache that is emptied behind the
 * host's back; a queue of which the access that begins soonest is served next.
 *
 * Always true: an access takes the time of the seek, then of the platter's turn until its first sector comes by, then of
 * its sectors passing by. Where the platter is follows from the time. Reads go before what lies in the cache, as long as
 * that is not three quarters full and no flush waits. A write is done when it is in the cache, or, with FUA or without a
 * cache, when it is on the platter; a flush, when all that was in the cache when it came is.
 *
 * seek = min + (max - min) * sqrt(distance / stroke): C. Ruemmler and J. Wilkes, An Introduction to Disk Drive Modeling,
 * IEEE Computer 27(3), 1994; look-ahead after a read as there. Zones, head switches and the skew between tracks are left
 * out: a track follows the other without a gap.
 */
#include <linux/math64.h>
#include <linux/overflow.h>
#include <linux/vmalloc.h>

#include "spindle.h"

#define EXTENTS		16384		/* the most that the cache keeps apart */
#define EXTENT_MAX	2048		/* sectors that are written in one access */
/* The platter is not missed by this much: what follows at once is found at once. */
#define SLACK_NS	(10 * NSEC_PER_USEC)
#define NOWHERE		(~(sector_t)0)

/*----------------------------------------------------------------
 * Arm and platter
 *--------------------------------------------------------------*/

static u64 transfer_ns(const struct sp_disk *d, unsigned int sectors)
{
	return div_u64((u64)sectors * d->rev_ns, d->track_sectors);
}

/* From @at on, until the first sector of @start is under the head. */
static u64 position_ns(const struct sp_disk *d, u64 at, sector_t start)
{
	u32 offset, phase;
	u64 track = div_u64_rem(start, d->track_sectors, &offset);
	u64 distance = track > d->head ? track - d->head : d->head - track;
	u64 seek = 0, turn;

	if (distance)
		seek = d->seek_min_us * NSEC_PER_USEC + (u64)(d->seek_max_us - d->seek_min_us) *
		       int_sqrt64(div64_u64(distance << 20, d->tracks)) * NSEC_PER_USEC / 1024;
	div_u64_rem(at + seek, d->rev_ns, &phase);
	turn = transfer_ns(d, offset) + d->rev_ns - phase;
	if (turn >= d->rev_ns)
		turn -= d->rev_ns;
	if (turn + SLACK_NS > d->rev_ns)
		turn = 0;
	return seek + turn;
}

/*----------------------------------------------------------------
 * The cache
 *--------------------------------------------------------------*/

static struct sp_extent *extent_of(struct rb_node *node)
{
	return rb_entry_safe(node, struct sp_extent, node);
}

/* The first that starts at @start or behind it. */
static struct sp_extent *tree_find(const struct sp_tree *t, sector_t start)
{
	struct rb_node *n = t->root.rb_node;
	struct sp_extent *found = NULL;

	while (n) {
		struct sp_extent *x = extent_of(n);

		if (x->start >= start) {
			found = x;
			n = n->rb_left;
		} else {
			n = n->rb_right;
		}
	}
	return found;
}

static struct sp_extent *tree_before(const struct sp_tree *t, sector_t start)
{
	struct sp_extent *x = tree_find(t, start);

	return extent_of(x ? rb_prev(&x->node) : rb_last(&t->root));
}

static void tree_insert(struct sp_tree *t, struct sp_extent *new)
{
	struct rb_node **n = &t->root.rb_node, *parent = NULL;

	while (*n) {
		parent = *n;
		n = new->start < extent_of(parent)->start ? &parent->rb_left : &parent->rb_right;
	}
	rb_link_node(&new->node, parent, n);
	rb_insert_color(&new->node, &t->root);
	t->count++;
}

static bool tree_holds(const struct sp_tree *t, sector_t start, sector_t end)
{
	struct sp_extent *x = tree_before(t, start + 1);

	return x && x->end >= end;
}

static bool disk_flushing(const struct sp_disk *d)
{
	return !list_empty(&d->flushes);
}

/* Put the write into the cache: over what is there, behind what it continues, or as a new extent. False: no room. */
static bool cache_add(struct sp_disk *d, sector_t start, unsigned int len)
{
	struct sp_tree *t = disk_flushing(d) ? &d->later : &d->dirty;
	struct sp_extent *x = tree_before(t, start + 1);
	sector_t end = start + len;

	if (x && x->end >= end)
		return true;
	/* one that is larger than the cache goes through it alone */
	if (d->cached && d->cached + len > d->cache_sectors)
		return false;
	if (x && x->end == start && end - x->start <= EXTENT_MAX) {
		x->end = end;
		d->cached += len;
		return true;
	}
	x = list_first_entry_or_null(&d->free, struct sp_extent, list);
	if (!x)
		return false;
	list_del(&x->list);
	x->start = start;
	x->end = end;
	tree_insert(t, x);
	d->cached += len;
	return true;
}

/*----------------------------------------------------------------
 * What is next
 *--------------------------------------------------------------*/

static void access_begin(struct sp_disk *d, u64 now, sector_t start, unsigned int len, bool write, u64 wait)
{
	u64 ns = wait + transfer_ns(d, len);
	/* at the end of a track the head is on the next one */
	u64 track = div_u64(start + len, d->track_sectors);

	d->stats.accesses[write]++;
	d->stats.sectors[write] += len;
	d->stats.seeks += track != d->head;
	d->stats.busy += ns;
	d->head = track;
	d->free_at = now + ns;
	d->read_end = write ? NOWHERE : start + len;
	d->busy = true;
	hrtimer_start(&d->timer, ns_to_ktime(d->free_at), HRTIMER_MODE_ABS_SOFT);
}

/* The access among those queued that begins first; *@wait is until then. */
static struct sp_io *pick_io(struct sp_disk *d, u64 now, u64 *wait)
{
	struct sp_io *io, *best = NULL;
	unsigned int left = d->queue;

	*wait = U64_MAX;
	list_for_each_entry(io, &d->accesses, list) {
		u64 at = max(d->free_at, io->arrived), ns;

		if (!io->write && io->start == d->read_end) {
			/* read ahead meanwhile: it has passed by, as far as the time was long enough */
			*wait = 0;
			return io;
		}
		ns = at + position_ns(d, at, io->start) - now;
		if (ns < *wait) {
			*wait = ns;
			best = io;
		}
		if (!--left)
			break;
	}
	return best;
}

/* The extent that begins first, of those that the arm meets next on its way. */
static struct sp_extent *pick_extent(struct sp_disk *d, u64 now, u64 *wait)
{
	struct sp_extent *x = tree_find(&d->dirty, d->head * d->track_sectors), *best = NULL;
	unsigned int left = min(d->queue, d->dirty.count);

	*wait = U64_MAX;
	while (left--) {
		u64 ns;

		if (!x)
			x = extent_of(rb_first(&d->dirty.root));
		ns = position_ns(d, now, x->start);
		if (ns < *wait) {
			*wait = ns;
			best = x;
		}
		x = extent_of(rb_next(&x->node));
	}
	return best;
}

static void cache_begin(struct sp_disk *d, u64 now, struct sp_extent *x, u64 wait)
{
	rb_erase(&x->node, &d->dirty.root);
	d->dirty.count--;
	list_add(&x->list, &d->free);
	d->serving = NULL;
	d->serving_sectors = x->end - x->start;
	access_begin(d, now, x->start, d->serving_sectors, true, wait);
}

static void disk_next(struct sp_disk *d)
{
	bool urgent = disk_flushing(d) || !list_empty(&d->blocked) || d->cached > d->cache_sectors / 4 * 3;
	u64 now = d->free_at, io_wait, cache_wait = U64_MAX;
	struct sp_extent *x = NULL;
	struct sp_io *io;

	d->busy = false;
	io = pick_io(d, now, &io_wait);
	if (!io || urgent)
		x = pick_extent(d, now, &cache_wait);
	if (io && io_wait <= cache_wait) {
		list_del(&io->list);
		d->serving = io;
		d->serving_sectors = 0;
		/* what was read ahead is there at once */
		if (!io->write && io->start == d->read_end && io->arrived > now)
			now = max(now, io->arrived - min(io->arrived - now, transfer_ns(d, io->len)));
		access_begin(d, now, io->start, io->len, io->write, io_wait);
	} else if (x) {
		cache_begin(d, now, x, cache_wait);
	}
}

/*----------------------------------------------------------------
 * Bios
 *--------------------------------------------------------------*/

static void cache_admit(struct sp_disk *d, struct list_head *done)
{
	struct sp_io *io, *next;

	list_for_each_entry_safe(io, next, &d->blocked, list) {
		if (!cache_add(d, io->start, io->len))
			break;
		list_move_tail(&io->list, done);
	}
}

/* When nothing is left of what was there before a flush. */
static void flush_end(struct sp_disk *d, struct list_head *done)
{
	while (disk_flushing(d) && !d->dirty.count && !(d->busy && !d->serving)) {
		list_splice_tail_init(&d->flushes, done);
		d->dirty = d->later;
		d->later = (struct sp_tree) { };
		list_splice_init(&d->flushes_later, &d->flushes);
	}
}

static void give_back(struct list_head *done)
{
	struct sp_io *io, *next;

	list_for_each_entry_safe(io, next, done, list)
		sp_give_back(io);
}

/* Nothing happens to an idle disk, so its clock is set to when something does. */
static void disk_wake(struct sp_disk *d, u64 now)
{
	if (d->busy)
		return;
	d->free_at = max(d->free_at, now);
	disk_next(d);
}

void sp_disk_add(struct sp_disk *d, struct sp_io *io)
{
	u64 now = ktime_get_ns();
	LIST_HEAD(done);
	unsigned long flags;

	io->arrived = now;
	spin_lock_irqsave(&d->lock, flags);
	if (!io->len) {
		d->stats.flushes++;
		list_add_tail(&io->list, disk_flushing(d) ? &d->flushes_later : &d->flushes);
		flush_end(d, &done);
	} else if (!io->write) {
		d->stats.reads++;
		if (tree_holds(&d->dirty, io->start, io->start + io->len) ||
		    tree_holds(&d->later, io->start, io->start + io->len)) {
			d->stats.cache_hits++;
			list_add_tail(&io->list, &done);
		} else {
			list_add_tail(&io->list, &d->accesses);
		}
	} else {
		d->stats.writes++;
		d->stats.fua += io->fua;
		if (io->fua || !d->cache_sectors)
			list_add_tail(&io->list, &d->accesses);
		else if (list_empty(&d->blocked) && cache_add(d, io->start, io->len))
			list_add_tail(&io->list, &done);
		else
			list_add_tail(&io->list, &d->blocked);
	}
	/* look-ahead went on while the disk was idle, so a read that follows is measured from there */
	if (!d->busy && !io->write && io->len && io->start == d->read_end)
		disk_next(d);
	else
		disk_wake(d, now);
	spin_unlock_irqrestore(&d->lock, flags);
	give_back(&done);
}

static enum hrtimer_restart disk_timer(struct hrtimer *timer)
{
	struct sp_disk *d = container_of(timer, struct sp_disk, timer);
	LIST_HEAD(done);
	unsigned long flags;

	spin_lock_irqsave(&d->lock, flags);
	if (d->serving)
		list_add_tail(&d->serving->list, &done);
	d->cached -= d->serving_sectors;
	d->busy = false;
	d->serving = NULL;
	flush_end(d, &done);
	cache_admit(d, &done);
	disk_next(d);
	spin_unlock_irqrestore(&d->lock, flags);
	give_back(&done);
	return HRTIMER_NORESTART;
}

int sp_disk_init(struct sp_disk *d)
{
	unsigned int i;

	d->rev_ns = div_u64(60ull * NSEC_PER_SEC, d->rpm);
	d->track_sectors = div_u64((u64)d->rate_mib * 2048 * d->rev_ns, NSEC_PER_SEC);
	d->tracks = div_u64(d->sectors, d->track_sectors) + 1;
	d->cache_sectors = d->cache_mib * 2048;
	d->read_end = NOWHERE;
	d->extents = vcalloc(EXTENTS, sizeof(*d->extents));
	if (!d->extents)
		return -ENOMEM;
	spin_lock_init(&d->lock);
	INIT_LIST_HEAD(&d->accesses);
	INIT_LIST_HEAD(&d->blocked);
	INIT_LIST_HEAD(&d->flushes);
	INIT_LIST_HEAD(&d->flushes_later);
	INIT_LIST_HEAD(&d->free);
	for (i = 0; i < EXTENTS; i++)
		list_add_tail(&d->extents[i].list, &d->free);
	hrtimer_init(&d->timer, CLOCK_MONOTONIC, HRTIMER_MODE_ABS_SOFT);
	d->timer.function = disk_timer;
	return 0;
}

void sp_disk_exit(struct sp_disk *d)
{
	if (!d->extents)
		return;
	hrtimer_cancel(&d->timer);
	vfree(d->extents);
}

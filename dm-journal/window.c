// SPDX-License-Identifier: GPL-2.0-only
/*
 * Windows: memory that mirrors a part of the log.
 *
 * Always true: position p lies at byte (p * 512) % size of its window, so a
 * window of n sectors can hold any n consecutive positions, and a unit or an
 * extent slot never straddles two chunks. Who may use which part is not known
 * here: see staging in space.c and the image in checkpoint.c.
 *
 * A crash loses windows as a whole; nothing in them is the only copy of
 * anything that was acknowledged as durable.
 */
#include <linux/mm.h>
#include <linux/slab.h>

#include "journal.h"

int jwin_init(struct jwin *w, u64 sectors)
{
	unsigned int n = DIV_ROUND_UP_ULL(sectors * JFMT_SECTOR, JWIN_CHUNK);

	w->chunk = kvcalloc(n, sizeof(*w->chunk), GFP_KERNEL);
	if (!w->chunk)
		return -ENOMEM;
	w->sectors = (u64)n * (JWIN_CHUNK / JFMT_SECTOR);
	for (w->nr_chunks = 0; w->nr_chunks < n; w->nr_chunks++) {
		/* zeroed: padding must not carry foreign memory to the log */
		struct page *page = alloc_pages(GFP_KERNEL | __GFP_COMP | __GFP_ZERO |
						__GFP_NOWARN, JWIN_CHUNK_ORDER);

		if (!page) {
			jwin_exit(w);
			return -ENOMEM;
		}
		w->chunk[w->nr_chunks] = page;
	}
	return 0;
}

void jwin_exit(struct jwin *w)
{
	while (w->nr_chunks)
		__free_pages(w->chunk[--w->nr_chunks], JWIN_CHUNK_ORDER);
	kvfree(w->chunk);
	w->chunk = NULL;
}

static struct page *jwin_page(const struct jwin *w, struct jpos pos, u32 skip,
			      u32 *offset)
{
	u64 byte = jring_rem(pos.v, w->sectors) * JFMT_SECTOR + skip;
	u64 n = byte / JWIN_CHUNK;

	*offset = byte % JWIN_CHUNK;
	return w->chunk[n < w->nr_chunks ? n : n - w->nr_chunks];
}

/* The byte @skip behind @pos, and in @n how many of @most bytes from there on are in one piece. */
static inline void *jwin_piece(const struct jwin *w, struct jpos pos, u32 skip, u32 most, u32 *n)
{
	u32 offset;
	struct page *page = jwin_page(w, pos, skip, &offset);

	*n = min_t(u32, most, JWIN_CHUNK - offset);
	return page_address(page) + offset;
}

void *jwin_at(const struct jwin *w, struct jpos pos)
{
	u32 n;

	return jwin_piece(w, pos, 0, 0, &n);
}

unsigned int jwin_vecs(u32 sectors)
{
	return DIV_ROUND_UP(sectors * JFMT_SECTOR, JWIN_CHUNK) + 1;
}

/* Add [@pos, @pos + @sectors) to @bio, which has jwin_vecs(@sectors) vectors to spare. */
void jwin_to_bio(const struct jwin *w, struct jpos pos, u32 sectors, struct bio *bio)
{
	u32 bytes = sectors * JFMT_SECTOR, skip = 0;

	while (skip < bytes) {
		u32 offset;
		struct page *page = jwin_page(w, pos, skip, &offset);
		u32 n = min_t(u32, bytes - skip, JWIN_CHUNK - offset);

		__bio_add_page(bio, page, n, offset);
		skip += n;
	}
}

/*
 * Most pieces are whole pages, the others whole sectors. For a length that it knows the compiler
 * makes a string instruction, where the memcpy() of some processors is a loop.
 */
static void copy(void *to, const void *from, u32 bytes)
{
	if (bytes == PAGE_SIZE) {
		memcpy(to, from, PAGE_SIZE);
		return;
	}
	for (; bytes >= JFMT_SECTOR; bytes -= JFMT_SECTOR) {
		memcpy(to, from, JFMT_SECTOR);
		to += JFMT_SECTOR;
		from += JFMT_SECTOR;
	}
	if (bytes)
		memcpy(to, from, bytes);
}

/*
 * Copy the data of @bio, as far as its iterator reaches, from or to @pos, a page or less at a time. That is what
 * bio_for_each_segment() would give, for 10 000 instructions a MiB more.
 */
static __always_inline void jwin_copy_bio(const struct jwin *w, struct jpos pos, struct bio *bio,
					  bool to_bio)
{
	struct bvec_iter iter;
	struct bio_vec bv;
	u32 skip = 0, room = 0;
	char *in = NULL;

	bio_for_each_bvec(bv, bio, iter) {
		u32 done = 0, n;

		for (; done < bv.bv_len; done += n) {
			u32 at = bv.bv_offset + done, offset = at % PAGE_SIZE;
			struct page *page = bv.bv_page + at / PAGE_SIZE;
			char *data = kmap_local_page(page);

			if (!room)
				in = jwin_piece(w, pos, skip, JWIN_CHUNK, &room);
			n = min3(room, bv.bv_len - done, (u32)PAGE_SIZE - offset);
			if (to_bio) {
				copy(data + offset, in, n);
				flush_dcache_page(page);
			} else {
				copy(in, data + offset, n);
			}
			kunmap_local(data);
			in += n;
			room -= n;
			skip += n;
		}
	}
}

void jwin_copy_from_bio(const struct jwin *w, struct jpos pos, struct bio *bio)
{
	jwin_copy_bio(w, pos, bio, false);
}

void jwin_copy_to_bio(const struct jwin *w, struct jpos pos, struct bio *bio)
{
	jwin_copy_bio(w, pos, bio, true);
}

/* Copy [@pos, @pos + @sectors) from one window to the other. */
void jwin_copy(const struct jwin *to, const struct jwin *from, struct jpos pos, u32 sectors)
{
	u32 bytes = sectors * JFMT_SECTOR, skip = 0;

	while (skip < bytes) {
		u32 n;
		void *d = jwin_piece(to, pos, skip, bytes - skip, &n);
		void *s = jwin_piece(from, pos, skip, n, &n);

		copy(d, s, n);
		skip += n;
	}
}

u32 jwin_crc(const struct jwin *w, struct jpos pos, u32 sectors, u32 seed)
{
	u32 bytes = sectors * JFMT_SECTOR, skip = 0;

	while (skip < bytes) {
		u32 n;
		void *p = jwin_piece(w, pos, skip, bytes - skip, &n);

		seed = jpayload_crc(seed, p, n);
		skip += n;
	}
	return seed;
}

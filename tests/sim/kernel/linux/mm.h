/* SPDX-License-Identifier: GPL-2.0-only */
/* A page is named by its memory. */
#ifndef SIM_LINUX_MM_H
#define SIM_LINUX_MM_H

#include <linux/types.h>

#include "../simk.h"

#define PAGE_SIZE		4096ul
#define offset_in_page(p)	((unsigned long)(p) & (PAGE_SIZE - 1))

struct page {
	char bytes[4096];
};

extern struct page simk_zero_page;

#define ZERO_PAGE(p)		(&simk_zero_page)

static inline struct page *alloc_pages(gfp_t gfp, unsigned int order)
{
	(void)gfp;
	return simk_alloc(PAGE_SIZE << order, PAGE_SIZE, true);
}

static inline struct page *alloc_page(gfp_t gfp) { return alloc_pages(gfp, 0); }
static inline void __free_pages(struct page *p, unsigned int order) { (void)order; simk_free(p); }
static inline void __free_page(struct page *p) { simk_free(p); }
static inline void *page_address(const struct page *p) { return (void *)p; }
static inline struct page *vmalloc_to_page(const void *p)
{
	return (struct page *)((unsigned long)p & ~(PAGE_SIZE - 1));
}

#endif

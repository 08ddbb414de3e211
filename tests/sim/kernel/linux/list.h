/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SIM_LINUX_LIST_H
#define SIM_LINUX_LIST_H

#include <linux/kernel.h>

#define LIST_HEAD_INIT(name)	{ &(name), &(name) }
#define LIST_HEAD(name)		struct list_head name = LIST_HEAD_INIT(name)

static inline void INIT_LIST_HEAD(struct list_head *l) { l->next = l->prev = l; }
static inline bool list_empty(const struct list_head *l) { return l->next == l; }

static inline void simk_list_insert(struct list_head *n, struct list_head *prev, struct list_head *next)
{
	n->prev = prev;
	n->next = next;
	prev->next = n;
	next->prev = n;
}

static inline void list_add(struct list_head *n, struct list_head *head) { simk_list_insert(n, head, head->next); }
static inline void list_add_tail(struct list_head *n, struct list_head *head) { simk_list_insert(n, head->prev, head); }

static inline void list_del(struct list_head *n)
{
	n->prev->next = n->next;
	n->next->prev = n->prev;
	n->next = n->prev = NULL;
}

static inline void list_move_tail(struct list_head *n, struct list_head *head)
{
	list_del(n);
	list_add_tail(n, head);
}

/* @to gets what is in @head before @entry */
static inline void list_cut_before(struct list_head *to, struct list_head *head, struct list_head *entry)
{
	INIT_LIST_HEAD(to);
	while (head->next != entry) {
		struct list_head *n = head->next;

		list_del(n);
		list_add_tail(n, to);
	}
}

/* @to is empty */
static inline void list_splice_init(struct list_head *from, struct list_head *to)
{
	if (list_empty(from))
		return;
	from->next->prev = to;
	from->prev->next = to->next;
	to->next->prev = from->prev;
	to->next = from->next;
	INIT_LIST_HEAD(from);
}

#define list_entry(p, type, member)		container_of(p, type, member)
#define list_first_entry(h, type, member)	list_entry((h)->next, type, member)
#define list_first_entry_or_null(h, type, member)	\
	(list_empty(h) ? NULL : list_first_entry(h, type, member))
#define list_for_each_entry(p, h, member)						\
	for (p = list_entry((h)->next, __typeof__(*p), member); &p->member != (h);	\
	     p = list_entry(p->member.next, __typeof__(*p), member))
#define list_for_each_entry_reverse(p, h, member)					\
	for (p = list_entry((h)->prev, __typeof__(*p), member); &p->member != (h);	\
	     p = list_entry(p->member.prev, __typeof__(*p), member))
#define list_for_each_entry_safe(p, n, h, member)					\
	for (p = list_entry((h)->next, __typeof__(*p), member),				\
	     n = list_entry(p->member.next, __typeof__(*p), member); &p->member != (h);	\
	     p = n, n = list_entry(n->member.next, __typeof__(*n), member))

#endif

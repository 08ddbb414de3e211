/* SPDX-License-Identifier: GPL-2.0-only */
/* Ordered trees; these are never balanced. */
#ifndef SIM_LINUX_RBTREE_H
#define SIM_LINUX_RBTREE_H

#include <linux/kernel.h>

struct rb_node {
	struct rb_node *up, *left, *right;
};

struct rb_root {
	struct rb_node *node;
};

#define RB_ROOT			((struct rb_root) { NULL })
#define rb_entry(p, type, member)	container_of(p, type, member)

static inline void rb_add(struct rb_node *n, struct rb_root *root,
			  bool (*less)(struct rb_node *a, const struct rb_node *b))
{
	struct rb_node **at = &root->node, *up = NULL;

	while (*at) {
		up = *at;
		at = less(n, up) ? &up->left : &up->right;
	}
	*n = (struct rb_node) { .up = up };
	*at = n;
}

static inline struct rb_node *rb_find(const void *key, const struct rb_root *root,
				      int (*cmp)(const void *key, const struct rb_node *n))
{
	struct rb_node *n = root->node;

	while (n) {
		int c = cmp(key, n);

		if (!c)
			return n;
		n = c < 0 ? n->left : n->right;
	}
	return NULL;
}

static inline struct rb_node *rb_find_first(const void *key, const struct rb_root *root,
					    int (*cmp)(const void *key, const struct rb_node *n))
{
	struct rb_node *n = root->node, *match = NULL;

	while (n) {
		int c = cmp(key, n);

		if (!c)
			match = n;
		n = c <= 0 ? n->left : n->right;
	}
	return match;
}

static inline struct rb_node *rb_first(const struct rb_root *root)
{
	struct rb_node *n = root->node;

	while (n && n->left)
		n = n->left;
	return n;
}

static inline void simk_rb_replace(struct rb_root *root, struct rb_node *old, struct rb_node *new)
{
	struct rb_node **at = !old->up ? &root->node :
			      old->up->left == old ? &old->up->left : &old->up->right;

	*at = new;
	if (new)
		new->up = old->up;
}

static inline void rb_erase(struct rb_node *n, struct rb_root *root)
{
	struct rb_node *next;

	if (!n->left || !n->right) {
		simk_rb_replace(root, n, n->left ? n->left : n->right);
		return;
	}
	for (next = n->right; next->left; next = next->left)
		;
	simk_rb_replace(root, next, next->right);
	*next = *n;
	simk_rb_replace(root, n, next);
	if (next->left)
		next->left->up = next;
	if (next->right)
		next->right->up = next;
}

#endif

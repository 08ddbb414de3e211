/* SPDX-License-Identifier: GPL-2.0-only */
/* There is one group. */
#ifndef SIM_LINUX_BLK_CGROUP_H
#define SIM_LINUX_BLK_CGROUP_H

#define blkcg_root_css			((void *)0)
#define bio_associate_blkg_from_css(bio, css)	((void)(bio))

#endif

/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* What the processor can do, as the kernel asks for it; only what payload.c does. */
#ifndef KSHIM_ASM_CPUFEATURE_H
#define KSHIM_ASM_CPUFEATURE_H

#define X86_FEATURE_XMM4_2	"sse4.2"
#ifndef static_cpu_has
#define static_cpu_has(feature)	__builtin_cpu_supports(feature)
#endif

#endif
